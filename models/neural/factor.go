package neural

// pairwise is a factorisation layer: the sum over all pairs of n vectors of k numbers of their products, ½ Σ_f [(Σ_i v_if)² − Σ_i v_if²]
// (Rendle 2010, lemma 3.1). Weighted, each pair counts by a weight of its own, Σ_{i<j} r_ij ⟨v_i, v_j⟩ (Pan et al., Field-weighted Factorization
// Machines, WWW 2018, equation 6): a pair of columns that says nothing is turned off by one number, which otherwise takes moving all their vectors out of
// each other's way. Cost: O(n·k); weighted O(n²·k).
type pairwise struct {
	n, k     int
	weighted bool
	weights  span // r_21, r_31, r_32, …: begin at 1, as if there were none
}

func newPairwise(l *layout, n, k int, weighted bool) pairwise {
	p := pairwise{n: n, k: k, weighted: weighted}
	if weighted {
		p.weights = l.take(n*(n-1)/2, constantly(1))
	}
	return p
}

// at is the ith vector of v.
func (l *pairwise) at(v []float64, i int) []float64 { return v[i*l.k : (i+1)*l.k : (i+1)*l.k] }

// forward returns the sum of the pairs of the vectors v, one after the other. It writes into sums what backward needs: k numbers, Σ_i v_i;
// weighted as many as v has, Σ_j r_ij v_j for each i.
func (l *pairwise) forward(w, v, sums []float64) float64 {
	clear(sums)
	if l.weighted {
		return l.forwardWeighted(w, v, sums)
	}
	squares := 0.0
	for i := range l.n {
		for f, x := range l.at(v, i) {
			sums[f] += x
			squares += float64(x * x)
		}
	}
	total := 0.0
	for _, s := range sums[:l.k] {
		total += float64(s * s)
	}
	return 0.5 * (total - squares)
}

func (l *pairwise) forwardWeighted(w, v, sums []float64) float64 {
	r, total := l.weights.of(w), 0.0
	for i := range l.n {
		vi, si := l.at(v, i), l.at(sums, i)
		for j := range i {
			vj, sj, by := l.at(v, j), l.at(sums, j), r[j]
			for f, x := range vj {
				si[f] += float64(by * x)
				sj[f] += float64(by * vi[f])
			}
		}
		r = r[i:]
	}
	for i := range l.n {
		for f, x := range l.at(v, i) {
			total += float64(x * sums[i*l.k+f])
		}
	}
	return 0.5 * total
}

// backward writes the derivatives by v for that of the layer's output, slope·(Σ_j v_j − v_i), weighted slope·Σ_j r_ij v_j, and adds those by the weights to g.
func (l *pairwise) backward(g, v, sums []float64, slope float64, dv []float64) {
	if l.weighted {
		l.backwardWeighted(g, v, sums, slope, dv)
		return
	}
	for i := range l.n {
		for f, x := range l.at(v, i) {
			dv[i*l.k+f] = float64(slope * (sums[f] - x))
		}
	}
}

func (l *pairwise) backwardWeighted(g, v, sums []float64, slope float64, dv []float64) {
	for i, s := range sums[:l.n*l.k] {
		dv[i] = float64(slope * s)
	}
	dr := l.weights.of(g)
	for i := range l.n {
		vi := l.at(v, i)
		for j := range i {
			dot := 0.0
			for f, x := range l.at(v, j) {
				dot += float64(x * vi[f])
			}
			dr[j] += float64(slope * dot)
		}
		dr = dr[i:]
	}
}
