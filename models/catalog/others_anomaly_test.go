package catalog_test

import (
	"compress/gzip"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/catalog"
	"github.com/freshet-ml/freshet/models/metric"
)

// openData opens a file of the reference data, or skips the test.
func openData(t testing.TB, name string) *gzip.Reader {
	t.Helper()
	dir := os.Getenv("FRESHET_DATA")
	if dir == "" {
		dir = "../../../shared/refs/data"
	}
	f, err := os.Open(filepath.Join(dir, name+".gz"))
	if err != nil {
		t.Skipf("the reference stream %s is not here (set FRESHET_DATA): %v", name, err)
	}
	t.Cleanup(func() { f.Close() })
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

// nabStream reads a series of the Numenta benchmark: one column, and as label whether the time lies in an anomaly's window.
func nabStream(t testing.TB, name, key string) stream {
	var windows map[string][][2]string
	if err := json.NewDecoder(openData(t, "nab_combined_windows.json")).Decode(&windows); err != nil {
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
	recs, err := csv.NewReader(openData(t, name+".csv")).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	s := stream{schema: &features.Schema{Columns: []features.Column{{Name: "value"}}}}
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
		s.rows, s.labels = append(s.rows, []float64{x}), append(s.labels, y)
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
			m, size, auc, alarms, right, anomalous := anomalyRun(t, s, model)
			_ = m
			t.Logf("%s %v: roc_auc %.4f, alarms %.2f %%, precision %.2f (%.2f %% anomalous), %d bytes", data.name, model, auc, 100*alarms, right, 100*anomalous, size)
			if data.name == "nab_machine_temperature" && auc < 0.5 {
				t.Errorf("%v: roc_auc %.4f is worse than chance", model, auc)
			}
		}
	}
}

func anomalyRun(t testing.TB, s stream, model any) (m models.Learner, size int, auc, alarms, right, anomalous float64) {
	t.Helper()
	spec, err := models.ParseSpec(model)
	if err != nil {
		t.Fatal(err)
	}
	m, err = catalog.Build(spec, models.Env{Task: models.Anomaly, Schema: s.schema, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	scores := metric.New(models.Anomaly, 2)
	var out []float64
	for i := range s.rows {
		e := models.Example{Row: models.Row{Value: s.rows[i]}, Weight: 1}
		out = m.Predict(out[:0], &e)
		m.Observe(&e)
		scores.Add(s.labels[i], out, 1)
		if anomalous += s.labels[i]; out[0] > 0.5 {
			alarms++
			right += s.labels[i]
		}
	}
	auc, _ = scores.Value("roc_auc")
	n := float64(len(s.rows))
	return m, len(codec.Save(m)), auc, alarms / n, right / max(alarms, 1), anomalous / n
}

// BenchmarkAnomaly measures predict and observe of one event of elec2, all eight columns as numbers.
func BenchmarkAnomaly(b *testing.B) {
	s, env := othersStream(b, "elec2num")
	env.Task, env.Schema = models.Anomaly, s.schema
	for _, c := range catalog.All {
		if len(c.Tasks) != 1 || c.Tasks[0] != models.Anomaly {
			continue
		}
		b.Run(fmt.Sprint(c.Name), func(b *testing.B) { benchStream(b, s, env, c.Name) })
	}
}
