package produce

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/freshet-ml/freshet/internal/project"
	"github.com/freshet-ml/freshet/internal/stage"
)

// Specs returns what the topics of sources and tables are like when Freshet makes them: with the declared partitions, and records
// kept for ever (files are full of old event times, which a broker would soon delete).
func Specs(p *project.Project) []stage.TopicSpec {
	var list []stage.TopicSpec
	for _, in := range p.Inputs() {
		list = append(list, stage.TopicSpec{Name: in.Topic, Partitions: int32(in.Partitions), Replicas: int16(p.Kafka.Replication), Keep: true})
	}
	return list
}

// EnsureTopics makes the topics of all sources and tables that are missing (see Specs), or returns a *stage.MissingTopicsError where
// the project says that Freshet must not, and checks the partitions of those that are there. All misfits are in the error.
func EnsureTopics(ctx context.Context, t stage.Transport, p *project.Project) error {
	specs := Specs(p)
	found, err := stage.CheckTopics(ctx, t, specs...)
	if err != nil {
		return err
	}
	var make []stage.TopicSpec
	var all []error
	for i, in := range p.Inputs() {
		switch {
		case errors.Is(found[i], stage.ErrNoTopic):
			make = append(make, specs[i])
		case errors.Is(found[i], stage.ErrReplaced):
			all = append(all, partitions(ctx, t, in))
		}
	}
	switch {
	case len(make) > 0 && p.Kafka.CreateTopics:
		all = append(all, stage.EnsureTopics(ctx, t, make...))
	case len(make) > 0:
		all = append(all, &stage.MissingTopicsError{Topics: make, Why: "kafka.create_topics is false"})
	}
	return errors.Join(all...)
}

func partitions(ctx context.Context, t stage.Transport, in *project.Source) error {
	n, err := stage.PartitionCount(ctx, t, in.Topic)
	if err != nil || int(n) == in.Partitions {
		return err
	}
	return fmt.Errorf("topic %s: it has %d partitions, %s declares %d; set partitions: %d", in.Topic, n, in.Name, in.Partitions, n)
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
