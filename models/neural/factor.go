package neural

// pairwise is a factorisation layer: the sum of the products of all pairs of n vectors of k numbers, ½ Σ_f [(Σ_i v_if)² − Σ_i v_if²]
// (Rendle 2010, lemma 3.1). It has no weights. Cost: O(n·k).
type pairwise struct{ n, k int }

// forward returns the sum of the pairs of the vectors v, one after the other, and writes Σ_i v_i into sum.
func (l pairwise) forward(v, sum []float64) float64 {
	clear(sum)
	squares := 0.0
	for i := range l.n {
		for f, x := range v[i*l.k : (i+1)*l.k] {
			sum[f] += x
			squares += float64(x * x)
		}
	}
	total := 0.0
	for _, s := range sum {
		total += float64(s * s)
	}
	return 0.5 * (total - squares)
}

// backward writes the derivatives by v for that of the layer's output: slope·(Σ_j v_j − v_i).
func (l pairwise) backward(v, sum []float64, slope float64, dv []float64) {
	for i := range l.n {
		for f, x := range v[i*l.k : (i+1)*l.k] {
			dv[i*l.k+f] = float64(slope * (sum[f] - x))
		}
	}
}
