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

// quietLog is a log of five frames whose writer then lives for twelve hours in which nothing is written.
type quietLog struct {
	tr stage.Transport
	w  *stage.Writer
	o  stage.WriterOptions
}

const quietTopic, quietRetention = "quiet", 3 * time.Hour

func startQuiet(t *testing.T, tr stage.Transport, clock *hand) *quietLog {
	t.Helper()
	if err := stage.EnsureTopics(deadline(t), tr, stage.TopicSpec{Name: quietTopic, Partitions: 1, Retention: quietRetention}); err != nil {
		t.Fatal(err)
	}
	l := &quietLog{tr: tr, o: stage.WriterOptions{Topic: quietTopic, Generation: 7, Retention: quietRetention, Now: clock.now}}
	w, _, err := stage.OpenWriter(deadline(t), tr, l.o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	l.w = w
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
	return l
}

// twelveHours lets time pass, six minutes at once.
func (l *quietLog) twelveHours(t *testing.T, clock *hand, refresh bool) {
	t.Helper()
	for range 120 {
		clock.move(6 * time.Minute)
		if !refresh {
			continue
		}
		if err := l.w.Refresh(deadline(t), nil); err != nil {
			t.Fatal(err)
		}
		if err := l.w.Drain(deadline(t)); err != nil {
			t.Fatal(err)
		}
	}
}

// goesOn opens the log again and appends an item to what is there.
func (l *quietLog) goesOn(t *testing.T) {
	t.Helper()
	again, tail, err := stage.OpenWriter(deadline(t), l.tr, l.o)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if in, ok := tail.Input("in"); tail.NextSeq != 10 || !ok || in.Offset != 10 {
		t.Fatalf("tail: %+v", tail)
	}
	p, after := pack(10, 1)
	if _, err := again.Append(deadline(t), p, after); err != nil {
		t.Fatal(err)
	}
	if err := again.Drain(deadline(t)); err != nil {
		t.Fatal(err)
	}
}

// isRead reads what is left of the log, up to the item before next.
func (l *quietLog) isRead(t *testing.T, next uint64) {
	t.Helper()
	log, err := stage.OpenLog(l.tr, quietTopic, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	at, err := frame.Start(deadline(t), log)
	if err != nil {
		t.Fatal(err)
	}
	r, err := stage.OpenReader(deadline(t), l.tr, quietTopic, 0, at)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for {
		c, err := r.Next(deadline(t))
		if err != nil {
			t.Fatal(err)
		}
		if c.NextSeq() == next {
			return
		}
	}
}

// A log in which nothing is written for far longer than its retention can be gone on with, and read, at any time.
func TestQuietLogOutlivesItsRetention(t *testing.T) {
	for name, refresh := range map[string]bool{"refreshed": true, "left alone": false} { // the control must fail
		t.Run(name, func(t *testing.T) {
			tr, k := start(t, 1)
			clock := &hand{at: time.Now().Add(-12 * time.Hour)}
			l := startQuiet(t, tr, clock)
			l.twelveHours(t, clock, refresh)
			k.ApplyRetention()
			if info := k.PartitionInfo(quietTopic, 0); info.LogStartOffset < 5 {
				t.Fatalf("retention has left the log from offset %d on", info.LogStartOffset)
			}
			if !refresh {
				if _, _, err := stage.OpenWriter(deadline(t), tr, l.o); !errors.Is(err, frame.ErrCut) {
					t.Fatalf("nothing is left, and the log can be gone on with: %v", err)
				}
				return
			}
			if n := l.w.Sent(); n < 15 || n > 18 {
				t.Errorf("%d frames in twelve hours with a retention of three", n)
			}
			l.goesOn(t)
			l.isRead(t, 11)
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
