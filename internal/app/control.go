package app

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/internal/program"
	"github.com/freshet-ml/freshet/internal/stage"
	freshetv1 "github.com/freshet-ml/freshet/proto/freshet/v1"
)

// WriteControl writes a control record: it takes its place in the order of events, so a replay obeys it at the same place. An
// empty model means all.
func WriteControl(ctx context.Context, t stage.Transport, project, verb, model string) error {
	p, err := stage.OpenProducer(t)
	if err != nil {
		return err
	}
	defer p.Close()
	value := program.PlainRecord(time.Now().UnixMicro(), features.StringValue(verb), features.StringValue(model), features.Value{})
	if err := p.SendSync(ctx, &kgo.Record{Topic: program.PlainTopic(project, features.ControlSource), Value: value}); err != nil {
		return fmt.Errorf("write control record: %w", err)
	}
	return nil
}

// Control freezes or thaws a model.
func (a *App) Control(ctx context.Context, model, verb string) error {
	return WriteControl(ctx, a.o.Transport, a.o.Program.Project.Name, verb, model)
}

// Lineage returns what comes from what.
func (a *App) Lineage() *freshetv1.LineageResponse { return a.lineage }
