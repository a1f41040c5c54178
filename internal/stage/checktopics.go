package stage

import (
	"context"
	"errors"

	"github.com/twmb/franz-go/pkg/kadm"
)

// ErrNoTopic is a topic that is not there.
var ErrNoTopic = errors.New("there is no such topic")

// CheckTopics checks topics as EnsureTopics does, and makes none. It returns one error for each spec, in their
// order: nil for a topic that fits, ErrNoTopic for one that is missing. The second error is that of the
// brokers as a whole.
func CheckTopics(ctx context.Context, t Transport, specs ...TopicSpec) ([]error, error) {
	cl, err := t.Client()
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	return look(ctx, kadm.NewClient(cl), specs)
}

// TryTopics asks the brokers whether they would make topics that are missing, and makes none: one error for each spec, nil for one
// that would be made.
func TryTopics(ctx context.Context, t Transport, specs ...TopicSpec) ([]error, error) {
	cl, err := t.Client()
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	adm := kadm.NewClient(cl)
	out := make([]error, len(specs))
	for i := range specs {
		s := &specs[i]
		made, err := adm.ValidateCreateTopics(ctx, s.Partitions, s.replicas(), s.configs(), s.Name)
		if err != nil {
			return nil, err
		}
		out[i] = made[s.Name].Err
	}
	return out, nil
}
