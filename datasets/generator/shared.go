package generator

import (
	"errors"
	"strconv"
)

var (
	errTooLarge   = errors.New("the tree has more than a million nodes: lower depth or values")
	errNoFeatures = errors.New("the tree has nothing to split by: raise numbers or categories, or lower depth")
)

// names returns prefix1 to prefixN.
func names(prefix string, n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = prefix + strconv.Itoa(i+1)
	}
	return out
}

// numeric returns n columns of numbers named prefix1 to prefixN.
func numeric(prefix string, n int) []Column {
	out := make([]Column, n)
	for i, name := range names(prefix, n) {
		out[i].Name = name
	}
	return out
}

// balanced makes rows until the wanted class comes, the classes in turn; off, the first row will do.
type balanced struct {
	on   bool
	want int // class to come next: 1 first
}

var balanceParam = flag("balance", "1: the classes take turns; rows of the other class are drawn and dropped")

func newBalanced(a Args) balanced { return balanced{on: a.flag("balance"), want: 1} }

func (b *balanced) takes(class int) bool {
	if !b.on {
		return true
	}
	if class != b.want {
		return false
	}
	b.want = 1 - b.want
	return true
}

// flips reports whether an integer percentage of noise strikes.
func flips(r *JavaRandom, percent int) bool { return 1+r.Int(100) <= percent }

func boolClass(one bool) int {
	if one {
		return 1
	}
	return 0
}
