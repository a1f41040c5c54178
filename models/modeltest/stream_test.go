package modeltest

import (
	"compress/gzip"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
)

const visits = "town,id,amount,fraud\nUlm,1,2.5,no\nBonn,2,,yes\nUlm,3,-1e3,yes\n"

func TestReadStream(t *testing.T) {
	dir := t.TempDir()
	f, err := os.Create(filepath.Join(dir, "visits.csv.gz"))
	if err != nil {
		t.Fatal(err)
	}
	z := gzip.NewWriter(f)
	if _, err := z.Write([]byte(visits)); err != nil || z.Close() != nil || f.Close() != nil {
		t.Fatal("the file was not written")
	}
	s := ReadStream(t, Source{File: "visits", Folder: dir, Target: "fraud", Classes: []string{"no", "yes"}, Nominal: []string{"town"}, Drop: []string{"id"}})
	if s.Env.Task != models.Binary || s.Env.Classes != 2 || s.Env.Seed != 1 {
		t.Errorf("environment %+v", s.Env)
	}
	if want := []features.Column{{Name: "town", Kind: features.Categorical}, {Name: "amount"}}; !slices.Equal(s.Env.Schema.Columns, want) {
		t.Errorf("columns %v, want %v", s.Env.Schema.Columns, want)
	}
	ulm, bonn := features.Category("Ulm"), features.Category("Bonn")
	want := []models.Example{
		{Row: models.Row{Value: []float64{ulm, 2.5}}, Y: 0, Weight: 1, Time: 0},
		{Row: models.Row{Value: []float64{bonn, math.NaN()}}, Y: 1, Weight: 1, Time: 1e6},
		{Row: models.Row{Value: []float64{ulm, -1000}}, Y: 1, Weight: 1, Time: 2e6},
	}
	if got := fmt.Sprint(s.Examples); got != fmt.Sprint(want) {
		t.Errorf("examples %v,\nwant %v", got, want)
	}
}

func TestStreamTasks(t *testing.T) {
	for _, c := range []struct {
		source Source
		task   models.Task
		labels string
	}{
		{Source{Target: "id", Nominal: []string{"town", "fraud"}}, models.Regression, "[1 2 3]"},
		{Source{Target: "id", Nominal: []string{"town", "fraud"}, Classes: []string{"3", "1", "2"}}, models.Multiclass, "[1 2 0]"},
	} {
		s, err := c.source.parse(strings.NewReader(visits))
		if err != nil {
			t.Fatal(err)
		}
		var labels []float64
		for _, e := range s.Examples {
			labels = append(labels, e.Y)
		}
		if s.Env.Task != c.task || fmt.Sprint(labels) != c.labels {
			t.Errorf("%v: labels %v, want %v: %s", s.Env.Task, labels, c.task, c.labels)
		}
	}
}

func TestStreamsThatAreNotAsTheSourceSays(t *testing.T) {
	for _, c := range []struct {
		source     Source
		text, want string
	}{
		{Source{Target: "fraud"}, "", "no column fraud"},
		{Source{Target: "fault"}, visits, "no column fault"},
		{Source{Target: "fraud", Classes: []string{"no", "yes"}}, visits, "line 2, column town: "},
		{Source{Target: "fraud", Nominal: []string{"town"}}, visits, "line 2, column fraud: "},
		{Source{Target: "fraud", Nominal: []string{"town"}, Classes: []string{"no", "maybe"}}, visits, `line 3, column fraud: "yes" is none of the classes`},
		{Source{Target: "a"}, "a,b\n1\n", "wrong number of fields"},
	} {
		if _, err := c.source.parse(strings.NewReader(c.text)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: error %v, want %q", c.source, err, c.want)
		}
	}
}

// scripted answers as its script says and writes down what it is asked.
type scripted struct {
	script [][]float64
	log    []string
}

func (s *scripted) Predict(dst []float64, e *models.Example) []float64 {
	if !math.IsNaN(e.Y) {
		s.log = append(s.log, "saw a label")
	}
	s.log = append(s.log, fmt.Sprint("predict ", e.Value[0]))
	return append(dst, s.script[int(e.Value[0])]...)
}

func (s *scripted) Observe(e *models.Example) {
	s.log = append(s.log, fmt.Sprint("observe ", e.Value[0]))
}

func (s *scripted) Learn(e *models.Example, past []float64) {
	s.log = append(s.log, fmt.Sprint("learn ", e.Value[0], " y ", e.Y, " said ", past))
}

func (s *scripted) State(*codec.State) {}

func numbered(task models.Task, classes int, labels ...float64) Stream {
	s := Stream{Env: models.Env{Task: task, Classes: classes}}
	for i, y := range labels {
		s.Examples = append(s.Examples, models.Example{Row: models.Row{Value: []float64{float64(i)}}, Y: y, Weight: 1})
	}
	return s
}

func TestProgressiveOrder(t *testing.T) {
	for delay, want := range map[int]string{
		0: "predict 0; observe 0; learn 0 y 7 said [5]; predict 1; observe 1; learn 1 y 8 said [6]; predict 2; observe 2; learn 2 y 9 said [4]",
		2: "predict 0; observe 0; predict 1; observe 1; predict 2; observe 2; learn 0 y 7 said [5]; learn 1 y 8 said [6]; learn 2 y 9 said [4]",
		9: "predict 0; observe 0; predict 1; observe 1; predict 2; observe 2; learn 0 y 7 said [5]; learn 1 y 8 said [6]; learn 2 y 9 said [4]",
	} {
		m := &scripted{script: [][]float64{{5}, {6}, {4}}}
		got := Progressive(m, numbered(models.Regression, 0, 7, 8, 9), delay)
		if log := strings.Join(m.log, "; "); log != want {
			t.Errorf("delay %d: %s,\nwant %s", delay, log, want)
		}
		if want := (Score{MAE: 3, RMSE: math.Sqrt(11)}); got != want { // errors 2, 2 and 5
			t.Errorf("delay %d: %+v, want %+v", delay, got, want)
		}
	}
}

func TestProgressiveScores(t *testing.T) {
	ln := math.Log
	for _, c := range []struct {
		name   string
		script [][]float64
		stream Stream
		want   Score
	}{
		// Right, wrong by the tie, right, right; of four labels one is that of before.
		{"binary", [][]float64{{0.2}, {0.5}, {0.9}, {0}}, numbered(models.Binary, 2, 0, 1, 1, 0),
			Score{Accuracy: 0.75, KappaT: (0.75 - 0.25) / 0.75, LogLoss: -(ln(0.8) + ln(0.5) + ln(0.9)) / 4}},
		// Right by the tie, wrong with certainty.
		{"multiclass", [][]float64{{0.1, 0.45, 0.45}, {1, 0, 0}}, numbered(models.Multiclass, 3, 1, 2),
			Score{Accuracy: 0.5, KappaT: 0.5, LogLoss: -(ln(0.45) + ln(1e-15)) / 2}},
	} {
		got := Progressive(&scripted{script: c.script}, c.stream, 1)
		for _, d := range []float64{got.Accuracy - c.want.Accuracy, got.KappaT - c.want.KappaT, got.LogLoss - c.want.LogLoss, got.MAE, got.RMSE} {
			if !(math.Abs(d) < 1e-12) {
				t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
			}
		}
	}
}
