package stage

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

// TopicSpec is what a topic must be like.
type TopicSpec struct {
	Name       string
	Partitions int32
	Replicas   int16         // -1 or 0: the cluster's default; not checked on a topic that exists
	Retention  time.Duration // 0: for ever
	Bytes      int64         // retained per partition, 0: all
	MinISR     int           // 0: the cluster's default
	Message    int           // bytes of the greatest batch it must take, 1 MiB when 0
	// Keep accepts whatever retention a topic has that exists, for topics of others.
	Keep bool
}

const (
	cleanup      = "cleanup.policy"
	unclean      = "unclean.leader.election.enable"
	retentionMs  = "retention.ms"
	retentionMax = "retention.bytes"
	messageMax   = "max.message.bytes"
	minISR       = "min.insync.replicas"
)

func (s *TopicSpec) message() int {
	if s.Message > 0 {
		return s.Message
	}
	return recordLimit
}

func (s *TopicSpec) configs() map[string]*string {
	ms, size := int64(-1), int64(-1)
	if s.Retention > 0 {
		ms = s.Retention.Milliseconds()
	}
	if s.Bytes > 0 {
		size = s.Bytes
	}
	c := map[string]*string{
		cleanup:      kadm.StringPtr("delete"),
		unclean:      kadm.StringPtr("false"),
		retentionMs:  kadm.StringPtr(strconv.FormatInt(ms, 10)),
		retentionMax: kadm.StringPtr(strconv.FormatInt(size, 10)),
		messageMax:   kadm.StringPtr(strconv.Itoa(s.message() + 4096)),
	}
	if s.MinISR > 0 {
		c[minISR] = kadm.StringPtr(strconv.Itoa(s.MinISR))
	}
	return c
}

// EnsureTopics creates the topics that are missing and checks those that are there: partitions,
// deletion and not compaction, no unclean election, retention not shorter, room for a frame. Every
// misfit is in the error, which wraps ErrSettings, or ErrReplaced for another number of partitions.
func EnsureTopics(ctx context.Context, t Transport, specs ...TopicSpec) error {
	cl, err := t.Client()
	if err != nil {
		return err
	}
	defer cl.Close()
	adm := kadm.NewClient(cl)
	var all []error
	for i := range specs {
		if err := ensure(ctx, adm, &specs[i]); err != nil {
			all = append(all, fmt.Errorf("topic %s: %w", specs[i].Name, err))
		}
	}
	return errors.Join(all...)
}

func ensure(ctx context.Context, adm *kadm.Client, s *TopicSpec) error {
	replicas := s.Replicas
	if replicas == 0 {
		replicas = -1
	}
	configs := s.configs()
	_, err := adm.CreateTopic(ctx, s.Partitions, replicas, configs, s.Name)
	if errors.Is(err, kerr.InvalidConfig) { // brokers without that setting have no unclean election
		delete(configs, unclean)
		_, err = adm.CreateTopic(ctx, s.Partitions, replicas, configs, s.Name)
	}
	switch {
	case errors.Is(err, kerr.TopicAlreadyExists):
		return check(ctx, adm, s)
	case err != nil:
		return fmt.Errorf("create: %w", err)
	}
	return led(ctx, adm, s)
}

// led waits until every partition of a new topic has a leader, which a cluster spreads after it has
// said that the topic is there.
func led(ctx context.Context, adm *kadm.Client, s *TopicSpec) error {
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	for {
		topics, err := adm.ListTopics(ctx, s.Name)
		if err != nil {
			return fmt.Errorf("describe: %w", err)
		}
		have := 0
		for _, p := range topics[s.Name].Partitions {
			if p.Err == nil && p.Leader >= 0 {
				have++
			}
		}
		if have == int(s.Partitions) {
			return nil
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return fmt.Errorf("%d of %d partitions have a leader: %w", have, s.Partitions, ctx.Err())
		}
	}
}

func check(ctx context.Context, adm *kadm.Client, s *TopicSpec) error {
	topics, err := adm.ListTopics(ctx, s.Name)
	if err == nil {
		err = topics[s.Name].Err
	}
	if err != nil {
		return fmt.Errorf("describe: %w", err)
	}
	if n := len(topics[s.Name].Partitions); n != int(s.Partitions) {
		return fmt.Errorf("it has %d partitions, the project needs %d; use another project name or delete it: %w", n, s.Partitions, ErrReplaced)
	}
	described, err := adm.DescribeTopicConfigs(ctx, s.Name)
	if err != nil {
		return fmt.Errorf("describe settings: %w", err)
	}
	rc, err := described.On(s.Name, nil)
	if err == nil {
		err = rc.Err
	}
	if err != nil {
		return fmt.Errorf("describe settings: %w", err)
	}
	var wrong []string
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

// misfit says what is wrong with a setting, and what it must be.
func (s *TopicSpec) misfit(key, value string) string {
	n, err := strconv.ParseInt(value, 10, 64)
	number := err == nil
	switch key {
	case cleanup:
		if value != "delete" {
			return key + " is " + value + ", set it to delete"
		}
	case unclean:
		if value == "true" {
			return key + " is true, set it to false: a log that loses acknowledged records cannot be judged"
		}
	case messageMax:
		if number && n < int64(s.message()) {
			return fmt.Sprintf("%s is %d, set it to at least %d", key, n, s.message())
		}
	case retentionMs:
		if want := s.Retention.Milliseconds(); number && n >= 0 && !s.Keep && (want == 0 || n < want) {
			return fmt.Sprintf("%s is %d, set it to %s", key, n, *s.configs()[key])
		}
	case retentionMax:
		if number && n >= 0 && !s.Keep && (s.Bytes == 0 || n < s.Bytes) {
			return fmt.Sprintf("%s is %d, set it to %s", key, n, *s.configs()[key])
		}
	}
	return ""
}

// PartitionCount returns how many partitions a topic has; ErrReplaced when there is no such topic.
func PartitionCount(ctx context.Context, t Transport, topic string) (int32, error) {
	cl, err := t.Client()
	if err != nil {
		return 0, err
	}
	defer cl.Close()
	topics, err := kadm.NewClient(cl).ListTopics(ctx, topic)
	if err == nil {
		err = topics[topic].Err
	}
	if err != nil {
		return 0, fmt.Errorf("describe: %w", explain(err))
	}
	return int32(len(topics[topic].Partitions)), nil
}
