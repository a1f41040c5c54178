package metric

import (
	"math"
	"math/rand/v2"
	"slices"
)

// Band is a mean with the limits between which 95 % of its bootstrap replicas lie.
type Band struct {
	Mean, Low, High float64
}

// PairedBand tells whether two models that answered the same examples differ. differences are loss(a) − loss(b) per
// example in the order of events; block is the length of the blocks that are drawn together (at least the
// label delay in examples, since errors within it are dependent), reps the number of replicas (1,000 is usual).
//
// It is the circular block bootstrap (Politis & Romano 1992) with percentile limits: deterministic for a seed, O(n + reps·n/block), 8·(n + 1 + reps) bytes.
// A band that leaves out 0 is a difference. All fields are NaN without differences; block and reps below 1 count as 1.
func PairedBand(differences []float64, block, reps int, seed uint64) Band {
	n := len(differences)
	if n == 0 {
		return Band{math.NaN(), math.NaN(), math.NaN()}
	}
	block, reps = min(max(block, 1), n), max(reps, 1)
	prefix := make([]float64, n+1)
	for i, d := range differences {
		prefix[i+1] = prefix[i] + d
	}
	rng := rand.New(rand.NewPCG(seed, 0x9e3779b97f4a7c15))
	means := make([]float64, reps)
	for r := range means {
		total := 0.0
		for left := n; left > 0; left -= block {
			total += circular(prefix, rng.IntN(n), min(block, left))
		}
		means[r] = total / float64(n)
	}
	slices.Sort(means)
	return Band{Mean: prefix[n] / float64(n), Low: quantile(means, 0.025), High: quantile(means, 0.975)}
}

// circular is the sum of length values from start on, going round at the end.
func circular(prefix []float64, start, length int) float64 {
	n := len(prefix) - 1
	if start+length <= n {
		return prefix[start+length] - prefix[start]
	}
	return prefix[n] - prefix[start] + prefix[start+length-n]
}

// quantile interpolates between the order statistics of a sorted sample (Hyndman & Fan's type 7).
func quantile(sorted []float64, q float64) float64 {
	h := q * float64(len(sorted)-1)
	i := int(h)
	if i+1 >= len(sorted) {
		return sorted[len(sorted)-1]
	}
	return sorted[i] + float64((h-float64(i))*(sorted[i+1]-sorted[i]))
}
