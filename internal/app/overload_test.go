package app_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	freshetv1 "github.com/freshet-ml/freshet/proto/freshet/v1"
	"github.com/freshet-ml/freshet/serving/client"
)

// hammer asks from many goroutines, each again as soon as it is answered or refused, until it is stopped.
type hammer struct {
	answered, shed atomic.Int64
	other          atomic.Pointer[error]
	wait           sync.WaitGroup
	stop           context.CancelFunc
	refused        chan struct{} // closed at the first call that is shed
}

func hammered(ctx context.Context, c *client.Client, callers int) *hammer {
	ctx, cancel := context.WithCancel(ctx)
	h := &hammer{stop: cancel, refused: make(chan struct{})}
	for range callers {
		h.wait.Go(func() {
			for ctx.Err() == nil {
				h.ask(ctx, c)
			}
		})
	}
	return h
}

func (h *hammer) ask(ctx context.Context, c *client.Client) {
	_, err := c.Predict(ctx, overloadQuestion())
	var e *client.Error
	switch {
	case err == nil:
		h.answered.Add(1)
	case status.Code(err) == codes.ResourceExhausted && errors.As(err, &e) && e.Reason == "TOO_MANY_CALLS" && e.Retry > 0:
		if h.shed.Add(1) == 1 {
			close(h.refused)
		}
	case ctx.Err() == nil && status.Code(err) != codes.DeadlineExceeded: // a slow machine may be late
		h.other.Store(&err)
	}
}

func overloadQuestion() *freshetv1.PredictRequest {
	text := client.String
	return &freshetv1.PredictRequest{Model: "late", AllowStale: true, Rows: []*freshetv1.Row{{Fields: map[string]*freshetv1.Value{"carrier": text("UA"), "flight": client.Int(1545),
		"tail": text("N14228"), "origin": text("EWR"), "dest": text("IAH"), "departs": client.Time(time.Date(2013, 1, 1, 12, 0, 0, 0, time.UTC)),
		"block": client.Int(227), "distance": client.Double(1400)}}}}
}

// TestOverload offers more predictions than the server takes while events come in: what is too much is shed, learning goes on to
// the end of the log, nothing is lost, and when the load is gone every call is answered.
func TestOverload(t *testing.T) {
	prog := compiled(t, 1)
	want := replayOf(t, prog, days(2), nil).Golden()
	prog.Project.Serving.GRPC, prog.Project.Serving.MaxInFlight = "127.0.0.1:0", 2
	s := start(t, prog)
	address, _ := s.Addresses()
	c, err := client.Dial(address, client.Options{Timeout: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, ok := s.Board.Snapshot("late"); !ok; _, ok = s.Board.Snapshot("late") {
		if pause(s.ctx, time.Millisecond); s.ctx.Err() != nil {
			t.Fatal("no version came")
		}
	}
	before, _ := s.Board.Snapshot("late")
	load := hammered(s.ctx, c, 32)
	produce(t, prog, 2, s.Transport)
	err = s.App.Wait(s.ctx, s.App.Finished) // while the load goes on
	select {
	case <-load.refused:
	case <-s.ctx.Done():
	}
	load.stop()
	load.wait.Wait()
	if err != nil {
		t.Fatalf("the log was not learned to its end under the load: %v", err)
	}
	t.Logf("%d answered, %d shed", load.answered.Load(), load.shed.Load())
	if load.shed.Load() == 0 || load.answered.Load() == 0 {
		t.Errorf("%d answered, %d shed", load.answered.Load(), load.shed.Load())
	}
	if other := load.other.Load(); other != nil {
		t.Errorf("a call was neither answered nor shed: %v", *other)
	}
	for !s.scored() {
		if pause(s.ctx, 20*time.Millisecond); s.ctx.Err() != nil {
			t.Fatal("the last versions were never published")
		}
	}
	if after, _ := s.Board.Snapshot("late"); after.Seq <= before.Seq && before.Seq != 0 {
		t.Errorf("version %d before the load, %d after", before.Seq, after.Seq)
	}
	for i := range 50 {
		if _, err := c.Predict(s.ctx, overloadQuestion()); err != nil {
			t.Fatalf("call %d after the load: %v", i, err)
		}
	}
	got, err := s.App.Golden(s.ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	got.Weights, got.Scores, want.Weights, want.Scores = nil, nil, nil, nil // of all models: scored has seen them at the end of the log
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("something is lost, or there twice: %s", diff)
	}
}
