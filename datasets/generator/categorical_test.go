package generator_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/freshet-ml/freshet/datasets/generator"
)

// entropy is the mean entropy of the true probabilities of n rows, its standard error, and the log-loss that those
// probabilities have on the labels.
func entropy(t testing.TB, seed, n int) (mean, se, realised float64) {
	s, err := generator.Open(fmt.Sprintf("categorical?seed=%d", seed))
	if err != nil {
		t.Fatal(err)
	}
	truth := s.Stream.(generator.Truth)
	x, sum, squares := make([]float64, 10), 0.0, 0.0
	for range n {
		y := truth.Next(x)
		p := truth.Probability()
		h := -p*math.Log(p) - (1-p)*math.Log1p(-p)
		sum, squares = sum+h, squares+h*h
		if y == 1 {
			realised -= math.Log(p)
		} else {
			realised -= math.Log1p(-p)
		}
	}
	mean = sum / float64(n)
	return mean, math.Sqrt((squares/float64(n) - mean*mean) / float64(n)), realised / float64(n)
}

// The Bayes log-loss of docs/adr/0012-categorical-generator.md, by ten million rows, within five standard errors of what fewer
// rows give; and labels come with the probabilities that are told.
func TestBayesLogLoss(t *testing.T) {
	for seed, want := range map[int]float64{1: bayes1, 2: bayes2, 3: bayes3} {
		n := 100_000
		mean, se, realised := entropy(t, seed, n)
		if math.Abs(mean-want) > 5*se {
			t.Errorf("seed %d: %.5f ± %.5f, in the record %.5f", seed, mean, se, want)
		}
		if spread := math.Sqrt(want / float64(n)); math.Abs(realised-mean) > 5*spread {
			t.Errorf("seed %d: labels give %.5f, probabilities %.5f", seed, realised, mean)
		}
	}
}

// The figures of the record.
const bayes1, bayes2, bayes3 = 0.502836, 0.497176, 0.501917

// BenchmarkBayesLogLoss repeats the figures of the record: -benchtime 10000000x.
func BenchmarkBayesLogLoss(b *testing.B) {
	for seed := 1; seed <= 3; seed++ {
		b.Run(fmt.Sprint(seed), func(b *testing.B) {
			mean, se, _ := entropy(b, seed, b.N)
			b.ReportMetric(1e6*mean, "µnats")
			b.ReportMetric(1e6*se, "se-µnats")
		})
	}
}

// The label is what the entity did three events of its own ago, but for the noise.
func TestEcho(t *testing.T) {
	for spec, rule := range map[string]func(then, now float64) bool{
		"echo?entities=7&lag=3&noise=0.2":          func(then, _ float64) bool { return then == 1 },
		"echo?entities=7&lag=3&noise=0.2&turned=1": func(then, now float64) bool { return then != now },
		"echo?entities=7&lag=0&noise=0.2":          func(_, now float64) bool { return now == 1 },
	} {
		s, err := generator.Open(spec)
		if err != nil {
			t.Fatal(err)
		}
		lag := 3
		if spec == "echo?entities=7&lag=0&noise=0.2" {
			lag = 0
		}
		past, x := map[float64][]float64{}, make([]float64, 3)
		hits, n := 0.0, 0.0
		for range 20000 {
			y := s.Next(x)
			mine := append(past[x[0]], x[1])
			past[x[0]] = mine
			if i := len(mine) - 1 - lag; i >= 0 {
				n++
				if rule(mine[i], x[1]) == (y == 1) {
					hits++
				}
			}
		}
		if len(past) != 7 || math.Abs(hits/n-0.9) > 0.01 {
			t.Errorf("%s: %d entities, the rule holds in %g", spec, len(past), hits/n)
		}
	}
}
