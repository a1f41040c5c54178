package tree

import (
	"slices"
	"testing"

	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/modeltest"
)

// regression is test-then-train over examples of columns of numbers.
func regression(m models.Learner, examples []models.Example) modeltest.Score {
	return modeltest.Progressive(m, modeltest.Stream{Env: regressionEnv(3), Examples: examples}, 0)
}

// TestReferenceStreams holds the trees to the accuracies that MOA and River reach with their defaults on the same rows in the
// same order: within a point, or better.
func TestReferenceStreams(t *testing.T) {
	for _, name := range []string{"elec2", "elec2num", "phishing", "bananas", "segment", "sea_stream", "fried", "bike"} {
		t.Run(name, func(t *testing.T) {
			s := modeltest.ReadReference(t, name)
			for _, c := range Components {
				if !slices.Contains(c.Tasks, s.Env.Task) {
					continue
				}
				if testing.Short() {
					s.Examples = s.Examples[:min(len(s.Examples), 10000)]
				}
				for _, delay := range []int{0, 48} {
					m := build(t, c.Name, s.Env)
					begin := cpu()
					r := modeltest.Progressive(m, s, delay)
					t.Logf("%s delay %d: %+v, %d ns, state %d bytes", c.Name, delay, r, (cpu()-begin)/int64(len(s.Examples)), len(codec.Save(m)))
					want, ok := reference[c.Name][name]
					if !ok || delay > 0 || testing.Short() {
						continue
					}
					if got := 100 * r.Accuracy; s.Env.Task != models.Regression && got < want-1 {
						t.Errorf("%s: accuracy %.2f, want %.2f − 1", c.Name, got, want)
					}
					if s.Env.Task == models.Regression && r.RMSE > want {
						t.Errorf("%s: rmse %.3f, want %.3f", c.Name, r.RMSE, want)
					}
				}
			}
		})
	}
}

// reference holds accuracies of MOA (hoeffding_tree on phishing and bananas: River), and the root mean squared error of River.
var reference = map[string]map[string]float64{
	"hoeffding_tree":               {"elec2": 79.20, "elec2num": 80.29, "phishing": 87.99, "bananas": 64.31, "segment": 77.84, "sea_stream": 87.52},
	"hoeffding_adaptive_tree":      {"elec2": 83.39, "phishing": 87.52, "bananas": 65.28, "segment": 78.27, "sea_stream": 87.46},
	"extremely_fast_decision_tree": {"elec2": 80.64, "phishing": 88.79, "bananas": 62.62, "segment": 79.74, "sea_stream": 87.49},
	"hoeffding_tree_regressor":     {"fried": 2.15},
}

// build makes a model of this package by name.
func build(t testing.TB, name string, env models.Env) models.Learner {
	t.Helper()
	return buildSpec(t, models.Named(name), env)
}

func buildSpec(t testing.TB, spec models.Spec, env models.Env) models.Learner {
	t.Helper()
	p, err := models.Registry(Components).Resolve(spec, env.Task)
	if err != nil {
		t.Fatal(err)
	}
	m, err := p.Build(env)
	if err != nil {
		t.Fatal(err)
	}
	return m
}
