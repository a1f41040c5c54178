package report_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/freshet-ml/freshet/trainer"
	"github.com/freshet-ml/freshet/trainer/backtest"
	"github.com/freshet-ml/freshet/trainer/report"
)

var update = flag.Bool("update", false, "write the golden report anew")

const hostile = `<script>alert("x")</script>&'`

func at(hour int) time.Time { return time.Date(2025, 1, 8, hour, 0, 0, 0, time.UTC) }

func binary(logLoss, auc, ece float64) backtest.Metrics {
	return backtest.Metrics{{Name: "accuracy", Value: .8}, {Name: "log_loss", Value: logLoss}, {Name: "brier", Value: .1}, {Name: "ece", Value: ece}, {Name: "roc_auc", Value: auc}, {Name: "pr_auc", Value: .5}}
}

// sample is a small report with everything in it, and names that would break a page that does not escape them.
func sample() *backtest.Report {
	nan := backtest.Number(math.NaN())
	curve := func(shift float64) (out []backtest.Point) {
		for h := range 12 {
			auc := .7 + shift + .01*float64(h%4)
			if h == 5 {
				auc = math.NaN()
			}
			out = append(out, backtest.Point{From: at(h), To: at(h + 1), Scored: 100, Metrics: binary(.4-shift+.02*float64(h%3), auc, .05)})
		}
		return out
	}
	bins := []backtest.CalibrationBin{{Answers: 900, Confidence: .03, Right: .05}, {Answers: 300, Confidence: .57, Right: .6}}
	by := func(loss float64) []backtest.SegmentColumn {
		return []backtest.SegmentColumn{{Column: "shipped.depot", Values: []backtest.Segment{{Value: hostile, Scored: 700, Label: .2, Answer: .21, Loss: backtest.Number(loss)},
			{Missing: true, Scored: 300, Label: .1, Answer: .2, Loss: backtest.Number(2 * loss)}, {Rest: true, Scored: 200, Label: .3, Answer: .3, Loss: nan}}}}
	}
	models := []backtest.Model{
		{Name: "late", Of: "late", Kind: "champion", Task: "binary", Scored: 1200, Metrics: binary(.39, .76, .05), Curve: curve(0), Calibration: bins, Segments: by(.39), Weights: "aa",
			Detector: "ddm", Watched: "error", Changes: []backtest.Change{{Time: at(3), Rose: true}, {Time: at(7)}}, Warnings: []backtest.Change{{Time: at(2), Rose: true}}},
		{Name: hostile, Of: "late", Kind: "challenger", Task: "binary", Scored: 1200, Metrics: binary(.41, .74, .06), Curve: curve(-.02), Calibration: bins, Segments: by(.41), Weights: "bb",
			Paired: &backtest.Paired{Against: "late", Loss: "log_loss", N: 1200, Block: 30, Mean: .02, Low: .01, High: .03, Differs: true}},
		{Name: "late.no_change", Of: "late", Kind: "baseline", Task: "binary", Scored: 1200, Invalid: 2, Metrics: binary(8.2, .5, .24), Curve: curve(-7.8), Segments: by(8), Weights: "cc",
			Paired: &backtest.Paired{Against: "late", Loss: "log_loss", N: 1200, Block: 300, Mean: 7.8, Low: nan, High: nan}},
	}
	return &backtest.Report{Mode: "from_sources", Availability: "+6h0m0s", WarmUp: "168h0m0s", Build: "freshet devel", Arch: "amd64", Seconds: 1.5, ItemsASecond: 3000,
		Checks: []backtest.Check{{Threshold: "late.roc_auc=0.6", Value: .76, OK: true}, {Threshold: "late.log_loss=0.3", Above: true, Value: .39}},
		Candidates: []backtest.Result{{Name: "freshet", Items: 60000, Refused: map[string]uint64{"late": 3, "duplicate": 1}, First: at(0), Last: at(12), ScoredFrom: at(0),
			Golden: &trainer.Golden{Items: "i0", States: "s0", Logs: map[string]string{"shipped": "l0"}, Weights: map[string]string{"late": "aa", hostile: "bb"}}, Sum: "sum0",
			Triggers: []backtest.Trigger{{Name: "shipped", Predictions: 1300, Labels: 1200, Missing: 60, Pending: 40, DelayP50: 82000, DelayP99: 130000,
				Delays: []backtest.DelayBin{{From: 60, To: 3600, Labels: 200}, {From: 3600, To: 130000, Labels: 1000}},
				Drift:  []backtest.ColumnDrift{{Column: "depot.hours", Measure: "wasserstein", Distance: .4, Threshold: .1, Greatest: .5, At: at(6), Drifted: 3, Windows: 4}, {Column: "shipped.depot", Measure: "psi", Distance: .01, Threshold: .1, Missing: .25, At: at(6), Windows: 4}}}},
			Models: models}},
		Live: &backtest.Comparison{Triggers: []backtest.LiveTrigger{{Name: "shipped", Found: true, Live: 1300, Both: 1300, Equal: 1300, Share: 1, SameLog: true,
			Models: []backtest.LiveModel{{Name: "late", SameWeights: true, Live: binary(.39, .76, .05), Difference: binary(0, 0, 0)}}}, {Name: "other"}}}}
}

func how() report.Repeat {
	return report.Repeat{Command: []string{"freshet", "backtest", "--source-file", "shipped=my parcels.jsonl", "--report", "it's.html"},
		Projects: []report.File{{Name: "project freshet", Path: "freshet.yaml", SHA256: "p0"}}, Inputs: []report.File{{Name: "source shipped", Path: "my parcels.jsonl", SHA256: "f0"}}}
}

func written(t testing.TB, d *report.Document) string {
	t.Helper()
	var b bytes.Buffer
	if err := report.Write(&b, d); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestGolden(t *testing.T) {
	got := written(t, report.Backtest(sample(), how()))
	const path = "testdata/backtest.html"
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("the report differs from %s; look at it, then go test ./trainer/report -update", path)
	}
	slower := sample()
	slower.Seconds, slower.ItemsASecond = 99, 1
	if written(t, report.Backtest(slower, how())) != got {
		t.Error("the bytes depend on how long the backtest took")
	}
}

// TestNothingFromElsewhere: no script, no address, no text of the data as markup.
func TestNothingFromElsewhere(t *testing.T) {
	got := written(t, report.Backtest(sample(), how()))
	for _, bad := range []string{"<script", "http://", "https://", "src=", "@import", "url(", "onload", `alert("x")`} {
		if strings.Contains(got, bad) {
			t.Errorf("the report holds %q", bad)
		}
	}
	for _, want := range []string{"&lt;script&gt;", `default-src &#39;none&#39;`, "default-src 'none'", `'shipped=my parcels.jsonl'`, "sum0", "f0", "p0", "Not met", "too few to tell", "2 answers were not finite"} {
		if want != `default-src &#39;none&#39;` && !strings.Contains(got, want) && !strings.Contains(got, strings.ReplaceAll(want, "'", "&#39;")) {
			t.Errorf("the report lacks %q", want)
		}
	}
}

// TestEveryChartHasItsNumbers: charts are named, and their numbers stand in a table.
func TestEveryChartHasItsNumbers(t *testing.T) {
	charts := 0
	for _, s := range report.Backtest(sample(), how()).Sections {
		for _, f := range s.Figures {
			charts++
			if len(f.Table.Rows) == 0 || !strings.Contains(string(f.Chart), `role="img" aria-label="`) {
				t.Errorf("%s: %s: no numbers, or no name", s.ID, f.Title)
			}
			for _, row := range f.Table.Rows {
				if len(row) != len(f.Table.Head) {
					t.Errorf("%s: %s: row %v under %v", s.ID, f.Title, row, f.Table.Head)
				}
			}
		}
		for _, table := range s.Tables {
			for _, row := range table.Rows {
				if len(row) != len(table.Head) {
					t.Errorf("%s: %s: row %v under %v", s.ID, table.Caption, row, table.Head)
				}
			}
		}
	}
	if charts < 8 {
		t.Errorf("%d charts", charts)
	}
}

// TestTwinsAreDrawnOnce: a baseline that two candidates share to the bit is in one chart.
func TestTwinsAreDrawnOnce(t *testing.T) {
	r := sample()
	second := r.Candidates[0]
	second.Name = "other"
	r.Candidates = append(r.Candidates, second)
	for _, s := range report.Backtest(r, how()).Sections {
		if s.ID == "calibration" && len(s.Figures) != 2 {
			t.Errorf("%d reliability charts of two models", len(s.Figures))
		}
		if s.ID == "overview" && (len(s.Notes) != 3 || len(s.Tables[0].Rows) != 6) {
			t.Errorf("notes %v, %d rows", s.Notes, len(s.Tables[0].Rows))
		}
	}
}

// wellFormed reads an image as XML and returns an error if it holds a number that no renderer draws.
func wellFormed(image string) error {
	d := xml.NewDecoder(strings.NewReader(image))
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if e, ok := token.(xml.StartElement); ok {
			for _, a := range e.Attr {
				if a.Name.Local != "aria-label" && (strings.Contains(a.Value, "NaN") || strings.Contains(a.Value, "Inf")) {
					return fmt.Errorf("%s=%s of %s", a.Name.Local, a.Value, e.Name.Local)
				}
			}
		}
	}
}

// TestChartsTakeAnything: whatever the numbers and names, an image is well-formed.
func TestChartsTakeAnything(t *testing.T) {
	value := rapid.OneOf(rapid.Float64Range(-1e12, 1e12), rapid.Float64Range(0, 1), rapid.SampledFrom([]float64{0, math.NaN(), 1e-300, 1e300, -1e300, math.SmallestNonzeroFloat64}))
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.String().Draw(t, "name")
		name = strings.Map(func(r rune) rune { // what XML cannot hold is not what is tested
			if r < ' ' || r == '\uFFFE' || r == '\uFFFF' || r == '\uFFFD' {
				return -1
			}
			return r
		}, name)
		n := rapid.IntRange(0, 30).Draw(t, "n")
		line := report.Line{Name: name, Lead: rapid.Bool().Draw(t, "lead")}
		when := rapid.Int64Range(-4e15, 4e15).Draw(t, "when")
		var bands []report.Band
		var dots []report.Dots
		var bars []report.Bar
		for range n {
			when += rapid.Int64Range(1, 1e14).Draw(t, "step")
			v, w := value.Draw(t, "v"), value.Draw(t, "w")
			line.Time, line.Value = append(line.Time, when), append(line.Value, v)
			line.Marks = append(line.Marks, report.Mark{Time: when})
			mean := v
			if mean != mean {
				mean = 0
			}
			bands = append(bands, report.Band{Name: name, Mean: mean, Low: min(v, w), High: max(v, w)})
			dots = append(dots, report.Dots{Name: name, Values: []float64{v, w}})
			bars = append(bars, report.Bar{Name: name, Value: math.Abs(mean), Threshold: .1})
		}
		for i, image := range []string{string(report.LineChart(name, name, []report.Line{line})), string(report.BandChart(name, "", bands)),
			string(report.DotChart(name, "", []int{0, 1}, dots)), string(report.BarChart(name, "", bars))} {
			if err := wellFormed(image); err != nil {
				t.Fatalf("chart %d: %v", i, err)
			}
		}
	})
}

// TestLineChartKeepsItsScale: a baseline far off does not flatten the champion.
func TestLineChartKeepsItsScale(t *testing.T) {
	lead := report.Line{Name: "late", Lead: true, Time: []int64{0, 1e9, 2e9}, Value: []float64{.4, .5, .45}}
	far := report.Line{Name: "no_change", Color: 1, Time: lead.Time, Value: []float64{8, 9, 8}}
	image := string(report.LineChart("x", "log_loss", []report.Line{lead, far}))
	if strings.Contains(image, ">8<") || !strings.Contains(image, ">0.45<") && !strings.Contains(image, ">0.5<") && !strings.Contains(image, ">0.50<") {
		t.Errorf("the axis does not fit the champion: %s", image)
	}
}

func ExampleHistogram() {
	image := report.Histogram("delays", "labels", []report.Column{{From: "0 s", To: "1 s", Count: 3}, {From: "1 s", To: "2 s", Count: 1}})
	fmt.Println(strings.Count(string(image), "<rect"), "bars")
	// Output: 2 bars
}
