package stage

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
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
	adm := kadm.NewClient(cl)
	if _, err := adm.BrokerMetadata(ctx); err != nil {
		return nil, fmt.Errorf("ask the brokers: %w", explain(err))
	}
	out := make([]error, len(specs))
	for i := range specs {
		err := check(ctx, adm, &specs[i])
		if errors.Is(err, kerr.UnknownTopicOrPartition) {
			err = ErrNoTopic
		}
		out[i] = err
	}
	return out, nil
}
