package forecasts

import (
	"context"
	"fmt"
	"math"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/freshet-ml/freshet/models"
)

func zone(t testing.TB, name string) *time.Location {
	t.Helper()
	if name == "" {
		return nil
	}
	z, err := time.LoadLocation(name)
	if err != nil {
		t.Skipf("no time zones on this machine: %v", err)
	}
	return z
}

const good = "k,t,v,x\na,1,5,1\na,2,6,1\na,3,7,1\na,4,8,1\na,5,9,1\n"

// TestBadInput: what cannot be evaluated says where and how to mend it.
func TestBadInput(t *testing.T) {
	long := Options{Time: "t", Key: "k", Target: "v"}
	with := func(change func(*Options)) Options { o := long; change(&o); return o }
	for name, c := range map[string]struct {
		text string
		test string
		o    Options
		want string
	}{
		"horizon 0":              {text: good, o: with(func(o *Options) { o.Horizon = -1 }), want: "horizon -1: give the steps ahead that are forecast, 1 to 4096"},
		"horizon too long":       {text: good, o: with(func(o *Options) { o.Horizon = 5000 }), want: "horizon 5000"},
		"horizon beyond data":    {text: good, o: with(func(o *Options) { o.Horizon = 20 }), want: "the longest of 1 series has 5 rows"},
		"season 1":               {text: good, o: with(func(o *Options) { o.Seasons = []int{1} }), want: "season 1: give a number of steps"},
		"season twice":           {text: good, o: with(func(o *Options) { o.Seasons = []int{2, 2} }), want: "season 2 is there twice"},
		"levels":                 {text: good, o: with(func(o *Options) { o.Levels = []float64{.9, .1} }), want: "give rising numbers between 0 and 1"},
		"empty":                  {text: "k,t,v\n", o: long, want: "there is no row after the first line"},
		"no such target":         {text: good, o: with(func(o *Options) { o.Target = "w" }), want: `target: no column "w" in data`},
		"no such time":           {text: good, o: with(func(o *Options) { o.Time = "time" }), want: `time: no column "time" in data`},
		"no target":              {text: good, o: Options{Key: "k", Time: "t", Layout: "long"}, want: "target: none given"},
		"unclear":                {text: "1,2\n3,4\n", o: Options{}, want: "say with --target, --key and --time"},
		"value is text":          {text: good + "a,6,high,1\n", o: long, want: `data:7: column v: "high" is no finite number`},
		"value is infinite":      {text: good + "a,6,inf,1\n", o: long, want: `data:7: column v: "inf" is no finite number`},
		"no key":                 {text: good + ",6,1,1\n", o: long, want: "data:7: column k: the row has no key"},
		"no time":                {text: good + "a,,1,1\n", o: long, want: "data:7: column t: the row has no time"},
		"no such time text":      {text: good + "a,soon,1,1\n", o: long, want: `data:7: column t: "soon" is no number, and the times above are`},
		"time is text":           {text: "t,v\nsoon,1\n", o: Options{Time: "t", Target: "v"}, want: `data:2: column t: "soon" is no time: write RFC 3339`},
		"dates, then a number":   {text: "t,v\n2024-01-01,1\n7,1\n", o: Options{Time: "t", Target: "v"}, want: `"7" is a number, and the times above are dates`},
		"ragged long":            {text: good + "a,6\n", o: long, want: "data:7: the row has 2 fields, and the first line names 4 columns"},
		"time twice":             {text: good + "a,3,1,1\n", o: long, want: `data:7: key "a": there is a value of this step already, in line 4: remove one, or say with --repeated`},
		"hour twice, no zone":    {text: "t,v\n2024-10-27T01:00,1\n2024-10-27T02:00,1\n2024-10-27T02:00,2\n2024-10-27T03:00,1\n", o: Options{Time: "t", Target: "v"}, want: "give --zone, such as Europe/Berlin"},
		"hour that is left out":  {text: "t,v\n2024-03-31T01:00,1\n2024-03-31T02:30,1\n", o: Options{Time: "t", Target: "v", Zone: zone(t, "Europe/Berlin")}, want: `"2024-03-31T02:30" does not exist in Europe/Berlin`},
		"no step":                {text: "t,v\n2024-01-01T00:00:00Z,1\n2024-01-01T01:00:00Z,1\n2024-01-01T02:00:00Z,1\n2024-01-01T03:00:07Z,2\n", o: Options{Time: "t", Target: "v"}, want: "data:5: key \"\": the time lies 1h0m7s after the one before, which is no multiple of the usual step of 1h"},
		"step that does not fit": {text: good, o: with(func(o *Options) { o.Step = "2" }), want: "data:3: key \"a\": the time does not fit steps of 2 from the series' first, 1"},
		"step is no number":      {text: good, o: with(func(o *Options) { o.Step = "1h" }), want: "since the times are numbers"},
		"step without times":     {text: good, o: Options{Key: "k", Target: "v", Step: "1h"}, want: "step: there are no times"},
		"other day of month":     {text: "t,v\n2024-01-01,1\n2024-02-01,1\n2024-03-02,1\n", o: Options{Time: "t", Target: "v", Step: "1mo"}, want: "another day of the month"},
		"key twice in rows":      {text: "id,a,b,c,d\ns,1,2,3,4\ns,1,2,3,4\n", o: Options{}, want: `the key "s" is there twice, first in line 2`},
		"row without key":        {text: "id,a,b,c,d\ns,1,2,3,4\n,1,2,3,4\n", o: Options{Layout: "rows"}, want: "data:3: the row has no key in column id"},
		"rows too long":          {text: "id,a,b\ns,1,2,3\n", o: Options{Layout: "rows"}, want: "the row has 4 fields, and the first line names 3 columns"},
		"regressors of rows":     {text: "id,a,b\ns,1,2\n", o: Options{Layout: "rows", Regressors: []string{"a"}}, want: "no place for regressors"},
		"no such regressor":      {text: good, o: with(func(o *Options) { o.Regressors = []string{"z"} }), want: `regressors: no column "z"`},
		"regressor is text":      {text: good + "a,6,1,hot\n", o: with(func(o *Options) { o.Regressors = []string{"x"} }), want: `data:7: column x: "hot" is no finite number`},
		"regressor missing":      {text: good + "a,6,1,\n", o: with(func(o *Options) { o.Regressors, o.Spec = []string{"x"}, models.Named("forecaster_bank") }), want: `the regressor x has no number`},
		"regressor in a gap":     {text: good + "a,7,1,1\n", o: with(func(o *Options) { o.Regressors, o.Spec = []string{"x"}, models.Named("forecaster_bank") }), want: `key "a": there is no row for 6`},
		"regressor left aside":   {text: good + "a,6,1,1\n", o: with(func(o *Options) { o.Regressors, o.Spec = []string{"x"}, models.Named("holt_winters") }), want: "regressors: holt_winters uses none: leave them out, or take forecaster_bank, "},
		"unknown key in test":    {text: good, test: "k,t,v\nab,6,1\n", o: long, want: `data.csv:2: "ab": there is no such key in the file before`},
		"test is not after":      {text: good, test: "k,t,v\na,5,1\n", o: long, want: "its time 5 is not after 5, the last of the file before"},
		"test beyond horizon":    {text: good, test: "k,t,v\na,9,1\n", o: long, want: "no series has a value there within the horizon of 2 steps"},
		"test does not fit":      {text: good, test: "k,t,v\na,6.5,1\n", o: long, want: "does not fit steps of 1"},
		"test of another shape":  {text: "id,a,b\ns,1,2\n", test: "t,s\n2024-01-01,1\n", o: Options{}, want: "its layout is columns"},
		"model of another task":  {text: good, o: with(func(o *Options) { o.Spec = models.Named("prior") }), want: "prior cannot be used for the task forecast"},
		"repeated":               {text: good, o: with(func(o *Options) { o.Repeat = "median" }), want: `repeated "median": choose one of error, first, last, mean, sum`},
		"layout":                 {text: good, o: with(func(o *Options) { o.Layout = "square" }), want: `layout "square": choose one of`},
		"plot without ending":    {text: good, o: with(func(o *Options) { o.Plot = "p.gif" }), want: "end it in .svg, .png or .html"},
		"plot-key without plot":  {text: good, o: with(func(o *Options) { o.PlotKeys = []string{"a"} }), want: "name the file to draw to with --plot"},
	} {
		t.Run(name, func(t *testing.T) {
			if c.test != "" {
				c.o.Test = write(t, c.test)
			}
			_, err := evaluateText(t, c.text, c.o)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v\nwant %s", err, c.want)
			}
		})
	}
	o := long
	o.Test, o.Horizon, o.Spec = write(t, good), 1, naiveModel(t)
	if _, err := Run(context.Background(), o, nil); err == nil || !strings.Contains(err.Error(), "a test file alone leaves nothing to learn from") {
		t.Errorf("test without data: %v", err)
	}
}

// TestOddSeries: series that have no scale, too few values or none are answered, counted and named.
func TestOddSeries(t *testing.T) {
	text := "k,t,v\n"
	for i := range 12 {
		text += fmt.Sprintf("constant,%d,7\nzero,%d,0\nusual,%d,%d\n", i, i, i, 3+i%4+i/4%2)
	}
	text += "empty,0,\nempty,1,\nshort,0,4\nnew,9,1\nnew,10,2\nnew,11,3\n"
	r := mustText(t, text, Options{Time: "t", Key: "k", Target: "v", Seasons: []int{4}, Horizon: 2})
	notes := strings.Join(r.Notes, "\n")
	for _, want := range []string{"3 series repeat themselves before their first origin, or have less than a season there", "1 series have no value", "2 series were not forecast"} {
		if !strings.Contains(notes, want) {
			t.Errorf("no %q in\n%s", want, notes)
		}
	}
	if r.Unscaled != 3 || r.Series != 6 || r.Forecast != 4 || r.Health.Cold != 2 || r.Health.Good != 3 || r.Health.Unknown != 0 {
		t.Errorf("%+v", r)
	}
	if m := r.Metrics.Value("mase"); m != 1 { // of the usual series: errors of 1, scale 1
		t.Errorf("mase %v", m)
	}
	if s := r.Metrics.Value("smape"); !(s > 0 && s < 60) {
		t.Errorf("smape %v", s)
	}
	all := mustText(t, "k,t,v\na,0,0\na,1,0\na,2,0\na,3,0\n", Options{Time: "t", Key: "k", Target: "v"})
	if !math.IsNaN(all.Metrics.Value("mase")) || !math.IsNaN(all.Metrics.Value("owa")) || all.Metrics.Value("smape") != 0 || all.Metrics.Value("mae") != 0 {
		t.Errorf("zeros alone: %v", all.Metrics)
	}
}

// TestRepeated: what several values of a step are taken for.
func TestRepeated(t *testing.T) {
	for how, want := range map[string]float64{"first": 1, "last": 5, "mean": 3, "sum": 9} {
		o := Options{Time: "t", Target: "v", Repeat: how, Horizon: 1, Predictions: filepath.Join(t.TempDir(), "a.csv")}
		r := mustText(t, "t,v\n1,1\n1,\n1,3\n1,5\n2,2\n", o)
		if got := readAnswers(t, o.Predictions); len(got) != 1 || got[0].forecast != want || !strings.Contains(strings.Join(r.Notes, ""), how) {
			t.Errorf("%s: %+v, %v", how, got, r.Notes)
		}
	}
}

// TestOrigins: where a series of a gap and a missing value is forecast.
func TestOrigins(t *testing.T) {
	s := &series{train: 8}
	for i := range 12 {
		y := float64(i)
		if i == 3 {
			y = math.NaN()
		}
		if i != 5 {
			s.points = append(s.points, point{t: int64(i), y: y})
		}
	}
	s.train = 8 // steps 0 to 8
	for name, c := range map[string]struct {
		o    Options
		want string
	}{
		"last":           {Options{Horizon: 3}, "8+3"},
		"two":            {Options{Horizon: 3, Origins: Origins{Count: 2}}, "7+3 8+3"},
		"two, stride":    {Options{Horizon: 3, Origins: Origins{Count: 2, Stride: 3}}, "4+3 8+3"},
		"more than fit":  {Options{Horizon: 8, Origins: Origins{Count: 9}}, "0+8 1+8 2+8 3+8"},
		"all":            {Options{Horizon: 6, Origins: Origins{All: true}}, "1+6 2+6 3+6 4+6"},
		"all, season":    {Options{Horizon: 6, Origins: Origins{All: true}, Seasons: []int{2}}, "4+6"},
		"warm-up":        {Options{Horizon: 6, Origins: Origins{All: true}, WarmUp: 3}, "2+6 3+6 4+6"},
		"too short":      {Options{Horizon: 12}, ""},
		"test":           {Options{Horizon: 3, Test: "x"}, "8+3"},
		"test, partly":   {Options{Horizon: 5, Test: "x"}, "8+3"},
		"test, all":      {Options{Horizon: 2, Test: "x", Origins: Origins{All: true}}, "8+2 9+2"},
		"test, some":     {Options{Horizon: 1, Test: "x", Origins: Origins{Count: 2}}, "8+1 9+1"},
		"test, stride 2": {Options{Horizon: 1, Test: "x", Origins: Origins{All: true, Stride: 2}}, "8+1 10+1"},
	} {
		var got []string
		for _, at := range c.o.origins(s) {
			got = append(got, fmt.Sprintf("%d+%d", s.points[at.point].t, at.steps))
		}
		if text := strings.Join(got, " "); text != c.want {
			t.Errorf("%s: %q, want %q", name, text, c.want)
		}
	}
}
