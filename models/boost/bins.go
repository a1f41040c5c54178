package boost

import (
	"math"
	"math/rand/v2"
	"slices"

	"github.com/freshet-ml/freshet/internal/codec"
)

const (
	sampleSize  = 512     // values of a column from which its cuts are placed
	sampleShare = 1 / 16. // least chance of a new value to get into the sample
	maxInput    = 1e150   // greater inputs are taken as this
)

// bins maps the values of one column to codes. Code 0 is missing. A numeric column has the cuts c₀ < c₁ < …; code i+1 is
// the interval (c_{i−1}, c_i]. A categorical column gives each value a code in the order of occurrence; all that come when no code
// is left share the last one.
//
// Cuts follow an exponentially biased reservoir of the values: an interval with too large a part of it is halved, and when no code is left
// the two neighbours with the smallest part become one. Both change one place, so the statistics of leaves can follow.
type bins struct {
	nominal bool
	codes   int       // number of codes, missing included
	cuts    []float64 // numeric: increasing; categorical: the values by code
	places  map[float64]uint8
	sample  []float64
	seen    uint64
	counts  []int // scratch: sample values by code
}

func newBins(nominal bool, codes int) bins {
	b := bins{nominal: nominal, codes: codes, counts: make([]int, codes)}
	if nominal {
		b.places = map[float64]uint8{}
	} else {
		b.sample = make([]float64, 0, sampleSize)
		b.cuts = make([]float64, 0, codes)
	}
	return b
}

// input brings a value into bounds; missing stays NaN.
func input(x float64) float64 {
	if x > maxInput {
		return maxInput
	}
	if x < -maxInput {
		return -maxInput
	}
	return x
}

// code returns the code of a value.
func (b *bins) code(x float64) uint8 {
	if x != x {
		return 0
	}
	if b.nominal {
		if c, ok := b.places[x]; ok {
			return c
		}
		return uint8(b.codes - 1)
	}
	lo, hi := 0, len(b.cuts)
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		if b.cuts[mid] < x {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return uint8(lo + 1)
}

// see takes a value into the sample, or gives a category its code.
func (b *bins) see(x float64, rng *rand.Rand) {
	if x != x {
		return
	}
	if b.nominal {
		if _, ok := b.places[x]; !ok && len(b.cuts) < b.codes-2 {
			b.cuts = append(b.cuts, x)
			b.places[x] = uint8(len(b.cuts))
		}
		return
	}
	b.seen++
	if len(b.sample) < sampleSize {
		b.sample = append(b.sample, x)
		return
	}
	if p := rng.Float64(); p < max(sampleShare, sampleSize/float64(b.seen)) {
		b.sample[rng.IntN(sampleSize)] = x
	}
}

// change is one change of the cuts: code at was halved into at and at+1, of which at keeps the part share, or
// the codes at and at+1 became one.
type change struct {
	at    int
	merge bool
	share float64
}

// adapt makes one change of the cuts, or none. Call it until it makes none.
func (b *bins) adapt() (change, bool) {
	if b.nominal || len(b.sample) < 8 {
		return change{}, false
	}
	counts := b.counts[:len(b.cuts)+2]
	clear(counts)
	for _, x := range b.sample {
		counts[b.code(x)]++
	}
	for {
		widest := 1
		for c := 2; c < len(counts); c++ {
			if counts[c] > counts[widest] {
				widest = c
			}
		}
		n := counts[widest]
		if n < 8 || n*(b.codes-2) <= 2*len(b.sample) {
			return change{}, false
		}
		cut, below, ok := b.median(widest)
		if !ok {
			counts[widest] = 0 // one value only
			continue
		}
		if len(b.cuts) < b.codes-2 {
			b.cuts = slices.Insert(b.cuts, widest-1, cut)
			return change{at: widest, share: float64(below) / float64(n)}, true
		}
		return b.mergeLeast(counts, n)
	}
}

// mergeLeast joins the neighbours with the smallest part of the sample, if that is less than a third of n.
func (b *bins) mergeLeast(counts []int, n int) (change, bool) {
	least, at := math.MaxInt, 0
	for c := 1; c+1 < len(counts); c++ {
		if both := counts[c] + counts[c+1]; both < least && counts[c]*counts[c+1] >= 0 {
			least, at = both, c
		}
	}
	if at == 0 || 3*least > n {
		return change{}, false
	}
	b.cuts = slices.Delete(b.cuts, at-1, at)
	return change{at: at, merge: true}, true
}

// median finds the cut that halves the sample values of a code best, and how many lie at or below it.
func (b *bins) median(code int) (cut float64, below int, ok bool) {
	var buf [sampleSize]float64
	in := buf[:0]
	for _, x := range b.sample {
		if int(b.code(x)) == code {
			in = append(in, x)
		}
	}
	slices.Sort(in)
	for d := 0; d <= len(in)/2; d++ { // the change of value nearest to the middle
		for _, i := range [2]int{len(in)/2 - d, len(in)/2 + d} {
			if i >= 1 && i < len(in) && in[i-1] < in[i] {
				mid := in[i-1] + (in[i]-in[i-1])/2
				if !(mid < in[i]) {
					mid = in[i-1]
				}
				return mid, i, true
			}
		}
	}
	return 0, 0, false
}

func (b *bins) state(s *codec.State) {
	s.Float64s(&b.cuts)
	if len(b.cuts) > b.codes-2 {
		s.Fail("%d cuts for %d codes", len(b.cuts), b.codes)
		b.cuts = b.cuts[:0]
	}
	s.Float64s(&b.sample)
	s.Uint64(&b.seen)
	if len(b.sample) > sampleSize || b.nominal && len(b.sample) > 0 {
		s.Fail("%d values in a sample", len(b.sample))
		b.sample = b.sample[:0]
	}
	if !s.Loading() {
		return
	}
	for i, c := range b.cuts {
		if c != c || !b.nominal && i > 0 && !(b.cuts[i-1] < c) {
			s.Fail("cut %d is %v", i, c)
		}
	}
	if b.nominal {
		b.places = make(map[float64]uint8, len(b.cuts))
		for i, v := range b.cuts {
			b.places[v] = uint8(i + 1)
		}
		if len(b.places) != len(b.cuts) {
			s.Fail("repeated category")
		}
	}
}
