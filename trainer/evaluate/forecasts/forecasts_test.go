package forecasts

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/metric"
	"github.com/freshet-ml/freshet/trainer/evaluate"
)

// naiveModel is the spec of the model that most tests run.
func naiveModel(t testing.TB) models.Spec {
	t.Helper()
	s, err := evaluate.ParseModel("seasonal_naive")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// evaluateText runs an evaluation of a CSV text.
func evaluateText(t testing.TB, text string, o Options) (*Report, error) {
	t.Helper()
	o.Reader, o.Format = strings.NewReader(text), "csv"
	if len(o.Spec.Stages) == 0 {
		o.Model, o.Spec = "seasonal_naive", naiveModel(t)
	}
	if o.Horizon == 0 {
		o.Horizon = 2
	}
	return Run(context.Background(), o, nil)
}

func mustText(t testing.TB, text string, o Options) *Report {
	t.Helper()
	r, err := evaluateText(t, text, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// write makes a file of a test.
func write(t testing.TB, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "data.csv")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestOfficialFiguresOfM4: the published figures of the seasonal naive forecast and of Naive2 on the hourly data.
func TestOfficialFiguresOfM4(t *testing.T) {
	dir := os.Getenv("FRESHET_DATA")
	if dir == "" {
		t.Skip("FRESHET_DATA does not name the folder of reference data")
	}
	o := Options{Path: filepath.Join(dir, "m4_hourly_train.csv.gz"), Test: filepath.Join(dir, "m4_hourly_test.csv.gz"), Time: "ds", Key: "id", Target: "y",
		Horizon: 48, Seasons: []int{24}, Model: "seasonal_naive", Spec: naiveModel(t)}
	r, err := Run(context.Background(), o, nil)
	if err != nil {
		t.Fatal(err)
	}
	if r.Layout != "rows" || r.Series != 414 || r.Forecasts != 414 || r.Events != 353_500+414*48 {
		t.Errorf("layout %s, %d series, %d forecasts, %d values", r.Layout, r.Series, r.Forecasts, r.Events)
	}
	for name, want := range map[string]float64{"smape": 13.912, "mase": 1.193, "owa": 0.628} {
		if got := r.Metrics.Value(name); math.Abs(got-want) > 5e-4 {
			t.Errorf("%s %.5f, published %.3f", name, got, want)
		}
	}
	two := r.Baselines[len(r.Baselines)-1]
	if two.Model != "naive2" || math.Abs(two.Metrics.Value("smape")-18.383) > 5e-4 || math.Abs(two.Metrics.Value("mase")-2.395) > 5e-4 {
		t.Errorf("naive2: %v", two)
	}
}

// panel draws a small file of series with a row for each value, and gaps.
func panel(t *rapid.T) (text string, values map[string]map[int]float64) {
	var b strings.Builder
	b.WriteString("k,t,v\n")
	values = map[string]map[int]float64{}
	for k := range rapid.IntRange(1, 5).Draw(t, "series") {
		key := fmt.Sprintf("s%d", k)
		values[key] = map[int]float64{}
		for i := range rapid.IntRange(1, 40).Draw(t, "length") {
			switch rapid.IntRange(0, 9).Draw(t, "kind") {
			case 0: // a gap
			case 1:
				fmt.Fprintf(&b, "%s,%d,\n", key, 10+i)
			default:
				v := float64(rapid.IntRange(-3, 9).Draw(t, "value"))
				values[key][10+i] = v
				fmt.Fprintf(&b, "%s,%d,%g\n", key, 10+i, v)
			}
		}
	}
	return b.String(), values
}

// TestScoresAgainstBruteForce recomputes every metric from the file of answers, by their definitions.
func TestScoresAgainstBruteForce(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(rt *rapid.T) {
		text, values := panel(rt)
		season := rapid.IntRange(2, 4).Draw(rt, "season")
		o := Options{Time: "t", Key: "k", Target: "v", Step: "1", Seasons: []int{season}, Horizon: rapid.IntRange(1, 5).Draw(rt, "horizon"),
			Origins: Origins{All: rapid.Bool().Draw(rt, "all"), Count: rapid.IntRange(0, 3).Draw(rt, "count"), Stride: rapid.IntRange(1, 3).Draw(rt, "stride")},
			WarmUp:  rapid.IntRange(0, 5).Draw(rt, "warm-up"), Predictions: filepath.Join(dir, "answers.csv"), Workers: rapid.IntRange(1, 3).Draw(rt, "workers")}
		r, err := evaluateText(t, text, o)
		if err != nil {
			if !strings.Contains(err.Error(), "no origin leaves") && !strings.Contains(err.Error(), "no row after") {
				rt.Fatal(err)
			}
			return
		}
		checkScores(rt, r, &o, readAnswers(t, o.Predictions), values)
	})
}

type answer struct {
	key          string
	origin, step int
	y, forecast  float64
	q            [5]float64
}

func readAnswers(t testing.TB, path string) []answer {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	num := func(s string) float64 {
		if s == "" {
			return math.NaN()
		}
		x, err := strconv.ParseFloat(s, 64)
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
	var out []answer
	for _, row := range rows[1:] {
		a := answer{key: row[0], origin: int(num(row[1])), step: int(num(row[2])), y: num(row[4]), forecast: num(row[5])}
		if int(num(row[3])) != a.origin+a.step {
			t.Fatalf("time %s of step %d after %d", row[3], a.step, a.origin)
		}
		for i := range a.q {
			a.q[i] = num(row[6+i])
		}
		out = append(out, a)
	}
	return out
}

func checkScores(t *rapid.T, r *Report, o *Options, list []answer, values map[string]map[int]float64) {
	var abs, square, pinball, in95, n float64
	type sums struct{ relative, abs, interval, n, scale float64 }
	by := map[string]*sums{}
	for _, a := range list {
		if y, ok := values[a.key][a.origin+a.step]; ok != !math.IsNaN(a.y) || ok && y != a.y {
			t.Fatalf("%+v: the value is %v", a, y)
		}
		s := by[a.key]
		if s == nil {
			s = &sums{scale: math.NaN()}
			var total, pairs float64
			for i := range 100 {
				now, ok := values[a.key][i]
				before, was := values[a.key][i-o.Seasons[0]]
				if ok && was && i <= a.origin {
					total, pairs = total+math.Abs(now-before), pairs+1
				}
			}
			if pairs > 0 {
				s.scale = total / pairs
			}
			by[a.key] = s
		}
		if math.IsNaN(a.y) {
			continue
		}
		e := math.Abs(a.y - a.forecast)
		abs, square, n = abs+e, square+e*e, n+1
		s.abs, s.n = s.abs+e, s.n+1
		if e > 0 {
			s.relative += 200 * e / (math.Abs(a.y) + math.Abs(a.forecast))
		}
		for i, l := range DefaultLevels {
			pinball += metric.Pinball(a.y, a.q[i], l) / 5
		}
		s.interval += a.q[4] - a.q[0] + 40*(math.Max(0, a.q[0]-a.y)+math.Max(0, a.y-a.q[4]))
		if a.q[0] <= a.y && a.y <= a.q[4] {
			in95++
		}
	}
	var smape, mase, msis, scaled float64
	for key, s := range by {
		if s.n == 0 {
			delete(by, key)
		}
	}
	for _, s := range by {
		smape += s.relative / s.n / float64(len(by))
		if s.scale > 0 {
			mase, msis, scaled = mase+s.abs/s.n/s.scale, msis+s.interval/s.n/s.scale, scaled+1
		}
	}
	for name, want := range map[string]float64{"mae": abs / n, "rmse": math.Sqrt(square / n), "smape": smape, "mase": mase / scaled, "msis": msis / scaled, "pinball": pinball / n, "coverage_95": in95 / n} {
		got := r.Metrics.Value(name)
		if math.Abs(got-want) > 1e-9*math.Max(1, math.Abs(want)) || math.IsNaN(got) != math.IsNaN(want) {
			t.Fatalf("%s is %v, want %v", name, got, want)
		}
	}
}

// TestRankedProbabilityScore: for a normal forecast the mean over the grid is near the closed form (Gneiting & Raftery 2007, eq. 5), and the score is in units of the target.
func TestRankedProbabilityScore(t *testing.T) {
	l := newLevels(nil)
	q := make([]float64, len(l.all))
	for i, p := range l.all {
		q[i] = 3 + 2*math.Sqrt2*math.Erfinv(2*p-1)
	}
	for _, y := range []float64{3, 4, 7} {
		var e errorsOf
		e.add(y, 3, q, l, 1)
		z := (y - 3) / 2
		cdf, pdf := (1+math.Erf(z/math.Sqrt2))/2, math.Exp(-z*z/2)/math.Sqrt(2*math.Pi)
		want := 2 * (z*(2*cdf-1) + 2*pdf - 1/math.Sqrt(math.Pi))
		if got := e.crps.value(); math.Abs(got-want) > 0.02*want {
			t.Errorf("at %v: %v, want %v", y, got, want)
		}
	}
}

// sameResult compares reports without what clocks say.
func sameResult(t testing.TB, a, b *Report) {
	t.Helper()
	text := func(r Report) string {
		r.EventsPerSecond, r.LearnNS, r.PredictNS = 0, 0, 0
		r.Others = slices.Clone(r.Others)
		for i := range r.Others {
			r.Others[i].LearnNS, r.Others[i].PredictNS = 0, 0
		}
		b, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	if x, y := text(*a), text(*b); x != y {
		t.Errorf("reports differ:\n%s\n%s", x, y)
	}
}

// manySeries is a file of n series, with a row for each value.
func manySeries(n, length int) string {
	var b strings.Builder
	b.WriteString("k,t,v\n")
	for k := range n {
		for i := range length {
			fmt.Fprintf(&b, "s%d,%d,%g\n", k, i, 10+math.Sin(float64(i*(k+1)))+float64(k*i)/9)
		}
	}
	return b.String()
}

// TestSameBitsForAnyNumberOfWorkers: report and both files.
func TestSameBitsForAnyNumberOfWorkers(t *testing.T) {
	text := manySeries(150, 30)
	var reports []*Report
	var files []string
	for _, workers := range []int{1, 2, 7} {
		dir := t.TempDir()
		o := Options{Time: "t", Key: "k", Target: "v", Seasons: []int{3, 6}, Horizon: 4, Origins: Origins{All: true}, Workers: workers,
			Others: []evaluate.Candidate{{Model: "again", Spec: naiveModel(t)}}, Predictions: filepath.Join(dir, "a"), ByKey: filepath.Join(dir, "k")}
		reports = append(reports, mustText(t, text, o))
		a, err := os.ReadFile(o.Predictions)
		if err != nil {
			t.Fatal(err)
		}
		k, err := os.ReadFile(o.ByKey)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, string(a)+string(k))
	}
	for i := 1; i < len(reports); i++ {
		sameResult(t, reports[0], reports[i])
		if files[i] != files[0] {
			t.Errorf("the files of %d workers differ", i)
		}
	}
	for _, d := range reports[0].Others[0].Differences {
		if d.Mean != 0 || d.Low != 0 || d.High != 0 {
			t.Errorf("a model differs from itself: %+v", d)
		}
	}
	if reports[0].Others[0].StateSHA256 != reports[0].StateSHA256 {
		t.Error("the same model has two states")
	}
}

// TestLayoutsAgree: the same series in every shape, with times and without.
func TestLayoutsAgree(t *testing.T) {
	long := manySeries(3, 20)
	var rows, columns strings.Builder
	rows.WriteString("id")
	for i := range 25 {
		fmt.Fprintf(&rows, ",V%d", i)
	}
	columns.WriteString("day,s0,s1,s2\n")
	table := map[string][]string{}
	for _, line := range strings.Split(strings.TrimSpace(long), "\n")[1:] {
		f := strings.Split(line, ",")
		table[f[0]] = append(table[f[0]], f[2])
	}
	for _, k := range []string{"s0", "s1", "s2"} {
		rows.WriteString("\n" + k + "," + strings.Join(table[k], ",") + strings.Repeat(",", 5))
	}
	for i := range 20 {
		fmt.Fprintf(&columns, "2024-01-%02d,%s,%s,%s\n", i+1, table["s0"][i], table["s1"][i], table["s2"][i])
	}
	base := mustText(t, long, Options{Time: "t", Key: "k", Target: "v", Seasons: []int{4}})
	for name, c := range map[string]struct {
		text string
		o    Options
	}{
		"by place":              {long, Options{Key: "k", Target: "v"}},
		"rows, found":           {rows.String(), Options{}},
		"rows, by other names":  {rows.String(), Options{Key: "key", Time: "ds", Target: "y"}},
		"rows, by key":          {rows.String(), Options{Key: "id"}},
		"columns, found":        {columns.String(), Options{}},
		"columns, by time":      {columns.String(), Options{Time: "day"}},
		"columns without times": {columns.String(), Options{Layout: "columns", Drop: []string{"day"}}},
	} {
		o := c.o
		o.Seasons = []int{4}
		r := mustText(t, c.text, o)
		for i, m := range base.Metrics {
			if got := r.Metrics[i].Value; got != m.Value {
				t.Errorf("%s: %s is %v, want %v", name, m.Name, got, m.Value)
			}
		}
		if r.StateSHA256 != base.StateSHA256 {
			t.Errorf("%s: another state", name)
		}
	}
	ragged := strings.ReplaceAll(rows.String(), ",,,,,", "")
	sameResult(t, mustText(t, rows.String(), Options{}), mustText(t, ragged, Options{}))
}

// TestTestFile: the values of a second file are those that follow, by time or by place.
func TestTestFile(t *testing.T) {
	whole := "k,t,v\n"
	train, test := whole, whole
	for _, k := range []string{"b", "a"} {
		for i := range 12 {
			row := fmt.Sprintf("%s,%d,%d\n", k, i, i*i%7)
			whole += row
			if i < 9 {
				train += row
			} else {
				test += row
			}
		}
	}
	o := Options{Time: "t", Key: "k", Target: "v", Seasons: []int{2}, Horizon: 3}
	want := mustText(t, whole, o)
	o.Test = write(t, test)
	sameResult(t, want, mustText(t, train, o))
	o.Time = ""
	byPlace := mustText(t, train, o)
	if byPlace.Metrics.Value("mae") != want.Metrics.Value("mae") || byPlace.StateSHA256 != want.StateSHA256 {
		t.Error("by place the test is another")
	}
	o.Horizon = 2
	o.Origins = Origins{All: true}
	if r := mustText(t, train, o); r.Forecasts != 4 {
		t.Errorf("%d forecasts through the test, want 2 for each series", r.Forecasts)
	}
	o.Horizon, o.Origins = 9, Origins{}
	if r := mustText(t, train, o); r.Forecasts != 2 || len(r.Steps) != 3 {
		t.Errorf("of a horizon that the test does not fill %d steps are scored", len(r.Steps))
	}
}

// TestSteps: what the length of a step is found to be, and how times are written.
func TestSteps(t *testing.T) {
	for name, c := range map[string]struct {
		times string
		step  string
		zone  string
		snap  bool
		want  string
		last  string
		gaps  bool
	}{
		"numbers":            {times: "3 4 5 6", want: "1", last: "6"},
		"tens":               {times: "1700003600 1700007200 1700010800 1700018000", want: "3600", last: "1700018000", gaps: true},
		"decimals":           {times: "0.25 0.5 0.75 1", want: "0.25", last: "1"},
		"days":               {times: "2024-02-27 2024-02-28 2024-02-29 2024-03-01", want: "1d", last: "2024-03-01"},
		"working days":       {times: "2024-02-29 2024-03-01 2024-03-04 2024-03-05", want: "1d", last: "2024-03-01", gaps: true},
		"weeks":              {times: "2024-02-05 2024-02-12 2024-02-19 2024-03-04", want: "7d", last: "2024-03-04", gaps: true},
		"months":             {times: "2024-01 2024-02 2024-03 2024-05", want: "1mo", last: "2024-05", gaps: true},
		"first of months":    {times: "2023-11-01 2023-12-01 2024-01-01 2024-02-01", want: "1mo", last: "2024-02"},
		"last of months":     {times: "2023-11-30 2023-12-31 2024-01-31 2024-02-29", want: "1mo", last: "2024-02"},
		"quarters":           {times: "2023Q2 2023Q3 2023Q4 2024Q1", want: "1q", last: "2024-01"},
		"years":              {times: "2000-07-01 2001-07-01 2002-07-01 2003-07-01", want: "1y", last: "2003-07"},
		"hours":              {times: "2024-02-29T22:00:00Z 2024-02-29T23:00:00Z 2024-03-01T00:00:00Z 2024-03-01T01:00:00Z", want: "1h", last: "2024-03-01T01:00:00Z"},
		"quarter hours":      {times: "2024-02-29T22:15 2024-02-29T22:30 2024-02-29T22:45 2024-02-29T23:00", want: "15m", last: "2024-02-29T23:00:00Z"},
		"days over a change": {times: "2024-03-30T00:00:00+01:00 2024-03-31T00:00:00+01:00 2024-04-01T00:00:00+02:00 2024-04-02T00:00:00+02:00", want: "1d", last: "2024-04-02"},
		"hours in spring":    {times: "2024-03-31T01:00 2024-03-31T03:00 2024-03-31T04:00 2024-03-31T05:00", zone: "Europe/Berlin", want: "1h", last: "2024-03-31T03:00:00Z"},
		"hours in autumn":    {times: "2024-10-27T01:00 2024-10-27T02:00 2024-10-27T02:00 2024-10-27T03:00", zone: "Europe/Berlin", want: "1h", last: "2024-10-27T02:00:00Z"},
		"spring, no zone":    {times: "2024-03-31T01:00 2024-03-31T03:00 2024-03-31T04:00 2024-03-31T05:00", want: "1h", last: "2024-03-31T05:00:00Z", gaps: true},
		"jitter, snapped":    {times: "2024-01-01T00:00:07Z 2024-01-01T01:01:00Z 2024-01-01T02:59:59Z 2024-01-01T04:00:00Z", step: "1h", snap: true, want: "1h", last: "2024-01-01T04:00:00Z", gaps: true},
		"unsorted":           {times: "2024-01-03 2024-01-01 2024-01-04 2024-01-02", want: "1d", last: "2024-01-04"},
		"given":              {times: "0 2 4 6", step: "1", want: "1", last: "6", gaps: true},
	} {
		t.Run(name, func(t *testing.T) {
			text := "t,v\n"
			for i, at := range strings.Fields(c.times) {
				text += fmt.Sprintf("%s,%d\n", at, i+1)
			}
			o := Options{Time: "t", Target: "v", Step: c.step, Snap: c.snap, Horizon: 2, Predictions: filepath.Join(t.TempDir(), "a.csv"), Zone: zone(t, c.zone)}
			r := mustText(t, text, o)
			b, err := os.ReadFile(o.Predictions)
			if err != nil {
				t.Fatal(err)
			}
			lines := strings.Split(strings.TrimSpace(string(b)), "\n")
			fields := strings.Split(lines[len(lines)-1], ",")
			if r.Step != c.want || fields[3] != c.last {
				t.Errorf("step %s, last time %s; want %s, %s", r.Step, fields[3], c.want, c.last)
			}
			if gaps := strings.Contains(strings.Join(r.Notes, "\n"), "have no row"); gaps != c.gaps {
				t.Errorf("gaps: %v", r.Notes)
			}
			if sorted := strings.Contains(strings.Join(r.Notes, "\n"), "were sorted"); sorted != (name == "unsorted") {
				t.Errorf("sorted: %v", r.Notes)
			}
		})
	}
}

// TestPlots: the three formats, for named series.
func TestPlots(t *testing.T) {
	dir := t.TempDir()
	o := Options{Time: "t", Key: "k", Target: "v", Seasons: []int{3}, Horizon: 4, PlotKeys: []string{"s2", "s0"}}
	for _, name := range []string{"p.svg", "p.png", "p.html"} {
		o.Plot = filepath.Join(dir, name)
		mustText(t, manySeries(4, 30), o)
		b, err := os.ReadFile(o.Plot)
		if err != nil {
			t.Fatal(err)
		}
		if name == "p.png" {
			if img, err := png.Decode(bytes.NewReader(b)); err != nil || img.Bounds().Dx() != plotWidth {
				t.Errorf("png: %v", err)
			}
			continue
		}
		text := string(b)
		if strings.Count(text, "<polygon") != 4 || strings.Index(text, ">s2<") > strings.Index(text, ">s0<") || strings.Contains(text, ">s1<") {
			t.Errorf("%s: not two intervals of each of two series, in the order in which they were named", name)
		}
	}
	o.PlotKeys = []string{"s22"}
	if _, err := evaluateText(t, manySeries(4, 30), o); err == nil || !strings.Contains(err.Error(), `no key "s22"`) {
		t.Errorf("a key that is not there: %v", err)
	}
}
