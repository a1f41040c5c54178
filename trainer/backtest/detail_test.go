package backtest_test

import (
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/freshet-ml/freshet/models/metric"
	"github.com/freshet-ml/freshet/trainer/backtest"
)

// TestDetailsAreSumsOfThePredictions counts curves, calibration and segments anew from the predictions, with the trigger's own
// fields from the items.
func TestDetailsAreSumsOfThePredictions(t *testing.T) {
	prog := flightsProgram(t, 2)
	c := backtest.Candidate{Name: "a", Program: only(prog.Program, "late", "late.prior"), Items: items(t, config(t, prog), flightFiles(t, jan(1), jan(11)))}
	plain := run(t, backtest.Options{Candidates: []backtest.Candidate{c}})
	all := map[string][]backtest.Prediction{}
	o := backtest.Options{Candidates: []backtest.Candidate{c}, Details: true, Segments: []string{"origin", "scheduled.carrier"}, Predictions: func(p *backtest.Prediction) error {
		q := *p
		q.Answer = append([]float64(nil), p.Answer...)
		all[p.Model] = append(all[p.Model], q)
		return nil
	}}
	r := run(t, o)
	if r.Candidates[0].Sum != plain.Candidates[0].Sum {
		t.Error("details change what is learned")
	}
	for _, m := range r.Candidates[0].Models {
		events, loss := uint64(0), 0.0
		for _, p := range m.Curve {
			n, want := uint64(0), 0.0
			for _, a := range all[m.Name] {
				if a.Time >= p.From.UnixMicro() && a.Time < p.To.UnixMicro() {
					n++
					want += metric.BinaryLogLoss(a.Label, a.Answer[0])
				}
			}
			if n != p.Scored || math.Abs(want/float64(n)-p.Metrics.Value("log_loss")) > 1e-9 {
				t.Errorf("%s at %s: %d scored, log-loss %v; the predictions say %d, %v", m.Name, p.From, p.Scored, p.Metrics.Value("log_loss"), n, want/float64(n))
			}
			events += n
			loss += want
		}
		if events != m.Scored || len(m.Curve) < 20 || len(m.Curve) > 60 {
			t.Errorf("%s: %d of %d scored are in %d points", m.Name, events, m.Scored, len(m.Curve))
		}
		answers := uint64(0)
		for _, b := range m.Calibration {
			answers += b.Answers
		}
		if answers != m.Scored {
			t.Errorf("%s: %d of %d answers are in the calibration", m.Name, answers, m.Scored)
		}
		if len(m.Segments) != 2 {
			t.Fatalf("%s: segments %+v", m.Name, m.Segments)
		}
		for _, col := range m.Segments {
			n, sum := uint64(0), 0.0
			names := map[string]bool{}
			for _, v := range col.Values {
				n += v.Scored
				sum += float64(v.Loss) * float64(v.Scored)
				names[v.Value] = true
			}
			if n != m.Scored || math.Abs(sum-loss) > 1e-6 {
				t.Errorf("%s by %s: %d of %d, loss %v of %v", m.Name, col.Column, n, m.Scored, sum, loss)
			}
			if col.Column == "scheduled.origin" && (len(names) != 3 || !names["JFK"] || !names["EWR"] || !names["LGA"]) {
				t.Errorf("%s: %v", col.Column, names)
			}
		}
	}
	trigger := r.Candidates[0].Triggers[0]
	n := uint64(0)
	for _, b := range trigger.Delays {
		n += b.Labels
	}
	if n != r.Candidates[0].Models[0].Scored {
		t.Errorf("%d delays of %d labels", n, r.Candidates[0].Models[0].Scored)
	}
	// Ten days are 8,900 predictions: a reference of 5,000 and one window.
	if len(trigger.Drift) == 0 || trigger.Drift[0].Windows != 1 || trigger.Drift[0].Distance <= trigger.Drift[0].Threshold {
		t.Errorf("drift %+v: the hour of the year at least has drifted", trigger.Drift)
	}
	again := run(t, backtest.Options{Candidates: o.Candidates, Details: true, Segments: o.Segments, Workers: 3})
	if !reflect.DeepEqual(again.Candidates[0].Models[0].Segments, r.Candidates[0].Models[0].Segments) || !reflect.DeepEqual(again.Candidates[0].Triggers, r.Candidates[0].Triggers) {
		t.Error("details of two runs differ")
	}
}

func TestSegmentsThatAreNotThere(t *testing.T) {
	prog := flightsProgram(t, 1)
	c := backtest.Candidate{Name: "a", Program: only(prog.Program, "late"), Items: items(t, config(t, prog), flightFiles(t, jan(1), jan(2)))}
	for name, says := range map[string]string{"carier": "categorical ones are", "distance": "holds numbers"} {
		_, err := backtest.Run(t.Context(), backtest.Options{Candidates: []backtest.Candidate{c}, Details: true, Segments: []string{name}})
		if !errors.Is(err, backtest.ErrUnknown) || !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), "scheduled.carrier") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
