package drift

import (
	"math"

	"gonum.org/v1/gonum/stat/distuv"
)

// used is how many bins reference or window use.
func used(reference, current []float64) (bins int) {
	for b := range reference {
		if reference[b]+current[b] > 0 {
			bins++
		}
	}
	return bins
}

// Index is the population stability index between two histograms of the same bins. Bins that are empty in both are left out, ½ is
// added to every other count. 0 when nothing was counted.
func Index(reference, current []float64) float64 {
	var n, m float64
	for b := range reference {
		if reference[b]+current[b] > 0 {
			n += reference[b] + 0.5
			m += current[b] + 0.5
		}
	}
	total := 0.0
	for b := range reference {
		if reference[b]+current[b] > 0 {
			p, q := (reference[b]+0.5)/n, (current[b]+0.5)/m
			total += float64((q - p) * math.Log(q/p))
		}
	}
	return total
}

// indexChance is the index that samples of these sizes exceed with chance alpha without drift: χ²-quantile(1−alpha, bins−1)·(1/n + 1/m). A fixed threshold
// alarms on small windows without any drift, since then the expected index is about (bins−1)·(1/n + 1/m).
func indexChance(bins int, n, m, alpha float64) float64 {
	if bins < 2 {
		return 0
	}
	return distuv.ChiSquared{K: float64(bins - 1)}.Quantile(1-alpha) * (1/n + 1/m)
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

// jensenShannonChance is the distance that samples of these sizes exceed with chance alpha without drift: the divergence in nats is then about
// χ²(bins−1)·(1/n + 1/m)/8.
func jensenShannonChance(bins int, n, m, alpha float64) float64 {
	if bins < 2 {
		return 0
	}
	q := distuv.ChiSquared{K: float64(bins - 1)}.Quantile(1 - alpha)
	return math.Sqrt(q * (1/n + 1/m) / 8 / math.Ln2)
}
