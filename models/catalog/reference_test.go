package catalog_test

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/catalog"
	"github.com/freshet-ml/freshet/models/modeltest"
)

// progressive builds a model for a stream and validates it with labels that come delay events late. size is that of the saved state.
func progressive(t testing.TB, s modeltest.Stream, spec any, delay int) (score modeltest.Score, perEvent time.Duration, size int) {
	t.Helper()
	m := built(t, spec, s.Env)
	begin := time.Now()
	score = modeltest.Progressive(m, s, delay)
	return score, time.Since(begin) / time.Duration(len(s.Examples)), len(codec.Save(m))
}

// scored is progressive without label delay, for tests that want the scores alone.
func scored(t testing.TB, s modeltest.Stream, spec any) modeltest.Score {
	t.Helper()
	score, _, _ := progressive(t, s, spec, 0)
	return score
}

func built(t testing.TB, spec any, env models.Env) models.Learner {
	t.Helper()
	sp, err := models.ParseSpec(spec)
	if err != nil {
		t.Fatal(err)
	}
	m, err := catalog.Build(sp, env)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// one is a component with parameters, for specs in tests.
func one(name string, params map[string]any) map[string]any {
	if params == nil {
		return map[string]any{name: nil}
	}
	return map[string]any{name: params}
}

func riverLogistic(rate float64) any {
	sgd := one("sgd", map[string]any{"learning_rate": rate})
	return []any{"standard_scaler", one("logistic_regression", map[string]any{"optimizer": sgd})}
}

// TestLogisticReference: standard_scaler and logistic_regression with plain steps of 0.005 must give the
// accuracies that River 0.26 gives, to all published digits.
func TestLogisticReference(t *testing.T) {
	for name, want := range map[string]float64{"elec2num": 0.8221442, "phishing": 0.8872, "bananas": 0.5432075} {
		t.Run(name, func(t *testing.T) {
			got := scored(t, modeltest.ReadReference(t, name), riverLogistic(0.005))
			if math.Abs(got.Accuracy-want) > 6e-8 {
				t.Errorf("accuracy %.7f, want %.7f", got.Accuracy, want)
			}
			t.Logf("%+v", got)
		})
	}
}

// TestAutoReference holds auto to what it reached when it was made, a little below: a change that costs
// accuracy on these streams has to say why. A linear model alone
// reaches less on elec2, bananas and fried.
func TestAutoReference(t *testing.T) {
	for _, c := range []struct {
		name              string
		accuracy, logLoss float64
	}{
		{"elec2num", 0.83, 0.38},
		{"phishing", 0.895, 0.285},
		{"bananas", 0.59, 0.665},
		{"sea_stream", 0.87, 0.395},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, perEvent, _ := progressive(t, modeltest.ReadReference(t, c.name), "auto", 0)
			if got.Accuracy < c.accuracy || got.LogLoss > c.logLoss {
				t.Errorf("accuracy %.4f, log-loss %.4f, want at least %v and at most %v", got.Accuracy, got.LogLoss, c.accuracy, c.logLoss)
			}
			t.Logf("accuracy %.4f, log-loss %.4f, %v per event", got.Accuracy, got.LogLoss, perEvent)
		})
	}
}

// TestRegressionReference: plain steps stay finite on bike_sharing_hour, where they reach 1e10 elsewhere,
// behind a scaler and without one; auto is at least as good as either.
func TestRegressionReference(t *testing.T) {
	bike, fried := modeltest.References["bike"], modeltest.References["fried"]
	bike.Drop = []string{"dteday", "casual", "registered"}
	for _, c := range []struct {
		source modeltest.Source
		spec   any
		mae    float64
	}{
		{bike, []any{"standard_scaler", "linear_regression"}, 96},
		{bike, "linear_regression", 200},
		{bike, "auto", 96},
		{fried, []any{"standard_scaler", "linear_regression"}, 2.14},
		{fried, "auto", 2.04},
	} {
		t.Run(fmt.Sprint(c.source.File, " ", c.spec), func(t *testing.T) {
			got := scored(t, modeltest.ReadStream(t, c.source), c.spec)
			if !(got.MAE <= c.mae) || math.IsInf(got.RMSE, 0) {
				t.Errorf("mae %.4f, rmse %.4f, want mae at most %v", got.MAE, got.RMSE, c.mae)
			}
			t.Logf("mae %.4f, rmse %.4f", got.MAE, got.RMSE)
		})
	}
}

// TestSoftmaxReference: seven classes; River's softmax reaches .8255 with the same rate.
func TestSoftmaxReference(t *testing.T) {
	s := modeltest.ReadReference(t, "segment")
	for _, c := range []struct {
		spec any
		want float64
	}{{[]any{"standard_scaler", "softmax_regression"}, 0.82}, {"auto", 0.84}} {
		got := scored(t, s, c.spec)
		if got.Accuracy < c.want {
			t.Errorf("%v: accuracy %.4f, want at least %v", c.spec, got.Accuracy, c.want)
		}
		t.Logf("%v: accuracy %.4f, log-loss %.4f", c.spec, got.Accuracy, got.LogLoss)
	}
}
