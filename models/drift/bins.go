package drift

import (
	"math"
	"slices"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/internal/codec"
)

// The bins of one feature: ten for values, then those beyond the reference's range (numeric) or not among its ten most
// frequent values (categorical), then missing ones.
const (
	valueBins  = 10
	otherBin   = valueBins
	missingBin = valueBins + 1
	allBins    = valueBins + 2
)

// histogram is what was counted of one column, by the bins of the reference.
type histogram struct {
	edges     []float64 // numeric: least value, inner edges, greatest value; categorical: the values of the bins in order
	reference [allBins]float64
	current   [allBins]float64
	last      [allBins]float64 // of the last finished window
}

// deciles returns the least value, the distinct inner deciles and the greatest value of a sorted sample.
func deciles(sorted []float64) []float64 {
	if len(sorted) == 0 {
		return nil
	}
	edges := []float64{sorted[0]}
	for k := 1; k < valueBins; k++ {
		e := sorted[k*len(sorted)/valueBins]
		if e > edges[len(edges)-1] {
			edges = append(edges, e)
		}
	}
	return append(edges, sorted[len(sorted)-1])
}

// frequent returns the ten most frequent values of a sorted sample, in order; the lesser value first on a tie.
func frequent(sorted []float64) []float64 {
	type count struct {
		value float64
		n     int
	}
	var counts []count
	for _, x := range sorted {
		if k := len(counts) - 1; k >= 0 && counts[k].value >= x {
			counts[k].n++
		} else {
			counts = append(counts, count{x, 1})
		}
	}
	slices.SortStableFunc(counts, func(a, b count) int { return b.n - a.n })
	counts = counts[:min(len(counts), valueBins)]
	values := make([]float64, len(counts))
	for i, c := range counts {
		values[i] = c.value
	}
	slices.Sort(values)
	return values
}

// bin returns the bin of a value. Numeric bin k holds the values in [edge k, edge k+1), the last one its upper edge too.
func (h *histogram) bin(x float64, kind features.ColumnKind) int {
	if math.IsNaN(x) {
		return missingBin
	}
	i, found := slices.BinarySearch(h.edges, x)
	if kind == features.Categorical {
		if !found {
			return otherBin
		}
		return i
	}
	last := len(h.edges) - 1
	if last < 0 || x < h.edges[0] || x > h.edges[last] {
		return otherBin
	}
	if found {
		i++
	}
	return max(min(i-1, last-1), 0)
}

func (h *histogram) state(c *codec.State) {
	c.Float64s(&h.edges)
	if c.Loading() {
		if len(h.edges) > valueBins+1 || !slices.IsSorted(h.edges) {
			c.Fail("edges of bins")
			h.edges = nil
		}
	}
	for b := range h.reference {
		c.Float64(&h.reference[b])
		c.Float64(&h.current[b])
		c.Float64(&h.last[b])
	}
}
