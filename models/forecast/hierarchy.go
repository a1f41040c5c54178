package forecast

import (
	"errors"
	"fmt"
	"math"
)

// Hierarchy is a tree of series whose values add up: the value of every node is the sum of its children's, such as products, shops, regions and all. Forecasts made for
// each node alone do not add up; BottomUp and Reconcile make such that do. It is immutable and safe for any number of goroutines.
type Hierarchy struct {
	parent []int // of each node; -1 for roots
	order  []int // nodes with children after their parents
	leaf   []bool
}

// NewHierarchy returns the tree in which parent[i] is the parent of node i, -1 for a root (there may be several). The error names a parent that is none, or a node that is its own ancestor.
func NewHierarchy(parent []int) (*Hierarchy, error) {
	h := &Hierarchy{parent: append([]int(nil), parent...), leaf: make([]bool, len(parent))}
	if len(parent) == 0 {
		return nil, errors.New("a hierarchy without nodes")
	}
	children := make([][]int, len(parent))
	for i, p := range parent {
		switch {
		case p < -1 || p >= len(parent):
			return nil, fmt.Errorf("node %d has the parent %d, of %d nodes: give the index of a node, or -1 for a root", i, p, len(parent))
		case p == -1:
			h.order = append(h.order, i)
		default:
			children[p] = append(children[p], i)
		}
	}
	for at := 0; at < len(h.order); at++ {
		i := h.order[at]
		h.leaf[i] = len(children[i]) == 0
		h.order = append(h.order, children[i]...)
	}
	if len(h.order) < len(parent) {
		return nil, errors.New("some nodes are their own ancestors: every node must lead to a root")
	}
	return h, nil
}

// Len is the number of nodes.
func (h *Hierarchy) Len() int { return len(h.parent) }

// Leaf reports whether node i has no children.
func (h *Hierarchy) Leaf(i int) bool { return h.leaf[i] }

// BottomUp makes every node that is no leaf the sum of its children, in place. values has a number for each node. Cost: O(nodes).
func (h *Hierarchy) BottomUp(values []float64) {
	h.check(len(values))
	for i, leaf := range h.leaf {
		if !leaf {
			values[i] = 0
		}
	}
	for at := len(h.order) - 1; at >= 0; at-- {
		if i := h.order[at]; h.parent[i] >= 0 {
			values[h.parent[i]] += values[i]
		}
	}
}

// Reconcile writes into dst the forecasts that add up and lie nearest to those of each node, in units of their variances: the minimum of Σ (x − forecast)²/variance over
// all x that add up. That is MinT with a diagonal matrix of errors (Wickramasuriya, Athanasopoulos & Hyndman 2019, §2.4; Hyndman et al. 2016), here solved in two passes over the tree instead of by
// matrices. Variances of one-step errors are the usual choice. A variance of 0 is a forecast that holds; +Inf, or a forecast that is missing, one that says nothing. Where a subtree
// knows nothing, its forecasts are NaN; the others then still add up among what is known. dst may be forecasts. Cost: O(nodes), one allocation.
func (h *Hierarchy) Reconcile(dst, forecasts, variances []float64) {
	h.check(len(forecasts))
	h.check(len(variances))
	h.check(len(dst))
	n := len(h.parent)
	room := make([]float64, 4*n)
	mean, spread := room[:n], room[n:2*n]              // what a node and all below it say of the node
	sum, uncertain := room[2*n:3*n], room[3*n:4*n:4*n] // what its children say: their sum and the variance of that
	for at := n - 1; at >= 0; at-- {
		i := h.order[at]
		f, v := forecasts[i], variances[i]
		if math.IsNaN(f) || math.IsNaN(v) || v < 0 {
			f, v = 0, math.Inf(1)
		}
		if h.leaf[i] {
			mean[i], spread[i] = f, v
		} else {
			mean[i], spread[i] = combine(sum[i], uncertain[i], f, v)
		}
		if p := h.parent[i]; p >= 0 {
			sum[p] += mean[i]
			uncertain[p] += spread[i]
		}
	}
	h.spread(dst, mean, spread, sum, uncertain)
}

// combine is what two independent estimates say together.
func combine(a, va, b, vb float64) (mean, variance float64) {
	switch {
	case va == 0 || math.IsInf(vb, 1):
		return a, va
	case vb == 0 || math.IsInf(va, 1):
		return b, vb
	}
	w := va / (va + vb)
	return a + float64(w*(b-a)), w * vb
}

// spread goes down the tree: what a node has more than its children say is shared out by their variances.
func (h *Hierarchy) spread(dst, mean, spread, sum, uncertain []float64) {
	unknown := make([]int, len(h.parent)) // children that say nothing
	for _, i := range h.order {
		if p := h.parent[i]; p >= 0 && math.IsInf(spread[i], 1) {
			unknown[p]++
		}
	}
	for _, i := range h.order {
		p := h.parent[i]
		if p < 0 {
			dst[i] = mean[i]
			if math.IsInf(spread[i], 1) {
				dst[i] = math.NaN()
			}
			continue
		}
		rest := dst[p] - sum[p]
		switch {
		case unknown[p] > 1 && math.IsInf(spread[i], 1) || unknown[p] == 1 && math.IsInf(spread[i], 1) && math.IsNaN(dst[p]):
			dst[i] = math.NaN()
		case unknown[p] == 1 && math.IsInf(spread[i], 1): // the rest is its
			dst[i] = mean[i] + rest
		case unknown[p] > 0 || math.IsNaN(dst[p]) || uncertain[p] == 0:
			dst[i] = mean[i]
		default:
			dst[i] = mean[i] + float64(spread[i]/uncertain[p]*rest)
		}
	}
}

// Coherent returns the greatest difference between a node and the sum of its children, relative to the larger of them; 0 for values that add up exactly.
func (h *Hierarchy) Coherent(values []float64) float64 {
	h.check(len(values))
	sum, size := make([]float64, len(values)), make([]float64, len(values))
	for i, p := range h.parent {
		if p >= 0 {
			sum[p] += values[i]
			size[p] += math.Abs(values[i])
		}
	}
	worst := 0.0
	for i, leaf := range h.leaf {
		if d := math.Abs(values[i] - sum[i]); !leaf && d > 0 {
			worst = math.Max(worst, d/math.Max(size[i], math.Abs(values[i])))
		}
	}
	return worst
}

func (h *Hierarchy) check(n int) {
	if n != len(h.parent) {
		panic(fmt.Sprintf("forecast: %d values for a hierarchy of %d nodes", n, len(h.parent)))
	}
}
