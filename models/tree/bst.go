package tree

import (
	"math"

	"github.com/freshet-ml/freshet/internal/codec"
)

// Splitters of a regression tree.
const (
	splitQuantised = "quantised"
	splitTree      = "e_bst"
)

// bst is the extended binary search tree of one numeric column (E-BST: Ikonomovska et al. 2011, §4.1): every value seen is a
// node, with weight and sum of the labels at or below it within its subtree. It is bounded: a value that comes when the tree is
// full goes to the node where its search ends.
type bst struct{ nodes []bstNode }

type bstNode struct {
	key         float64
	n, s        float64 // of labels at or below the key
	total, sum  float64 // of labels in the whole subtree
	left, right int32   // 0: none, for the root is nobody's child
}

const (
	bstMost  = 1024 // nodes
	bstBytes = 48 * bstMost
)

// add takes in a value and returns 1 if the tree was full for it.
func (b *bst) add(x, w, s float64) (full uint64) {
	if len(b.nodes) == 0 {
		b.nodes = append(b.nodes, bstNode{key: x, n: w, s: s, total: w, sum: s})
		return 0
	}
	for at := int32(0); ; {
		d := &b.nodes[at]
		d.total += w
		d.sum += s
		next := &d.right
		if x <= d.key {
			d.n += w
			d.s += s
			if next = &d.left; x == d.key {
				return 0
			}
		}
		if *next != 0 {
			at = *next
			continue
		}
		if len(b.nodes) >= bstMost {
			return 1
		}
		k := len(b.nodes)
		*next = int32(k)
		b.nodes = lengthen(b.nodes, k+1, bstMost)
		b.nodes[k] = bstNode{key: x, n: w, s: s, total: w, sum: s}
		return 0
	}
}

// cut finds the key that reduces the variance of the labels most when it divides them: the reduction, −∞ if there is none.
func (b *bst) cut() (merit, threshold float64) {
	merit = math.Inf(-1)
	if len(b.nodes) == 0 {
		return merit, 0
	}
	all := b.nodes[0]
	var stack [bstMost]struct {
		at   int32
		n, s float64 // of what lies left of the subtree
	}
	depth := 1
	for depth > 0 {
		depth--
		f := stack[depth]
		d := &b.nodes[f.at]
		left, sum := f.n+d.n, f.s+d.s
		if right := all.total - left; left >= leastSide && right >= leastSide {
			e := sum - float64(all.sum/all.total*left)
			if m := float64(e*e) / (left * right); m > merit || m == merit && d.key < threshold {
				merit, threshold = m, d.key
			}
		}
		if d.left != 0 {
			stack[depth].at, stack[depth].n, stack[depth].s = d.left, f.n, f.s
			depth++
		}
		if d.right != 0 {
			stack[depth].at, stack[depth].n, stack[depth].s = d.right, left, sum
			depth++
		}
	}
	return merit, threshold
}

// sides returns weight and sum of the labels on either side of a key.
func (b *bst) sides(threshold float64) (left, right [2]float64) {
	for at := int32(0); ; {
		d := &b.nodes[at]
		if threshold < d.key {
			if at = d.left; at == 0 {
				break
			}
			continue
		}
		left[0] += d.n
		left[1] += d.s
		if at = d.right; at == 0 || threshold == d.key {
			break
		}
	}
	return left, [2]float64{b.nodes[0].total - left[0], b.nodes[0].sum - left[1]}
}

// visit visits the nodes; loading checks that they are one tree.
func (b *bst) visit(c *codec.State) {
	codec.Slice(c, &b.nodes, 48, bstMost, func(c *codec.State, d *bstNode) {
		for _, v := range []*float64{&d.key, &d.n, &d.s, &d.total, &d.sum} {
			c.Float64(v)
		}
		left, right := uint32(d.left), uint32(d.right)
		c.Uint32(&left)
		c.Uint32(&right)
		d.left, d.right = int32(left), int32(right)
	})
	if !c.Loading() {
		return
	}
	parents := make([]int8, len(b.nodes))
	for i := range b.nodes {
		for _, k := range []int32{b.nodes[i].left, b.nodes[i].right} {
			if k == 0 {
				continue
			}
			if k < 0 || int(k) >= len(b.nodes) || int(k) <= i || parents[k] > 0 {
				c.Fail("node %d below node %d of a search tree", k, i)
				b.nodes = nil
				return
			}
			parents[k]++
		}
	}
}
