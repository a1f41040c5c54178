package app_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/freshet-ml/freshet/internal/stage"
)

// What a transaction that is still open holds back holds up nothing but its own partition; when it is committed it comes.
func TestOpenTransactionHoldsUpItsPartitionAlone(t *testing.T) {
	t.Parallel()
	r := realShopRig(t)
	at := func() string { return time.Now().UTC().Format(time.RFC3339Nano) }
	_, seen := r.through(undisturbed, 4, func(ctx context.Context) {
		paying, ordering := r.client(kgo.TransactionalID("pay")), r.client()
		if err := paying.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		if err := paying.ProduceSync(ctx, rec("paid", 0, "x", fmt.Sprintf(`{"at":%q,"id":"0","ok":true}`, at()))).FirstErr(); err != nil {
			t.Fatal(err)
		}
		for i := range 3 {
			if err := ordering.ProduceSync(ctx, order(fmt.Sprint(i), "u", 1)).FirstErr(); err != nil {
				t.Fatal(err)
			}
		}
		until(func() bool { return r.tail(ctx, r.topics.Events) >= 3 })(ctx)
		if _, seen := r.refold(nil); len(seen) != 3 {
			t.Errorf("%d records are in events while the transaction is open, want the 3 orders", len(seen))
		}
		if err := paying.EndTransaction(ctx, kgo.TryCommit); err != nil {
			t.Fatal(err)
		}
	})
	if len(seen) != 4 {
		t.Errorf("%d records are in events, want 4", len(seen))
	}
}

// sequencing runs a sequencer over a real broker until it ends by itself, and returns why; it has taken one order when disturb is called.
func sequencing(t *testing.T, disturb func(ctx context.Context, r *rig, adm *kadm.Client)) error {
	t.Helper()
	r := realShopRig(t)
	ctx := r.deadline()
	ended := make(chan error, 1)
	go func() { ended <- r.sequence(ctx, func() {}) }()
	cl := r.client()
	if err := cl.ProduceSync(ctx, order("a", "u", 1)).FirstErr(); err != nil {
		t.Fatal(err)
	}
	for r.tail(ctx, r.topics.Events) < 1 && ctx.Err() == nil {
		pause(ctx, 5*time.Millisecond)
	}
	disturb(ctx, r, kadm.NewClient(cl))
	return <-ended
}

// A source topic that is made anew under a sequencer stops it for good.
func TestSourceOfARealBrokerMadeAnew(t *testing.T) {
	t.Parallel()
	err := sequencing(t, func(ctx context.Context, _ *rig, adm *kadm.Client) {
		if _, err := adm.DeleteTopics(ctx, "orders"); err != nil {
			t.Fatal(err)
		}
		for ctx.Err() == nil { // it goes in the background
			if _, err := adm.CreateTopic(ctx, 2, 1, nil, "orders"); err == nil {
				return
			}
		}
	})
	if !errors.Is(err, stage.ErrReplaced) || !stage.Final(err) || !strings.Contains(err.Error(), "orders") {
		t.Errorf("the sequencer ends with %v", err)
	}
}

// Retention that passes records which were not read is a loss: the next session stops for good and names the topic.
func TestRetentionOfARealBrokerPasses(t *testing.T) {
	t.Parallel()
	r := realShopRig(t)
	ctx, cancel := context.WithCancel(r.deadline())
	ended := make(chan error, 1)
	go func() { ended <- r.sequence(ctx, func() {}) }()
	cl := r.client()
	send := func(n int) {
		for i := range n {
			if err := cl.ProduceSync(ctx, order(fmt.Sprint(n, i), "u", 1)).FirstErr(); err != nil {
				t.Fatal(err)
			}
		}
	}
	send(1)
	for r.tail(ctx, r.topics.Events) < 1 && ctx.Err() == nil {
		pause(ctx, 5*time.Millisecond)
	}
	cancel()
	<-ended
	ctx = r.deadline()
	send(3)
	offsets := kadm.Offsets{}
	offsets.Add(kadm.Offset{Topic: "orders", Partition: 0, At: 3})
	if _, err := kadm.NewClient(cl).DeleteRecords(ctx, offsets); err != nil {
		t.Fatal(err)
	}
	if err := r.sequence(ctx, func() {}); !errors.Is(err, stage.ErrPassed) || !stage.Final(err) || !strings.Contains(err.Error(), "orders") {
		t.Errorf("the sequencer ends with %v", err)
	}
}

// A source that got more partitions than the project declares stops the next session, which says what to set.
func TestPartitionsAddedToASourceOfARealBroker(t *testing.T) {
	t.Parallel()
	r := realShopRig(t)
	ctx := r.deadline()
	adm := kadm.NewClient(r.client())
	if _, err := adm.CreatePartitions(ctx, 1, "paid"); err != nil {
		t.Fatal(err)
	}
	for ctx.Err() == nil { // brokers hear of it soon after
		if n, err := stage.PartitionCount(ctx, r.tr, "paid"); err == nil && n == 2 {
			break
		}
	}
	err := r.sequence(ctx, func() {})
	if !errors.Is(err, stage.ErrReplaced) || !stage.Final(err) || !strings.Contains(err.Error(), "set partitions: 2") {
		t.Errorf("the sequencer ends with %v", err)
	}
}

// A batch that inflates beyond all measure is not inflated: the stage ends with an error that names its partition, and is run again.
func TestBatchThatInflates(t *testing.T) {
	t.Parallel()
	err := sequencing(t, func(ctx context.Context, r *rig, _ *kadm.Client) {
		cl := r.client(kgo.ProducerBatchMaxBytes(90<<20), kgo.ProducerBatchCompression(kgo.GzipCompression()))
		if err := cl.ProduceSync(ctx, &kgo.Record{Topic: "orders", Value: make([]byte, 70<<20)}).FirstErr(); err != nil {
			t.Error(err)
		}
	})
	if err == nil || stage.Final(err) || !strings.Contains(err.Error(), "orders/0") {
		t.Errorf("the sequencer ends with %v", err)
	}
}
