package ensemble

import (
	"math"

	"github.com/freshet-ml/freshet/models/random"
)

// dice is the random numbers of a member.
type dice struct{ random.Source }

// newDice returns the stream of the i-th member of a model with that seed: members draw independently of each
// other, so what a model learns does not depend on who runs first.
func newDice(seed uint64, i int) dice { return dice{random.New(seed, 0x9e3779b97f4a7c15*uint64(i+1))} }

// subset fills dst with distinct numbers below n, in increasing order. len(dst) ≤ n.
func (d *dice) subset(dst []int, n int) {
	wanted := len(dst)
	at := 0
	for i := range n { // selection sampling: Knuth, The Art of Computer Programming, 3.4.2, algorithm S
		if float64(float64(n-i)*d.Unit()) < float64(wanted-at) {
			dst[at] = i
			if at++; at == wanted {
				return
			}
		}
	}
}

// poisson draws from a Poisson distribution of one mean by inversion, from a table.
type poisson struct {
	below []float64   // P(K ≤ k)
	guess [256]uint16 // the least k whose P(K ≤ k) is above i/256
}

// newPoisson returns the distribution of that mean, in (0, 100].
func newPoisson(mean float64) *poisson {
	p := &poisson{}
	term, sum := math.Exp(-mean), 0.0
	for k := 0; k < 1000; k++ {
		sum += term
		p.below = append(p.below, sum)
		if term *= mean / float64(k+1); term < 1e-18 && float64(k) > mean {
			break
		}
	}
	k := 0
	for i := range p.guess {
		for k < len(p.below)-1 && p.below[k] <= float64(i)/256 {
			k++
		}
		p.guess[i] = uint16(k)
	}
	return p
}

func (p *poisson) draw(d *dice) int {
	u := d.Unit()
	k := int(p.guess[int(u*256)])
	for k < len(p.below)-1 && p.below[k] <= u {
		k++
	}
	return k
}

// Above normalFrom a Poisson variable is drawn as a rounded normal one: the distributions differ by less than 1 % there.
const normalFrom = 64

// drawPoisson draws from a Poisson distribution of any mean ≥ 0 by inversion.
func drawPoisson(d *dice, mean float64) float64 {
	if mean > normalFrom {
		return max(0, math.Round(mean+float64(math.Sqrt(mean)*d.Normal())))
	}
	u := d.Unit()
	term := math.Exp(-mean)
	sum, k := term, 0.0
	for u >= sum && k < 4*normalFrom {
		k++
		term *= mean / k
		sum += term
	}
	return k
}
