package statespace

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/mat"
	"pgregory.net/rapid"

	"github.com/freshet-ml/freshet/internal/codec"
)

// drawModel makes a small model of random blocks, or of random matrices.
func drawModel(t *rapid.T) *Model {
	variance := func(name string) float64 { return rapid.SampledFrom([]float64{0, 0.01, 0.3, 2}).Draw(t, name) }
	if rapid.IntRange(0, 3).Draw(t, "kind") == 0 {
		a := ARIMA{Variance: 1, Period: 3, Diff: rapid.IntRange(0, 1).Draw(t, "d"), SeasonalDiff: rapid.IntRange(0, 1).Draw(t, "D"), AR: []float64{0.5, -0.3}, MA: []float64{0.4}, SeasonalMA: []float64{-0.6}}
		m, err := a.Model()
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	ar, err := AR([]float64{0.6, -0.2}, 0.5)
	if err != nil {
		t.Fatal(err)
	}
	all := []Block{Level(variance("level")), Trend(variance("level"), variance("slope")), DampedTrend(0.9, variance("level"), 0.1), DampedTrendETS(0.8, 0.2, variance("slope")),
		SeasonalDummy(4, variance("dummy")), SeasonalTrig(5, 2, variance("trig")), SeasonalTrig(6, 3, 0.1), Cycle(0.7, 0.9, 0.4), ar}
	var blocks []Block
	for _, i := range rapid.SliceOfNDistinct(rapid.IntRange(0, len(all)-1), 1, 3, rapid.ID).Draw(t, "blocks") {
		blocks = append(blocks, all[i])
	}
	return Compose(0.5+variance("noise"), blocks...)
}

func dense(m [][]float64) *mat.Dense {
	out := mat.NewDense(len(m), len(m[0]), nil)
	for i, row := range m {
		out.SetRow(i, row)
	}
	return out
}

// whole is the joint distribution of all states of a model, α = M δ + s with Cov(s) = S, and what follows by generalised least squares: the plain way, without a
// filter (Durbin & Koopman 2012, §4.14 and §7.2.3 in matrices).
func whole(m *Model, y []float64) (mean []float64, cov *mat.Dense, loglik float64) {
	n, times, q := m.States(), len(y), len(m.Start.Diffuse)
	big := n * times
	load, s := mat.NewDense(big, max(q, 1), nil), mat.NewDense(big, big, nil)
	start, tt := mat.NewDense(n, max(q, 1), nil), dense(m.T)
	for k, i := range m.Start.Diffuse {
		start.Set(i, k, 1)
	}
	p := mat.NewDense(n, n, nil)
	if m.Start.Cov != nil {
		p.Copy(dense(m.Start.Cov))
	}
	for t := range times {
		if t > 0 {
			var a, b mat.Dense
			a.Mul(tt, start)
			start.Copy(&a)
			b.Mul(tt, p)
			a.Reset()
			a.Mul(&b, tt.T())
			p.Add(&a, dense(m.Q))
		}
		load.Slice(t*n, t*n+n, 0, max(q, 1)).(*mat.Dense).Copy(start)
		c := mat.DenseCopyOf(p)
		for u := t; u < times; u++ { // Cov(s(u), s(t)) = T^(u−t) P(t)
			s.Slice(u*n, u*n+n, t*n, t*n+n).(*mat.Dense).Copy(c)
			s.Slice(t*n, t*n+n, u*n, u*n+n).(*mat.Dense).Copy(c.T())
			var d mat.Dense
			d.Mul(tt, c)
			c.Copy(&d)
		}
	}
	var seen []int
	for t, v := range y {
		if !math.IsNaN(v) {
			seen = append(seen, t)
		}
	}
	z, v := mat.NewDense(len(seen), big, nil), mat.NewVecDense(len(seen), nil)
	for i, t := range seen {
		z.Slice(i, i+1, t*n, t*n+n).(*mat.Dense).SetRow(0, m.Z[0])
		v.SetVec(i, y[t])
	}
	var zs, sigma, inverse mat.Dense
	zs.Mul(z, s)
	sigma.Mul(&zs, z.T())
	for i := range seen {
		sigma.Set(i, i, sigma.At(i, i)+m.H[0][0])
	}
	if err := inverse.Inverse(&sigma); err != nil {
		panic(err)
	}
	gain, x := new(mat.Dense), new(mat.Dense)
	gain.Mul(zs.T(), &inverse)
	x.Mul(z, load)
	out, rest := mat.NewVecDense(big, nil), mat.VecDenseCopyOf(v)
	cov = mat.DenseCopyOf(s)
	var c mat.Dense
	c.Mul(gain, &zs)
	cov.Sub(cov, &c)
	logdet, _ := mat.LogDet(&sigma)
	if q > 0 {
		var xi, information, vd mat.Dense
		xi.Mul(x.T(), &inverse)
		information.Mul(&xi, x)
		if err := vd.Inverse(&information); err != nil {
			panic(err)
		}
		d, _ := mat.LogDet(&information)
		logdet += d
		var xy, delta, fitted mat.VecDense
		xy.MulVec(&xi, v)
		delta.MulVec(&vd, &xy)
		fitted.MulVec(x, &delta)
		rest.SubVec(v, &fitted)
		out.MulVec(load, &delta)
		var open, gx, a, b mat.Dense
		gx.Mul(gain, x)
		open.Sub(load, &gx)
		a.Mul(&open, &vd)
		b.Mul(&a, open.T())
		cov.Add(cov, &b)
	}
	var add, weighted mat.VecDense
	add.MulVec(gain, rest)
	out.AddVec(out, &add)
	weighted.MulVec(&inverse, rest)
	loglik = -0.5 * (float64(len(seen)-q)*log2Pi + logdet + mat.Dot(rest, &weighted))
	return out.RawVector().Data, cov, loglik
}

// Filter, likelihood and smoother agree with the joint distribution, also where the start is diffuse and values are missing, several at the beginning.
func TestAgainstJointDistribution(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := drawModel(t)
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		y := make([]float64, 26)
		for i := range y {
			y[i] = 5 * rng.NormFloat64()
			if rng.IntN(5) == 0 {
				y[i] = math.NaN()
			}
		}
		r, err := Run(m, Data{Y: Column(y)}, true)
		if err != nil {
			t.Fatal(err)
		}
		if r.Final.Unknown() > 0 {
			t.Skip("not all states can be told apart")
		}
		mean, cov, loglik := whole(m, y)
		if got := r.ProperLog2Pi(); math.Abs(got-loglik) > 1e-6*(1+math.Abs(loglik)) {
			t.Fatalf("log-likelihood %.12g, want %.12g", got, loglik)
		}
		n, s := m.States(), r.Smooth()
		for i := range y {
			for j := range n {
				if math.Abs(s.Mean[i][j]-mean[i*n+j]) > 1e-5*(1+math.Abs(mean[i*n+j])) {
					t.Fatalf("time %d: smoothed %v, want %v", i, s.Mean[i], mean[i*n:i*n+n])
				}
				for k := range n {
					if w := cov.At(i*n+j, i*n+k); math.Abs(s.Cov[i][j][k]-w) > 1e-5*(1+math.Abs(w)) {
						t.Fatalf("time %d: covariance %v, [%d][%d] should be %g", i, s.Cov[i], j, k, w)
					}
				}
			}
		}
		for j := range n { // at the end filter and smoother are one
			if last := len(y) - 1; math.Abs(r.Filtered[last][j]-mean[last*n+j]) > 1e-5*(1+math.Abs(mean[last*n+j])) {
				t.Fatalf("filtered %v, want %v", r.Filtered[last], mean[last*n:])
			}
		}
	})
}

// randomUD is a covariance in which some directions have no variance.
func randomUD(n int, seed uint64) ud {
	rng := rand.New(rand.NewPCG(seed, 1))
	p := newUD(n)
	for i := range p.u {
		p.u[i] = rng.NormFloat64()
	}
	for i := range p.d {
		p.d[i] = math.Max(rng.Float64()-0.2, 0)
	}
	return p
}

// A step of the factors is T P T' + Q, by blocks and by Gram-Schmidt, and several steps at once are that many.
func TestSteps(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := drawModel(t)
		n := m.States()
		p := randomUD(n, rapid.Uint64().Draw(t, "seed"))
		before, after := zeros(n, n), zeros(n, n)
		p.dense(before)
		steps := rapid.Int64Range(1, 9).Draw(t, "steps")
		tr := NewJump(m, steps).step
		other := ud{append([]float64(nil), p.u...), append([]float64(nil), p.d...)}
		w := newWorkspace(n, tr)
		tr.covariance(&p, &w)
		p.dense(after)
		want := before
		for range steps {
			want = add(mul(mul(m.T, want), transpose(m.T)), m.Q)
		}
		plain := *tr
		plain.blocks = nil
		v, slow := newWorkspace(n, &plain), zeros(n, n)
		plain.covariance(&other, &v)
		other.dense(slow)
		for i := range want {
			for j := range want {
				scale := 1e-9 * (1 + math.Sqrt(want[i][i]*want[j][j]))
				if math.Abs(after[i][j]-want[i][j]) > scale || math.Abs(slow[i][j]-want[i][j]) > scale {
					t.Fatalf("[%d][%d] is %g and %g, want %g", i, j, after[i][j], slow[i][j], want[i][j])
				}
			}
			if p.d[i] < 0 {
				t.Fatalf("negative variance %g", p.d[i])
			}
		}
	})
}

// Gaps given as steps are gaps given as missing values; values of one time in one go are values with no step between them.
func TestIrregular(t *testing.T) {
	r := load(t)
	y := append([]float64(nil), r.Datasets["Nile"].Y...)
	m := Compose(15099, Level(1469.1))
	var kept Data
	for i := range y {
		if i >= 20 && i < 40 || i >= 60 && i < 80 {
			y[i] = math.NaN()
			continue
		}
		steps := int64(1)
		if i == 40 || i == 80 {
			steps = 21
		}
		kept.Y, kept.Steps = append(kept.Y, y[i:i+1]), append(kept.Steps, steps)
	}
	a, err := Run(m, Data{Y: Column(y)}, false)
	if err != nil {
		t.Fatal(err)
	}
	b, err := Run(m, kept, true)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range []*Result{a, b} {
		mean, cov := r.Forecast(1, nil)
		near(t, "missing or irregular", 0, []float64{r.AllLog2Pi(), mean[0][0], cov[0][0][0]}, []float64{-381.5060013085083, 798.3151146180785, 20600.286797448254}, 0, 1e-12)
	}
	two := &Model{Z: [][]float64{{1}, {1}}, H: [][]float64{{2, 0}, {0, 3}}, T: m.T, Q: m.Q, Start: m.Start}
	c, err := Run(two, Data{Y: [][]float64{{4, 5}, {6, 7}}}, false)
	if err != nil {
		t.Fatal(err)
	}
	one := Compose(2, Level(1469.1))
	f, err := NewFilter(one)
	if err != nil {
		t.Fatal(err)
	}
	f.scalar(4, f.z, 2)
	f.scalar(5, f.z, 3)
	f.Predict()
	f.scalar(6, f.z, 2)
	f.scalar(7, f.z, 3)
	near(t, "two values of one time", 0, f.Mean(), c.Final.Mean(), 0, 1e-14)
}

// Partly missing rows with correlated noise are rows of the model without those outputs.
func TestPartlyMissing(t *testing.T) {
	h := [][]float64{{2, 0.7, 0.3}, {0.7, 1, -0.2}, {0.3, -0.2, 3}}
	m := CommonLevels([][]float64{{1}, {0.5}, {-2}}, h, []float64{0.4})
	nan := math.NaN()
	a, err := Run(m, Data{Y: [][]float64{{1, 2, 3}, {2, nan, 4}, {nan, 1, 2}, {1, 1, nan}, {2, 2, 2}}}, false)
	if err != nil {
		t.Fatal(err)
	}
	f, err := NewFilter(m)
	if err != nil {
		t.Fatal(err)
	}
	var l Likelihood
	for i, step := range []struct {
		y    []float64
		keep []int
	}{{[]float64{1, 2, 3}, []int{0, 1, 2}}, {[]float64{2, 4}, []int{0, 2}}, {[]float64{1, 2}, []int{1, 2}}, {[]float64{1, 1}, []int{0, 1}}, {[]float64{2, 2, 2}, []int{0, 1, 2}}} {
		if i > 0 {
			f.Predict()
		}
		sub, z := zeros(len(step.keep), len(step.keep)), [][]float64{}
		for r, i := range step.keep {
			z = append(z, m.Z[i])
			for c, j := range step.keep {
				sub[r][c] = h[i][j]
			}
		}
		own := decorrelate(sub)
		own.rows(sub, step.y, z, func(y float64, z []float64, h float64) { l.add(f.scalar(y, z, h)) })
	}
	near(t, "log-likelihood", 0, []float64{a.AllLog2Pi()}, []float64{l.AllLog2Pi()}, 0, 1e-13)
	near(t, "state", 0, a.Final.Mean(), f.Mean(), 0, 1e-13)
}

// Once the gain has settled means are those of the whole filter, also through gaps and second values.
func TestSteady(t *testing.T) {
	m := Compose(1, Trend(0.1, 0.01), SeasonalTrig(6, 3, 0.05))
	fast, err := NewFilter(m)
	if err != nil {
		t.Fatal(err)
	}
	slow := fast.Clone()
	slow.fixed = false // never settles
	rng := rand.New(rand.NewPCG(1, 2))
	settled := 0
	for i := range 2000 {
		if i > 0 {
			fast.Predict()
			slow.Predict()
		}
		y := 10 * rng.NormFloat64()
		if i%500 > 490 {
			y = math.NaN()
		}
		a, b := fast.Observe(y), slow.Observe(y)
		if i%700 == 699 {
			a, b = fast.ObserveRow(y, m.Z[0]), slow.ObserveRow(y, m.Z[0])
		}
		if !math.IsNaN(y) && (math.Abs(a.Error-b.Error) > 1e-8 || a.Diffuse != b.Diffuse || math.Abs(a.Variance-b.Variance) > 1e-8*b.Variance) {
			t.Fatalf("value %d: %+v, want %+v", i, a, b)
		}
		if fast.Steady() {
			settled++
		}
	}
	if settled < 500 || slow.Steady() {
		t.Errorf("settled for %d values", settled)
	}
	v := codec.Saver(nil)
	fast.State(v)
	other, _ := NewFilter(m)
	back := codec.Loader(v.Bytes())
	if other.State(back); back.Close() != nil {
		t.Fatal(back.Close())
	}
	again := codec.Saver(nil)
	if other.State(again); !bytes.Equal(v.Bytes(), again.Bytes()) {
		t.Error("loaded another state")
	}
	gains, ok, err := NewGains(m, 3, 5000)
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	near(t, "gain", 0, gains.K[0], slowGain(m, 5000, 0), 0, 1e-9)
	near(t, "gain after two missing", 0, gains.K[2], slowGain(m, 5000, 2), 0, 1e-9)
}

func slowGain(m *Model, values, missing int) []float64 {
	f, _ := NewFilter(m)
	f.fixed = false
	for range values {
		f.Predict()
		f.Observe(0)
	}
	for range missing + 1 {
		f.Predict()
	}
	f.Observe(0)
	return f.k
}

// The closed forms are the filters of their models.
func TestClosedForms(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	level, err := NewFilter(Compose(2, Level(0.5)))
	if err != nil {
		t.Fatal(err)
	}
	trendModel := Compose(2, DampedTrend(0.9, 0.3, 0.1))
	trendModel.Start = Start{Mean: []float64{1, 2}, Cov: [][]float64{{4, 1}, {1, 3}}}
	trend, err := NewFilter(trendModel)
	if err != nil {
		t.Fatal(err)
	}
	level.fixed, trend.fixed = false, false
	var l LocalLevel
	b := LocalTrend{Level: 1, Slope: 2, U: 1.0 / 3, D1: 4 - 1.0/3, D2: 3}
	for i := range 300 {
		if i > 0 {
			level.Predict()
			trend.Predict()
			l.Predict(0.5, 1)
			b.Predict(0.9, 0.3, 0.1)
		}
		if i%7 == 3 {
			continue
		}
		y := rng.NormFloat64()
		level.Observe(y)
		l.Observe(y, 2)
		in := trend.Observe(y)
		e, f := b.Observe(y, 2)
		near(t, "level", i, []float64{l.Mean, l.Variance}, []float64{level.a[0], level.p.d[0]}, 1, 1e-12)
		near(t, "trend", i, []float64{b.Level, b.Slope, b.U, b.D1, b.D2, e, f}, []float64{trend.a[0], trend.a[1], trend.p.u[0], trend.p.d[0], trend.p.d[1], in.Error, in.Variance}, 1, 1e-12)
	}
	if a := SteadyLevel(1469.1 / 15099); math.Abs(a-0.2671) > 1e-4 {
		t.Errorf("gain of the Nile %g", a)
	}
}

// Paths have the mean and the variance of the forecast.
func TestPaths(t *testing.T) {
	m := SeeminglyUnrelated(Trend(0.5, 0.1), [][]float64{{1, 0.6}, {0.6, 2}}, [][]float64{{1, 0.5}, {0.5, 1}})
	r, err := Run(m, Data{Y: [][]float64{{1, 2}, {2, 1}, {3, 3}, {5, 2}, {4, 4}}}, false)
	if err != nil {
		t.Fatal(err)
	}
	mean, cov := r.Forecast(3, nil)
	rng := rand.New(rand.NewPCG(1, 2))
	const n = 40000
	sum, product := zeros(3, 2), 0.0
	path := zeros(3, 2)
	for range n {
		r.Final.Path(path, nil, rng.NormFloat64)
		for h := range path {
			axpy(sum[h], 1.0/n, path[h])
		}
		product += (path[2][0] - mean[2][0]) * (path[2][1] - mean[2][1]) / n
	}
	for h := range mean {
		for i := range mean[h] {
			if d := math.Sqrt(cov[h][i][i] / n); math.Abs(sum[h][i]-mean[h][i]) > 4.5*d {
				t.Errorf("step %d: mean %v, want %v ± %g", h, sum[h], mean[h], d)
			}
		}
	}
	if d := math.Sqrt((cov[2][0][0]*cov[2][1][1] + cov[2][0][1]*cov[2][0][1]) / n); math.Abs(product-cov[2][0][1]) > 4.5*d {
		t.Errorf("covariance %g, want %g ± %g", product, cov[2][0][1], d)
	}
}

func TestBadModels(t *testing.T) {
	good := Compose(1, Level(1))
	for name, change := range map[string]func(*Model){
		"no states":      func(m *Model) { m.T = nil },
		"short Z":        func(m *Model) { m.Z = [][]float64{{}} },
		"H negative":     func(m *Model) { m.H = [][]float64{{-1}} },
		"Q missing":      func(m *Model) { m.Q = nil },
		"T infinite":     func(m *Model) { m.T = [][]float64{{math.Inf(1)}} },
		"P1 size":        func(m *Model) { m.Start.Cov = zeros(2, 2) },
		"a1 size":        func(m *Model) { m.Start.Mean = []float64{1, 2} },
		"a1 NaN":         func(m *Model) { m.Start.Mean = []float64{math.NaN()} },
		"diffuse beyond": func(m *Model) { m.Start.Diffuse = []int{1} },
		"diffuse twice":  func(m *Model) { m.Start.Diffuse = []int{0, 0} },
	} {
		m := *good
		change(&m)
		if _, err := NewFilter(&m); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
	for name, q := range map[string][][]float64{"indefinite": {{1, 2}, {2, 1}}, "not symmetric": {{1, 0.5}, {0.2, 1}}, "covariance without variance": {{0, 1}, {1, 5}}} {
		m := Compose(1, Trend(1, 1))
		m.Q = q
		if m.Check() == nil {
			t.Errorf("Q %s was accepted", name)
		}
	}
	for name, d := range map[string]Data{"wide": {Y: [][]float64{{1, 2}}}, "infinite": {Y: [][]float64{{math.Inf(1)}}}, "steps": {Y: [][]float64{{1}}, Steps: []int64{1, 2}}, "back": {Y: [][]float64{{1}}, Steps: []int64{-1}}} {
		if _, err := Run(good, d, false); err == nil {
			t.Errorf("data %s was accepted", name)
		}
	}
}

func TestFilterAllocatesNothing(t *testing.T) {
	f, err := NewFilter(fourteen())
	if err != nil {
		t.Fatal(err)
	}
	for range 50 {
		f.Predict()
		f.Observe(1)
	}
	if n := testing.AllocsPerRun(100, func() { f.Predict(); f.ObserveRow(1, f.z) }); n != 0 {
		t.Errorf("%g allocations", n)
	}
}

// fourteen is a model with 14 states: trend, full season of 12, a regressor.
func fourteen() *Model {
	return Compose(1, Trend(0.1, 0.001), SeasonalTrig(12, 6, 0.01), Block{Z: []float64{0.5}, T: [][]float64{{0.7}}, Q: [][]float64{{0.3}}, Start: Start{Cov: [][]float64{{1}}}})
}

func BenchmarkFilter(b *testing.B) {
	for _, moving := range []bool{true, false} {
		b.Run(fmt.Sprintf("states=14/moving=%v", moving), func(b *testing.B) {
			f, err := NewFilter(fourteen())
			if err != nil {
				b.Fatal(err)
			}
			f.fixed = !moving
			for i := range 5000 {
				f.Predict()
				f.Observe(float64(i % 12))
			}
			if f.Steady() == moving {
				b.Fatal("settled, or not")
			}
			i := 0
			for b.Loop() {
				f.Predict()
				f.Observe(float64(i % 12))
				i++
			}
		})
	}
}

func BenchmarkLocalLevel(b *testing.B) {
	var l LocalLevel
	i := 0
	for b.Loop() {
		l.Predict(0.1, 1)
		l.Observe(float64(i&7), 1)
		i++
	}
}

func BenchmarkLocalTrend(b *testing.B) {
	l := LocalTrend{D1: 1, D2: 1}
	i := 0
	for b.Loop() {
		l.Predict(0.98, 0.1, 0.01)
		l.Observe(float64(i&7), 1)
		i++
	}
}

func ExampleRun() {
	y := []float64{1120, 1160, 963, 1210, 1160, 1160, 813, 1230, 1370, 1140} // flow of the Nile, 1871–1880
	r, err := Run(Compose(15099, Level(1469.1)), Data{Y: Column(y)}, true)
	if err != nil {
		panic(err)
	}
	mean, variance := r.Forecast(1, nil)
	fmt.Printf("log-likelihood %.4f, level %.1f, next %.1f ± %.1f\n", r.ProperLog2Pi(), r.Filtered[9][0], mean[0][0], math.Sqrt(variance[0][0][0]))
	fmt.Printf("level of 1871 seen from 1880: %.1f\n", r.Smooth().Mean[0][0])
	// Output:
	// log-likelihood -59.6575, level 1162.9, next 1162.9 ± 143.6
	// level of 1871 seen from 1880: 1118.5
}

// Waves that have come round leave a level without noise as it was, also where one of their directions has no variance.
func TestStepsOfWholeTurns(t *testing.T) {
	m := Compose(1, Level(0), SeasonalTrig(5, 2, 0.01))
	n := m.States()
	for seed := range uint64(500) {
		p := randomUD(n, seed)
		before, after := zeros(n, n), zeros(n, n)
		p.dense(before)
		tr := NewJump(m, 5).step
		w := newWorkspace(n, tr)
		tr.covariance(&p, &w)
		p.dense(after)
		if got, want := after[0][0], before[0][0]; math.Abs(got-want) > 1e-12*want {
			t.Errorf("seed %d: the level's variance is %g after a turn, %g before", seed, got, want)
		}
	}
}
