// Package window holds the hop grid: which tiles a sliding window is covered with. In the flow it stands
// under features/unit, which keeps the partial aggregates of an entity in tiles on this grid.
//
// Tile k of hop h covers the event times (k·h, (k+1)·h], so that a window (t − w, t] whose start lies on
// the grid is covered exactly. Each hop divides the next, so tiles nest.
package window

import (
	"slices"
	"strconv"
	"time"
)

// hops is the chain, in µs. Positions are the hop codes of the storage format: append only.
var hops = [...]int64{
	1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 5_000_000, 15_000_000, 60_000_000,
	300_000_000, 900_000_000, 3_600_000_000, 21_600_000_000, 86_400_000_000,
}

// Codes is the number of hop codes.
const Codes = len(hops)

// Ratio is how many hops a window has at least: a sliding window reaches back at most 1/Ratio too far.
const Ratio = 24

// Hop returns the length in µs of the hop with this code, which must be below Codes.
func Hop(code int) int64 { return hops[code] }

// CodeFor returns the code of the hop of a window of w µs: the largest that is at most w/Ratio, or the
// smallest of 1 µs.
func CodeFor(w int64) int {
	i, found := slices.BinarySearch(hops[:], w/Ratio)
	if !found {
		i--
	}
	return max(i, 0)
}

// Floor returns the greatest multiple of hop that is at most t. Below the first multiple that an int64
// holds it stays at that multiple. hop is positive.
func Floor(t, hop int64) int64 {
	r := t % hop
	if r < 0 {
		r += hop
	}
	if f := t - r; f <= t {
		return f
	}
	return t - t%hop
}

// Start returns the start of the tile of that hop that covers event time t: the greatest multiple of
// hop below t.
func Start(t, hop int64) int64 {
	if t == -1<<63 {
		return Floor(t, hop)
	}
	return Floor(t-1, hop)
}

// Back returns t − d without wrapping around.
func Back(t, d int64) int64 {
	if d > 0 && t < -1<<63+d {
		return -1 << 63
	}
	return t - d
}

// Suffix is how a window is written behind the name of a column: 90s, 5m, 36h, 7d. Hours go up to 48.
func Suffix(w time.Duration) string {
	units := []struct {
		d    time.Duration
		name string
		from time.Duration
	}{
		{24 * time.Hour, "d", 72 * time.Hour}, {time.Hour, "h", 0}, {time.Minute, "m", 0},
		{time.Second, "s", 0}, {time.Millisecond, "ms", 0}, {time.Microsecond, "us", 0},
	}
	for _, u := range units {
		if w >= u.from && w%u.d == 0 {
			return strconv.FormatInt(int64(w/u.d), 10) + u.name
		}
	}
	return strconv.FormatInt(int64(w), 10) + "ns"
}
