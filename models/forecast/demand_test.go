package forecast

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/mathext"
	"gonum.org/v1/gonum/stat/distuv"
	"pgregory.net/rapid"

	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/modeltest"
)

// TestIntermittentAgainstReference runs the cases of Croston's method, its corrections and TSB: every one-step forecast, and the last.
func TestIntermittentAgainstReference(t *testing.T) {
	refs := loadReferences(t)
	for _, name := range refs.family(t, "intermittent") {
		var c struct {
			Params struct {
				Alpha   float64
				Variant CrostonVariant
				Demand  float64 `json:"alpha_demand"`
				Prob    float64 `json:"alpha_prob"`
			}
			Expected struct {
				Level, Interval, Forecast, Demand, Prob float64
				Fitted                                  modeltest.Nullable
			}
		}
		refs.read(t, name, &c)
		s, uncorrected := models.Series(nil), 1.0
		if c.Params.Variant == "" {
			f, err := NewTSB(TSBConfig{Demand: c.Params.Demand, Probability: c.Params.Prob})
			if err != nil {
				t.Fatal(err)
			}
			s = f.Start()
		} else {
			f, err := NewCroston(CrostonConfig{Alpha: c.Params.Alpha, Variant: c.Params.Variant})
			if err != nil {
				t.Fatal(err)
			}
			s, uncorrected = f.Start(), 1/f.factor // the fitted values of the file are z/p for every variant
		}
		var fitted []float64
		sold := false
		for _, y := range refs.series(t, name) {
			f := math.NaN()
			if sold {
				f = mean1(s, 0) * uncorrected
			}
			fitted = append(fitted, f)
			s.Advance(1)
			s.Observe(y, nil)
			sold = sold || y > 0
		}
		if d := max(far(t, fitted, c.Expected.Fitted), far(t, []float64{mean1(s, 0)}, []float64{c.Expected.Forecast})); !(d < 1e-9) {
			t.Errorf("%s: forecasts differ by %g", name, d)
		}
		if k, ok := s.(*croston); ok {
			if d := far(t, []float64{k.size, k.interval}, []float64{c.Expected.Level, c.Expected.Interval}); !(d < 1e-9) {
				t.Errorf("%s: size and interval differ by %g", name, d)
			}
		} else if k := s.(*tsb); far(t, []float64{k.size, k.share}, []float64{c.Expected.Demand, c.Expected.Prob}) > 1e-9 {
			t.Errorf("%s: size %v, probability %v", name, k.size, k.share)
		}
	}
}

// bruteQuantile adds up probabilities in logarithms.
func bruteQuantile(d countDist, u float64) float64 {
	sum := d.zeros
	for k := 0.0; k < 1e6; k++ {
		a, _ := math.Lgamma(k + d.size)
		b, _ := math.Lgamma(d.size)
		c, _ := math.Lgamma(k + 1)
		sum += (1 - d.zeros) * math.Exp(a-b-c+d.size*math.Log(d.size/(d.size+d.mean))+k*math.Log(d.mean/(d.size+d.mean)))
		if sum >= u {
			return k
		}
	}
	return math.Inf(1)
}

// TestCountQuantiles: both ways to find quantiles are those of the distribution function added up.
func TestCountQuantiles(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := countDist{mean: math.Exp(rapid.Float64Range(-4, 5).Draw(t, "mean")), size: math.Exp(rapid.Float64Range(-2, 5).Draw(t, "size")), zeros: rapid.SampledFrom([]float64{0, 0.3}).Draw(t, "zeros")}
		levels := []float64{0.05, 0.31, 0.5, 0.77, 0.95}
		got := make([]float64, 5)
		d.quantiles(got, levels)
		for i, u := range levels {
			want := bruteQuantile(d, u)
			if math.Abs(got[i]-want) > 0 && math.Abs(bruteQuantile(d, u+1e-9)-got[i]) > 0 && math.Abs(bruteQuantile(d, u-1e-9)-got[i]) > 0 {
				t.Fatalf("%+v: %g quantile %g, want %g", d, u, got[i], want)
			}
			if u > d.zeros {
				if s := d.search((u-d.zeros)/(1-d.zeros), math.Sqrt(d.variance())); math.Abs(s-want) > 0 && math.Abs(bruteQuantile(d, u+1e-9)-s) > 0 && math.Abs(bruteQuantile(d, u-1e-9)-s) > 0 {
					t.Fatalf("%+v: %g quantile by search %g, want %g", d, u, s, want)
				}
			}
		}
	})
	p := countDist{mean: 3.5, size: 1e12}
	got := make([]float64, 3)
	p.quantiles(got, []float64{0.1, 0.5, 0.9})
	for i, want := range []float64{1, 3, 6} { // Poisson(3.5): F(1)=0.136, F(3)=0.537, F(6)=0.935
		if got[i] != want {
			t.Errorf("Poisson quantiles %v", got)
		}
	}
}

// TestGammaPoissonIsConjugate: without discount the forecast is the negative binomial one of a gamma prior, and a rate of 10 counts is their mean.
func TestGammaPoissonIsConjugate(t *testing.T) {
	f, err := NewGammaPoisson(GammaPoissonConfig{Discount: 1, PriorMean: 2, PriorWeight: 3})
	if err != nil {
		t.Fatal(err)
	}
	s := f.Start().(*gammaPoisson)
	for _, y := range []float64{0, 4, 1, 0, 0, 7} {
		s.Advance(1)
		s.Observe(y, nil)
	}
	if s.shape != 6+12 || s.rate != 3+6 || mean1(s, 5) != 2 {
		t.Errorf("shape %g, rate %g, forecast %g", s.shape, s.rate, mean1(s, 5))
	}
	o := models.NewOutlook(1, []float64{0.5, 0.9})
	s.Forecast(o, nil)
	for i, u := range o.Levels { // negative binomial of 18 successes with the probability 9/10
		k := o.Quantiles[i]
		if at, below := mathext.RegIncBeta(18, k+1, 0.9), mathext.RegIncBeta(18, k, 0.9); at < u || below >= u {
			t.Errorf("%g quantile %g: F %g, before %g", u, k, at, below)
		}
	}
}

// TestGapsThatAreZeros: where gaps mean no demand, an advance over them is the same as observed zeros.
func TestGapsThatAreZeros(t *testing.T) {
	models1 := map[string]models.Forecaster{}
	add := func(name string, f models.Forecaster, err error) {
		if err != nil {
			t.Fatal(err)
		}
		models1[name] = f
	}
	c, err := NewCroston(CrostonConfig{Alpha: 0.1, Variant: SBA, GapsZero: true})
	add("croston", c, err)
	b, err := NewTSB(TSBConfig{Demand: 0.1, Probability: 0.05, GapsZero: true})
	add("tsb", b, err)
	g, err := NewGammaPoisson(GammaPoissonConfig{Discount: 0.9, PriorMean: 1, PriorWeight: 2, GapsZero: true})
	add("gamma_poisson", g, err)
	h, err := NewGammaPoisson(GammaPoissonConfig{Discount: 1, GapsZero: true})
	add("gamma_poisson without discount", h, err)
	n, err := NewNegativeBinomial(NegativeBinomialConfig{Discount: 0.9, Spread: 0.9, GapsZero: true})
	add("negative_binomial", n, err)
	for name, f := range models1 {
		rng := rand.New(rand.NewPCG(1, 1))
		a, z := f.Start(), f.Start()
		for i := range 200 {
			gap := int64(1 + rng.IntN(5)*rng.IntN(2))
			a.Advance(gap)
			for k := range gap {
				z.Advance(1)
				if k < gap-1 && i > 0 {
					z.Observe(0, nil)
				}
			}
			y := float64(rng.IntN(3))
			a.Observe(y, nil)
			z.Observe(y, nil)
			if p, q := mean1(a, 0), mean1(z, 0); math.Abs(p-q) > 1e-9*(1+q) && name != "negative_binomial" { // whose spread weighs observations
				t.Fatalf("%s: %g and %g", name, p, q)
			}
		}
	}
}

// counts draws from a distribution.
func counts(rng *rand.Rand, n int, mean, size, zeros float64) []float64 {
	y := make([]float64, n)
	for i := range y {
		rate := mean
		if size < 1e6 {
			rate = distuv.Gamma{Alpha: size, Beta: size / mean, Src: rng}.Rand()
		}
		if rng.Float64() >= zeros {
			y[i] = distuv.Poisson{Lambda: rate, Src: rng}.Rand()
		}
	}
	return y
}

// score feeds a series and returns the share of counts at or below the 0.9 quantile, and below it.
func score(f models.Forecaster, y []float64) (below, at float64) {
	s, o, n := f.Start(), models.NewOutlook(1, []float64{0.9}), 0.0
	for i, v := range y {
		if i > 100 {
			s.Forecast(o, nil)
			n++
			if v <= o.Quantiles[0] {
				at++
			}
			if v < o.Quantiles[0] {
				below++
			}
		}
		s.Advance(1)
		s.Observe(v, nil)
	}
	return below / n, at / n
}

// TestCountCoverage: of counts that the model is for, the 0.9 quantile has at most that below it, and at least that at or below.
func TestCountCoverage(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 3))
	plain, err := NewGammaPoisson(GammaPoissonConfig{Discount: 0.98})
	if err != nil {
		t.Fatal(err)
	}
	inflated, err := NewGammaPoisson(GammaPoissonConfig{Discount: 0.99, ZeroInflation: true})
	if err != nil {
		t.Fatal(err)
	}
	lumpy, err := NewNegativeBinomial(NegativeBinomialConfig{Discount: 0.98, Spread: 0.99})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		f    models.Forecaster
		y    []float64
	}{
		{"Poisson", plain, counts(rng, 6000, 0.7, 1e12, 0)},
		{"many", plain, counts(rng, 6000, 40, 1e12, 0)},
		{"lumpy", lumpy, counts(rng, 6000, 3, 0.5, 0)},
		{"zeros", inflated, counts(rng, 6000, 6, 1e12, 0.4)},
	} {
		if below, at := score(c.f, c.y); below > 0.92 || at < 0.88 {
			t.Errorf("%s: %.3f below the 0.9 quantile, %.3f at or below", c.name, below, at)
		}
	}
}

// TestZeroInflationIsFound: the share of extra zeros and the mean without them.
func TestZeroInflationIsFound(t *testing.T) {
	f, err := NewGammaPoisson(GammaPoissonConfig{Discount: 0.998, ZeroInflation: true})
	if err != nil {
		t.Fatal(err)
	}
	s := f.Start().(*gammaPoisson)
	for _, y := range counts(rand.New(rand.NewPCG(8, 8)), 8000, 5, 1e12, 0.3) {
		s.Advance(1)
		s.Observe(y, nil)
	}
	if math.Abs(s.zeros-0.3) > 0.05 || math.Abs(s.shape/s.rate-5) > 0.4 {
		t.Errorf("zeros %.3f, mean %.3f", s.zeros, s.shape/s.rate)
	}
}

// TestRefusesNegative: negative counts change nothing but the counter.
func TestRefusesNegative(t *testing.T) {
	f, err := NewGammaPoisson(GammaPoissonConfig{Discount: 0.9})
	if err != nil {
		t.Fatal(err)
	}
	s := f.Start()
	for _, y := range []float64{-1, 3, -2, 3} {
		s.Advance(1)
		s.Observe(y, nil)
	}
	o := models.NewOutlook(1, nil)
	s.Forecast(o, nil)
	if o.Health.Refused != 2 || o.Health.Observed != 2 || math.Abs(o.Mean[0]-3) > 1e-12 {
		t.Errorf("%+v %v", o.Health, o.Mean)
	}
}

// TestDemandDies: while nothing is sold the forecast of TSB falls, that of Croston does not.
func TestDemandDies(t *testing.T) {
	a, err := NewTSB(TSBConfig{Demand: 0.1, Probability: 0.1})
	if err != nil {
		t.Fatal(err)
	}
	b, err := NewCroston(CrostonConfig{Alpha: 0.1, Variant: SBA})
	if err != nil {
		t.Fatal(err)
	}
	dying, stays := a.Start(), b.Start()
	for i := range 60 {
		y := 0.0
		if i < 20 && i%2 == 0 {
			y = 4
		}
		for _, s := range []models.Series{dying, stays} {
			s.Advance(1)
			s.Observe(y, nil)
		}
	}
	if d, s := mean1(dying, 0), mean1(stays, 0); d > 0.05 || s < 1.5 {
		t.Errorf("TSB %g, SBA %g", d, s)
	}
}

func TestDemandConfigsAreChecked(t *testing.T) {
	for i, make := range []func() error{
		func() error { _, err := NewCroston(CrostonConfig{Alpha: 0, Variant: SBA}); return err },
		func() error { _, err := NewCroston(CrostonConfig{Alpha: 0.1, Variant: "x"}); return err },
		func() error { _, err := NewTSB(TSBConfig{Demand: 2, Probability: 0.1}); return err },
		func() error { _, err := NewGammaPoisson(GammaPoissonConfig{}); return err },
		func() error { _, err := NewGammaPoisson(GammaPoissonConfig{Discount: 1, PriorMean: 3}); return err },
		func() error {
			_, err := NewNegativeBinomial(NegativeBinomialConfig{Discount: 1, Spread: 0.9})
			return err
		},
	} {
		if make() == nil {
			t.Errorf("configuration %d was accepted", i)
		}
	}
}

// FuzzDemandState: as FuzzSmoothedState, for the models of counts.
func FuzzDemandState(f *testing.F) {
	c, _ := NewCroston(CrostonConfig{Alpha: 0.1, Variant: SBA})
	b, _ := NewTSB(TSBConfig{Demand: 0.1, Probability: 0.05, GapsZero: true})
	g, _ := NewGammaPoisson(GammaPoissonConfig{Discount: 0.9, ZeroInflation: true, GapsZero: true})
	n, _ := NewNegativeBinomial(NegativeBinomialConfig{Discount: 0.9, Spread: 0.9})
	kinds := []models.Forecaster{c, b, g, n}
	for k, forecaster := range kinds {
		s := forecaster.Start()
		for i := range 20 {
			if i%6 == 0 {
				f.Add(k, codec.Save(s), 3.0)
			}
			s.Advance(1)
			s.Observe(float64(i%3), nil)
		}
	}
	f.Fuzz(func(t *testing.T, kind int, state []byte, y float64) {
		if kind < 0 || kind >= len(kinds) || !finite(y) {
			return
		}
		fuzzSeries(t, kinds[kind], state, y)
	})
}

func BenchmarkDemandUpdate(b *testing.B) {
	c, _ := NewCroston(CrostonConfig{Alpha: 0.1, Variant: SBA})
	g, _ := NewGammaPoisson(GammaPoissonConfig{Discount: 0.95, Outliers: 20})
	for name, f := range map[string]models.Forecaster{"croston": c, "gamma_poisson": g} {
		b.Run(name, func(b *testing.B) {
			s := f.Start()
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				s.Advance(1)
				s.Observe(float64(i&7/6*3), nil)
			}
		})
	}
}

func BenchmarkGammaPoissonForecast(b *testing.B) {
	g, _ := NewGammaPoisson(GammaPoissonConfig{Discount: 0.95})
	s, o := g.Start(), models.NewOutlook(28, []float64{0.1, 0.5, 0.9})
	for i := range 100 {
		s.Advance(1)
		s.Observe(float64(i&3), nil)
	}
	b.ReportAllocs()
	for b.Loop() {
		s.Forecast(o, nil)
	}
}

func ExampleNewGammaPoisson() {
	f, err := NewGammaPoisson(GammaPoissonConfig{Discount: 0.95, PriorMean: 1, PriorWeight: 2})
	if err != nil {
		panic(err)
	}
	s := f.Start()
	for _, y := range []float64{0, 0, 3, 0, 1, 0, 0} {
		s.Advance(1)
		s.Observe(y, nil)
	}
	o := models.NewOutlook(1, []float64{0.5, 0.9, 0.99})
	s.Forecast(o, nil)
	fmt.Printf("mean %.2f, quantiles %v\n", o.Mean[0], o.Quantiles)
	// Output: mean 0.67, quantiles [0 2 3]
}

func ExampleNewCroston() {
	f, err := NewCroston(CrostonConfig{Alpha: 0.1, Variant: SBA})
	if err != nil {
		panic(err)
	}
	s := f.Start()
	for _, y := range []float64{0, 0, 3, 0, 0, 0, 0, 2} {
		s.Advance(1)
		s.Observe(y, nil)
	}
	o := models.NewOutlook(2, nil)
	s.Forecast(o, nil)
	fmt.Printf("%.3f\n", o.Mean)
	// Output: [0.861 0.861]
}

// TestDemandScores scores the models of intermittent demand on series of three kinds, one step ahead, by the mean quantile loss over eleven levels (which approximates half the CRPS); `-v` prints the table. A model of whole
// counts must not lose to Croston's method with its quantiles.
func TestDemandScores(t *testing.T) {
	kinds := []string{"slow", "lumpy", "dying"}
	series := func(kind string, rng *rand.Rand) []float64 {
		switch kind {
		case "slow":
			return counts(rng, 200, 0.1+0.6*rng.Float64(), 1e12, 0)
		case "lumpy":
			return counts(rng, 200, 1+3*rng.Float64(), 0.2, 0)
		}
		y := counts(rng, 200, 2, 1e12, 0)
		for i := 150; i < 200; i++ {
			y[i] = 0
		}
		return y
	}
	c, _ := NewCroston(CrostonConfig{Alpha: 0.1, Variant: SBA})
	b, _ := NewTSB(TSBConfig{Demand: 0.1, Probability: 0.05})
	g, _ := NewGammaPoisson(GammaPoissonConfig{Discount: 0.95, Outliers: 20})
	n, _ := NewNegativeBinomial(NegativeBinomialConfig{Discount: 0.95, Spread: 0.98, Outliers: 20})
	p, _ := NewPoissonLevel(PoissonLevelConfig{Alpha: 0.05, Dispersion: true, Outliers: 20})
	names, forecasters := []string{"croston (sba)", "tsb", "gamma_poisson", "negative_binomial", "poisson_level"}, []models.Forecaster{c, b, g, n, p}
	levels := []float64{0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95}
	loss := map[string][]float64{}
	for k, f := range forecasters {
		for _, kind := range kinds {
			rng, total, asked := rand.New(rand.NewPCG(11, 12)), 0.0, 0.0
			for range 40 {
				s, o := f.Start(), models.NewOutlook(1, levels)
				for i, y := range series(kind, rng) {
					if s.Forecast(o, nil); i >= 50 {
						for j, u := range levels {
							total += max(u*(y-o.Quantiles[j]), (u-1)*(y-o.Quantiles[j]))
							asked++
						}
					}
					s.Advance(1)
					s.Observe(y, nil)
				}
			}
			loss[names[k]] = append(loss[names[k]], total/asked)
		}
		t.Logf("%-18s %.4f", names[k], loss[names[k]])
	}
	for k := range kinds {
		if best := min(loss["gamma_poisson"][k], loss["negative_binomial"][k]); best > loss["croston (sba)"][k] {
			t.Errorf("%s: %g, Croston %g", kinds[k], best, loss["croston (sba)"][k])
		}
	}
}
