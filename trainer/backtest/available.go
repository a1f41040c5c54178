package backtest

import (
	"container/heap"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/trainer"
)

// Mode says when an event can be seen.
type Mode uint8

// The modes.
const (
	AtEvent  Mode = iota // at its event time
	AtDelay              // at its event time + Delay; triggers at their event time
	AtAppend             // at the timestamp of its record, or its event time if that is later
)

// Availability says when an event can be seen by what comes after it. It moves the place of an event in the
// order, never its event time: windows, labels and ages are reckoned as before, from what is visible.
//
// With a delay D, an event of a source that triggers no model takes the place of event time + D; triggers stay where they
// are, since their own fields are in the request. A prediction asked at T thus knows the events with event time < T − D, labels
// included, and of those at T − D the ones whose source stands before the trigger by name: ties go by source name, partition and
// offset, as they do without a delay, so that +0s is the order of event times itself.
// Late and duplicate records are refused as in the order of event times, before anything is moved.
type Availability struct {
	Mode  Mode
	Delay time.Duration // AtDelay
}

// ParseAvailability reads event, append, or a delay such as +200ms.
func ParseAvailability(text string) (Availability, error) {
	switch text {
	case "", "event":
		return Availability{}, nil
	case "append":
		return Availability{Mode: AtAppend}, nil
	}
	if text[0] == '+' {
		if d, err := time.ParseDuration(text[1:]); err == nil && d >= 0 {
			return Availability{Mode: AtDelay, Delay: d}, nil
		}
	}
	return Availability{}, fmt.Errorf("availability %q: write event, append, or a delay such as +200ms", text)
}

// String is what ParseAvailability reads.
func (a Availability) String() string {
	switch a.Mode {
	case AtDelay:
		return "+" + a.Delay.String()
	case AtAppend:
		return "append"
	}
	return "event"
}

// maxHeld bounds the events that wait to become visible, about 2 GB.
const maxHeld = 8 << 20

// held is an event that is not visible yet.
type held struct {
	at       int64 // from when on it is visible, µs
	item     features.Item
	appended int64
}

// waiting is a heap by (at, source, partition, offset). Sources are sorted by name.
type waiting []held

func (w waiting) Len() int      { return len(w) }
func (w waiting) Swap(i, j int) { w[i], w[j] = w[j], w[i] }
func (w waiting) Less(i, j int) bool {
	a, b := &w[i], &w[j]
	switch {
	case a.at != b.at:
		return a.at < b.at
	case a.item.Source != b.item.Source:
		return a.item.Source < b.item.Source
	case a.item.Partition != b.item.Partition:
		return a.item.Partition < b.item.Partition
	}
	return a.item.Offset < b.item.Offset
}
func (w *waiting) Push(x any) { *w = append(*w, x.(held)) }
func (w *waiting) Pop() any {
	old := *w
	x := old[len(old)-1]
	old[len(old)-1] = held{}
	*w = old[:len(old)-1]
	return x
}

// visible puts items into the order in which they become visible, and marks what is then too old to be learned.
type visible struct {
	by       Availability
	trigger  []bool // by source
	skew     int64
	clock    *features.Clock
	frontier int64
	wait     waiting
	last     map[lane]int64 // newest place of a partition: records of one keep their order
	visit    Visit
}

type lane struct {
	source    int
	partition int32
}

// available is items in the order in which they can be seen.
func available(items Items, c *Candidate, by Availability) Items {
	if by.Mode == AtEvent {
		return items
	}
	return func(ctx context.Context, visit Visit) error {
		v := &visible{by: by, trigger: triggers(c.Program), skew: time.Minute.Microseconds(), clock: features.NewClock(c.Program.Sources),
			frontier: features.NoTime, last: map[lane]int64{}, visit: visit}
		if c.MaxSkew > 0 {
			v.skew = c.MaxSkew.Microseconds()
		}
		if err := items(ctx, v.take); err != nil {
			return err
		}
		return v.release(1<<63 - 1)
	}
}

func triggers(p *trainer.Program) []bool {
	is := make([]bool, len(p.Sources))
	for _, t := range p.Triggers {
		is[t.Source] = true
	}
	return is
}

func (v *visible) take(it *features.Item, appended int64) error {
	at := it.Time
	switch {
	case v.by.Mode == AtAppend && appended == features.NoTime && it.Kind == features.EventItem:
		return fmt.Errorf("availability append: an event of %s has no record timestamp: files have none; replay topics, or give a delay such as +200ms: %w",
			clockText(it.Time), ErrOptions)
	case v.by.Mode == AtAppend:
		at = max(at, appended)
	case !v.trigger[it.Source] && at != features.NoTime:
		at += v.by.Delay.Microseconds()
	}
	id := lane{it.Source, it.Partition}
	if before, ok := v.last[id]; ok {
		at = max(at, before)
	}
	v.last[id] = at
	copied := *it
	copied.Fields = slices.Clone(it.Fields)
	heap.Push(&v.wait, held{at: at, item: copied, appended: appended})
	if len(v.wait) > maxHeld {
		return fmt.Errorf("%d events wait at %s to become visible: the records were appended long after their events; use event, or a delay such as +200ms: %w",
			len(v.wait), clockText(v.frontier), ErrOptions)
	}
	if it.Kind == features.EventItem {
		v.frontier = max(v.frontier, it.Time)
	}
	return v.release(v.frontier)
}

// release hands out what is visible before t: no event that comes later can take a place there.
func (v *visible) release(t int64) error {
	for len(v.wait) > 0 && v.wait[0].at < t {
		h := heap.Pop(&v.wait).(held)
		if h.item.Kind == features.EventItem {
			h.item.Flags &^= features.NotLearned
			if v.clock.Head != features.NoTime && h.item.Time < v.clock.Head-v.skew {
				h.item.Flags |= features.NotLearned
			}
			v.clock.Observe(&h.item)
		}
		if err := v.visit(&h.item, h.appended); err != nil {
			return err
		}
	}
	return nil
}

// between leaves out what happened outside [from, to), but for table rows before it. It reads to the end: an event that comes
// late may still lie between.
func between(items Items, p *trainer.Program, from, to int64) Items {
	if from == features.NoTime && to == endOfTime {
		return items
	}
	return func(ctx context.Context, visit Visit) error {
		return items(ctx, func(it *features.Item, appended int64) error {
			if it.Time >= to || it.Time < from && !p.Sources[it.Source].Table {
				return nil
			}
			return visit(it, appended)
		})
	}
}

const endOfTime int64 = 1<<63 - 1

func clockText(t int64) string { return time.UnixMicro(t).UTC().Format(time.RFC3339Nano) }
