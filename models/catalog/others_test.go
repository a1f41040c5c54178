package catalog_test

import (
	"fmt"
	"math"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/catalog"
)

// segmentNames are the classes of segment in their order.
var segmentNames = []string{"brickface", "sky", "foliage", "cement", "window", "path", "grass"}

func othersStream(t testing.TB, name string) (stream, models.Env) {
	binary := models.Env{Task: models.Binary, Classes: 2, Seed: 1}
	switch name {
	case "elec2", "elec2num", "electricity_tiny":
		file, up := "elec2", "UP"
		if name == "electricity_tiny" {
			file, up = name, "1"
		}
		s := readStream(t, file, "class", is(up))
		if i := s.schema.Index("day"); name != "elec2num" && i >= 0 {
			s.schema.Columns[i].Kind = features.Categorical
		}
		return s, binary
	case "phishing":
		return readStream(t, name, "is_phishing", is("1")), binary
	case "bananas":
		return readStream(t, name, "label", is("1")), binary
	case "sea_stream":
		return readStream(t, name, "class", is("1")), binary
	case "segment":
		label := func(s string) float64 { return float64(slices.Index(segmentNames, s)) }
		return readStream(t, name, "category", label), models.Env{Task: models.Multiclass, Classes: 7, Seed: 1}
	case "fried":
		return readStream(t, name, "target", number), models.Env{Task: models.Regression, Seed: 1}
	case "bike_sharing_hour":
		return readStream(t, name, "cnt", number, "instant", "dteday", "casual", "registered"), models.Env{Task: models.Regression, Seed: 1}
	}
	t.Fatalf("no stream %s", name)
	return stream{}, models.Env{}
}

// delayed is progressive with labels that come delay events later; it also gives the size of the saved state.
func delayed(t testing.TB, s stream, env models.Env, spec any, delay int) (score, int) {
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
	var sc score
	pasts := make([][]float64, delay+1)
	n := models.AnswerLen(env.Task, env.Classes)
	begin := time.Now()
	for i := range len(s.rows) + delay {
		if i < len(s.rows) {
			e := models.Example{Row: models.Row{Value: s.rows[i]}, Weight: 1, Time: int64(i) * 1e6}
			past := &pasts[i%(delay+1)]
			*past = m.Predict((*past)[:0], &e)
			m.Observe(&e)
			sc.add((*past)[:n], s.labels[i], env.Task)
		}
		if k := i - delay; k >= 0 {
			e := models.Example{Row: models.Row{Value: s.rows[k]}, Weight: 1, Time: int64(k) * 1e6, Y: s.labels[k]}
			m.Learn(&e, pasts[k%(delay+1)])
		}
	}
	sc.perEvent = time.Since(begin) / time.Duration(len(s.rows))
	k := float64(len(s.rows))
	sc.accuracy, sc.logLoss, sc.mae, sc.rmse = sc.accuracy/k, sc.logLoss/k, sc.mae/k, math.Sqrt(sc.rmse/k)
	return sc, len(codec.Save(m))
}

// TestOthersReference holds naive Bayes and neighbours to the accuracies of MOA on the same streams, without label delay, and
// shows what they reach with labels 48 events late.
func TestOthersReference(t *testing.T) {
	for _, c := range []struct {
		model, data string
		least       float64 // accuracy, or for regression the greatest RMSE
	}{
		{"gaussian_nb", "elec2", .7236},
		{"gaussian_nb", "elec2num", .72},
		{"gaussian_nb", "electricity_tiny", .825},
		{"gaussian_nb", "phishing", .874},
		{"gaussian_nb", "bananas", .6053},
		{"gaussian_nb", "sea_stream", .8702},
		{"gaussian_nb", "segment", .7688},
		{"k_nearest_neighbors", "elec2", .8087},
		{"k_nearest_neighbors", "electricity_tiny", .801},
		{"k_nearest_neighbors", "phishing", .8796},
		{"k_nearest_neighbors", "bananas", .8789},
		{"k_nearest_neighbors", "sea_stream", .8498},
		{"k_nearest_neighbors", "segment", .898},
		{"k_nearest_neighbors", "fried", 2.75},
		{"k_nearest_neighbors", "bike_sharing_hour", 127},
	} {
		t.Run(c.model+" "+c.data, func(t *testing.T) {
			s, env := othersStream(t, c.data)
			now, bytes := delayed(t, s, env, c.model, 0)
			late, _ := delayed(t, s, env, c.model, 48)
			t.Logf("accuracy %.4f, log-loss %.4f, rmse %.3f; late %.4f, %.4f, %.3f; %v per event, %d bytes", now.accuracy, now.logLoss, now.rmse, late.accuracy, late.logLoss, late.rmse, now.perEvent, bytes)
			if env.Task == models.Regression {
				if !(now.rmse <= c.least) {
					t.Errorf("rmse %.4f, want at most %v", now.rmse, c.least)
				}
			} else if now.accuracy < c.least {
				t.Errorf("accuracy %.4f, want at least %v", now.accuracy, c.least)
			}
		})
	}
}

// BenchmarkOthers measures predict, observe and learn of one event of elec2, all eight columns as numbers.
func BenchmarkOthers(b *testing.B) {
	for _, spec := range []string{"gaussian_nb", "bernoulli_nb", "multinomial_nb", "complement_nb", "k_nearest_neighbors"} {
		b.Run(fmt.Sprint(spec), func(b *testing.B) {
			s, env := othersStream(b, "elec2num")
			c := catalog.All.Find(spec)
			if !slices.Contains(c.Tasks, models.Binary) {
				env.Task = c.Tasks[0]
			}
			env.Schema = s.schema
			benchStream(b, s, env, spec)
		})
	}
}

// benchStream measures predict, observe and learn of one event, after a first pass over 5,000; cpu-ns is the time of the processor, which
// other programs do not stretch.
func benchStream(b *testing.B, s stream, env models.Env, name string) {
	m, err := catalog.Build(models.Named(name), env)
	if err != nil {
		b.Fatal(err)
	}
	var out []float64
	e := models.Example{Weight: 1}
	i := 0
	step := func() {
		k := i % len(s.rows)
		e.Value, e.Y, e.Time = s.rows[k], s.labels[k], int64(i)*1e6
		out = m.Predict(out[:0], &e)
		m.Observe(&e)
		m.Learn(&e, out)
		i++
	}
	for range 5000 {
		step()
	}
	b.ReportAllocs()
	before := cpuTime(b)
	b.ResetTimer()
	for range b.N {
		step()
	}
	b.ReportMetric(float64((cpuTime(b)-before).Nanoseconds())/float64(b.N), "cpu-ns/op")
}

// cpuTime is the processor time of the process.
func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
