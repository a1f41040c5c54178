package serving_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/freshet-ml/freshet/models/fold"
	"github.com/freshet-ml/freshet/serving"
)

// told gives curves the losses of two models: both share a part that depends on its neighbours, and the second is better by so much.
func told(c *serving.Curves, seed uint64, n int, better float64) {
	rng := rand.New(rand.NewPCG(seed, 1))
	champion, challenger := &fold.Member{Name: "late"}, &fold.Member{Name: "trees", Of: "late"}
	shared, own := 0.0, 0.0
	for i := range n {
		shared = .9*shared + rng.NormFloat64()
		own = .5*own + .2*rng.NormFloat64()
		for _, s := range []*fold.Scoring{{Model: champion, Loss: 5 + shared}, {Model: challenger, Loss: 5 + shared + own - better}} {
			s.Seq, s.Taken, s.Answer = uint64(2*i), int64(i)*1e6, []float64{.5}
			if s.Model == challenger && i%100 == 99 { // it has no answer to this one
				continue
			}
			c.Scored(s)
		}
	}
}

// The band leaves zero out when the one is better by much more than chance, mostly not when there is no difference, and covers the
// true difference.
func TestCompare(t *testing.T) {
	covered, excluded := 0, 0
	const rounds = 200
	for seed := range uint64(rounds) {
		same, better := serving.NewCurves(), serving.NewCurves()
		told(same, seed, 3000, 0)
		told(better, seed, 3000, .2)
		a, ok := same.Compare("trees", "late")
		b, also := better.Compare("trees", "late")
		if !ok || !also || a.Examples != 2960 {
			t.Fatalf("%+v %t, %+v %t", a, ok, b, also)
		}
		if math.Abs(a.Mean) > a.HalfBand {
			excluded++
		}
		if math.Abs(b.Mean+.2) <= b.HalfBand {
			covered++
		}
		if !(b.Mean+b.HalfBand < 0) {
			t.Errorf("seed %d: better by 0.2, and the band is %v ± %v", seed, b.Mean, b.HalfBand)
		}
	}
	// t with 19 degrees of freedom is outside ±3 in 0.74 % of cases.
	if excluded > 8 || covered < rounds-8 {
		t.Errorf("no difference, and %d of %d bands leave zero out; %d cover the true difference", excluded, rounds, covered)
	}
}

func TestCompareNeedsExamplesInCommon(t *testing.T) {
	c := serving.NewCurves()
	told(c, 1, 1000, .2) // the second has 10 fewer
	if got, ok := c.Compare("trees", "late"); ok {
		t.Errorf("%+v", got)
	}
	if _, ok := c.Compare("trees", "nobody"); ok {
		t.Error("compared with a model that is not there")
	}
	told(c, 1, 20000, .2) // what was told before is not told twice; the newest 4,096 of each are kept
	if got, ok := c.Compare("trees", "late"); !ok || got.Examples > 4096 || got.Examples < 4000 {
		t.Errorf("%+v %t", got, ok)
	}
	var none *serving.Curves
	if _, ok := none.Compare("a", "b"); ok {
		t.Error("nothing was compared")
	}
}
