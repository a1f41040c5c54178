package metric_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/metric"
)

// mcc of two classes is the correlation of labels and answers; of more, Gorodkin's sums over the whole matrix.
func TestMCCAndGMean(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 8))
	for _, k := range []int{2, 3, 5} {
		s, m := metric.New(models.Multiclass, k), metric.NewConfusion(k)
		for range 2000 {
			y := r.IntN(k)
			a := y
			if r.Float64() < 0.4 {
				a = r.IntN(k)
			}
			answer := make([]float64, k)
			answer[a] = 1
			w := 1 + float64(r.IntN(3))
			s.Add(float64(y), answer, w)
			m.Add(y, a, w)
		}
		// Covariances of indicator vectors, from the matrix.
		n := 0.0
		for i := range k {
			for j := range k {
				n += m.At(i, j)
			}
		}
		cov := func(rows, columns bool) float64 {
			total := 0.0
			for c := range k {
				both, one, other := 0.0, 0.0, 0.0
				for i := range k {
					for j := range k {
						first, second := i == c, j == c
						if rows {
							second = i == c
						}
						if columns {
							first = j == c
						}
						w := m.At(i, j) / n
						if first {
							one += w
						}
						if second {
							other += w
						}
						if first && second {
							both += w
						}
					}
				}
				total += both - one*other
			}
			return total
		}
		want := cov(false, false) / math.Sqrt(cov(true, false)*cov(false, true))
		if got, _ := s.Value("mcc"); math.Abs(got-want) > 1e-12 {
			t.Errorf("%d classes: mcc %g, want %g", k, got, want)
		}
		product := 1.0
		for c, score := range s.ClassScores() {
			product *= score.Recall
			if math.Abs(score.F1-2*m.At(c, c)/(score.Labels+score.Answers)) > 1e-12 || math.Abs(score.F1-2*score.Precision*score.Recall/(score.Precision+score.Recall)) > 1e-12 {
				t.Errorf("class %d: %+v", c, score)
			}
		}
		if got, _ := s.Value("g_mean"); math.Abs(got-math.Pow(product, 1/float64(k))) > 1e-12 {
			t.Errorf("%d classes: g_mean %g", k, got)
		}
		again := metric.NewConfusion(k)
		if err := codec.Load(again, codec.Save(m)); err != nil || again.At(1, 0) != m.At(1, 0) {
			t.Error(err)
		}
	}
	constant := metric.New(models.Binary, 2)
	constant.Add(1, []float64{1}, 1)
	constant.Add(0, []float64{1}, 1)
	if got, _ := constant.Value("mcc"); got != 0 {
		t.Errorf("mcc of a constant answer %g", got)
	}
	if got, _ := constant.Value("g_mean"); got != 0 {
		t.Errorf("g_mean of a constant answer %g", got)
	}
}

// For a uniform label the score of the true quantiles is the known one: CRPS of the uniform distribution is 1/6 on average; the interval holds as often as it should.
func TestQuantiles(t *testing.T) {
	var levels []float64
	for i := range 199 {
		levels = append(levels, float64(i+1)/200)
	}
	s, interval := metric.NewQuantiles(levels...), metric.NewQuantiles(0.025, 0.975)
	r := rand.New(rand.NewPCG(2, 2))
	direct, inside := 0.0, 0.0
	const n = 40000
	for range n {
		y := r.Float64()
		s.Add(y, levels, 1)
		lo, hi := 0.1, 0.8
		interval.Add(y, []float64{lo, hi}, 1)
		direct += hi - lo + 2/0.05*(max(lo-y, 0)+max(y-hi, 0))
		if y <= hi {
			inside++
		}
	}
	if got := s.CRPS(); math.Abs(got-1.0/6) > 0.003 {
		t.Errorf("CRPS %g", got)
	}
	for i, c := range s.Coverage() {
		if math.Abs(c-levels[i]) > 0.012 {
			t.Errorf("coverage of %g is %g", levels[i], c)
		}
	}
	if got := interval.Interval(0); math.Abs(got-direct/n) > 1e-9 {
		t.Errorf("interval score %g, want %g", got, direct/n)
	}
	if got := interval.Coverage()[1]; math.Abs(got-inside/n) > 1e-12 {
		t.Errorf("coverage %g", got)
	}
	s.Add(math.NaN(), levels, 2)
	again := metric.NewQuantiles(levels...)
	if err := codec.Load(again, codec.Save(s)); err != nil || again.CRPS() != s.CRPS() || again.Invalid() != 2 {
		t.Error(err)
	}
	if codec.Load(metric.NewQuantiles(0.1, 0.9), codec.Save(interval)) == nil {
		t.Error("other levels were loaded")
	}
}

func ExampleScoreDetection() {
	d := metric.ScoreDetection([]int64{1000, 3000, 5000}, []int64{400, 1090, 1100, 3030}, 6000, 500)
	fmt.Printf("%d of %d, %d missed, %d false, mean delay %g, %g events between false alarms\n", d.Detected, d.Changes, d.Missed, d.False, d.Delay, d.BetweenFalse)
	// Output: 2 of 3, 1 missed, 1 false, mean delay 60, 6000 events between false alarms
}

// MASE of the seasonal naive forecast on its own training part is 1; OWA of the reference is 1.
func ExampleSeasonalError() {
	y := []float64{1, 2, 3, 3, 4, 6}
	e := metric.SeasonalError(y, 3)
	fmt.Println(metric.Scaled(e, e), metric.OWA(0.2, 1.5, 0.2, 1.5))
	// Output: 1 1
}
