package stage

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

// EnsureTopics makes the topics that are missing and checks those that are there: partitions, replicas, deletion and not compaction,
// no unclean election, enough replicas in sync, retention not shorter, room for a frame. Every misfit is in the error, which wraps
// ErrSettings, or ErrReplaced for another number of partitions. Topics that are missing and that this user may not make come as a
// *MissingTopicsError. A topic that is there is never asked to be made, so no right to make topics is needed then.
func EnsureTopics(ctx context.Context, t Transport, specs ...TopicSpec) error {
	cl, err := t.Client()
	if err != nil {
		return err
	}
	defer cl.Close()
	adm := kadm.NewClient(cl)
	found, err := look(ctx, adm, specs)
	if err != nil {
		return err
	}
	createAll(ctx, adm, specs, found)
	var all []error
	var missing MissingTopicsError
	for i, err := range found {
		if errors.Is(err, kerr.TopicAuthorizationFailed) || errors.Is(err, kerr.ClusterAuthorizationFailed) {
			missing.Topics, missing.Why = append(missing.Topics, specs[i]), "this user may not make them"
			continue
		}
		if err != nil {
			all = append(all, fmt.Errorf("topic %s: %w", specs[i].Name, err))
		}
	}
	if len(missing.Topics) > 0 {
		all = append(all, &missing)
	}
	return errors.Join(all...)
}

// createAll makes the topics that were not found, some side by side, and puts in found what came of it.
func createAll(ctx context.Context, adm *kadm.Client, specs []TopicSpec, found []error) {
	var wg sync.WaitGroup
	few := make(chan struct{}, 8)
	for i := range specs {
		if !errors.Is(found[i], ErrNoTopic) {
			continue
		}
		few <- struct{}{}
		wg.Go(func() {
			found[i] = create(ctx, adm, &specs[i])
			<-few
		})
	}
	wg.Wait()
}

// create makes a topic; where another process was quicker it checks that one's.
func create(ctx context.Context, adm *kadm.Client, s *TopicSpec) error {
	configs := s.configs()
	_, err := adm.CreateTopic(ctx, s.Partitions, s.replicas(), configs, s.Name)
	if errors.Is(err, kerr.InvalidConfig) { // brokers without that setting have no unclean election
		delete(configs, unclean)
		_, err = adm.CreateTopic(ctx, s.Partitions, s.replicas(), configs, s.Name)
	}
	switch {
	case errors.Is(err, kerr.TopicAlreadyExists):
		if err := led(ctx, adm, s); err != nil {
			return err
		}
		found, err := look(ctx, adm, []TopicSpec{*s})
		if err != nil {
			return err
		}
		return found[0]
	case errors.Is(err, kerr.InvalidReplicationFactor):
		return fmt.Errorf("create with %d replicas: the cluster has fewer brokers; lower kafka.replication or add brokers: %w", s.replicas(), err)
	case err != nil:
		return fmt.Errorf("create: %w", err)
	}
	return led(ctx, adm, s)
}

func (s *TopicSpec) replicas() int16 {
	if s.Replicas == 0 {
		return -1
	}
	return s.Replicas
}

// led waits until every partition of a new topic has a leader: a cluster spreads that after it has said that the topic is there.
// Any number of partitions will do: another process may have made it with another.
func led(ctx context.Context, adm *kadm.Client, s *TopicSpec) error {
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	for {
		topics, err := adm.ListTopics(ctx, s.Name)
		if err != nil {
			return fmt.Errorf("describe: %w", err)
		}
		have, of := 0, topics[s.Name].Partitions
		for _, p := range of {
			if p.Err == nil && p.Leader >= 0 {
				have++
			}
		}
		if have > 0 && have == len(of) {
			return nil
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return fmt.Errorf("%d of %d partitions have a leader: %w", have, s.Partitions, ctx.Err())
		}
	}
}

// look judges topics, with one question for all of them and one for their settings. It returns one error for each spec: nil for a
// topic that fits, ErrNoTopic for one that is missing. The second error is that of the brokers as a whole.
func look(ctx context.Context, adm *kadm.Client, specs []TopicSpec) ([]error, error) {
	names := make([]string, len(specs))
	for i := range specs {
		names[i] = specs[i].Name
	}
	if len(names) == 0 { // none would mean all
		return nil, nil
	}
	topics, err := adm.ListTopics(ctx, names...)
	var hidden *kadm.AuthError // of one of them, and the answer does not say which
	switch {
	case errors.As(err, &hidden) && len(specs) == 1:
		return []error{fmt.Errorf("describe: grant this user Describe on it: %v", hidden.Err)}, nil //nolint:errorlint // not the right to make it
	case errors.As(err, &hidden):
		return lookOneByOne(ctx, adm, specs)
	case err != nil:
		return nil, fmt.Errorf("ask the brokers: %w", hungUp(err))
	}
	out := make([]error, len(specs))
	var there []string
	for i := range specs {
		d, ok := topics[specs[i].Name]
		switch {
		case !ok || errors.Is(d.Err, kerr.UnknownTopicOrPartition):
			out[i] = ErrNoTopic
		case d.Err != nil:
			out[i] = fmt.Errorf("describe: %w", d.Err)
		default:
			there = append(there, specs[i].Name)
		}
	}
	if len(there) == 0 {
		return out, nil
	}
	described, err := settings(ctx, adm, there)
	if err != nil {
		return nil, fmt.Errorf("describe settings: %w", err)
	}
	for i := range specs {
		if out[i] == nil {
			out[i] = judge(&specs[i], topics[specs[i].Name].Partitions, described)
		}
	}
	return out, nil
}

// spread is how long a cluster may take to tell all brokers of a topic.
const spread = 5 * time.Second

// settings asks for the settings of topics that are there. A broker that has not heard of one yet is asked again.
func settings(ctx context.Context, adm *kadm.Client, topics []string) (kadm.ResourceConfigs, error) {
	unknown := func(rc kadm.ResourceConfig) bool { return errors.Is(rc.Err, kerr.UnknownTopicOrPartition) }
	for end := time.Now().Add(spread); ; {
		all, err := adm.DescribeTopicConfigs(ctx, topics...)
		if err != nil || !slices.ContainsFunc(all, unknown) || time.Now().After(end) {
			return all, err
		}
		timer := time.NewTimer(50 * time.Millisecond)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil, ctx.Err()
		}
	}
}

func lookOneByOne(ctx context.Context, adm *kadm.Client, specs []TopicSpec) ([]error, error) {
	var out []error
	for i := range specs {
		one, err := look(ctx, adm, specs[i:i+1])
		if err != nil {
			return nil, err
		}
		out = append(out, one...)
	}
	return out, nil
}

// judge compares a topic that is there with what it must be like.
func judge(s *TopicSpec, partitions kadm.PartitionDetails, described kadm.ResourceConfigs) error {
	if n := len(partitions); n != int(s.Partitions) {
		return fmt.Errorf("it has %d partitions, the project needs %d; use another project name or delete it: %w", n, s.Partitions, ErrReplaced)
	}
	rc, err := described.On(s.Name, nil)
	if err == nil {
		err = rc.Err
	}
	switch {
	case errors.Is(err, kerr.TopicAuthorizationFailed):
		return fmt.Errorf("describe settings: grant this user DescribeConfigs on it: %v", err) //nolint:errorlint // it is there: not the right to make it
	case err != nil:
		return fmt.Errorf("describe settings: %w", err)
	}
	wrong := s.thin(partitions, rc.Configs)
	for _, c := range rc.Configs {
		if why := s.misfit(c.Key, c.MaybeValue()); why != "" {
			wrong = append(wrong, why)
		}
	}
	if len(wrong) > 0 {
		slices.Sort(wrong)
		return fmt.Errorf("%w: %s", ErrSettings, strings.Join(wrong, "; "))
	}
	return nil
}

// thin says where a topic has fewer replicas than it must have, or than its own settings ask for.
func (s *TopicSpec) thin(partitions kadm.PartitionDetails, configs []kadm.Config) (wrong []string) {
	least := len(partitions[0].Replicas)
	for _, p := range partitions {
		least = min(least, len(p.Replicas))
	}
	if least < int(s.Replicas) && !s.Keep {
		wrong = append(wrong, fmt.Sprintf("it has %d replicas, kafka.replication asks for %d: reassign it, or lower kafka.replication", least, s.Replicas))
	}
	for _, c := range configs {
		if n, err := strconv.Atoi(c.MaybeValue()); c.Key == minISR && err == nil && n > least {
			wrong = append(wrong, fmt.Sprintf("%s is %s of %d replicas, so nothing can be written: set it to %d at most", minISR, c.MaybeValue(), least, least))
		}
	}
	return wrong
}
