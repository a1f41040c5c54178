package app

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/features/worker"
	"github.com/freshet-ml/freshet/internal/produce"
	"github.com/freshet-ml/freshet/internal/program"
	"github.com/freshet-ml/freshet/internal/stage"
)

// Topics are the names of all topics of a project.
type Topics struct {
	Events      string
	Parts       string
	Partitions  int // of Parts
	DeadLetters string
	Hashes      string
	Served      string
	Feedback    string
	Control     string
	Logs        map[string]string // example log by trigger
	Predictions map[string]string // by model
	Sources     map[string]string // by source
}

// Parts partitions: fixed for ever, since units are dealt to them.
const (
	embeddedParts = 8
	clusterParts  = 32
)

// TopicsOf names the topics of a project.
func TopicsOf(p *program.Program) Topics {
	name, gen := p.Project.Name, strconv.FormatUint(p.Generation, 16)
	t := Topics{Events: name + ".events", Parts: name + ".parts." + gen, Partitions: clusterParts, DeadLetters: name + ".dead",
		Hashes: name + ".hashes", Logs: map[string]string{}, Predictions: map[string]string{}, Sources: map[string]string{},
		Served: program.PlainTopic(name, features.ServedSource), Feedback: program.PlainTopic(name, features.FeedbackSource),
		Control: program.PlainTopic(name, features.ControlSource)}
	if len(p.Project.Kafka.Brokers) == 0 {
		t.Partitions = embeddedParts
	}
	for _, trigger := range p.Triggers {
		t.Logs[trigger.Name] = fmt.Sprintf("%s.%s.%s.log", name, trigger.Name, gen)
		for _, m := range trigger.Members {
			if m.Of == m.Name {
				t.Predictions[m.Name] = name + "." + m.Name + ".predictions"
			}
		}
	}
	for _, in := range p.Project.Inputs() {
		t.Sources[in.Name] = in.Topic
	}
	return t
}

// rerun gives what is folded from events other topics.
func (t *Topics) rerun(name string, partitions int) {
	t.Parts += "." + name
	if partitions > 0 {
		t.Partitions = partitions
	}
	for trigger := range t.Logs {
		t.Logs[trigger] += "." + name
	}
}

// minISR is how many brokers must have a record before it counts: of three and more replicas two, so that an acknowledged record
// outlives the loss of a broker and writing goes on without one.
func minISR(replicas int16) int {
	if replicas >= 3 {
		return 2
	}
	return 0
}

// Needed returns all topics of a project that its process makes or expects: its sources and tables, then Freshet's own.
func Needed(p *program.Program) []stage.TopicSpec {
	k := &p.Project.Kafka
	topics := TopicsOf(p)
	return append(produce.Specs(p.Project), topics.Specs(int16(k.Replication), k.Retention)...)
}

// ensure makes the topics that are missing, or says what to make where Freshet must not, and checks the others.
func ensure(ctx context.Context, t stage.Transport, p *program.Program, own []stage.TopicSpec) error {
	if p.Project.Kafka.CreateTopics {
		return stage.EnsureTopics(ctx, t, own...)
	}
	specs := append(own, produce.Specs(p.Project)...)
	found, err := stage.CheckTopics(ctx, t, specs...)
	if err != nil {
		return err
	}
	missing := &stage.MissingTopicsError{Why: "kafka.create_topics is false"}
	var all []error
	for i, err := range found {
		switch {
		case errors.Is(err, stage.ErrNoTopic):
			missing.Topics = append(missing.Topics, specs[i])
		case err != nil && i < len(own): // sources are their owners' affair: the sequencer says what it cannot read
			all = append(all, fmt.Errorf("topic %s: %w", specs[i].Name, err))
		}
	}
	if len(missing.Topics) > 0 {
		all = append(all, missing)
	}
	return errors.Join(all...)
}

// Specs returns what Freshet's own topics must be like.
func (t *Topics) Specs(replicas int16, retention time.Duration) []stage.TopicSpec {
	own := func(name string, partitions int) stage.TopicSpec {
		return stage.TopicSpec{Name: name, Partitions: int32(partitions), Replicas: replicas, Retention: retention, MinISR: minISR(replicas)}
	}
	list := []stage.TopicSpec{own(t.Events, 1), own(t.Parts, t.Partitions)}
	for _, name := range []string{t.DeadLetters, t.Hashes, t.Served, t.Feedback, t.Control} {
		list = append(list, own(name, 1))
		if name == t.DeadLetters {
			list[len(list)-1].Message = worker.MaxLetter // records of others, of any size
		}
	}
	for _, m := range []map[string]string{t.Logs, t.Predictions} {
		for _, name := range slices.Sorted(maps.Values(m)) {
			list = append(list, own(name, 1))
		}
	}
	return list
}
