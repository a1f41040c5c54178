package bench

import (
	"math/bits"
	"sync/atomic"
	"time"
)

// Histogram counts durations in buckets no wider than 1/64 of their values, up to 18 minutes; longer ones count as that. It is made
// like HdrHistogram (Gil Tene): 64 equal buckets for every power of two of microseconds. 13 KiB whatever is counted. It is safe for
// concurrent use; the zero Histogram is empty.
type Histogram struct {
	counts [histBuckets]atomic.Uint64
	n, sum atomic.Int64 // sum of µs
	max    atomic.Int64 // ns
}

const (
	histBits    = 6
	histHalf    = 1 << histBits
	histPowers  = 24 // 64 µs · 2^24 ≈ 18 minutes
	histBuckets = histHalf * (histPowers + 1)
)

// bucket returns the bucket of a number of microseconds.
func bucket(us uint64) int {
	if us < histHalf {
		return int(us)
	}
	shift := bits.Len64(us) - histBits - 1
	return min((shift+1)*histHalf+int(us>>shift)-histHalf, histBuckets-1)
}

// upper returns the greatest number of microseconds of a bucket.
func upper(bucket int) uint64 {
	if bucket < histHalf {
		return uint64(bucket)
	}
	shift := bucket/histHalf - 1
	return (uint64(bucket%histHalf+histHalf)+1)<<shift - 1
}

// Add counts a duration; a negative one as 0.
func (h *Histogram) Add(d time.Duration) {
	d = max(d, 0)
	us := d.Microseconds()
	h.counts[bucket(uint64(us))].Add(1)
	h.n.Add(1)
	h.sum.Add(us)
	for {
		m := h.max.Load()
		if int64(d) <= m || h.max.CompareAndSwap(m, int64(d)) {
			return
		}
	}
}

// Count returns how many durations were added.
func (h *Histogram) Count() int { return int(h.n.Load()) }

// Quantile returns the least bucket bound that a share q of all durations does not exceed, at most the greatest one; 0 of nothing.
func (h *Histogram) Quantile(q float64) time.Duration {
	n := uint64(h.n.Load())
	if n == 0 {
		return 0
	}
	want := uint64(q*float64(n) + 0.999999)
	seen := uint64(0)
	for i := range h.counts {
		if seen += h.counts[i].Load(); seen >= max(want, 1) {
			return min(time.Duration(upper(i))*time.Microsecond, time.Duration(h.max.Load()))
		}
	}
	return time.Duration(h.max.Load())
}

// Latency is the distribution in ms.
func (h *Histogram) Latency() Latency {
	l := Latency{P50: ms(h.Quantile(.5)), P90: ms(h.Quantile(.9)), P99: ms(h.Quantile(.99)), P999: ms(h.Quantile(.999)), Max: ms(time.Duration(h.max.Load()))}
	if n := h.n.Load(); n > 0 {
		l.Mean = float64(h.sum.Load()) / float64(n) / 1000
	}
	return l
}

// Count is how many durations were at most that long, and longer than those of the one before.
type Count struct {
	AtMost float64 `json:"at_most_ms"`
	Calls  uint64  `json:"calls"`
}

// Counts returns the buckets that hold something, in order.
func (h *Histogram) Counts() []Count {
	var out []Count
	for i := range h.counts {
		if n := h.counts[i].Load(); n > 0 {
			out = append(out, Count{float64(upper(i)) / 1000, n})
		}
	}
	return out
}
