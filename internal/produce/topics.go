package produce

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/freshet-ml/freshet/internal/project"
	"github.com/freshet-ml/freshet/internal/stage"
)

// EnsureTopics makes the topics of all sources and tables that are missing, with the declared partitions and
// for ever kept records (files are full of old event times, which a broker would soon delete), and checks the
// partitions of those that are there. All misfits are in the error.
func EnsureTopics(ctx context.Context, t stage.Transport, p *project.Project) error {
	cl, err := t.Client()
	if err != nil {
		return err
	}
	defer cl.Close()
	adm := kadm.NewClient(cl)
	replicas := int16(-1)
	if p.Kafka.Replication > 0 {
		replicas = int16(p.Kafka.Replication)
	}
	var all []error
	for _, in := range p.Inputs() {
		settings := map[string]*string{"retention.ms": kadm.StringPtr("-1"), "cleanup.policy": kadm.StringPtr("delete")}
		_, err := adm.CreateTopic(ctx, int32(in.Partitions), replicas, settings, in.Topic)
		if errors.Is(err, kerr.TopicAlreadyExists) {
			err = partitions(ctx, adm, in)
		}
		if err != nil {
			all = append(all, fmt.Errorf("topic %s: %w", in.Topic, err))
		}
	}
	return errors.Join(all...)
}

func partitions(ctx context.Context, adm *kadm.Client, in *project.Source) error {
	topics, err := adm.ListTopics(ctx, in.Topic)
	if err == nil {
		err = topics[in.Topic].Err
	}
	if err != nil {
		return fmt.Errorf("describe: %w", err)
	}
	if n := len(topics[in.Topic].Partitions); n != in.Partitions {
		return fmt.Errorf("it has %d partitions, %s declares %d; set partitions: %d", n, in.Name, in.Partitions, n)
	}
	return nil
}

// Held returns how many records the topics of the project hold already, marks included, by source; sources
// whose topics are empty are left out. A run adds to them: what is older than what they hold is late.
func Held(ctx context.Context, t stage.Transport, p *project.Project) (map[string]int64, error) {
	cl, err := t.Client()
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	adm := kadm.NewClient(cl)
	held := map[string]int64{}
	for _, in := range p.Inputs() {
		first, err := adm.ListStartOffsets(ctx, in.Topic)
		if err != nil {
			return nil, fmt.Errorf("topic %s: first offsets: %w", in.Topic, err)
		}
		next, err := adm.ListEndOffsets(ctx, in.Topic)
		if err != nil {
			return nil, fmt.Errorf("topic %s: end offsets: %w", in.Topic, err)
		}
		n := int64(0)
		next.Each(func(o kadm.ListedOffset) {
			if at, ok := first.Lookup(o.Topic, o.Partition); ok && o.Offset > at.Offset {
				n += o.Offset - at.Offset
			}
		})
		if n > 0 {
			held[in.Name] = n
		}
	}
	return held, nil
}
