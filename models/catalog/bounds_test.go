package catalog_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/catalog"
)

// tight are bounds so narrow that a short stream meets them.
var tight = map[string]map[string]any{
	"hoeffding_tree":                    {"max_leaves": 4, "max_bytes": 1024, "grace_period": 20},
	"hoeffding_adaptive_tree":           {"max_bytes": 1 << 16, "grace_period": 20, "max_categories": 1024},
	"extremely_fast_decision_tree":      {"max_leaves": 4, "max_bytes": 1024, "grace_period": 20},
	"hoeffding_tree_regressor":          {"max_leaves": 4, "max_bytes": 1024, "grace_period": 20, "splitter": "e_bst"},
	"hoeffding_adaptive_tree_regressor": {"max_bytes": 1 << 17, "grace_period": 20, "splitter": "e_bst"},
	"stochastic_gradient_tree":          {"max_leaves": 4, "grace_period": 20, "delta": 0.1},
	"adaptive_random_forest":            {"trees": 3, "max_bytes": 1 << 16, "grace_period": 20, "delta": 0.1},
	"streaming_random_patches":          {"trees": 3, "max_bytes": 1 << 16, "grace_period": 20, "delta": 0.1},
	"gradient_boosted_trees":            {"trees": 5, "max_leaves": 4, "max_bytes": 1 << 14},
	"mondrian_forest":                   {"trees": 2, "max_nodes": 64},
	"naive_bayes":                       {"max_categories": 4},
	"gaussian_nb":                       {"max_categories": 4},
	"bernoulli_nb":                      {"max_categories": 4},
	"k_nearest_neighbors":               {"window": 50},
	"sam_knn":                           {"max_examples": 200},
	"clustream":                         {"micro_clusters": 5},
	"denstream":                         {"max_clusters": 5},
	"dbstream":                          {"max_clusters": 5},
	"robust_random_cut_forest":          {"trees": 2, "window": 20},
	"online_isolation_forest":           {"trees": 2, "window": 32, "max_leaf": 4},
	"quantile_filter":                   {"model": map[string]any{"half_space_trees": map[string]any{"trees": 2, "height": 4, "window": 50}}, "false_alarm_rate": 0.1},
	"autoencoder":                       {"hidden": []any{4}, "false_alarm_rate": 0.1},
	"one_hot":                           {"slots": 4},
	"ordinal_encoder":                   {"slots": 4},
	"dynamic_weighted_majority":         {"max_members": 2, "model": "majority_class"},
}

// elsewhere are counts that the stream below does not reach, with where a test does.
var elsewhere = map[string]string{
	"steps_skipped":       "models/neural: steady_test.go",
	"weights_rolled_back": "models/neural: steady_test.go",
	"values_refused":      "models/modeltest: the hostile series of RunForecaster",
	"values_damped":       "models/forecast: smoothing_test.go",
	"series_restarts":     "models/forecast: the hostile series of RunForecaster",

	"adaptive_random_forest/splits_refused":   "at 16,384 leaves of a tree, which is no parameter there; hoeffding_tree reaches it",
	"streaming_random_patches/splits_refused": "as adaptive_random_forest",
}

// drifting makes examples of two numbers, a category of hundreds of values and one of few; every thousand the labels turn, and once time leaps.
func drifting(n int, task models.Task) []models.Example {
	rng := rand.New(rand.NewPCG(3, 3))
	out, now := make([]models.Example, n), int64(0)
	for i := range out {
		a, b := rng.NormFloat64(), rng.Float64()
		if rng.IntN(50) == 0 {
			a *= 50
		}
		now += 1e6
		if i == n*4/5 {
			now += 3600e6
		}
		e := models.Example{Row: models.Row{Value: []float64{a, b, features.Category(fmt.Sprint("v", rng.IntN(900))), features.Category(fmt.Sprint("k", rng.IntN(6)))}},
			Key: uint64(1 + rng.IntN(40)), Time: now, Weight: 1}
		y := a + 3*math.Sin(9*b)
		if i/1000%2 == 1 {
			y = -y
		}
		if e.Y = y; task != models.Regression {
			e.Y = 0
			if y > 0 {
				e.Y = 1
			}
		}
		out[i] = e
	}
	return out
}

var driftingSchema = &features.Schema{Columns: []features.Column{{Name: "a"}, {Name: "b"}, {Name: "many", Kind: features.Categorical}, {Name: "few", Kind: features.Categorical}}}

// TestEveryCountIsReached: what the catalogue declares as counted is counted, not only named.
func TestEveryCountIsReached(t *testing.T) {
	for _, c := range catalog.All {
		if len(c.Bounds) == 0 || c.Name == "auto" { // its parts are tested by themselves, giving up experts below
			continue
		}
		t.Run(c.Name, func(t *testing.T) {
			reached := map[string]bool{}
			for _, task := range []models.Task{models.Binary, models.Regression, models.Anomaly} {
				if len(c.Tasks) > 0 && !slices.Contains(c.Tasks, task) || len(c.Tasks) == 0 && task == models.Anomaly {
					continue
				}
				sizes := []int{0}
				if _, ok := tight[c.Name]["max_bytes"]; ok { // which of several bounds is met first depends on it
					sizes = []int{0, 1 << 16, 1 << 17, 1 << 18, 1 << 19}
				}
				for _, bytes := range sizes {
					for _, d := range models.DroppedBy(tightModel(t, &c, task, bytes)) {
						reached[d.What] = reached[d.What] || d.Count > 0
					}
				}
			}
			for _, b := range c.Bounds {
				if !reached[b.What] && elsewhere[b.What] == "" && elsewhere[c.Name+"/"+b.What] == "" {
					t.Errorf("%s stays 0", b.What)
				}
			}
		})
	}
}

// tightModel builds a component with narrow bounds, or with so many bytes and leaves without end if bytes is not 0, and feeds it, labels coming late.
func tightModel(t *testing.T, c *models.Component, task models.Task, bytes int) models.Learner {
	t.Helper()
	params := map[string]any{}
	for k, v := range tight[c.Name] {
		params[k] = v
	}
	if bytes > 0 {
		params["max_bytes"] = bytes
		delete(params, "max_leaves")
	}
	for _, p := range c.Params { // of nets
		switch p.Name {
		case "max_categories":
			if _, given := params[p.Name]; !given {
				params[p.Name] = 512
			}
		case "min_count":
			params[p.Name] = 2
		case "expire_after":
			params[p.Name] = 600
		case "max_entities":
			params[p.Name] = 16
		case "hidden":
			if c.Name != "gru" && c.Name != "rnn" && c.Name != "linear_recurrence" && c.Name != "autoencoder" {
				params[p.Name] = []any{4}
			}
		case "left":
			params[p.Name] = []any{"a", "many"}
		}
	}
	spec := models.Spec{Stages: []models.Stage{{Name: c.Name, Params: params}}}
	if c.Kind == models.TransformerKind {
		spec.Stages = append(spec.Stages, models.Stage{Name: behind(task)})
	}
	l, err := catalog.Build(encoded(spec), models.Env{Task: task, Classes: 2, Seed: 1, Schema: driftingSchema})
	if err != nil {
		t.Fatal(err)
	}
	const delay = 60
	es := drifting(5000, task)
	past := make([][]float64, len(es))
	for i := range es {
		past[i] = l.Predict(nil, &es[i])
		l.Observe(&es[i])
		if i >= delay {
			l.Learn(&es[i-delay], past[i-delay])
		}
		if i%500 == 0 { // of an entity that was never seen
			stray := es[i]
			stray.Key = uint64(1000 + i)
			l.Learn(&stray, nil)
		}
	}
	return l
}

// probe is a model that drops every label; it answers ½.
type probe struct{ labels uint64 }

func (p *probe) Predict(dst []float64, _ *models.Example) []float64 { return append(dst, 0.5) }
func (p *probe) Observe(*models.Example)                            {}
func (p *probe) Learn(*models.Example, []float64)                   { p.labels++ }
func (p *probe) State(s *codec.State)                               { s.Uint64(&p.labels) }
func (p *probe) Publish() models.Predictor                          { return p }
func (p *probe) Dropped(d *models.Drops)                            { d.Add("probes", p.labels) }

// sieve is a transformer that does the same.
type sieve struct {
	models.LabelFree
	schema *features.Schema
	seen   uint64
}

func (p *sieve) Transform(_ models.Row, e *models.Example) models.Row { return e.Row }
func (p *sieve) Observe(*models.Example)                              { p.seen++ }
func (p *sieve) State(s *codec.State)                                 { s.Uint64(&p.seen) }
func (p *sieve) Schema() *features.Schema                             { return p.schema }
func (p *sieve) Snapshot() models.Transformer                         { return p }
func (p *sieve) Dropped(d *models.Drops)                              { d.Add("sieves", p.seen) }

// TestWholesCountTheirParts: every component that takes others as parameters, and every pipeline, counts what they count, also where it throws some away.
func TestWholesCountTheirParts(t *testing.T) {
	registry := append(slices.Clone(catalog.All),
		models.Component{Name: "probe", Kind: models.ModelKind, Bounds: []models.Bound{{What: "probes"}}, NewModel: func(models.Args, models.Env) (models.Learner, error) { return &probe{}, nil }},
		models.Component{Name: "sieve", Kind: models.TransformerKind, Bounds: []models.Bound{{What: "sieves"}}, NewTransformer: func(_ models.Args, env models.Env) (models.Transformer, error) {
			return &sieve{schema: env.Schema}, nil
		}})
	inner := []any{"sieve", "probe"}
	for _, c := range catalog.All {
		for _, p := range c.Params {
			var spec models.Spec
			what := "sieves"
			switch {
			case p.Part == models.ModelKind:
				spec.Stages, what = []models.Stage{{Name: c.Name, Params: map[string]any{p.Name: inner}}}, "probes"
				if p.Many {
					spec.Stages[0].Params[p.Name] = []any{inner, "probe"}
				}
			case p.Part == models.TransformerKind && p.Many:
				spec.Stages = []models.Stage{{Name: c.Name, Params: map[string]any{p.Name: []any{"sieve", "sieve"}}}, {Name: "prior"}}
			default:
				continue
			}
			t.Run(c.Name+"/"+p.Name, func(t *testing.T) { wholeCounts(t, registry, &c, spec, what) })
		}
	}
}

func wholeCounts(t *testing.T, registry models.Registry, c *models.Component, spec models.Spec, what string) {
	task := models.Binary
	if len(c.Tasks) > 0 && !slices.Contains(c.Tasks, task) {
		task = c.Tasks[0]
	}
	plan, err := registry.Resolve(spec, task)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(plan.Bounds(), func(b models.Bound) bool { return b.What == what }) {
		t.Errorf("the plan has the bounds %v, without %s", plan.Bounds(), what)
	}
	l, err := plan.Build(models.Env{Task: task, Classes: 2, Seed: 1, Schema: &features.Schema{Columns: driftingSchema.Columns[:2]}})
	if err != nil {
		t.Fatal(err)
	}
	before := uint64(0)
	for i, e := range drifting(3000, task) {
		e.Value = e.Value[:2]
		l.Learn(&e, l.Predict(nil, &e))
		l.Observe(&e)
		if i%100 == 99 {
			now := models.DroppedBy(l).Count(what)
			if now < before || i > 2000 && now == 0 {
				t.Fatalf("after %d examples %s is %d, before it was %d", i, what, now, before)
			}
			before = now
		}
	}
}

// TestAutoCountsWhatItGaveUp: dear experts that do not pay go, and their counts stay, also over a save.
func TestAutoCountsWhatItGaveUp(t *testing.T) {
	build := func() models.Learner {
		l, err := catalog.Build(models.Spec{Stages: []models.Stage{{Name: "auto", Params: map[string]any{"experts": []any{"prior", "neighbors"}}}}},
			models.Env{Task: models.Binary, Classes: 2, Seed: 1, Schema: driftingSchema})
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	l, rng := build(), rand.New(rand.NewPCG(5, 5))
	before := models.Drops{}
	for i, e := range drifting(8400, models.Binary) {
		e.Y = float64(rng.IntN(2)) // neighbours cannot help
		l.Learn(&e, l.Predict(nil, &e))
		if i%1000 == 999 {
			before = models.DroppedBy(l)
		}
	}
	now := models.DroppedBy(l)
	if now.Count("experts_dropped") != 1 || now.Count("examples_forgotten") < before.Count("examples_forgotten") || before.Count("examples_forgotten") == 0 {
		t.Errorf("%v, before %v", now, before)
	}
	again := build()
	if err := codec.Load(again, codec.Save(l)); err != nil || !slices.Equal(models.DroppedBy(again), now) {
		t.Errorf("loaded %v, saved %v: %v", models.DroppedBy(again), now, err)
	}
}
