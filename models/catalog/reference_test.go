package catalog_test

import (
	"compress/gzip"
	"encoding/csv"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/catalog"
)

// stream is a reference stream: rows in order, the label last in the file or named.
type stream struct {
	schema *features.Schema
	rows   [][]float64
	labels []float64
}

// readStream reads <folder>/<name>.csv.gz, where folder is $FRESHET_DATA or the shared reference data
// beside the checkout. Streams are not part of the repository: without them the test says so.
func readStream(t testing.TB, name, target string, positive func(string) float64, drop ...string) stream {
	t.Helper()
	dir := os.Getenv("FRESHET_DATA")
	if dir == "" {
		dir = "../../../shared/refs/data"
	}
	f, err := os.Open(filepath.Join(dir, name+".csv.gz"))
	if err != nil {
		t.Skipf("the reference stream %s is not here (set FRESHET_DATA): %v", name, err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	recs, err := csv.NewReader(z).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	s := stream{schema: &features.Schema{}}
	at := slices.Index(recs[0], target)
	var use []int
	for i, h := range recs[0] {
		if i != at && !slices.Contains(drop, h) {
			use = append(use, i)
			s.schema.Columns = append(s.schema.Columns, features.Column{Name: h})
		}
	}
	for _, r := range recs[1:] {
		row := make([]float64, len(use))
		for j, i := range use {
			if row[j], err = strconv.ParseFloat(r[i], 64); err != nil {
				t.Fatal(err)
			}
		}
		s.rows = append(s.rows, row)
		s.labels = append(s.labels, positive(r[at]))
	}
	return s
}

func is(text string) func(string) float64 {
	return func(s string) float64 {
		if s == text {
			return 1
		}
		return 0
	}
}

func number(s string) float64 {
	v, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return math.NaN()
	}
	return v
}

// score is what a progressive validation gives: accuracy and log-loss, or errors.
type score struct {
	accuracy, logLoss, mae, rmse float64
	perEvent                     time.Duration
}

// progressive predicts, scores, then learns each row, the way every reference here was made: a
// probability of exactly ½ is the class 0.
func progressive(t testing.TB, s stream, env models.Env, spec any) score {
	t.Helper()
	sp, err := models.ParseSpec(spec)
	if err != nil {
		t.Fatal(err)
	}
	env.Schema = s.schema
	m, err := catalog.Build(sp, env)
	if err != nil {
		t.Fatal(err)
	}
	var out []float64
	var sc score
	e := models.Example{Weight: 1}
	n := models.AnswerLen(env.Task, env.Classes)
	begin := time.Now()
	for i, row := range s.rows {
		e.Value, e.Y = row, s.labels[i]
		out = m.Predict(out[:0], &e)
		m.Observe(&e)
		sc.add(out[:n], e.Y, env.Task)
		m.Learn(&e, out)
	}
	sc.perEvent = time.Since(begin) / time.Duration(len(s.rows))
	k := float64(len(s.rows))
	sc.accuracy /= k
	sc.logLoss /= k
	sc.mae /= k
	sc.rmse = math.Sqrt(sc.rmse / k)
	return sc
}

func (sc *score) add(answer []float64, y float64, task models.Task) {
	switch task {
	case models.Binary:
		p := answer[0]
		if (p > 0.5) == (y == 1) {
			sc.accuracy++
		}
		if y == 0 {
			p = 1 - p
		}
		sc.logLoss -= math.Log(max(p, 1e-15))
	case models.Multiclass:
		best := 0
		for k, p := range answer {
			if p > answer[best] {
				best = k
			}
		}
		if best == int(y) {
			sc.accuracy++
		}
		sc.logLoss -= math.Log(max(answer[int(y)], 1e-15))
	default:
		d := answer[0] - y
		sc.mae += math.Abs(d)
		sc.rmse += d * d
	}
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
	for _, c := range []struct {
		name, target, positive string
		want                   float64
	}{
		{"elec2", "class", "UP", 0.8221442},
		{"phishing", "is_phishing", "1", 0.8872},
		{"bananas", "label", "1", 0.5432075},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := readStream(t, c.name, c.target, is(c.positive))
			got := progressive(t, s, models.Env{Task: models.Binary}, riverLogistic(0.005))
			if math.Abs(got.accuracy-c.want) > 6e-8 {
				t.Errorf("accuracy %.7f, want %.7f", got.accuracy, c.want)
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
		name, target, positive string
		accuracy, logLoss      float64
	}{
		{"elec2", "class", "UP", 0.83, 0.38},
		{"phishing", "is_phishing", "1", 0.895, 0.285},
		{"bananas", "label", "1", 0.59, 0.665},
		{"sea_stream", "class", "1", 0.87, 0.395},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := readStream(t, c.name, c.target, is(c.positive))
			got := progressive(t, s, models.Env{Task: models.Binary}, "auto")
			if got.accuracy < c.accuracy || got.logLoss > c.logLoss {
				t.Errorf("accuracy %.4f, log-loss %.4f, want at least %v and at most %v", got.accuracy, got.logLoss, c.accuracy, c.logLoss)
			}
			t.Logf("accuracy %.4f, log-loss %.4f, %v per event", got.accuracy, got.logLoss, got.perEvent)
		})
	}
}

// TestRegressionReference: plain steps stay finite on bike_sharing_hour, where they reach 1e10 elsewhere,
// behind a scaler and without one; auto is at least as good as either.
func TestRegressionReference(t *testing.T) {
	for _, c := range []struct {
		name, target string
		drop         []string
		spec         any
		mae          float64
	}{
		{"bike_sharing_hour", "cnt", []string{"dteday", "casual", "registered"}, []any{"standard_scaler", "linear_regression"}, 96},
		{"bike_sharing_hour", "cnt", []string{"dteday", "casual", "registered"}, "linear_regression", 200},
		{"bike_sharing_hour", "cnt", []string{"dteday", "casual", "registered"}, "auto", 96},
		{"fried", "target", nil, []any{"standard_scaler", "linear_regression"}, 2.14},
		{"fried", "target", nil, "auto", 2.04},
	} {
		t.Run(fmt.Sprint(c.name, " ", c.spec), func(t *testing.T) {
			s := readStream(t, c.name, c.target, number, c.drop...)
			got := progressive(t, s, models.Env{Task: models.Regression}, c.spec)
			if !(got.mae <= c.mae) || math.IsInf(got.rmse, 0) {
				t.Errorf("mae %.4f, rmse %.4f, want mae at most %v", got.mae, got.rmse, c.mae)
			}
			t.Logf("mae %.4f, rmse %.4f", got.mae, got.rmse)
		})
	}
}

// TestSoftmaxReference: seven classes; River's softmax reaches .8255 with the same rate.
func TestSoftmaxReference(t *testing.T) {
	names := []string{"brickface", "sky", "foliage", "cement", "window", "path", "grass"}
	label := func(s string) float64 { return float64(slices.Index(names, s)) }
	s := readStream(t, "segment", "category", label)
	for _, c := range []struct {
		spec any
		want float64
	}{{[]any{"standard_scaler", "softmax_regression"}, 0.82}, {"auto", 0.84}} {
		got := progressive(t, s, models.Env{Task: models.Multiclass, Classes: 7}, c.spec)
		if got.accuracy < c.want {
			t.Errorf("%v: accuracy %.4f, want at least %v", c.spec, got.accuracy, c.want)
		}
		t.Logf("%v: accuracy %.4f, log-loss %.4f", c.spec, got.accuracy, got.logLoss)
	}
}
