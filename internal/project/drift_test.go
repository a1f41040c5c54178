package project_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/internal/project"
	"github.com/freshet-ml/freshet/models/drift"
)

// watched is a project with a classifier, a regression and a forecast, and this at its end; of is what stands in the classifier.
func watched(t *testing.T, of, end string) *project.Project {
	t.Helper()
	p, err := project.Parse("freshet.yaml", []byte(`version: 1
project: shop
sources:
  orders: {time: at, fields: {id: string, user: string, city: string, amount: double}}
  paid: {time: at, fields: {id: string, amount: double}}
features:
  user: {key: user, spent: {sum: orders.amount, over: [1h, 6h]}, place: {last: orders.city}}
models:
  pays: {task: binary, on: orders, id: id, use: [user.*], label: {from: paid, by: id, value: amount > 0, wait: 1h}`+of+`}
  value: {task: regression, on: orders, id: id, use: [user.*, orders.amount], label: {from: paid, by: id, value: amount, wait: 1h}}
  demand: {task: forecast, on: orders, key: user, target: amount, step: 1d, horizon: 3}
`+end), nil)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// A model's own detector counts before that of the project, which watches what it can.
func TestDetectorOfAModel(t *testing.T) {
	for _, c := range []struct{ of, end, pays, value, demand string }{
		{"", "", "adwin", "adwin", "adwin"},
		{"", "drift: {loss: ddm}\n", "ddm", "adwin", "adwin"},
		{"", "drift: {loss: kswin}\n", "kswin", "kswin", "kswin"},
		{", drift: {loss: {hddm_w: {lambda: 0.1}}}", "drift: {loss: kswin}\n", "hddm_w", "kswin", "kswin"},
		{", drift: {loss: adwin}", "drift: {loss: ddm}\n", "adwin", "adwin", "adwin"},
	} {
		p := watched(t, c.of, c.end)
		for name, want := range map[string]string{"pays": c.pays, "value": c.value, "demand": c.demand} {
			plan, err := p.Detector(p.Model(name))
			if err != nil || plan.Name() != want {
				t.Errorf("%s%s: %s is watched by %v, want %s: %v", c.of, c.end, name, plan, want, err)
			}
			if print := p.DetectorFingerprint(p.Model(name)); (print == "") != (want == "adwin") {
				t.Errorf("%s: %q", name, print)
			}
		}
		if p.Generation() != watched(t, "", "").Generation() {
			t.Error("drift changes the generation")
		}
	}
}

// Columns are measured as the project says: by their own names before those of features before patterns, categories never by their order.
func TestMeasuresOfColumns(t *testing.T) {
	columns := []features.Column{{Name: "user.spent_1h"}, {Name: "user.spent_6h"}, {Name: "user.place", Kind: features.Categorical}, {Name: "orders.amount"}}
	usual, ks := drift.UsualMeasure, drift.Measure{Name: "ks", Threshold: 0.1, Alert: 0.25}
	big := drift.Measure{Name: "psi", Threshold: 0.1, Alert: 0.5}
	js, earth := drift.Measure{Name: "jensen_shannon", Threshold: 0.2, Alert: 0.25}, drift.Measure{Name: "wasserstein", Threshold: 0.3, Alert: 0.6}
	for text, want := range map[string][]drift.Measure{
		"":                         nil,
		"drift: {features: psi}\n": nil,
		"drift: {features: {psi: {threshold: 0.1}}}\n":                                     nil,
		"drift: {features: ks}\n":                                                          {ks, ks, usual, ks},
		"drift: {features: {psi: {alert: 0.5}}}\n":                                         {big, big, big, big},
		"drift: {columns: {orders.amount: ks}}\n":                                          {usual, usual, usual, ks},
		"drift: {features: ks, columns: {user.*: psi}}\n":                                  {usual, usual, usual, ks},
		"drift: {features: ks, columns: {'*': psi}}\n":                                     nil,
		"drift: {columns: {user.spent: ks, user.*: {jensen_shannon: {threshold: 0.2}}}}\n": {ks, ks, js, usual},
		"drift: {columns: {user.spent: ks, user.spent_6h: {wasserstein: {threshold: 0.3, alert: 0.6}}, user.*: {jensen_shannon: {threshold: 0.2}}, '*': ks}}\n": {ks, earth, js, ks},
	} {
		p := watched(t, "", text)
		got, err := p.Measures([]*project.Model{p.Model("pays"), p.Model("value")}, columns)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v: %v", text, got, want, err)
		}
	}
}

// Another detector or measure is no new generation; the plan says which learners fold again, and the usual one with its own defaults written out
// is no change.
func TestChangeOfWhatWatches(t *testing.T) {
	usual := watched(t, "", "")
	for _, c := range []struct{ of, end, what, of2 string }{
		{"", "drift: {loss: {adwin: {delta: 0.002}}, features: {psi: {threshold: 0.1}}}\n", "", ""},
		{"", "drift: {loss: {page_hinkley: {threshold: 20}}}\n", "drift of the loss", "of demand, pays, value: learners"},
		{"", "drift: {loss: ddm}\n", "drift of the loss", "of pays: learners"},
		{", drift: {loss: ddm}", "", "drift of the loss", "of pays: learners"},
		{"", "drift: {features: jensen_shannon}\n", "drift of features", ""},
		{"", "drift: {columns: {orders.amount: ks}}\n", "drift of features", "of demand, pays, value: learners"},
	} {
		other := watched(t, c.of, c.end)
		got := project.Compare(usual, other)
		if c.what == "" {
			if len(got) != 0 {
				t.Errorf("%s: %v", c.end, got)
			}
			continue
		}
		if len(got) != 1 || got[0].What != c.what || got[0].Effect != project.Restart || !strings.HasPrefix(got[0].Note, c.of2) || (got[0].Note == "") != (c.of2 == "") {
			t.Errorf("%s%s: %+v", c.of, c.end, got)
		}
	}
	a, b := watched(t, "", "drift: {features: ks}\n"), watched(t, "", "drift: {features: {wasserstein: {threshold: 0.5}}}\n")
	if got := project.Compare(a, b); len(got) != 1 || got[0].Note != "" {
		t.Errorf("the counts are the same, and nothing is folded again: %+v", got)
	}
}
