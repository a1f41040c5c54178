package serving_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/internal/bench"
	"github.com/freshet-ml/freshet/internal/heap"
	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/catalog"
	"github.com/freshet-ml/freshet/models/fold"
	"github.com/freshet-ml/freshet/serving/client"
)

const (
	publishRounds = 7
	publishPhase  = 2 * time.Second
	publishEvery  = 5 * time.Millisecond // what a learner's batch of 2,000 labels a second comes to
	publishBatch  = 10
)

// TestPublishing measures predictions by entity (1,000 a second, open loop, states in memory) in phases by turns: nothing is learned, and a
// goroutine of the same process learns 2,000 labels a second with auto and publishes after each batch, as a learner does. Both phases have the same
// server, client and connection, so what differs is learning: waits for publishing, and the processor and memory that it takes.
func TestPublishing(t *testing.T) {
	if !*againstEcho {
		t.Skip("a measurement, not a test: make bench-serving runs it")
	}
	heap.Ease(heap.Service) // as the service does
	r := ready(t)
	r.auto()
	r.learn(1000)
	c, _ := r.serve(client.Options{})
	var p50, p99 [2][]float64
	for round := range 2 * publishRounds {
		training := round % 2
		ctx, stop := context.WithCancel(t.Context())
		var busy sync.WaitGroup
		if training == 1 {
			busy.Go(func() { r.trains(ctx) })
		}
		got, err := bench.Run(t.Context(), bench.Options{Rate: 1000, Duration: publishPhase, Warmup: publishPhase / 4, Call: func(ctx context.Context, _ int) string {
			if _, err := c.Predict(ctx, ask("late", flight(nil))); err != nil {
				return err.Error()
			}
			return ""
		}})
		stop()
		busy.Wait()
		r.ok(err)
		if len(got.Errors) > 0 {
			t.Errorf("%v", got.Errors)
		}
		p50[training], p99[training] = append(p50[training], got.Latency.P50), append(p99[training], got.Latency.P99)
	}
	for i, name := range []string{"idle", "training and publishing"} {
		fmt.Printf("predict by entity, 1,000/s, %-24s p50 %.2f ms (%.2f … %.2f), p99 %.2f ms (%.2f … %.2f)\n", name+":", middle(p50[i]), slices.Min(p50[i]), slices.Max(p50[i]),
			middle(p99[i]), slices.Min(p99[i]), slices.Max(p99[i]))
	}
	fmt.Printf("p99 while the trainer publishes: %.2f × idle, medians of %d phases of %v each by turns; asked ≤ 1.1\n", middle(p99[1])/middle(p99[0]), publishRounds, publishPhase)
}

// auto makes the model that is asked the pipeline that a project gets when it names none.
func (r *rig) auto() {
	m := member(&r.catalog.Models[0])
	m.Build = func(s *features.Schema) (models.Learner, error) {
		spec, err := models.ParseSpec("auto")
		if err != nil {
			return nil, err
		}
		return catalog.Build(spec, models.Env{Schema: s, Task: m.Task, Classes: 2, Seed: 1})
	}
	f, err := fold.New(r.spec.Schema, []fold.Member{m})
	r.ok(err)
	r.fold = f
}

// trains learns and publishes until ctx ends.
func (r *rig) trains(ctx context.Context) {
	tick := time.NewTicker(publishEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			r.learn(publishBatch)
		}
	}
}
