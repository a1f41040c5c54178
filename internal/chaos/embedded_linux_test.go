package chaos

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/freshet-ml/freshet/internal/embedded"
	"github.com/freshet-ml/freshet/internal/stage"
)

// What the embedded broker has acknowledged while its disk was full, and before and after that, is there when it has been started again.
func TestEmbeddedBrokerOnAFullDisk(t *testing.T) {
	d := newDisk(t, 16)
	if !d.small {
		t.Skip("this user may not mount a small disk")
	}
	servers, err := embedded.Start(embedded.Options{DataDir: d.dir + "/kafka", NoStore: true})
	if err != nil {
		t.Fatal(err)
	}
	tr := stage.Transport{Brokers: servers.Brokers, Local: true}
	cl, err := tr.Client(kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.RecordDeliveryTimeout(time.Second))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := kadm.NewClient(cl).CreateTopic(t.Context(), 1, 1, nil, "log"); err != nil {
		t.Fatal(err)
	}
	acked, refused := map[string]bool{}, 0
	send := func(from, n int) {
		for i := range n {
			name := fmt.Sprint(from + i)
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
			err := cl.ProduceSync(ctx, &kgo.Record{Topic: "log", Key: []byte(name), Value: make([]byte, 4000)}).FirstErr()
			cancel()
			if err == nil {
				acked[name] = true
			} else if refused++; refused > 3 {
				return
			}
		}
	}
	send(0, 100)
	if err := d.fill(); err != nil {
		t.Fatal(err)
	}
	send(1000, 100)
	if err := d.free(); err != nil {
		t.Fatal(err)
	}
	send(2000, 100)
	cl.Close()
	servers.Close()
	if servers, err = embedded.Start(embedded.Options{DataDir: d.dir + "/kafka", NoStore: true}); err != nil {
		t.Fatal(err)
	}
	defer servers.Close()
	tr.Brokers = servers.Brokers
	cl, err = tr.Client(kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{"log": {0: kgo.NewOffset().AtStart()}}))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	want := len(acked)
	seen := 0
	for len(acked) > 0 {
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		f := cl.PollFetches(ctx)
		cancel()
		if errors.Is(f.Err0(), context.DeadlineExceeded) {
			break
		}
		f.EachRecord(func(r *kgo.Record) { seen++; delete(acked, string(r.Key)) })
	}
	t.Logf("%d records were acknowledged, %d refused; %d are read", want, refused, seen)
	if refused == 0 {
		t.Error("nothing was refused: the disk was not full")
	}
	if len(acked) > 0 {
		t.Errorf("%d acknowledged records of %d are lost", len(acked), want)
	}
}
