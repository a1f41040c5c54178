package stage_test

import (
	"encoding/binary"
	"errors"
	"testing"

	"github.com/freshet-ml/freshet/internal/frame"
	"github.com/freshet-ml/freshet/internal/stage"
)

// shared opens writers of all partitions that share a sender.
func shared(t *testing.T, tr stage.Transport, partitions int32) []*stage.Writer {
	t.Helper()
	s, err := stage.OpenSender(tr, int(partitions))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	var list []*stage.Writer
	for p := range partitions {
		w, _, err := stage.OpenWriter(deadline(t), tr, stage.WriterOptions{Topic: topic, Partition: p, Generation: 7, FullEvery: 4, Sender: s})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(w.Close)
		list = append(list, w)
	}
	return list
}

// heavy appends a frame of one item of that many bytes, which begins with its number.
func heavy(t *testing.T, w *stage.Writer, bytes int) {
	t.Helper()
	item := make([]byte, bytes)
	binary.LittleEndian.PutUint64(item, w.NextSeq())
	p := new(frame.Pack)
	if ok, err := p.Add(item); !ok || err != nil {
		t.Fatal(ok, err)
	}
	if _, err := w.Append(deadline(t), p, []frame.Input{{Name: "in", Pos: frame.Position{Offset: int64(w.NextSeq())}}}); err != nil {
		t.Fatal(err)
	}
}

func heavyItems(t *testing.T, r *stage.Reader, from, to uint64) {
	t.Helper()
	for next := from; next < to; next++ {
		c, err := r.Next(deadline(t))
		if err != nil {
			t.Fatalf("item %d: %v", next, err)
		}
		it := c.Each()
		if !it.Next() || binary.LittleEndian.Uint64(it.Item()) != next {
			t.Fatalf("offset %d does not hold item %d", c.Offset, next)
		}
	}
}

// One lane that nobody takes from fills up and is not fetched any more; the other goes on, and the full one loses
// nothing when it is taken from at last.
func TestLanesDoNotHoldEachOtherUp(t *testing.T) {
	const frames, bytes = 60, 200 << 10 // 12 MB a partition, three times what a lane holds
	tr, _ := start(t, 2)
	writers := shared(t, tr, 2)
	for range frames {
		for _, w := range writers {
			heavy(t, w, bytes)
		}
	}
	for _, w := range writers {
		if err := w.Drain(deadline(t)); err != nil {
			t.Fatal(err)
		}
	}
	lanes, err := stage.OpenLanes(deadline(t), tr, topic, map[int32]frame.Position{0: {}, 1: {}}, func(err error) { t.Error(err) })
	if err != nil {
		t.Fatal(err)
	}
	defer lanes.Close()
	heavyItems(t, lanes.Reader(1, frame.Position{}), 0, frames)
	if held := lanes.Held(0); held > stage.LaneHigh+stage.DefaultFetchBytes+bytes {
		t.Errorf("a lane that nobody takes from holds %d bytes", held)
	}
	heavyItems(t, lanes.Reader(0, frame.Position{}), 0, frames)
}

func TestLanesStartWithinTheLog(t *testing.T) {
	tr, _ := start(t, 2)
	for name, c := range map[string]struct {
		from map[int32]frame.Position
		want error
	}{
		"behind the end":        {map[int32]frame.Position{0: {}, 1: {Offset: 9}}, frame.ErrDiverged},
		"a partition too many":  {map[int32]frame.Position{0: {}, 2: {}}, stage.ErrMissing},
		"before the first kept": {map[int32]frame.Position{0: {Offset: -1}}, stage.ErrPassed},
	} {
		if _, err := stage.OpenLanes(deadline(t), tr, topic, c.from, nil); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

// The writers of a sender fail on their own: one that was overtaken ends, the other goes on.
func TestSharedSenderFailsOneByOne(t *testing.T) {
	tr, _ := start(t, 2)
	writers := shared(t, tr, 2)
	rival, _, err := stage.OpenWriter(deadline(t), tr, stage.WriterOptions{Topic: topic, Partition: 0, Generation: 7})
	if err != nil {
		t.Fatal(err)
	}
	defer rival.Close()
	appendItems(t, rival, 1)
	if err := rival.Drain(deadline(t)); err != nil {
		t.Fatal(err)
	}
	appendItems(t, writers[0], 1)
	appendItems(t, writers[1], 1)
	if err := writers[0].Drain(deadline(t)); !errors.Is(err, stage.ErrSessionEnded) {
		t.Errorf("overtaken writer: %v", err)
	}
	if err := writers[1].Drain(deadline(t)); err != nil {
		t.Errorf("the other writer: %v", err)
	}
}
