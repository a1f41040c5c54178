package app

import (
	"fmt"
	"strconv"
	"time"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/features/worker"
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

// Specs returns what Freshet's own topics must be like.
func (t *Topics) Specs(replicas int16, retention time.Duration) []stage.TopicSpec {
	own := func(name string, partitions int) stage.TopicSpec {
		return stage.TopicSpec{Name: name, Partitions: int32(partitions), Replicas: replicas, Retention: retention}
	}
	list := []stage.TopicSpec{own(t.Events, 1), own(t.Parts, t.Partitions)}
	for _, name := range []string{t.DeadLetters, t.Hashes, t.Served, t.Feedback, t.Control} {
		list = append(list, own(name, 1))
		if name == t.DeadLetters {
			list[len(list)-1].Message = worker.MaxLetter // records of others, of any size
		}
	}
	for _, m := range []map[string]string{t.Logs, t.Predictions} {
		for _, name := range m {
			list = append(list, own(name, 1))
		}
	}
	return list
}
