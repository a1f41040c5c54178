package stage

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
)

// TopicSpec is what a topic must be like.
type TopicSpec struct {
	Name       string
	Partitions int32
	Replicas   int16         // -1 or 0: the cluster's default, and any number on a topic that exists
	Retention  time.Duration // 0: for ever
	Bytes      int64         // retained per partition, 0: all
	MinISR     int           // brokers that must have a record before it is acknowledged; 0: the cluster's default
	Message    int           // bytes of the greatest batch it must take, 1 MiB when 0
	// Keep is for topics of others: made to be kept for ever, and whatever retention one has that exists is accepted.
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
	if s.Keep { // its owner's affair, but that nothing is deleted under way
		return map[string]*string{cleanup: kadm.StringPtr("delete"), retentionMs: kadm.StringPtr("-1")}
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

// Settings are the settings of a new topic as key=value, in order.
func (s *TopicSpec) Settings() []string {
	var list []string
	configs := s.configs()
	for _, key := range slices.Sorted(maps.Keys(configs)) {
		list = append(list, key+"="+*configs[key])
	}
	return list
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
	case minISR:
		if number && n < int64(s.MinISR) {
			return fmt.Sprintf("%s is %d, set it to %d: an acknowledged record could be lost with one broker", key, n, s.MinISR)
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
