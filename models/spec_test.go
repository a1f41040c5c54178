package models_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
)

// constantModel answers with its parameter; scaled doubles every column. They are the smallest
// catalogue that has every kind of parameter.
type constantModel struct {
	rate float64
	seen uint64
	rows []float64 // first columns of the rows it learned
}

func (m *constantModel) Predict(dst []float64, e *models.Example) []float64 {
	return append(dst, m.rate+e.At(0))
}
func (m *constantModel) Observe(*models.Example) { m.seen++ }
func (m *constantModel) Learn(e *models.Example, past []float64) {
	m.rows = append(m.rows, e.At(0))
}
func (m *constantModel) State(s *codec.State)      { s.Float64(&m.rate); s.Uint64(&m.seen) }
func (m *constantModel) Publish() models.Predictor { c := *m; return &c }

// shift adds to every column how many rows it has observed.
type shift struct {
	schema           *features.Schema
	observed, taught float64
}

func (t *shift) Transform(dst models.Row, e *models.Example) models.Row {
	dst.Value = dst.Value[:0]
	for _, x := range e.Value {
		dst.Value = append(dst.Value, x+t.observed)
	}
	return dst
}
func (t *shift) Observe(*models.Example)      { t.observed++ }
func (t *shift) Learn(*models.Example)        { t.taught++ }
func (t *shift) State(s *codec.State)         { s.Float64(&t.observed); s.Float64(&t.taught) }
func (t *shift) Schema() *features.Schema     { return t.schema }
func (t *shift) Snapshot() models.Transformer { c := *t; return &c }

var small = models.Registry{
	{Name: "shift", Kind: models.TransformerKind, Fold: 1,
		NewTransformer: func(_ models.Args, env models.Env) (models.Transformer, error) {
			return &shift{schema: env.Schema}, nil
		}},
	{Name: "constant", Kind: models.ModelKind, Fold: 2, Tasks: []models.Task{models.Binary},
		Params: []models.Param{
			{Name: "learning_rate", Default: 0.5, Range: models.Above(0)},
			{Name: "trees", Default: 10, Range: models.Between(1, 100), Unit: "trees"},
			{Name: "fast", Default: true},
			{Name: "leaf", Default: "nba", Choices: []string{"mc", "nb", "nba"}},
			{Name: "columns", Default: []string(nil)},
			{Name: "fresh", Default: "no", Choices: []string{"no", "yes"}, Later: true},
			{Name: "optimizer", Default: models.Named("sgd"), Part: models.OptimizerKind},
		},
		NewModel: func(a models.Args, _ models.Env) (models.Learner, error) {
			return &constantModel{rate: a.Float("learning_rate")}, nil
		}},
	{Name: "sgd", Kind: models.OptimizerKind, Fold: 1, Params: []models.Param{{Name: "rate", Default: 0.01, Range: models.Above(0)}},
		NewPart: func(a models.Args, _ models.Env) (any, error) { return a.Float("rate"), nil }},
}

// listed has components that hold lists of others.
var listed = append(models.Registry{
	{Name: "vote", Kind: models.ModelKind, Fold: 1, Tasks: []models.Task{models.Binary},
		Params: []models.Param{{Name: "models", Default: []models.Spec{models.Named("constant"), models.Named("constant")}, Part: models.ModelKind, Many: true}},
		NewModel: func(a models.Args, env models.Env) (models.Learner, error) {
			ms, err := a.Models("models", env)
			return &constantModel{rate: float64(len(ms))}, err
		}},
	{Name: "several", Kind: models.TransformerKind, Fold: 1,
		Params: []models.Param{{Name: "of", Default: []models.Spec{models.Named("shift")}, Part: models.TransformerKind, Many: true}},
		NewTransformer: func(a models.Args, env models.Env) (models.Transformer, error) {
			ts, err := a.ChainedTransformers("of", env)
			if err != nil {
				return nil, err
			}
			return ts[len(ts)-1], nil
		}},
}, small...)

// TestLists: a parameter takes a list of components, of which each model may be a pipeline.
func TestLists(t *testing.T) {
	resolve := func(v any) (*models.Plan, error) {
		s, err := models.ParseSpec(v)
		if err != nil {
			return nil, err
		}
		return listed.Resolve(s, models.Binary)
	}
	p, err := resolve(list{dict{"several": dict{"of": list{"shift", "shift"}}}, dict{"vote": dict{"models": list{list{"shift", "constant"}, "constant", dict{"constant": dict{"trees": 7}}}}}})
	if err != nil {
		t.Fatal(err)
	}
	if got := p.Canonical(); !strings.HasPrefix(got, "binary [several@1{of: [[shift@1{}], [shift@1{}]]}, vote@1{models: [[shift@1{}, constant@2{") || strings.Count(got, "constant@2") != 3 {
		t.Errorf("canonical text %s", got)
	}
	if _, err := p.Build(models.Env{Schema: &features.Schema{}, Task: models.Binary}); err != nil {
		t.Error(err)
	}
	for want, v := range map[string]any{
		"vote.models: an empty list where models are wanted": dict{"vote": dict{"models": list{}}},
		`vote.models[1]: no model "constnat"`:                dict{"vote": dict{"models": list{"constant", "constnat"}}},
		"several.of[0]: the model constant is not":           list{dict{"several": dict{"of": "constant"}}, "constant"},
	} {
		if _, err := resolve(v); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
	if got := models.Markdown(listed); !strings.Contains(got, "| `models` | list of models | `[constant, constant]` |") {
		t.Errorf("page\n%s", got)
	}
}

// TestExponents: numbers that a decoder of YAML 1.1 takes for texts are numbers; other texts are not.
func TestExponents(t *testing.T) {
	for text, ok := range map[string]bool{"7e0": true, "+1E1": true, "7": false, "1e999": false, "e1": false, "0x1p4": false, "1e1x": false} {
		_, err := listed.Resolve(models.Spec{Stages: []models.Stage{{Name: "constant", Params: dict{"trees": text}}}}, models.Binary)
		if (err == nil) != ok {
			t.Errorf("%q: %v", text, err)
		}
	}
}

type list = []any
type dict = map[string]any

func TestSpecErrors(t *testing.T) {
	for _, c := range []struct {
		name string
		spec any
		task models.Task
		want []string // parts of the lines of the error, in order; none: the spec is right
	}{
		{"one name", "constant", models.Binary, nil},
		{"null parameters", list{"shift", dict{"constant": nil}}, models.Binary, nil},
		{"whole number as number", dict{"constant": dict{"learning_rate": 1, "trees": 5.0}}, models.Binary, nil},
		{"other decoders", dict{"constant": map[any]any{"trees": uint64(5)}}, models.Binary, nil},
		{"nested", dict{"constant": dict{"optimizer": dict{"sgd": dict{"rate": 0.1}}}}, models.Binary, nil},
		{"unknown model", "constnat", models.Binary, []string{`no model "constnat" (did you mean constant?)`}},
		{"unknown parameter", dict{"constant": dict{"lerning_rate": 1}}, models.Binary,
			[]string{`constant: constant has no parameter "lerning_rate" (did you mean learning_rate?)`}},
		{"out of range", dict{"constant": dict{"trees": 0, "learning_rate": -1}}, models.Binary,
			[]string{"constant.learning_rate: out of range: -1 (allowed: > 0)", "constant.trees: out of range: 0 (allowed: [1, 100] trees)"}},
		{"wrong types", dict{"constant": dict{"trees": 1.5, "fast": "yes", "leaf": 3, "columns": 7}}, models.Binary,
			[]string{"trees: an integer is wanted", "fast: a boolean is wanted, not the text", "leaf: a text is wanted", "columns: a list of texts is wanted"}},
		{"wrong choice", dict{"constant": dict{"leaf": "nbx"}}, models.Binary, []string{"one of mc, nb, nba"}},
		{"wrong task", "constant", models.Regression, []string{"cannot be used for the task regression (it serves binary)"}},
		{"no model", list{"shift", "shift"}, models.Binary, []string{"[1]: the pipeline ends with the transformer shift"}},
		{"model not at the end", list{"constant", "constant"}, models.Binary, []string{"[0]: the model constant is not at the end"}},
		{"optimizer as model", "sgd", models.Binary, []string{"sgd is an optimizer where a model is wanted"}},
		{"bad optimizer", dict{"constant": dict{"optimizer": "sdg"}}, models.Binary, []string{`constant.optimizer: no optimizer "sdg" (did you mean sgd?)`}},
		{"everything", list{"shfit", dict{"constant": dict{"trees": "x", "optimizer": dict{"sgd": dict{"rate": 0}}}}}, models.Regression,
			[]string{"[0]: no transformer", "[1].constant: constant cannot be used", "[1].constant.trees", "[1].constant.optimizer.sgd.rate"}},
		{"empty", list{}, models.Binary, []string{"empty pipeline"}},
		{"a number", 7, models.Binary, []string{"a component is wanted, not the number 7"}},
		{"parameters as a list", dict{"constant": list{}}, models.Binary, []string{"parameters are wanted, not a list"}},
		{"two names", dict{"constant": nil, "shift": nil}, models.Binary, []string{"a map of 2 keys"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			spec, err := models.ParseSpec(c.spec)
			if err == nil {
				_, err = small.Resolve(spec, c.task)
			}
			if len(c.want) == 0 {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			var all models.SpecErrors
			if !errors.As(err, &all) || len(all) != len(c.want) {
				t.Fatalf("errors %v, want %d", err, len(c.want))
			}
			for i, line := range strings.Split(err.Error(), "\n") {
				if !strings.Contains(line, c.want[i]) {
					t.Errorf("line %d is %q, want %q in it", i, line, c.want[i])
				}
			}
		})
	}
}

func TestCanonicalText(t *testing.T) {
	text := func(spec any) string {
		s, err := models.ParseSpec(spec)
		if err != nil {
			t.Fatal(err)
		}
		p, err := small.Resolve(s, models.Binary)
		if err != nil {
			t.Fatal(err)
		}
		return p.Canonical()
	}
	const want = `binary [shift@1{}, constant@2{learning_rate: 0.5, trees: 10, fast: true, leaf: "nba", columns: [], optimizer: [sgd@1{rate: 0.01}]}]`
	if got := text(list{"shift", "constant"}); got != want {
		t.Errorf("canonical text\n%s, want\n%s", got, want)
	}
	if got := text(list{"shift", dict{"constant": dict{"trees": 10, "optimizer": "sgd"}}}); got != want {
		t.Errorf("writing defaults out changes the text to\n%s", got)
	}
	if got := text(list{"shift", dict{"constant": dict{"fresh": "no"}}}); got != want {
		t.Errorf("the default of a parameter that came later changes the text to\n%s", got)
	}
	if got := text(list{"shift", dict{"constant": dict{"fresh": "yes"}}}); got != strings.Replace(want, "columns: [], ", `columns: [], fresh: "yes", `, 1) {
		t.Errorf("a parameter that came later is written as\n%s", got)
	}
	if got := text(list{"shift", dict{"constant": dict{"optimizer": dict{"sgd": dict{"rate": 0.02}}}}}); got == want {
		t.Error("another parameter of a part leaves the text as it was")
	}
}

func TestMarkdown(t *testing.T) {
	got := models.Markdown(small)
	for _, want := range []string{"### constant", "| `learning_rate` | number | `0.5` | > 0 |", "| `optimizer` | optimizer | `sgd` |", "Fold version: 2.", "## Transformers"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
}
