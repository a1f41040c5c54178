package forecast

import (
	"github.com/freshet-ml/freshet/internal/codec"
)

// echo corrects the one-step forecast of the bank by its own errors, as the moving-average terms of a seasonal model do (Box & Jenkins 1970, ch. 9):
//
//	ŷ(t+1) = bank(t+1) + κ·e(t) + κₛ·e(t+1−s),
//
// e being the errors of the corrected one-step forecasts and s the shortest season. The coefficients are discounted least squares of the bank's errors on these (extended least
// squares, Young 1984, §6), each alone, drawn to 0 while little is known.
type echo struct {
	errors []float32 // by step modulo the season; 0 where there was none
	newest float64   // 0 if the present step or the one before has no value
	near   echoSums
	season echoSums
}

// echoSums are discounted sums.
type echoSums struct{ both, square, weight float64 }

const (
	echoDiscount = 0.998
	echoFaith    = 80 // products that must be known before they count half
	echoMost     = 0.8
)

func (m *echoSums) add(e, before float64) {
	m.both = float64(echoDiscount*m.both) + float64(e*before)
	m.square = float64(echoDiscount*m.square) + float64(before*before)
	m.weight = float64(echoDiscount*m.weight) + 1
}

func (m *echoSums) coefficient() float64 {
	if !(m.square > 1e-9) {
		return 0
	}
	k := m.both / m.square * (m.weight / (m.weight + echoFaith))
	return max(-echoMost, min(echoMost, k))
}

// next is what the errors say of the step after the newest value.
func (x *echo) next(step int64) float64 {
	sum := x.near.coefficient() * x.newest
	if n := int64(len(x.errors)); n > 1 {
		sum += float64(x.season.coefficient() * float64(x.errors[step%n]))
	}
	return sum
}

// skip forgets the errors of steps without a value, the last of which is step.
func (x *echo) skip(step, steps int64) {
	n := int64(len(x.errors))
	for i := range min(steps, n) {
		x.errors[(step-i)%n] = 0
	}
	x.newest = 0
}

// add takes in the error of the bank's own one-step forecast of a step, and of the corrected one. What is learned of them is in units of their size, so that large errors of old do
// not decide; each counts at most as outlier of them.
func (x *echo) add(step int64, plain, corrected, size, outlier float64) {
	bound := func(e float64) float64 { return max(-outlier, min(outlier, e/size)) }
	e := bound(plain)
	if x.newest != 0 {
		x.near.add(e, bound(x.newest))
	}
	at := &x.errors[step%int64(len(x.errors))]
	if before := float64(*at); before != 0 && len(x.errors) > 1 {
		x.season.add(e, bound(before))
	}
	x.newest = size * bound(corrected)
	*at = float32(x.newest)
}

func (x *echo) state(c *codec.State) {
	bankNumber(c, &x.newest, "of an error")
	for i := range x.errors {
		bankSingle(c, &x.errors[i], false)
	}
	for _, m := range []*echoSums{&x.near, &x.season} {
		bankNumber(c, &m.both, "of products")
		if bankNumber(c, &m.square, "of squares"); c.Loading() && m.square < 0 {
			c.Fail("forecaster_bank: sum %v of squares", m.square)
		}
		bankWeight(c, &m.weight)
	}
}
