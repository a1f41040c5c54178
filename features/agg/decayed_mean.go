package agg

import (
	"errors"
	"math"
	"strconv"
)

var decayedMeanSpec = Spec{
	Name: "decayed_mean",
	Doc: "Mean of the values, each weighing 2^(−age/half_life); or, with weight a, the exponentially weighted mean by " +
		"event m += a·(x − m) that starts with the first value. Missing without events.",
	Value: MustValue, Uses: []string{"half_life", "weight"}, Windows: true, Always: true, Version: 1,
	Cost: "20 ns to add (one exp2), 3 ns by event", Memory: "24 bytes a tile, by event 56",
	Source: "see decayed_count; by event: Roberts, Control chart tests based on geometric moving averages, Technometrics 1(3), 1959, as a composition of affine maps",
	New: func(p Params) (Fold, error) {
		switch {
		case p.Weight != 0 && p.HalfLife != 0:
			return Fold{}, errors.New("half_life and weight exclude each other; keep one")
		case p.Weight == 0:
			return decayedFold(p, func(_ decays, c []byte, _ Span) float64 { return f64(c, 0) / f64(c, 8) })
		case !(p.Weight > 0 && p.Weight < 1):
			return Fold{}, errors.New("weight must lie between 0 and 1, as 0.2")
		}
		return one(ewma{p.Weight}, func(c []byte, _ Span) float64 { return f64(c, 0) + float64(f64(c, 8)*f64(c, 32)) }), nil
	},
}

// ewma is the exponentially weighted mean of rows as the map m ↦ A + D·m, with the oldest value to start
// from: A f64, D f64, then the oldest row (time, seq, x) and the place of the newest (time, seq). Rows
// that come in between two that were merged already count as older than both.
type ewma struct{ weight float64 }

func (e ewma) Name() string { return "ewma(" + strconv.FormatFloat(e.weight, 'g', -1, 64) + ")" }
func (ewma) Width() int     { return 56 }
func (ewma) Init(c []byte) []byte {
	putEwma(c, 0, 1)
	putPlace(c[16:], math.MaxInt64, math.MaxUint64, math.NaN())
	putI64(c, 40, math.MinInt64)
	putU64(c, 48, 0)
	return c
}

func putEwma(c []byte, a, d float64) {
	putF64(c, 0, a)
	putF64(c, 8, d)
}

func (e ewma) Add(c []byte, r Row) []byte {
	var one [56]byte
	putEwma(one[:], float64(e.weight*r.X), 1-e.weight)
	putPlace(one[16:], r.Time, r.Seq, r.X)
	putI64(one[:], 40, r.Time)
	putU64(one[:], 48, r.Seq)
	return e.Merge(c, one[:])
}

func (ewma) Merge(c, o []byte) []byte {
	old, young := o, c
	newer := before(i64(c, 40), u64(c, 48), i64(o, 40), u64(o, 48))
	if newer {
		old, young = c, o
	}
	a := f64(young, 0) + float64(f64(young, 8)*f64(old, 0))
	d := float64(f64(young, 8) * f64(old, 8))
	if before(i64(o, 16), u64(o, 24), i64(c, 16), u64(c, 24)) {
		copy(c[16:40], o[16:40])
	}
	if newer {
		copy(c[40:56], o[40:56])
	}
	putEwma(c, a, d)
	return c
}

func (ewma) Check([]byte) error { return nil }
