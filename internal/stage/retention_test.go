package stage_test

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/freshet-ml/freshet/internal/frame"
	"github.com/freshet-ml/freshet/internal/stage"
)

// hand is a clock that is moved by hand.
type hand struct {
	mu sync.Mutex
	at time.Time
}

func (h *hand) now() time.Time { h.mu.Lock(); defer h.mu.Unlock(); return h.at }

func (h *hand) move(d time.Duration) { h.mu.Lock(); defer h.mu.Unlock(); h.at = h.at.Add(d) }

// A log in which nothing is written for far longer than its retention can be gone on with, and read, at any time.
func TestQuietLogOutlivesItsRetention(t *testing.T) {
	const retention = 3 * time.Hour
	for name, refresh := range map[string]bool{"refreshed": true, "left alone": false} { // the control must fail
		t.Run(name, func(t *testing.T) {
			tr, k := start(t, 1)
			const quiet = "quiet"
			if err := stage.EnsureTopics(deadline(t), tr, stage.TopicSpec{Name: quiet, Partitions: 1, Retention: retention}); err != nil {
				t.Fatal(err)
			}
			clock := &hand{at: time.Now().Add(-12 * time.Hour)}
			o := stage.WriterOptions{Topic: quiet, Generation: 7, Retention: retention, Now: clock.now}
			w, _, err := stage.OpenWriter(deadline(t), tr, o)
			if err != nil {
				t.Fatal(err)
			}
			defer w.Close()
			if err := w.Refresh(deadline(t), nil); err != nil || w.Sent() != 0 {
				t.Fatalf("a new log was written to: %d frames, %v", w.Sent(), err)
			}
			for range 5 {
				p, after := pack(w.NextSeq(), 2)
				if _, err := w.Append(deadline(t), p, after); err != nil {
					t.Fatal(err)
				}
			}
			if err := w.Drain(deadline(t)); err != nil {
				t.Fatal(err)
			}
			if w.Refresh(deadline(t), nil) != nil || w.Sent() != 5 {
				t.Fatalf("%d frames were sent, want 5: the newest full one is young", w.Sent())
			}
			for range 120 { // twelve hours
				clock.move(6 * time.Minute)
				if refresh {
					if err := w.Refresh(deadline(t), nil); err != nil {
						t.Fatal(err)
					}
					if err := w.Drain(deadline(t)); err != nil {
						t.Fatal(err)
					}
				}
			}
			k.ApplyRetention()
			if info := k.PartitionInfo(quiet, 0); info.LogStartOffset < 5 {
				t.Fatalf("retention has left the log from offset %d on", info.LogStartOffset)
			}
			again, tail, err := stage.OpenWriter(deadline(t), tr, o)
			if !refresh {
				if !errors.Is(err, frame.ErrCut) {
					t.Fatalf("nothing is left, and the log can be gone on with: %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer again.Close()
			if in, ok := tail.Input("in"); tail.NextSeq != 10 || !ok || in.Offset != 10 {
				t.Fatalf("tail: %+v", tail)
			}
			if n := w.Sent(); n < 15 || n > 18 {
				t.Errorf("%d frames in twelve hours with a retention of three", n)
			}
			p, after := pack(10, 1)
			if _, err := again.Append(deadline(t), p, after); err != nil {
				t.Fatal(err)
			}
			if err := again.Drain(deadline(t)); err != nil {
				t.Fatal(err)
			}
			log, err := stage.OpenLog(tr, quiet, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer log.Close()
			at, err := frame.Start(deadline(t), log)
			if err != nil {
				t.Fatal(err)
			}
			r, err := stage.OpenReader(deadline(t), tr, quiet, 0, at)
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			for {
				c, err := r.Next(deadline(t))
				if err != nil {
					t.Fatal(err)
				}
				if c.NextSeq() == 11 {
					return
				}
			}
		})
	}
}

// Few frames, far apart: each of them has full positions when a third of the retention has passed, however many are allowed without.
func TestSlowLogHasFullPositionsInTime(t *testing.T) {
	tr, k := start(t, 1)
	clock := &hand{at: time.Now().Add(-10 * time.Hour)}
	if err := stage.EnsureTopics(deadline(t), tr, stage.TopicSpec{Name: "slow", Partitions: 1, Retention: 3 * time.Hour}); err != nil {
		t.Fatal(err)
	}
	o := stage.WriterOptions{Topic: "slow", Generation: 7, Retention: 3 * time.Hour, Now: clock.now, FullEvery: 256}
	w, _, err := stage.OpenWriter(deadline(t), tr, o)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	for range 30 {
		p, after := pack(w.NextSeq(), 1)
		if _, err := w.Append(deadline(t), p, after); err != nil {
			t.Fatal(err)
		}
		if err := w.Drain(deadline(t)); err != nil {
			t.Fatal(err)
		}
		clock.move(20 * time.Minute)
	}
	k.ApplyRetention()
	again, tail, err := stage.OpenWriter(deadline(t), tr, o)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if tail.NextSeq != 30 || k.PartitionInfo("slow", 0).LogStartOffset == 0 {
		t.Errorf("tail of the cut log: %+v", tail)
	}
}
