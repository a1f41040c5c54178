package bench

import (
	"math"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestQuantilesAreWithinABucket compares with the sorted durations.
func TestQuantilesAreWithinABucket(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list := rapid.SliceOfN(rapid.Int64Range(0, int64(17*time.Minute)), 1, 300).Draw(t, "durations")
		var h Histogram
		for _, d := range list {
			h.Add(time.Duration(d))
		}
		slices.Sort(list)
		for _, q := range []float64{.01, .5, .9, .99, 1} {
			exact := time.Duration(list[max(int(math.Ceil(q*float64(len(list))))-1, 0)])
			got := h.Quantile(q)
			if got < exact-time.Microsecond || float64(got) > float64(exact)*(1+1./histHalf)+float64(time.Microsecond) {
				t.Fatalf("quantile %v is %v, exactly %v", q, got, exact)
			}
		}
		n := uint64(0)
		for _, c := range h.Counts() {
			n += c.Calls
		}
		if h.Count() != len(list) || n != uint64(len(list)) || h.Latency().Max != ms(time.Duration(list[len(list)-1])) {
			t.Fatalf("%d counted, %d in buckets, max %v of %v", h.Count(), n, h.Latency().Max, list)
		}
	})
}

func TestBucketsAreWithoutGaps(t *testing.T) {
	for i := range histBuckets - 1 {
		if bucket(upper(i)) != i || bucket(upper(i)+1) != i+1 {
			t.Fatalf("bucket %d ends at %d µs, which lies in %d, and the next one in %d", i, upper(i), bucket(upper(i)), bucket(upper(i)+1))
		}
	}
	var h Histogram
	h.Add(-time.Second)
	h.Add(time.Hour)
	if h.Count() != 2 || h.Quantile(1) != min(time.Duration(upper(histBuckets-1))*time.Microsecond, time.Hour) || h.Latency().Max != 3.6e6 {
		t.Errorf("beyond the bounds: %v, %v", h.Quantile(1), h.Latency())
	}
}
