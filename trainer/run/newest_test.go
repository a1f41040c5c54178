package run

import (
	"testing"
	"time"
)

// What is said to be the newest was seen to be: never while a look is not reached, nor long after the last one that was.
func TestNewest(t *testing.T) {
	start := time.Unix(1000, 0)
	after := func(ms int) time.Time { return start.Add(time.Duration(ms) * time.Millisecond) }
	var n newest
	for _, c := range []struct {
		name   string
		look   int64 // where a look saw the end at the time; 0: no look
		at     int   // ms
		offset int64
		want   time.Time
	}{
		{"before any look", 0, 0, 5, time.Time{}},
		{"behind", 10, 10, 9, time.Time{}},
		{"still behind", 0, 2000, 9, time.Time{}},
		{"there, as of the look", 0, 2010, 10, after(10)},
		{"long after the look", 0, 2020, 10, time.Time{}},
		{"there at once", 12, 2100, 12, after(2100)},
		{"between two looks", 0, 2200, 14, after(2200)},
		{"a look says that there is more", 20, 2300, 15, time.Time{}},
		{"beyond the look", 0, 2310, 21, after(2300)},
		{"nothing was seen for long", 0, 2900, 21, time.Time{}},
	} {
		if c.look > 0 {
			n.look.Store(&look{c.look, after(c.at)})
		}
		if got := n.reached(c.offset, after(c.at)); !got.Equal(c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}
