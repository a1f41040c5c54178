package statespace

import (
	"math"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"
)

// model is the Structure as a Model for Filter, with the noise q and the coefficient phi.
func (s *Structure) model(q []float64, phi float64) *Model {
	blocks := []Block{Level(0)}
	if s.Slope {
		blocks[0] = DampedTrend(s.Damping, 0, 0)
	}
	if s.AR {
		blocks = append(blocks, Block{Z: []float64{1}, T: [][]float64{{phi}}, Q: [][]float64{{0}}})
	}
	for _, w := range s.Waves {
		blocks = append(blocks, Harmonic(w.Period, w.Turns, 0))
	}
	if s.Coefficients > 0 {
		blocks = append(blocks, Regression(s.Coefficients, 0))
	}
	m := Compose(1, blocks...)
	for i := range m.Q {
		m.Q[i][i] = q[i]
	}
	m.Start = Start{}
	return m
}

// drawn is a Structure with noise, drawn.
func drawn(t *rapid.T) (s Structure, q []float64, phi float64) {
	s.Slope, s.AR, s.Coefficients = rapid.Bool().Draw(t, "slope"), rapid.Bool().Draw(t, "ar"), rapid.IntRange(0, 2).Draw(t, "coefficients")
	s.Damping = rapid.SampledFrom([]float64{1, 0.9}).Draw(t, "damping")
	for range rapid.IntRange(0, 4).Draw(t, "waves") {
		period := rapid.IntRange(2, 9).Draw(t, "period")
		s.Waves = append(s.Waves, Wave{period, rapid.IntRange(1, period/2).Draw(t, "turns")})
	}
	phi = rapid.Float64Range(0.1, 0.95).Draw(t, "phi")
	f := NewStructural(s, nil)
	q = make([]float64, f.States())
	variance := func() float64 { return math.Pow(10, rapid.Float64Range(-4, 1).Draw(t, "q")) }
	for i := range f.coef {
		q[i] = variance()
	}
	for _, w := range f.waves {
		if w.size == 2 {
			q[w.at+1] = q[w.at]
		}
	}
	return s, q, phi
}

// TestStructuralIsFilter: the turning frame gives what Filter does, with missing values, gaps, second values and widened levels, whatever the model.
func TestStructuralIsFilter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, q, phi := drawn(t)
		f := NewStructural(s, nil)
		n := f.States()
		variance := make([]float64, n)
		for i := range n {
			f.Tune(i, q[i])
			variance[i] = 10
		}
		f.SetAR(phi)
		f.Restart(make([]float64, n), variance)
		model := s.model(q, phi)
		g, err := NewFilter(model)
		if err != nil {
			t.Fatal(err)
		}
		copy(g.p.d, variance)
		z := append([]float64(nil), model.Z[0]...)
		near := func(what string, a, b float64) {
			if math.Abs(a-b) > 1e-8*(1+math.Abs(a)+math.Abs(b)) {
				t.Fatalf("%s: %v, Filter has %v", what, a, b)
			}
		}
		for i := range 60 {
			switch rapid.IntRange(0, 9).Draw(t, "what") {
			case 0:
				jump := rapid.Int64Range(1, 30).Draw(t, "jump")
				f.Jump(jump)
				g.PredictSteps(NewJump(model, jump))
			case 1: // the same step again
			case 2:
				f.Widen(3)
				g.p.addRankOne(3, append([]float64{1}, make([]float64, n-1)...), 0)
				fallthrough
			case 3: // a missing value
				f.Predict()
				g.Predict()
				fallthrough
			default:
				f.Predict()
				g.Predict()
			}
			x := make([]float64, s.Coefficients)
			for j := range x {
				x[j] = float64((i*7+j*3)%5) - 2
			}
			copy(z[n-len(x):], x)
			mean, spread := f.Forecast(x)
			wantMean, wantSpread := g.Forecast(z)
			near("mean", mean, wantMean)
			near("variance", spread, wantSpread)
			y := rapid.Float64Range(-10, 10).Draw(t, "y")
			in := f.Weigh(y, x)
			want := g.ObserveRow(y, z)
			f.Correct(in.Error)
			near("error", in.Error, want.Error)
			near("F", in.Variance, want.Variance)
			for j, v := range f.Mean() {
				near("state", v, g.a[j])
			}
		}
	})
}

// bikes are 26 states: level, autoregression, and six harmonics of a day and six of a week.
func bikes(q float64) *Structural {
	s := Structure{AR: true}
	for j := 1; j <= 6; j++ {
		s.Waves = append(s.Waves, Wave{24, j})
	}
	for _, j := range []int{1, 2, 3, 4, 5, 6} {
		s.Waves = append(s.Waves, Wave{168, j})
	}
	f := NewStructural(s, nil)
	variance := make([]float64, f.States())
	for i := range variance {
		f.Tune(i, q)
		variance[i] = 1e4
	}
	f.SetAR(0.7)
	f.Restart(make([]float64, f.States()), variance)
	return f
}

// TestStructuralKeepsItsDigits: at the ends of the noise that fits look between, after thousands of values, F is still that of the filter whose covariance cannot lose its sign.
func TestStructuralKeepsItsDigits(t *testing.T) {
	for _, c := range []struct{ level, ar, wave float64 }{{1e-6, 1e4, 1e-8}, {1e4, 1e-4, 1e2}, {1e-6, 1e-4, 1e-8}, {1e4, 1e4, 1e-8}} {
		f := bikes(c.wave)
		f.SettleAt(0)
		f.Tune(0, c.level)
		f.Tune(1, c.ar)
		s := f.s
		g, err := NewFilter(s.model(f.q, 0.7))
		if err != nil {
			t.Fatal(err)
		}
		g.fixed = false
		for i := range g.p.d {
			g.p.d[i] = 1e4
		}
		rng := rand.New(rand.NewPCG(1, 2))
		worst := 0.0
		for range 5000 {
			f.Predict()
			g.Predict()
			y := rng.NormFloat64()
			a, b := f.Weigh(y, nil), g.Observe(y)
			f.Correct(a.Error)
			worst = math.Max(worst, math.Abs(a.Variance-b.Variance)/b.Variance)
		}
		if worst > 1e-7 {
			t.Errorf("%+v: F is off by %.1e of itself", c, worst)
		}
		t.Logf("%+v: F differs by %.1e of itself at most", c, worst)
	}
}

// TestStructuralSettles: the gain settles to what the moving one becomes, and a gap lets it move again.
func TestStructuralSettles(t *testing.T) {
	f, g := bikes(0.01), bikes(0.01)
	g.SettleAt(0)
	step := func(y float64) {
		for _, x := range []*Structural{f, g} {
			x.Predict()
			x.Correct(x.Weigh(y, nil).Error)
		}
	}
	i := 0
	for ; !f.Steady(); i++ {
		if i > 20000 {
			t.Fatal("it never settled")
		}
		step(math.Sin(float64(i)))
	}
	for range 500 {
		step(math.Sin(float64(i)))
		i++
	}
	for range 3 {
		f.Predict()
		g.Predict()
	}
	for range 50 {
		step(math.Sin(float64(i)))
		i++
	}
	for j, v := range f.a {
		if math.Abs(v-g.a[j]) > 1e-8 {
			t.Errorf("state %d: %v, without settling %v", j, v, g.a[j])
		}
	}
	if g.Steady() {
		t.Error("it settled without being allowed to")
	}
}

// TestStructuralTakesAnyRegressor: a regressor a million times its usual size leaves a covariance.
func TestStructuralTakesAnyRegressor(t *testing.T) {
	f := NewStructural(Structure{Coefficients: 2}, nil)
	f.Tune(0, 0.1)
	f.Restart([]float64{0, 0, 0}, []float64{1e4, 1e3, 1e3})
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range 3000 {
		x := []float64{rng.NormFloat64(), 1}
		if i%10 == 3 {
			x[0] *= 1e6
		}
		f.Predict()
		in := f.Weigh(2*x[0]+rng.NormFloat64(), x)
		if !(in.Variance >= 1) {
			t.Fatalf("value %d: F %v", i, in.Variance)
		}
		f.Correct(in.Error)
	}
	if b := f.Mean()[1]; math.Abs(b-2) > 0.01 {
		t.Errorf("coefficient %v, not 2", b)
	}
}

func BenchmarkStructural26(b *testing.B) {
	f := bikes(0.01)
	f.SettleAt(0)
	b.ReportAllocs()
	for i := range b.N {
		f.Predict()
		f.Correct(f.Weigh(float64(i%24), nil).Error)
	}
}
