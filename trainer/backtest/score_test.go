package backtest_test

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/models/metric"
	"github.com/freshet-ml/freshet/trainer"
	"github.com/freshet-ml/freshet/trainer/backtest"
)

// TestWarmUpIsLearnedNotScored: the warm-up changes no learning, and the scores are those of the answers after it.
func TestWarmUpIsLearnedNotScored(t *testing.T) {
	prog := flightsProgram(t, 1)
	c := backtest.Candidate{Name: "a", Program: only(prog.Program, "late", "late.prior"), Items: items(t, config(t, prog), flightFiles(t, jan(1), jan(5)))}
	whole := run(t, backtest.Options{Candidates: []backtest.Candidate{c}})
	sums, n := map[string]float64{}, map[string]int{}
	o := backtest.Options{Candidates: []backtest.Candidate{c}, WarmUp: 36 * time.Hour, Predictions: func(p *backtest.Prediction) error {
		if p.Scored {
			sums[p.Model] += metric.BinaryLogLoss(p.Label, p.Answer[0])
			n[p.Model]++
		}
		return nil
	}}
	warm := run(t, o)
	a, b := whole.Candidates[0], warm.Candidates[0]
	if a.Sum != b.Sum {
		t.Error("the warm-up changes what is learned")
	}
	if !b.ScoredFrom.Equal(b.First.Add(36 * time.Hour)) {
		t.Errorf("first event %s, scored from %s", b.First, b.ScoredFrom)
	}
	for _, m := range b.Models {
		before := a.Model(m.Name)
		if m.Scored == 0 || m.Unscored == 0 || m.Scored+m.Unscored != before.Scored || m.Learned != before.Learned {
			t.Errorf("%s: %d scored and %d not, of %d", m.Name, m.Scored, m.Unscored, before.Scored)
		}
		if want := sums[m.Name] / float64(n[m.Name]); int(m.Scored) != n[m.Name] || math.Abs(m.Metrics.Value("log_loss")-want) > 1e-9 {
			t.Errorf("%s: log-loss %v of %d, the predictions say %v of %d", m.Name, m.Metrics.Value("log_loss"), m.Scored, want, n[m.Name])
		}
	}
}

// TestBetween replays one day out of four: rows of tables from before are there, events are not.
func TestBetween(t *testing.T) {
	prog := flightsProgram(t, 1)
	files := flightFiles(t, jan(1), jan(5))
	c := backtest.Candidate{Name: "a", Program: only(prog.Program, "late.prior"), Items: items(t, config(t, prog), files)}
	r := run(t, backtest.Options{Candidates: []backtest.Candidate{c}, From: jan(2), To: jan(3)}).Candidates[0]
	counts := map[string]int{}
	err := c.Items(t.Context(), func(it *features.Item, _ int64) error {
		in := &prog.Sources[it.Source]
		if it.Time < jan(3).UnixMicro() && (in.Table || it.Time >= jan(2).UnixMicro()) {
			counts[in.Name]++
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	all := 0
	for _, n := range counts {
		all += n
	}
	if r.Items != uint64(all) || r.Triggers[0].Predictions != uint64(counts["scheduled"]) || counts["scheduled"] == 0 || counts["planes"] == 0 {
		t.Errorf("%d items, %d predictions of %v", r.Items, r.Triggers[0].Predictions, counts)
	}
	if r.First.Before(jan(2)) || !r.Last.Before(jan(3)) {
		t.Errorf("from %s to %s", r.First, r.Last)
	}
}

// TestSameModelTwice: a candidate that is the same differs by nothing, one without streaming features by much.
func TestSameModelTwice(t *testing.T) {
	prog := flightsProgram(t, 1)
	list := items(t, config(t, prog), flightFiles(t, jan(1), jan(11)))
	p := only(prog.Program, "late", "static")
	r := run(t, backtest.Options{Candidates: []backtest.Candidate{{Name: "a", Program: p, Items: list}, {Name: "b", Program: p, Items: list}}})
	again, static := r.Candidates[1].Model("late").Paired, r.Candidates[1].Model("static").Paired
	if again == nil || again.Against != "a/late" || again.Differs || again.Low > 0 || again.High < 0 || again.Mean != 0 {
		t.Errorf("the same model: %+v", again)
	}
	if static == nil || !static.Differs || !(static.Low > 0) || static.Loss != "log_loss" {
		t.Errorf("without streaming features: %+v", static)
	}
	own := r.Candidates[0].Model("static").Paired
	if own == nil || own.Against != "late" || own.Mean != static.Mean || own.N != static.N {
		t.Errorf("within a candidate %+v, between candidates %+v", own, static)
	}
	// 99 % of the labels of flights come within about nine hours, some 450 flights.
	trigger := r.Candidates[0].Triggers[0]
	if own.Block != trigger.DelayP99Rows || own.Block < 200 || own.Block > 600 {
		t.Errorf("block of %d examples, the delay is %d", own.Block, trigger.DelayP99Rows)
	}
	if r.Candidates[0].Model("late").Paired != nil {
		t.Error("the first champion is compared with itself")
	}
}

// shuffled hands out the same items with the values of one field dealt anew among the events of its source.
func shuffled(list backtest.Items, p *trainer.Program, source, field string, seed uint64) backtest.Items {
	s := slices.IndexFunc(p.Sources, func(s features.Source) bool { return s.Name == source })
	i := p.Sources[s].FieldIndex(field)
	return func(ctx context.Context, visit backtest.Visit) error {
		var values []features.Value
		err := list(ctx, func(it *features.Item, _ int64) error {
			if it.Source == s && it.Kind == features.EventItem {
				values = append(values, it.Fields[i])
			}
			return nil
		})
		if err != nil {
			return err
		}
		rand.New(rand.NewPCG(seed, seed)).Shuffle(len(values), func(a, b int) { values[a], values[b] = values[b], values[a] })
		return list(ctx, func(it *features.Item, appended int64) error {
			if it.Source == s && it.Kind == features.EventItem {
				it.Fields[i], values = values[0], values[1:]
			}
			return visit(it, appended)
		})
	}
}

// TestShuffledLabelsTeachNothing is the control for leaks: with labels dealt at random, nothing may know them.
func TestShuffledLabelsTeachNothing(t *testing.T) {
	prog := flightsProgram(t, 1)
	from := time.Date(2013, 6, 1, 0, 0, 0, 0, time.UTC)
	list := items(t, config(t, prog), flightFiles(t, from, from.AddDate(0, 1, 0)))
	p := only(prog.Program, "late")
	r := run(t, backtest.Options{Candidates: []backtest.Candidate{{Name: "shuffled", Program: p, Items: shuffled(list, p, "arrived", "arr_delay", 1)}}})
	m := r.Candidates[0].Model("late")
	if auc := m.Metrics.Value("roc_auc"); math.Abs(auc-0.5) > 0.01 || m.Scored < 25_000 {
		t.Errorf("AUC %.4f of %d shuffled labels, want .50 ± .01", auc, m.Scored)
	}
}
