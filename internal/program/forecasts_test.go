package program_test

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models/fold"
	"github.com/freshet-ml/freshet/trainer"
)

// demand forecasts what each shop sells of each product, three hours ahead, with a second forecaster beside, and a model that uses the forecasts.
const demand = `
version: 1
project: shops
clock: events
sources:
  sales: {time: at, fields: {shop: string, product: int, amount: double?, price: double}}
models:
  demand:
    task: forecast
    on: sales
    key: [shop, product]
    target: amount
    step: 1h
    season: 24
    horizon: 48
    label: {from: sales, by: key, value: amount, ahead: 3h}
    pipeline: {dynamic_linear_model: {}}
    levels: [0.1, 0.5, 0.9]
    lateness: 1h
    regressors: [price]
    calendar: [weekday]
    challengers:
      plain: {pipeline: [seasonal_naive]}
`

func sale(seq uint64, at int64, shop string, product int64, amount float64) *features.Item {
	v := features.DoubleValue(amount)
	if math.IsNaN(amount) {
		v = features.Value{}
	}
	return &features.Item{Seq: seq, Kind: features.EventItem, Source: 0, Time: at,
		Fields: []features.Value{features.TimeValue(at), features.StringValue(shop), features.IntValue(product), v, features.DoubleValue(9.5)}}
}

// TestForecastIsJudgedByTheLaterValue replays a month of six series; each example's label is the value of its key three hours later, and the baseline is
// scored as by hand.
func TestForecastIsJudgedByTheLaterValue(t *testing.T) {
	prog := compiled(t, demand)
	if n := len(prog.Triggers); n != 1 || len(prog.Triggers[0].Members) != 3 {
		t.Fatalf("%d triggers", n)
	}
	for name, want := range map[string]int{"demand": 1, "plain": 0, "seasonal_naive": 0} { // what Forecast must be told
		if f, _ := prog.Project.Forecaster(prog.Project.Model("demand"), name); len(f.Regressors) != want || len(f.Calendar) != want {
			t.Errorf("%s has the regressors %v and the calendar %v", name, f.Regressors, f.Calendar)
		}
	}
	r, err := trainer.NewReplay(prog.Program)
	if err != nil {
		t.Fatal(err)
	}
	rng, seq := rand.New(rand.NewPCG(7, 8)), uint64(0)
	const hours = 30 * 24
	var values [2][3][hours]float64
	errs, n := 0.0, 0.0
	for hour := range hours {
		for shop := range 2 {
			for product := range 3 {
				y := math.Round(amountOf(rng, shop+product, hour))
				if rng.IntN(20) == 0 && hour >= 24 {
					y = math.NaN()
				}
				values[shop][product][hour] = y
				if err := r.Apply(sale(seq, opening+int64(hour)*anHour+int64(shop), fmt.Sprint(shop), int64(product), y)); err != nil {
					t.Fatal(err)
				}
				seq++
			}
		}
	}
	// The answer at hour h knows the values before h, and is for h + 3: the value of the same hour of a day before. On the first day, without one, it is that of the hour before.
	before := func(s *[hours]float64, h int) float64 {
		if h+3 < 24 {
			return s[h-1]
		}
		at := h + 3 - 24
		for at >= h || math.IsNaN(s[at]) {
			at -= 24
		}
		return s[at]
	}
	for shop := range 2 {
		for product := range 3 {
			s := &values[shop][product]
			for h := 1; h+3 < hours; h++ {
				if y, f := s[h+3], before(s, h); !math.IsNaN(y) {
					errs, n = errs+math.Abs(y-f), n+1
				}
			}
		}
	}
	f := r.Fold("sales")
	for name, score := range map[string]float64{"demand.seasonal_naive": errs / n, "plain": errs / n} {
		got, ok := f.Metric(name, "mae")
		if !ok || math.Abs(got-score) > 1e-9 {
			t.Errorf("%s: mae %.3f, by hand %.3f", name, got, score)
		}
	}
	mae, _ := f.Metric("demand", "mae")
	cover, ok := f.Metric("demand", "coverage_80")
	crps, _ := f.Metric("demand", "crps")
	t.Logf("mae %.2f of the model, %.2f of the season before; coverage of 80 %%: %.3f, crps %.2f", mae, errs/n, cover, crps)
	if !ok || !(cover > .5 && cover < 1) || !(crps > 0 && crps < mae) || !(mae < 1.1*errs/n) {
		t.Error("these scores cannot be")
	}
	j := r.Joiner("sales").Stats()
	if j.Predicted != uint64(6*hours) || j.Learned+j.Missing+uint64(r.Joiner("sales").Pending()) != j.Predicted || j.Missing < 100 || j.Duplicates > 0 {
		t.Errorf("%+v, %d wait", j, r.Joiner("sales").Pending())
	}
	score, _ := f.Score("demand")
	if score.Labels == 0 || score.Learned != j.Learned {
		t.Errorf("%d labels, %d learned, %d joined", score.Labels, score.Learned, j.Learned)
	}
	snap, err := f.Snapshot("demand")
	if err != nil || snap == nil || snap.Held {
		t.Errorf("snapshot %v, %v", snap, err)
	}
}

// TestLaterValues: who awaits what, by hand: two examples of one step get one label, other keys none, the second value of a step is ignored, and what never comes is closed.
func TestLaterValues(t *testing.T) {
	prog := compiled(t, demand)
	trigger := prog.Triggers[0]
	var got []string
	emit := func(e *fold.Entry) {
		switch e.Kind {
		case fold.Learn:
			got = append(got, fmt.Sprintf("learn %d %g %s", e.Ref, e.Y, e.ID))
		case fold.Close:
			got = append(got, fmt.Sprintf("close %d", e.Ref))
		}
	}
	j := trainer.NewJoiner(trigger, prog.Sources, emit)
	feed := func(j *trainer.Joiner, from int, events ...*features.Item) {
		for i, it := range events {
			it.Seq = uint64(from + i)
			j.Apply(it, trigger.Vector.Begin(nil), features.NoTime)
		}
	}
	events := []*features.Item{
		sale(0, opening, "a", 1, 10), sale(0, opening+1, "a", 1, 11), sale(0, opening+2, "b", 1, 12), sale(0, opening+2, "a", 2, 13), // all in hour 0
		sale(0, opening+3*anHour-1, "a", 1, 14), // hour 2: too early
		sale(0, opening+3*anHour+5, "a", 1, math.NaN()), sale(0, opening+3*anHour+6, "a", 1, 15), sale(0, opening+3*anHour+7, "a", 1, 16),
	}
	feed(j, 0, events[:6]...)
	saved := codec.Save(j) // goes on from here
	loaded := trainer.NewJoiner(trigger, prog.Sources, emit)
	if err := codec.Load(loaded, saved); err != nil || !bytes.Equal(codec.Save(loaded), saved) {
		t.Fatalf("the joiner is not what was saved: %v", err)
	}
	feed(loaded, 6, events[6:]...)
	feed(loaded, 8, sale(0, opening+9*anHour, "c", 9, 1))
	want := []string{"learn 0 15 a/1@2024-03-01T00:00:00Z", "learn 1 15 a/1@2024-03-01T00:00:00.000001Z", "close 2", "close 3", "close 4", "close 5", "close 8", "close 9"}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%q\nwant %q", got, want)
	}
}

// TestLaterSums: with aggregate: sum the label is what the key's whole step comes to, known when the watermark is lateness behind its end: 0 where nothing came; late values count
// until then, later ones are counted as late.
func TestLaterSums(t *testing.T) {
	prog := compiled(t, strings.Replace(demand, "    step: 1h\n", "    step: 1h\n    aggregate: sum\n", 1))
	trigger := prog.Triggers[0]
	if w := trigger.Labels[0].Wait; w != 6*anHour {
		t.Errorf("a label is waited for %d hours, want the lead of 3, two steps and the lateness", w/anHour)
	}
	var got []string
	emit := func(e *fold.Entry) {
		switch e.Kind {
		case fold.Learn:
			got = append(got, fmt.Sprintf("learn %d %g", e.Ref, e.Y))
		case fold.Close:
			got = append(got, fmt.Sprintf("close %d", e.Ref))
		}
	}
	j := trainer.NewJoiner(trigger, prog.Sources, emit)
	events := []*features.Item{
		sale(0, opening, "a", 1, 10), sale(0, opening+1, "a", 1, 11), sale(0, opening+2, "b", 1, 12), // hour 0
		sale(0, opening+3*anHour, "a", 1, 14), sale(0, opening+3*anHour+6, "a", 1, 15), // hour 3
		sale(0, opening+4*anHour+5, "a", 1, 100), sale(0, opening+3*anHour+7, "a", 1, 16), // the second is late, and counts
		sale(0, opening+5*anHour-1, "a", 2, 1), sale(0, opening+5*anHour, "a", 2, 1), // the end of hour 3 and its lateness
		sale(0, opening+3*anHour+8, "a", 1, 1000), // too late
	}
	for i, it := range events {
		if i == 6 { // goes on from what was saved
			saved := codec.Save(j)
			j = trainer.NewJoiner(trigger, prog.Sources, emit)
			if err := codec.Load(j, saved); err != nil || !bytes.Equal(codec.Save(j), saved) {
				t.Fatalf("the joiner is not what was saved: %v", err)
			}
		}
		if it.Seq = uint64(i); i == 8 && len(got) > 0 {
			t.Errorf("%q before the watermark has passed", got)
		}
		j.Apply(it, trigger.Vector.Begin(nil), features.NoTime)
	}
	if want := "[learn 0 45 learn 1 45 learn 2 0]"; fmt.Sprint(got) != want {
		t.Errorf("%q, want %s", got, want)
	}
	if s := j.Stats(); s.Late != 1 || s.Missing != 0 || s.Learned != 3 {
		t.Errorf("%+v", s)
	}
}
