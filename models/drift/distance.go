package drift

import (
	"math"

	"gonum.org/v1/gonum/stat/distuv"
)

// Distance is how far a feature's window is from its reference by one measure, and from where on that means drift.
type Distance struct {
	Measure   string // psi, ks, jensen_shannon or wasserstein
	Value     float64
	Threshold float64
	Drifted   bool // Value > Threshold
}

// least is the value below which no difference is worth a look, for every measure.
const least = 0.1

// Distances returns all measures of a feature's last finished window that its histograms allow: those of ordered values (ks, wasserstein) for numeric
// features only. Every threshold is the greater of 0.1 and what alpha, the chance of a false alarm for one window, allows at these sizes. Histograms are all that is
// needed, so ks is that of the reference's deciles: at most the exact one.
func (d *Distribution) Distances(alpha float64) []Distance {
	n, m, used := total(d.Reference), total(d.Current), 0
	if !(n > 0) || !(m > 0) {
		return nil
	}
	for b := range d.Reference {
		if d.Reference[b]+d.Current[b] > 0 {
			used++
		}
	}
	out := []Distance{
		{Measure: "psi", Value: Index(d.Reference, d.Current), Threshold: Threshold(used, n, m, alpha)},
		{Measure: "jensen_shannon", Value: JensenShannon(d.Reference, d.Current), Threshold: JensenShannonThreshold(used, n, m, alpha)},
	}
	if bins := len(d.Edges) - 1; !d.Categorical && bins > 0 && total(d.Reference[:bins]) > 0 && total(d.Current[:bins]) > 0 {
		ref, cur := d.Reference[:bins], d.Current[:bins]
		ks, limit := KS(ref, cur), KSThreshold(total(ref), total(cur), alpha)
		w := Distance{Measure: "wasserstein", Value: Wasserstein(d.Edges, ref, cur), Threshold: least}
		if ks <= ksLimit(total(ref), total(cur), alpha) {
			w.Threshold = math.Inf(1) // no difference of the distributions is significant
		}
		out = append(out, Distance{Measure: "ks", Value: ks, Threshold: limit}, w)
	}
	for i := range out {
		out[i].Drifted = out[i].Value > out[i].Threshold
	}
	return out
}

func total(v []float64) (sum float64) {
	for _, x := range v {
		sum += x
	}
	return sum
}

// KS is the Kolmogorov–Smirnov distance between two histograms of the same ordered bins: the greatest difference of the shares up to an edge, in
// [0, 1]. 0 when either is empty.
func KS(reference, current []float64) float64 {
	n, m := total(reference), total(current)
	if !(n > 0) || !(m > 0) {
		return 0
	}
	f, g, most := 0.0, 0.0, 0.0
	for b := range reference {
		f, g = f+reference[b]/n, g+current[b]/m
		most = max(most, math.Abs(f-g))
	}
	return min(1, most)
}

// ksLimit is the distance that samples of these sizes exceed with chance alpha without drift (Smirnov 1948, the asymptotic form).
func ksLimit(n, m, alpha float64) float64 {
	return math.Sqrt(-math.Log(alpha/2) / 2 * (1/n + 1/m))
}

// KSThreshold is the distance above which a difference is both worth a look (0.1) and no accident of the sizes.
func KSThreshold(nReference, nCurrent, alpha float64) float64 {
	return max(least, ksLimit(nReference, nCurrent, alpha))
}

// JensenShannon is the Jensen–Shannon distance between two histograms of the same bins: the root of the divergence in bits (Lin 1991), a metric in [0, 1].
// 0 when either is empty.
func JensenShannon(reference, current []float64) float64 {
	n, m := total(reference), total(current)
	if !(n > 0) || !(m > 0) {
		return 0
	}
	sum := 0.0
	for b := range reference {
		p, q := reference[b]/n, current[b]/m
		if p > 0 {
			sum += float64(p * math.Log2(2*p/(p+q)))
		}
		if q > 0 {
			sum += float64(q * math.Log2(2*q/(p+q)))
		}
	}
	return math.Sqrt(max(0, min(1, sum/2)))
}

// JensenShannonThreshold is the distance above which a difference is both worth a look (0.1) and no accident of the sizes: without drift the
// divergence in nats is about χ²(bins−1)·(1/n + 1/m)/8.
func JensenShannonThreshold(bins int, nReference, nCurrent, alpha float64) float64 {
	if bins < 2 {
		return least
	}
	q := distuv.ChiSquared{K: float64(bins - 1)}.Quantile(1 - alpha)
	return max(least, math.Sqrt(q*(1/nReference+1/nCurrent)/8/math.Ln2))
}

// Wasserstein is the earth mover's distance between two histograms of the bins between edges, in standard deviations of the reference, each
// bin's values spread evenly over it. 0 when either is empty; +Inf when the reference does not vary and the window does.
func Wasserstein(edges, reference, current []float64) float64 {
	n, m := total(reference), total(current)
	if !(n > 0) || !(m > 0) {
		return 0
	}
	mean, square := 0.0, 0.0
	for b := range reference {
		mean += float64(reference[b] / n * (edges[b] + edges[b+1]) / 2)
	}
	f, distance := 0.0, 0.0
	for b := range reference {
		width, middle := edges[b+1]-edges[b], (edges[b]+edges[b+1])/2-mean
		square += float64(reference[b] / n * (float64(middle*middle) + float64(width*width)/12))
		next := f + reference[b]/n - current[b]/m
		distance += float64(width * straight(f, next))
		f = next
	}
	if square == 0 {
		if distance == 0 {
			return 0
		}
		return math.Inf(1)
	}
	return distance / math.Sqrt(square)
}

// straight is the mean of |x| along a line from a to b.
func straight(a, b float64) float64 {
	if float64(a*b) >= 0 {
		return math.Abs(a+b) / 2
	}
	return (float64(a*a) + float64(b*b)) / (2 * math.Abs(a-b))
}
