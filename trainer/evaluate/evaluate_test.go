package evaluate

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/catalog"
	"github.com/freshet-ml/freshet/models/fold"
)

func evaluate(t testing.TB, data string, o Options) *Report {
	t.Helper()
	r, err := attempt(data, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func attempt(data string, o Options) (*Report, error) {
	if o.Model == "" {
		o.Model = "hoeffding_tree"
	}
	var err error
	if o.Spec, err = ParseModel(o.Model); err != nil {
		return nil, err
	}
	if o.Path == "" {
		o.Reader = strings.NewReader(data)
	}
	if o.Target == "" {
		o.Target = "y"
	}
	return Run(context.Background(), o, nil)
}

// market is a file with a numeric and a categorical column whose label follows both.
func market(n int) string {
	rng := rand.New(rand.NewPCG(1, 1))
	var b strings.Builder
	b.WriteString("at,x,side,y\n")
	for i := range n {
		x, k := rng.Float64(), rng.IntN(2)
		y := "DOWN"
		if x > 0.4+0.2*float64(k) {
			y = "UP"
		}
		fmt.Fprintf(&b, "%s,%.4f,%s,%s\n", time.UnixMicro(int64(i)*60e6).UTC().Format(time.RFC3339), x, []string{"left", "right"}[k], y)
	}
	return b.String()
}

func TestReportHasTheFieldsOthersRead(t *testing.T) {
	r := evaluate(t, market(3000), Options{Drop: []string{"at"}})
	b, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]json.RawMessage
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	for _, f := range []string{"model", "task", "events", "metrics", "events_per_second", "learn_ns_per_event", "predict_ns_per_event", "state_bytes", "state_sha256", "dropped", "baselines"} {
		if _, ok := got[f]; !ok {
			t.Errorf("no field %s", f)
		}
		delete(got, f)
	}
	if len(got) > 0 {
		t.Errorf("more fields: %v", got)
	}
	if r.Task != "binary" || r.Events != 3000 || r.Classes[1] != "UP" || r.Metrics.Value("accuracy") < 0.85 || len(r.StateSHA256) != 64 || r.StateBytes == 0 || !(r.LearnNS > 0) {
		t.Errorf("%+v", r)
	}
	var table bytes.Buffer
	if err := r.Table(&table); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"hoeffding_tree", "positive: UP", "roc_auc", "no_change", "prior"} {
		if !strings.Contains(table.String(), want) {
			t.Errorf("no %q in the table:\n%s", want, table.String())
		}
	}
	if again := evaluate(t, market(3000), Options{Drop: []string{"at"}}); again.StateSHA256 != r.StateSHA256 {
		t.Error("two runs end in two states")
	}
}

// The baseline no_change answers with the newest label that has come: under a delay of n, the label of the row n before.
func TestLabelDelay(t *testing.T) {
	labels := []int{1, 1, 0, 0, 0, 1, 0, 1, 1, 1, 0, 0, 1}
	var b strings.Builder
	b.WriteString("at,x,y\n")
	for i, y := range labels {
		fmt.Fprintf(&b, "%d,0,%d\n", 1000+60*i, y)
	}
	for _, c := range []struct {
		delay string
		rows  int // back
	}{{"0", 1}, {"1", 2}, {"3", 4}, {"60s", 1}, {"119s", 2}, {"3m", 3}, {"100", 1000}, {"2d", 1000}} {
		d, err := ParseDelay(c.delay)
		if err != nil {
			t.Fatal(err)
		}
		o := Options{Model: "no_change", Delay: d, Time: "at"}
		hits := 0
		for i, y := range labels {
			guess := 0
			if i >= c.rows {
				guess = labels[i-c.rows]
			}
			if guess == y {
				hits++
			}
		}
		r := evaluate(t, b.String(), o)
		if got := r.Metrics.Value("accuracy"); math.Abs(got-float64(hits)/float64(len(labels))) > 1e-12 {
			t.Errorf("delay %s: accuracy %g, want %d/%d", c.delay, got, hits, len(labels))
		}
		if r.Labeled != int64(len(labels)) {
			t.Errorf("delay %s: %d labels", c.delay, r.Labeled)
		}
	}
}

func TestParseDelay(t *testing.T) {
	for text, want := range map[string]Delay{"0": {}, "100": {Events: 100}, "36h": {Duration: 36 * time.Hour}, "7d": {Duration: 168 * time.Hour}} {
		if got, err := ParseDelay(text); err != nil || got != want {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "-1", "x", "-3h", "1.5", "NaNd"} {
		if _, err := ParseDelay(text); err == nil {
			t.Errorf("%q was accepted", text)
		}
	}
}

// Evaluation and the fold of the live learner give the same scores, to the bit, at every delay.
func TestSameAsTheLiveFold(t *testing.T) {
	data := market(2500)
	rows, err := csv.NewReader(strings.NewReader(data)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	schema := &features.Schema{Columns: []features.Column{{Name: "x"}, {Name: "side", Kind: features.Categorical}}}
	for _, delay := range []int{0, 7} {
		r := evaluate(t, data, Options{Drop: []string{"at"}, Delay: Delay{Events: int64(delay)}})
		f, err := fold.New(schema, []fold.Member{{Name: "m", Task: models.Binary, Columns: []int{0, 1}, Build: func(s *features.Schema) (models.Learner, error) {
			return catalog.Build(models.Named("hoeffding_tree"), models.Env{Schema: s, Task: models.Binary, Classes: 2})
		}}})
		if err != nil {
			t.Fatal(err)
		}
		var entries []fold.Entry
		at := map[int]uint64{}
		emit := func(i int, learn bool) {
			x, err := strconv.ParseFloat(rows[1+i][1], 64)
			if err != nil {
				t.Fatal(err)
			}
			e := fold.Entry{Kind: fold.Predict, Seq: uint64(len(entries)), ID: strconv.Itoa(i), Vector: []float64{x, features.Category(rows[1+i][2])}}
			if learn {
				e.Kind, e.Flags, e.Ref = fold.Learn, fold.Final, at[i]
				if rows[1+i][3] == "UP" {
					e.Y = 1
				}
			} else {
				at[i] = e.Seq
			}
			entries = append(entries, e)
		}
		n := len(rows) - 1
		for i := range n + delay {
			if i < n {
				emit(i, false)
			}
			if i >= delay {
				emit(i-delay, true)
			}
		}
		for i := range entries {
			if err := f.Apply(&entries[i]); err != nil {
				t.Fatal(err)
			}
		}
		score, _ := f.Score("m")
		if score.Bytes != r.StateBytes {
			t.Errorf("delay %d: state of %d bytes, the fold's has %d", delay, r.StateBytes, score.Bytes)
		}
		for _, v := range score.Values {
			if got := r.Metrics.Value(v.Name); math.Float64bits(got) != math.Float64bits(v.Value) {
				t.Errorf("delay %d: %s %v, the fold says %v", delay, v.Name, got, v.Value)
			}
		}
	}
}

func TestTasksAreFound(t *testing.T) {
	for _, c := range []struct {
		labels, task, classes string
	}{
		{"0 1 1 0", "binary", "[0 1]"},
		{"1 1.0 2 2.0", "binary", "[1 2]"},
		{"10 9 10 9", "binary", "[9 10]"},
		{"no yes no yes", "binary", "[no yes]"},
		{"b c a a", "multiclass", "[a b c]"},
		{"1.5 2 3 4", "regression", "[]"},
		{"1 2 x 4", "multiclass", "[1 2 4 x]"},
	} {
		data := "x,y\n"
		for i, l := range strings.Fields(c.labels) {
			data += fmt.Sprintf("%d,%s\n", i, l)
		}
		r := evaluate(t, data, Options{Model: "no_change"})
		if r.Task != c.task || fmt.Sprint(r.Classes) != c.classes {
			t.Errorf("%s: task %s, classes %v", c.labels, r.Task, r.Classes)
		}
	}
	if r := evaluate(t, "x,y\n1,1\n2,2\n3,3\n", Options{Model: "no_change", Task: models.Multiclass}); len(r.Classes) != 3 {
		t.Errorf("numbers as classes: %v", r.Classes)
	}
}

func TestShapesOfFiles(t *testing.T) {
	plain := market(400)
	want := evaluate(t, plain, Options{Drop: []string{"at"}}).StateSHA256
	var gz, zst bytes.Buffer
	z := gzip.NewWriter(&gz)
	if _, err := z.Write([]byte(plain)); err != nil || z.Close() != nil {
		t.Fatal("gzip")
	}
	zw, err := zstd.NewWriter(&zst)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := zw.Write([]byte(plain)); err != nil || zw.Close() != nil {
		t.Fatal("zstd")
	}
	quoted := strings.ReplaceAll(plain, "left", `"left"`)
	for name, data := range map[string]string{
		"plain": plain, "gzip": gz.String(), "zstd": zst.String(), "BOM": "\ufeff" + plain, "CRLF": strings.ReplaceAll(plain, "\n", "\r\n"),
		"semicolons": strings.ReplaceAll(plain, ",", ";"), "tabs": strings.ReplaceAll(plain, ",", "\t"), "quotes": quoted,
		"blanks": strings.ReplaceAll(plain, ",", " , "), "no last newline": strings.TrimSuffix(plain, "\n"), "empty lines": strings.ReplaceAll(plain, "\n", "\n\n"),
	} {
		r, err := attempt(data, Options{Drop: []string{"at"}})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if r.StateSHA256 != want || r.Events != 400 {
			t.Errorf("%s: another result, %d events", name, r.Events)
		}
		path := filepath.Join(t.TempDir(), "data")
		if err := os.WriteFile(path, []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
		if r := evaluate(t, "", Options{Path: path, Drop: []string{"at"}}); r.StateSHA256 != want {
			t.Errorf("%s: another result from a path", name)
		}
	}
}

func TestMissingValues(t *testing.T) {
	data := "x,k,y\n1,a,0\n?,b,1\nNA,,1\n,NaN,?\nInf,a,0\n2,null,\n"
	r := evaluate(t, data, Options{})
	if r.Events != 6 || r.Labeled != 4 {
		t.Errorf("%d events, %d labels", r.Events, r.Labeled)
	}
	if r.Invalid != 0 {
		t.Errorf("%g invalid answers", r.Invalid)
	}
}

// Texts reach the model in whole: without --text the same column is a category that never comes twice.
func TestTexts(t *testing.T) {
	rows := "note,y\n"
	for i := range 400 {
		rows += fmt.Sprintf("\"%s number %d, again\",%d\n", []string{"arrived on time", "very LATE indeed"}[i%7%2], i, i%7%2)
	}
	got := evaluate(t, rows, Options{Text: []string{"note"}, Model: "[word_ngrams, logistic_regression]"})
	if got.Metrics.Value("accuracy") < 0.95 {
		t.Errorf("accuracy %v", got.Metrics.Value("accuracy"))
	}
}

func TestLimitAndCategorical(t *testing.T) {
	data := market(300)
	if r := evaluate(t, data, Options{Limit: 50, Drop: []string{"at"}}); r.Events != 50 {
		t.Errorf("%d events", r.Events)
	}
	rows := "code,y\n"
	for i := range 2000 {
		rows += fmt.Sprintf("%d,%d\n", i%4, i%4%2)
	}
	asName := evaluate(t, rows, Options{Categorical: []string{"code"}})
	if asName.Metrics.Value("accuracy") < 0.85 {
		t.Errorf("accuracy %g with a category", asName.Metrics.Value("accuracy"))
	}
}

func TestPredictionsFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "answers.csv")
	r := evaluate(t, market(100), Options{Drop: []string{"at"}, Predictions: path, Delay: Delay{Events: 3}})
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(bytes.NewReader(b)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) != 101 || strings.Join(rows[0], " ") != "line label p_UP" || rows[1][0] != "2" {
		t.Fatalf("%d rows, %v, %v", len(rows), rows[0], rows[1])
	}
	hits := 0
	for _, row := range rows[1:] {
		p, err := strconv.ParseFloat(row[2], 64)
		if err != nil {
			t.Fatal(err)
		}
		if (p > 0.5) == (row[1] == "UP") {
			hits++
		}
	}
	if got := float64(hits) / 100; math.Abs(got-r.Metrics.Value("accuracy")) > 1e-12 {
		t.Errorf("accuracy of the file %g, of the report %g", got, r.Metrics.Value("accuracy"))
	}
}

func TestBadInput(t *testing.T) {
	var gz bytes.Buffer
	z := gzip.NewWriter(&gz)
	if _, err := z.Write([]byte(market(3000))); err != nil || z.Close() != nil {
		t.Fatal("gzip")
	}
	ids := "x,y\n"
	for i := range 1200 {
		ids += fmt.Sprintf("1,id%d\n", i)
	}
	for _, c := range []struct {
		name, data string
		o          Options
		want       string
	}{
		{"empty file", "", Options{}, "the file is empty: its first line must name the columns"},
		{"header only", "x,y\n", Options{}, "there is no row after the first line"},
		{"ragged row", "x,y\n1,0\n1,0,3\n", Options{}, "data:3: the row has another number of fields than the 2 columns"},
		{"duplicate columns", "x,y,x\n1,0,1\n", Options{}, `data:1: columns 1 and 3 are both named "x": rename one`},
		{"unnamed column", "x,,y\n1,0,1\n", Options{}, "data:1: column 2 has no name"},
		{"truncated gzip", gz.String()[:gz.Len()/2], Options{}, "the compressed file is cut short or damaged: copy or download it again"},
		{"damaged gzip", "\x1f\x8bnonsense", Options{}, "the compressed file is cut short or damaged"},
		{"no target", "x,y\n1,0\n", Options{Target: "z"}, `target: no column "z" in data`},
		{"misspelt target", "price,class\n1,0\n", Options{Target: "clas"}, "did you mean class?"},
		{"misspelt drop", "price,class\n1,0\n", Options{Target: "class", Drop: []string{"prise"}}, "did you mean price?"},
		{"target dropped", "x,y\n1,0\n", Options{Drop: []string{"y"}}, "drop: y is the target"},
		{"target with one value", "x,y\n1,a\n2,a\n", Options{}, "every row of data has the value a: there is nothing to learn"},
		{"target without values", "x,y\n1,\n2,?\n", Options{}, "no row of data has a value there"},
		{"text as a number", "x,y\n1,2\n2,3\n3,tall\n", Options{Task: models.Regression}, `target y: data:4: "tall" is no finite number`},
		{"infinite label", "x,y\n1,2\n2,Inf\n3,3\n", Options{Task: models.Regression}, `"Inf" is no finite number`},
		{"too many for binary", "x,y\n1,a\n2,b\n3,c\n", Options{Task: models.Binary}, "3 values, and the task binary wants two"},
		{"identifier as a class", ids, Options{}, "more than 1000 distinct values: this looks like a name or an identifier"},
		{"forecast", "x,y\n1,1\n2,2\n3,3\n", Options{Task: models.Forecast}, "evaluate takes binary, multiclass, regression and anomaly"},
		{"delay without times", "x,y\n1,0\n", Options{Delay: Delay{Duration: time.Hour}}, "name their column with --time"},
		{"bad time", "t,x,y\n1,1,0\nsoon,1,1\n", Options{Time: "t"}, `data:3: column t: "soon" is no time`},
		{"time going back", "t,x,y\n5,1,0\n4,1,1\n", Options{Time: "t"}, "data:3: column t: 4 is before the row above: sort the file by time"},
		{"nothing left", "y\n1\n0\n", Options{}, "no column is left for the model to see"},
		{"quotes", "x,y\n1,0\n\"a\"b,1\n", Options{}, "data:3:"},
		{"a text that nothing reads", "note,y\na,0\nb,1\n", Options{Text: []string{"note"}}, "put word_ngrams, char_ngrams or tf_idf before it"},
		{"unknown model", "x,y\n1,0\n2,1\n", Options{Model: "hoefding_tree"}, "did you mean hoeffding_tree?"},
		{"model of another task", "x,y\n1,0\n2,1\n3,2\n", Options{Model: "hoeffding_tree"}, "cannot be used for the task regression"},
		{"empty model", "x,y\n1,0\n2,1\n", Options{Model: " "}, "name a model, such as auto"},
		{"no such file", "", Options{Path: "/nowhere/data.csv"}, "data file: open /nowhere/data.csv"},
		{"predictions nowhere", "x,y\n1,0\n2,1\n", Options{Predictions: "/nowhere/p.csv"}, "predictions file:"},
	} {
		_, err := attempt(c.data, c.o)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

func TestContextEndsTheRun(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	calls := 0
	_, err := Run(ctx, Options{Model: "prior", Spec: models.Named("prior"), Reader: strings.NewReader(market(20000)), Target: "y"}, func(s *Standing) {
		if s.Reading {
			return
		}
		if calls++; s.Rows != 1024 || s.All != 20000 || math.IsNaN(s.SoFar().Value("log_loss")) {
			t.Errorf("progress %d of %d", s.Rows, s.All)
		}
		cancel()
	})
	if !errors.Is(err, context.Canceled) || calls != 1 {
		t.Errorf("%v after %d calls", err, calls)
	}
}

func TestParseModel(t *testing.T) {
	path := filepath.Join(t.TempDir(), "spec.yaml")
	if err := os.WriteFile(path, []byte("- standard_scaler\n- logistic_regression: {optimizer: {sgd: {learning_rate: 0.005}}}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"auto", "[standard_scaler, {logistic_regression: {optimizer: {sgd: {learning_rate: 0.005}}}}]", "@" + path} {
		if _, err := ParseModel(text); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
	for _, text := range []string{"", "[", "@/nowhere", "7", "[]"} {
		if _, err := ParseModel(text); err == nil {
			t.Errorf("%q was accepted", text)
		}
	}
}

func TestParseTime(t *testing.T) {
	want := time.Date(2013, 1, 31, 5, 0, 0, 0, time.UTC).UnixMicro()
	for _, s := range []string{"2013-01-31T05:00:00Z", "2013-01-31T07:00:00+02:00", "2013-01-31 05:00:00", "2013-01-31 05:00", "1359608400", "1359608400000", "1359608400000000", "1359608400.0"} {
		if got, err := parseTime(s); err != nil || got != want {
			t.Errorf("%s: %d, %v", s, got, err)
		}
	}
}

func BenchmarkRun(b *testing.B) {
	data := market(20000)
	for b.Loop() {
		evaluate(b, data, Options{Drop: []string{"at"}})
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/20000, "ns/event")
}
