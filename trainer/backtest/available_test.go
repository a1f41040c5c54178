package backtest_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/trainer"
	"github.com/freshet-ml/freshet/trainer/backtest"
)

// hintedProject asks about something that a hint a second before gives away.
const hintedProject = `
version: 1
project: hinted
clock: events
sources:
  asked: {time: at, key: [id], fields: {id: string, who: string}}
  hint:  {time: at, key: [who], fields: {who: string, x: double}}
  truth: {time: at, key: [id], fields: {id: string, y: double}}
features:
  who:
    key: who
    hint: {last: hint.x}
models:
  guess:
    task: binary
    on: asked
    id: id
    use: [who.hint]
    label: {from: truth, by: id, value: y > 0.5, wait: 1h}
    pipeline: [standard_scaler, {logistic_regression: {optimizer: {sgd: {learning_rate: 0.05}}}}]
`

// hinted is a candidate with n questions, one a minute: the hint comes 1 s before, the truth 10 s after.
func hinted(t testing.TB, n int) backtest.Candidate {
	t.Helper()
	prog := compile(t, hintedProject)
	rng := rand.New(rand.NewPCG(1, 2))
	lines := map[string][]string{}
	add := func(source string, at time.Time, format string, args ...any) {
		lines[source] = append(lines[source], `{"at":"`+at.Format(time.RFC3339Nano)+`",`+fmt.Sprintf(format, args...)+`}`)
	}
	for i := range n {
		at, y := jan(1).Add(time.Duration(i+1)*time.Minute), rng.IntN(2)
		add("hint", at.Add(-time.Second), `"who":"a","x":%d`, y)
		add("asked", at, `"id":"%d","who":"a"`, i)
		add("truth", at.Add(10*time.Second), `"id":"%d","y":%d`, i, y)
	}
	var files []backtest.File
	for _, source := range []string{"hint", "asked", "truth"} {
		files = append(files, text(source, lines[source]...))
	}
	return backtest.Candidate{Name: "one", Program: prog.Program, Items: items(t, config(t, prog), files)}
}

// TestDelayHidesWhatIsNotKnownYet moves events behind the question that they would give away. At the same time
// the question goes first: asked stands before hint.
func TestDelayHidesWhatIsNotKnownYet(t *testing.T) {
	c := hinted(t, 2000)
	for _, want := range []struct {
		delay    time.Duration
		from, to float64
	}{{0, 0.99, 1}, {500 * time.Millisecond, 0.99, 1}, {999 * time.Millisecond, 0.99, 1},
		{time.Second, 0.44, 0.56}, {time.Minute, 0.44, 0.56}} {
		r := run(t, backtest.Options{Candidates: []backtest.Candidate{c}, WarmUp: 5 * time.Hour,
			Availability: backtest.Availability{Mode: backtest.AtDelay, Delay: want.delay}})
		m := r.Candidates[0].Model("guess")
		if auc := m.Metrics.Value("roc_auc"); auc < want.from || auc > want.to {
			t.Errorf("%s later: AUC %.3f, want %.2f to %.2f", want.delay, auc, want.from, want.to)
		}
		if n := r.Candidates[0].Triggers[0]; n.Predictions != 2000 || n.NotLearned != 0 || n.Labels+uint64(n.Pending) != 2000 {
			t.Errorf("%s later: %+v", want.delay, n)
		}
	}
}

// TestNoDelayIsTheOrderOfEventTimes: +0s must be the very same items, on data with many equal times.
func TestNoDelayIsTheOrderOfEventTimes(t *testing.T) {
	prog := flightsProgram(t, 3)
	c := backtest.Candidate{Name: "a", Program: only(prog.Program, "late.prior"), Items: items(t, config(t, prog), flightFiles(t, jan(1), jan(3)))}
	plain := run(t, backtest.Options{Candidates: []backtest.Candidate{c}})
	moved := run(t, backtest.Options{Candidates: []backtest.Candidate{c}, Availability: backtest.Availability{Mode: backtest.AtDelay}})
	later := run(t, backtest.Options{Candidates: []backtest.Candidate{c}, Availability: backtest.Availability{Mode: backtest.AtDelay, Delay: time.Minute}})
	if plain.Candidates[0].Sum != moved.Candidates[0].Sum {
		t.Error("a delay of nothing changes the result")
	}
	if plain.Candidates[0].Sum == later.Candidates[0].Sum {
		t.Error("a delay of a minute changes nothing")
	}
}

// appended gives the items of a source a record timestamp so much after their event time.
func appended(list backtest.Items, p *trainer.Program, source string, d time.Duration) backtest.Items {
	return func(ctx context.Context, visit backtest.Visit) error {
		return list(ctx, func(it *features.Item, _ int64) error {
			at := it.Time
			if source == "" && p.Sources[it.Source].Name != "asked" || p.Sources[it.Source].Name == source {
				at += d.Microseconds()
			}
			return visit(it, at)
		})
	}
}

// TestAppendTimes: records that were appended late are seen late, and the same lateness for all is a delay.
func TestAppendTimes(t *testing.T) {
	c := hinted(t, 500)
	delayed := run(t, backtest.Options{Candidates: []backtest.Candidate{c}, Availability: backtest.Availability{Mode: backtest.AtDelay, Delay: 2 * time.Second}})
	late, asked := c, c
	late.Items = appended(c.Items, c.Program, "", 2*time.Second)
	asked.Items = appended(c.Items, c.Program, "asked", 3*time.Minute)
	by := backtest.Availability{Mode: backtest.AtAppend}
	if r := run(t, backtest.Options{Candidates: []backtest.Candidate{late}, Availability: by}); r.Candidates[0].Sum != delayed.Candidates[0].Sum {
		t.Error("all records 2 s late is not a delay of 2 s")
	}
	// A trigger that is appended three minutes late is older than max_skew: predicted, not learned.
	r := run(t, backtest.Options{Candidates: []backtest.Candidate{asked}, Availability: by})
	if n := r.Candidates[0].Triggers[0]; n.Predictions != 500 || n.NotLearned < 490 {
		t.Errorf("triggers appended late: %+v", n)
	}
}

// TestReportIsJSON: what is not defined is null, and nothing is left out that a reader needs.
func TestReportIsJSON(t *testing.T) {
	r := run(t, backtest.Options{Candidates: []backtest.Candidate{hinted(t, 3)}, Months: true,
		Thresholds: []backtest.Threshold{{Model: "guess", Metric: "accuracy", Value: 2}, {Model: "guess", Metric: "log_loss", Value: 99, Above: true}}})
	if r.OK() || len(r.Checks) != 2 || r.Checks[0].OK || !r.Checks[1].OK {
		t.Errorf("thresholds: %+v", r.Checks)
	}
	b, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"mode":"from_sources"`, `"label_delay_p99_seconds":10`, `"month":"2013-01"`, `"kind":"champion"`, `"low":null`, `"golden":{`} {
		if !strings.Contains(string(b), want) {
			t.Errorf("%s is not in %s", want, b)
		}
	}
	var again backtest.Report
	if err := json.Unmarshal(b, &again); err != nil {
		t.Fatal(err)
	}
	if twice, err := json.Marshal(&again); err != nil || string(twice) != string(b) {
		t.Errorf("read back, it is %s, not %s: %v", twice, b, err)
	}
	var out strings.Builder
	if err := r.Table(&out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"3 predictions", "roc_auc", "too few", "FAILED: at least guess.accuracy=2", "ok: at most guess.log_loss=99"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in\n%s", want, out.String())
		}
	}
}
