package stage_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"github.com/freshet-ml/freshet/internal/frame"
	"github.com/freshet-ml/freshet/internal/realtest"
	"github.com/freshet-ml/freshet/internal/stage"
)

func admin(t testing.TB, tr stage.Transport) *kadm.Client {
	t.Helper()
	cl, err := tr.Client()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	return kadm.NewClient(cl)
}

// long bounds what real brokers are waited for.
func long(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// setting returns a setting of a topic.
func setting(t testing.TB, adm *kadm.Client, topic, key string) string {
	t.Helper()
	all, err := adm.DescribeTopicConfigs(long(t), topic)
	if err != nil {
		t.Fatal(err)
	}
	rc, err := all.On(topic, nil)
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(rc.Configs, func(c kadm.Config) bool { return c.Key == key })
	if errors.Is(rc.Err, kerr.UnknownTopicOrPartition) { // that broker will hear of it
		return setting(t, adm, topic, key)
	}
	if i < 0 {
		t.Fatalf("topic %s has no setting %s", topic, key)
	}
	return rc.Configs[i].MaybeValue()
}

func TestTopicsOfThreeBrokers(t *testing.T) {
	t.Parallel()
	tr := stage.Transport{Brokers: realtest.StartKafkaCluster(t, "min.insync.replicas=1").Addrs()}
	adm := admin(t, tr)
	good := stage.TopicSpec{Name: "good", Partitions: 2, Replicas: 3, MinISR: 2, Retention: time.Hour}
	for range 2 { // made, then found fit
		if err := stage.EnsureTopics(long(t), tr, good); err != nil {
			t.Fatal(err)
		}
	}
	for key, want := range map[string]string{"cleanup.policy": "delete", "min.insync.replicas": "2", "unclean.leader.election.enable": "false", "retention.ms": "3600000",
		"retention.bytes": "-1", "max.message.bytes": "1052672"} {
		if got := setting(t, adm, "good", key); got != want {
			t.Errorf("%s is %s, not %s", key, got, want)
		}
	}
	thin := stage.TopicSpec{Name: "thin", Partitions: 1, Replicas: 1}
	if err := stage.EnsureTopics(long(t), tr, thin); err != nil {
		t.Fatal(err)
	}
	thick := thin
	thick.Replicas, thick.MinISR = 3, 2
	refused(t, tr, thick, stage.ErrSettings, "it has 1 replicas, kafka.replication asks for 3", "min.insync.replicas is 1, set it to 2")
	two := "2"
	if _, err := adm.AlterTopicConfigs(long(t), []kadm.AlterConfig{{Op: kadm.SetConfig, Name: "min.insync.replicas", Value: &two}}, "thin"); err != nil {
		t.Fatal(err)
	}
	for setting(t, adm, "thin", "min.insync.replicas") != two { // brokers hear of it soon after
		if long(t).Err() != nil {
			t.Fatal("the setting does not come")
		}
	}
	refused(t, tr, thin, stage.ErrSettings, "min.insync.replicas is 2 of 1 replicas, so nothing can be written")
	refused(t, tr, stage.TopicSpec{Name: "huge", Partitions: 1, Replicas: 4}, nil, "the cluster has fewer brokers; lower kafka.replication or add brokers")
}

// refused wants EnsureTopics to refuse a topic with an error that says all parts.
func refused(t *testing.T, tr stage.Transport, s stage.TopicSpec, is error, parts ...string) {
	t.Helper()
	err := stage.EnsureTopics(long(t), tr, s)
	if err == nil || is != nil && !errors.Is(err, is) {
		t.Errorf("topic %s: %v", s.Name, err)
		return
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("topic %s: %v, want it to say %q", s.Name, err, part)
		}
	}
}

// A user that may not make topics starts where they are there, and hears which are not.
func TestTopicsOfAUserThatMayNotMakeThem(t *testing.T) {
	t.Parallel()
	b := realtest.StartSecureKafka(t)
	root := stage.Transport{Brokers: []string{b.Plain}}
	there, not := stage.TopicSpec{Name: "there", Partitions: 1}, stage.TopicSpec{Name: "not", Partitions: 1, Replicas: 1}
	if err := stage.EnsureTopics(long(t), root, there); err != nil {
		t.Fatal(err)
	}
	topics := func() *kadm.ACLBuilder { return kadm.NewACLs().Topics("*").ResourcePatternType(kadm.ACLPatternLiteral) }
	user := "User:" + b.User
	for _, rule := range []*kadm.ACLBuilder{kadm.NewACLs().Clusters().Deny(user).Operations(kadm.OpCreate), topics().Deny(user).Operations(kadm.OpCreate),
		topics().Allow(user).Operations(kadm.OpDescribe, kadm.OpDescribeConfigs)} {
		if _, err := admin(t, root).CreateACLs(long(t), rule); err != nil {
			t.Fatal(err)
		}
	}
	alice := stage.Transport{Brokers: []string{b.SASL}, SASL: []sasl.Mechanism{scram.Auth{User: b.User, Pass: b.Password}.AsSha512Mechanism()}}
	for ctx := long(t); ; { // a broker hears of a rule soon after it was made
		tried, err := stage.TryTopics(ctx, alice, not)
		if err != nil {
			t.Fatal(err)
		}
		if found, err := stage.CheckTopics(ctx, alice, there); err == nil && tried[0] != nil && found[0] == nil {
			break
		}
	}
	var missing *stage.MissingTopicsError
	err := stage.EnsureTopics(long(t), alice, there, not)
	if !errors.As(err, &missing) || len(missing.Topics) != 1 || missing.Topics[0].Name != "not" || !strings.Contains(err.Error(), "this user may not make them: not") {
		t.Fatalf("topics that may not be made: %v", err)
	}
	if err := stage.EnsureTopics(long(t), alice, there); err != nil {
		t.Errorf("a topic that is there needs no right to make it: %v", err)
	}
	hide := kadm.NewACLs().Topics("there").ResourcePatternType(kadm.ACLPatternLiteral).Deny(user).Operations(kadm.OpDescribe)
	if _, err := admin(t, root).CreateACLs(long(t), hide); err != nil {
		t.Fatal(err)
	}
	for ctx := long(t); ; {
		found, err := stage.CheckTopics(ctx, alice, there, not)
		if err != nil {
			t.Fatal(err)
		}
		if found[0] == nil {
			continue
		}
		if !strings.Contains(found[0].Error(), "grant this user Describe on it") || !errors.Is(found[1], stage.ErrNoTopic) {
			t.Errorf("hidden topic, and one that is not there: %v", found)
		}
		break
	}
}

// wrote makes a log of so many frames with one item each.
func wrote(t *testing.T, tr stage.Transport, frames int) {
	t.Helper()
	if err := stage.EnsureTopics(long(t), tr, stage.TopicSpec{Name: topic, Partitions: 1}); err != nil {
		t.Fatal(err)
	}
	w, _ := open(t, tr)
	for range frames {
		appendItems(t, w, 1)
		if err := w.Drain(deadline(t)); err != nil {
			t.Fatal(err)
		}
	}
	w.Close()
}

// Retention that passes a reader, a log that is made anew, and partitions that are added are final: the stage stops and says so.
func TestWhatEndsAReaderOfARealLog(t *testing.T) {
	t.Parallel()
	tr := stage.Transport{Brokers: realtest.StartKafka(t).Addrs(), Local: true, FetchBytes: 1}
	adm := admin(t, tr)
	t.Run("retention", func(t *testing.T) {
		wrote(t, tr, 30)
		r, err := stage.OpenReader(long(t), tr, topic, 0, frame.Position{})
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		if _, err := r.Next(long(t)); err != nil {
			t.Fatal(err)
		}
		offsets := kadm.Offsets{}
		offsets.Add(kadm.Offset{Topic: topic, Partition: 0, At: 25})
		if _, err := adm.DeleteRecords(long(t), offsets); err != nil {
			t.Fatal(err)
		}
		ends(t, r, 25, stage.ErrPassed)
		if _, err := stage.OpenReader(long(t), tr, topic, 0, frame.Position{Offset: 3}); !errors.Is(err, stage.ErrPassed) {
			t.Errorf("opened where nothing is left: %v", err)
		}
	})
	t.Run("partitions added", func(t *testing.T) {
		if _, err := adm.CreatePartitions(long(t), 1, topic); err != nil {
			t.Fatal(err)
		}
		for ctx := long(t); ; {
			err := stage.EnsureTopics(ctx, tr, stage.TopicSpec{Name: topic, Partitions: 1})
			if err == nil && ctx.Err() == nil { // brokers hear of it soon after
				continue
			}
			if !errors.Is(err, stage.ErrReplaced) || !stage.Final(err) || !strings.Contains(err.Error(), "it has 2 partitions, the project needs 1") {
				t.Errorf("partitions added: %v", err)
			}
			break
		}
	})
	t.Run("made anew", func(t *testing.T) {
		remake(t, tr, adm)
		wrote(t, tr, 30)
		r, err := stage.OpenReader(long(t), tr, topic, 0, frame.Position{})
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		if _, err := r.Next(long(t)); err != nil {
			t.Fatal(err)
		}
		remake(t, tr, adm)
		ends(t, r, 30, stage.ErrReplaced)
		if _, err := stage.OpenReader(long(t), tr, topic, 0, frame.Position{Offset: 30}); !stage.Final(err) {
			t.Errorf("opened at a position of the log before: %v", err)
		}
	})
}

// ends wants a reader to end with a final error after fewer than most frames.
func ends(t *testing.T, r *stage.Reader, most int, want error) {
	t.Helper()
	ctx := long(t)
	for n := 0; ; n++ {
		_, err := r.Next(ctx)
		switch {
		case err != nil && (!errors.Is(err, want) || !stage.Final(err)):
			t.Errorf("reader ends with: %v", err)
		case err == nil && n >= most:
			t.Errorf("reader goes on")
		case err == nil:
			continue
		}
		return
	}
}

// remake deletes the log and makes an empty one of that name.
func remake(t *testing.T, tr stage.Transport, adm *kadm.Client) {
	t.Helper()
	if _, err := adm.DeleteTopics(long(t), topic); err != nil {
		t.Fatal(err)
	}
	for ctx := long(t); ; {
		err := stage.EnsureTopics(ctx, tr, stage.TopicSpec{Name: topic, Partitions: 1})
		if err == nil {
			if first, err := adm.ListEndOffsets(ctx, topic); err == nil {
				if o, ok := first.Lookup(topic, 0); ok && o.Err == nil && o.Offset == 0 {
					return
				}
			}
		}
		if ctx.Err() != nil {
			t.Fatal(err)
		}
	}
}
