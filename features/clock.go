package features

import "math"

// NoTime is the head and watermark before the first event.
const NoTime = math.MinInt64

// Clock folds items into head and watermark. Every stage folds its own and all agree, because both are
// functions of the items before: head is the newest event time so far, the watermark never falls and
// is head − the greatest out-of-orderness of the sources. Plain sources move neither.
type Clock struct {
	Head      int64 // µs, NoTime before the first event
	Watermark int64 // µs, NoTime before the first event
	bound     int64
	plain     []bool
}

// NewClock returns the clock of a project with these sources.
func NewClock(sources []Source) *Clock {
	c := &Clock{Head: NoTime, Watermark: NoTime, plain: make([]bool, len(sources))}
	for i, s := range sources {
		c.plain[i] = s.Plain
		c.bound = max(c.bound, s.OutOfOrder)
	}
	return c
}

// Observe advances the clock over one item. Refusals do not move it.
func (c *Clock) Observe(it *Item) {
	switch it.Kind {
	case EventItem:
		if c.plain[it.Source] || it.Time <= c.Head {
			return
		}
	case TickItem, SkippedItem:
		if it.Time <= c.Head {
			return
		}
	default:
		return
	}
	c.Head = it.Time
	c.Watermark = max(c.Watermark, c.Head-c.bound)
}

// WatermarkAt returns the watermark that belongs to a head.
func (c *Clock) WatermarkAt(head int64) int64 {
	if head < NoTime+c.bound {
		return NoTime
	}
	return head - c.bound
}
