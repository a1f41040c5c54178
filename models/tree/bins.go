package tree

import "math"

// A regression's observer of one numeric column is a histogram over the column that finds its own scale: binCount bins of
// equal width, each with the weight and the weighted sum of labels (less the leaf's reference, so that sums stay
// small). When a value falls outside, neighbours are merged in pairs and the width doubles. This is the quantised observer of
// Mastelini & de Carvalho 2021, with a width that follows the range instead of a radius that must be chosen.
//
// It lies flat: lower end, width, then weight and sum of each bin. Width 0: one value so far; lower end NaN: none.
const (
	binCount = 64
	binsLen  = 2 + 2*binCount
)

// mostValue bounds what histograms and labels hold, so that no sum overflows.
const mostValue = 1e140

func clamp(x float64) float64 { return max(-mostValue, min(mostValue, x)) }

func clearBins(b []float64) {
	clear(b[:binsLen])
	b[0] = math.NaN()
}

// addBins takes in a finite value with weight w and sum s of labels.
func addBins(b []float64, x, w, s float64) {
	if !(b[1] > 0 && x >= b[0] && x < b[0]+float64(b[1]*binCount)) {
		x = clamp(x)
		fitBins(b, x)
	}
	i := binOf(b, x)
	b[2+2*i] += w
	b[3+2*i] += s
}

// binOf is the bin of a value in range.
func binOf(b []float64, x float64) int {
	if !(b[1] > 0) {
		return 0
	}
	return max(0, min(binCount-1, int((x-b[0])/b[1])))
}

// fitBins widens the range until it holds x.
func fitBins(b []float64, x float64) {
	switch {
	case b[0] != b[0]:
		b[0] = x
		return
	case b[1] == 0:
		d := math.Abs(x - b[0])
		width := d * 4 / binCount
		if !(width > 1e-12*math.Abs(x)) || !(width > 1e-12*math.Abs(b[0])) || width < 1e-300 {
			return // the same value
		}
		w, s, old := b[2], b[3], b[0]
		b[2], b[3] = 0, 0
		b[0], b[1] = min(x, old)-1.5*d, width
		i := binOf(b, old)
		b[2+2*i], b[3+2*i] = w, s
	}
	for x < b[0] || x >= b[0]+float64(b[1]*binCount) {
		doubleBins(b, x < b[0])
	}
}

// doubleBins merges pairs of bins into the lower half of twice the range, or into the upper one.
func doubleBins(b []float64, down bool) {
	var merged [2 * binCount]float64
	offset := 0
	if down {
		offset = binCount
		b[0] -= float64(b[1] * binCount)
	}
	for i := range binCount / 2 {
		merged[offset+2*i] = b[2+4*i] + b[4+4*i]
		merged[offset+2*i+1] = b[3+4*i] + b[5+4*i]
	}
	b[1] *= 2
	copy(b[2:], merged[:])
}

// leastSide is the weight that either side of a split of a regression must hold.
const leastSide = 5

// cutBins finds the boundary between bins that reduces the variance of the labels most: the reduction, −∞ if there is none.
func cutBins(b []float64) (merit, threshold float64) {
	merit = math.Inf(-1)
	n, s := 0.0, 0.0
	for i := 2; i < binsLen; i += 2 {
		n, s = n+b[i], s+b[i+1]
	}
	if !(b[1] > 0) || !(n > 0) {
		return merit, 0
	}
	mean, left, sum := s/n, 0.0, 0.0
	for i := range binCount - 1 {
		if b[2+2*i] == 0 {
			continue
		}
		left += b[2+2*i]
		sum += b[3+2*i]
		right := n - left
		if left < leastSide || right < leastSide {
			continue
		}
		// Of the labels about their mean, the sums of both sides are opposite: Σₗ²/nₗ + Σᵣ²/nᵣ, over n.
		d := sum - float64(mean*left)
		if m := float64(d*d) / (left * right); m > merit {
			merit, threshold = m, b[0]+float64(b[1]*float64(i+1))
		}
	}
	return merit, threshold
}

// sidesOf returns weight and sum of the labels on either side of a threshold between two bins.
func sidesOf(b []float64, threshold float64) (left, right [2]float64) {
	for i := range binCount {
		side := &right
		if b[0]+float64(b[1]*float64(i+1)) <= threshold {
			side = &left
		}
		side[0] += b[2+2*i]
		side[1] += b[3+2*i]
	}
	return left, right
}
