package catalog_test

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/catalog"
	"github.com/freshet-ml/freshet/models/metric"
	"github.com/freshet-ml/freshet/models/modeltest"
)

// nabStream reads a series of the Numenta benchmark: one column, and as label whether the time lies in an anomaly's window.
func nabStream(t testing.TB, name, key string) modeltest.Stream {
	var windows map[string][][2]string
	if err := json.NewDecoder(modeltest.OpenReference(t, "nab_combined_windows.json")).Decode(&windows); err != nil {
		t.Fatal(err)
	}
	const layout = "2006-01-02 15:04:05"
	moment := func(s string) time.Time {
		v, err := time.Parse(layout, strings.TrimSuffix(s, ".000000"))
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	recs, err := csv.NewReader(modeltest.OpenReference(t, name+".csv")).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	s := modeltest.Stream{Env: models.Env{Task: models.Anomaly, Schema: &features.Schema{Columns: []features.Column{{Name: "value"}}}, Seed: 1}}
	for _, r := range recs[1:] {
		x, err := strconv.ParseFloat(r[1], 64)
		if err != nil {
			t.Fatal(err)
		}
		at, y := moment(r[0]), 0.0
		for _, w := range windows[key] {
			if !at.Before(moment(w[0])) && !at.After(moment(w[1])) {
				y = 1
			}
		}
		s.Examples = append(s.Examples, models.Example{Row: models.Row{Value: []float64{x}}, Y: y, Weight: 1})
	}
	return s
}

// TestAnomalyReference shows what the detectors reach on two series of the Numenta benchmark, raw values only, and holds
// them to chance or better on the first: the second has its anomalies in the rhythm of days and weeks, which a raw value does
// not show.
func TestAnomalyReference(t *testing.T) {
	for _, data := range []struct{ name, key string }{
		{"nab_machine_temperature", "realKnownCause/machine_temperature_system_failure.csv"},
		{"nab_nyc_taxi", "realKnownCause/nyc_taxi.csv"},
	} {
		s := nabStream(t, data.name, data.key)
		for _, model := range []any{"half_space_trees", "robust_random_cut_forest", "online_isolation_forest", "loda", "gaussian_filter", "quantile_filter"} {
			size, auc, alarms, right, anomalous := anomalyRun(t, s, model)
			t.Logf("%s %v: roc_auc %.4f, alarms %.2f %%, precision %.2f (%.2f %% anomalous), %d bytes", data.name, model, auc, 100*alarms, right, 100*anomalous, size)
			if data.name == "nab_machine_temperature" && auc < 0.5 {
				t.Errorf("%v: roc_auc %.4f is worse than chance", model, auc)
			}
		}
	}
}

func anomalyRun(t testing.TB, s modeltest.Stream, model any) (size int, auc, alarms, right, anomalous float64) {
	t.Helper()
	m := built(t, model, s.Env)
	scores := metric.New(models.Anomaly, 2)
	var out []float64
	for i := range s.Examples {
		e, y := s.Examples[i], s.Examples[i].Y
		e.Y = math.NaN() // only the scores know it
		out = m.Predict(out[:0], &e)
		m.Observe(&e)
		scores.Add(y, out, 1)
		if anomalous += y; out[0] > 0.5 {
			alarms++
			right += y
		}
	}
	auc, _ = scores.Value("roc_auc")
	n := float64(len(s.Examples))
	return len(codec.Save(m)), auc, alarms / n, right / max(alarms, 1), anomalous / n
}

// BenchmarkAnomaly measures predict and observe of one event of elec2, all eight columns as numbers.
func BenchmarkAnomaly(b *testing.B) {
	s := modeltest.ReadReference(b, "elec2num")
	s.Env.Task = models.Anomaly
	for _, c := range catalog.All {
		if len(c.Tasks) != 1 || c.Tasks[0] != models.Anomaly {
			continue
		}
		b.Run(fmt.Sprint(c.Name), func(b *testing.B) { benchStream(b, s, c.Name) })
	}
}
