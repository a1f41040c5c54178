package agg

import (
	"errors"
	"math"
	"time"
)

var decayedCountSpec = Spec{
	Name: "decayed_count", Doc: "Events, each weighing 2^(−age/half_life). 0 without events.",
	Value: MayValue, Text: true, Uses: []string{"half_life"}, Windows: true, Always: true, Version: 1,
	Cost: "20 ns to add (one exp2)", Memory: "24 bytes a tile, shared by the decayed ones",
	Source: "forward decay with a moving landmark: Cormode, Shkapenyuk, Srivastava and Xu, ICDE 2009",
	New: func(p Params) (Fold, error) {
		return decayedFold(p, func(d decays, c []byte, s Span) float64 {
			return f64(c, 8) * d.weight(s.End, i64(c, 16))
		})
	},
}

func decayedFold(p Params, finish func(decays, []byte, Span) float64) (Fold, error) {
	if p.HalfLife < time.Microsecond {
		return Fold{}, errors.New("half_life is missing; set the time in which a weight halves, such as 1h")
	}
	d := decays{halfLife: p.HalfLife.Microseconds()}
	return one(d, func(c []byte, s Span) float64 { return finish(d, c, s) }), nil
}

// decays is the decayed sum and count as of the newest row: sum f64, count f64, newest time i64. The
// half-life is in µs.
type decays struct{ halfLife int64 }

func (d decays) Name() string {
	return "decays(" + (time.Duration(d.halfLife) * time.Microsecond).String() + ")"
}
func (decays) Width() int { return 24 }
func (decays) Init(c []byte) []byte {
	putDecays(c, 0, 0, math.MinInt64)
	return c
}

func putDecays(c []byte, sum, count float64, t int64) {
	putF64(c, 0, sum)
	putF64(c, 8, count)
	putI64(c, 16, t)
}

// weight is what an event at t weighs at now, and 1 when it lies after.
func (d decays) weight(now, t int64) float64 {
	if t >= now {
		return 1
	}
	return math.Exp2((float64(t) - float64(now)) / float64(d.halfLife))
}

func (d decays) Add(c []byte, r Row) []byte {
	d.fold(c, r.X, 1, r.Time)
	return c
}

func (d decays) Merge(c, o []byte) []byte {
	d.fold(c, f64(o, 0), f64(o, 8), i64(o, 16))
	return c
}

// fold adds a decayed sum and count as of t, brought to the later of both times.
func (d decays) fold(c []byte, sum, count float64, t int64) {
	s, n, own := f64(c, 0), f64(c, 8), i64(c, 16)
	w, v := d.weight(t, own), d.weight(own, t)
	putDecays(c, float64(s*w)+float64(sum*v), float64(n*w)+float64(count*v), max(own, t))
}

func (decays) Check([]byte) error { return nil }
