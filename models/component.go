package models

import (
	"fmt"
	"math"
	"strconv"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/internal/spelling"
)

// Kind says what a component is and where a spec may name it.
type Kind string

// The kinds of components.
const (
	ModelKind       Kind = "model"       // the last stage of a pipeline
	TransformerKind Kind = "transformer" // a stage before it
	OptimizerKind   Kind = "optimizer"   // a part of a model: how gradients become steps
	LossKind        Kind = "loss"        // a part of a model: what is minimised
	ScheduleKind    Kind = "schedule"    // a part of an optimizer: how its rate changes with time
	DetectorKind    Kind = "detector"    // tells when a stream has changed: of a model's loss, or a part of a model
	MeasureKind     Kind = "measure"     // tells how far the distribution of a feature is from another one
)

// Component is one entry of the catalogue: what users may name in a spec, with its documentation and
// its constructor. It is a value; packages export functions or variables that hold one, and
// models/catalog lists them.
type Component struct {
	Name   string // snake case, unique in the catalogue
	Kind   Kind
	Tasks  []Task // what it can be used for; empty: all
	Params []Param
	Doc    string  // one or more sentences; what happens to missing values included
	Cost   string  // per event, such as "O(columns)"
	Memory string  // such as "8 bytes per column"
	Bounds []Bound // what its bounds have cost is counted under these names, see Bounded; those of its parts are counted with them
	Source string  // paper and section, "" if none
	// NumbersOnly marks a model that reads every column as a quantity: a category must be encoded before it.
	NumbersOnly bool
	// Regressors marks a forecaster that uses the numbers that come with each value. Others take them and leave them aside.
	Regressors bool
	// Entities marks a model that remembers each entity: it reads Example.Key, and learns nothing lasting of an example whose Key is 0.
	Entities bool
	// NoColumns marks a model that reads no column: it may be given texts.
	NoColumns bool
	Fold      int // fold version, ≥ 1, raised when its arithmetic or its state changes

	// Exactly the constructor of its Kind is set; a model has one or both of the first two. Args hold every parameter, checked and defaulted.
	NewModel       func(a Args, env Env) (Learner, error)
	NewForecaster  func(a Args, env ForecastEnv) (Forecaster, error) // a model's, for the task Forecast; it may have NewModel for others
	NewTransformer func(a Args, env Env) (Transformer, error)
	NewPart        func(a Args, env Env) (any, error) // optimizers, losses, detectors and measures
}

// Param is a parameter of a component. The type of Default is the type of the parameter: float64, int,
// bool, string, []string, []int or []float64. A parameter with a Part takes a nested spec, and its Default is a Spec; one with a
// Part and Many takes a list of them, and its Default is a []Spec.
type Param struct {
	Name    string
	Default any
	Range   Range    // for float64, int and the elements of their lists; the zero Range allows every finite number
	Choices []string // for string and the elements of []string; empty: any text
	Part    Kind     // the kind of the nested component, "" for plain values
	Many    bool     // with Part: a list of nested components, at least one
	Task    Task     // with Part: what the nested components serve, if not the task of the component itself
	Unit    string   // such as "events"; "" if none
	Doc     string
	// Later marks a plain parameter that came after states were saved without it: with its default it is left out of the canonical text, so
	// that these go on being read. Its default must mean what was so before.
	Later bool
}

// Range is an interval of numbers. The zero Range holds every finite number.
type Range struct {
	Min, Max         float64
	OpenMin, OpenMax bool // the end itself is left out
}

// AtLeast is the range [x, ∞).
func AtLeast(x float64) Range { return Range{Min: x, Max: math.Inf(1), OpenMax: true} }

// Above is the range (x, ∞).
func Above(x float64) Range { return Range{Min: x, Max: math.Inf(1), OpenMin: true, OpenMax: true} }

// Between is the range [lo, hi].
func Between(lo, hi float64) Range { return Range{Min: lo, Max: hi} }

// AboveTo is the range (lo, hi].
func AboveTo(lo, hi float64) Range { return Range{Min: lo, Max: hi, OpenMin: true} }

// Inside is the range (lo, hi).
func Inside(lo, hi float64) Range { return Range{Min: lo, Max: hi, OpenMin: true, OpenMax: true} }

// Contains reports whether x is finite and in the range.
func (r Range) Contains(x float64) bool {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return false
	}
	if r == (Range{}) {
		return true
	}
	return (x > r.Min || x == r.Min && !r.OpenMin) && (x < r.Max || x == r.Max && !r.OpenMax)
}

// String formats the range for documentation, such as "≥ 0" or "(0, 1]"; "" for the zero Range.
func (r Range) String() string {
	num := func(x float64) string {
		if x == math.Trunc(x) && math.Abs(x) < 1e15 {
			return strconv.FormatFloat(x, 'f', -1, 64)
		}
		return strconv.FormatFloat(x, 'g', -1, 64)
	}
	switch {
	case r == (Range{}):
		return ""
	case math.IsInf(r.Max, 1) && r.OpenMin:
		return "> " + num(r.Min)
	case math.IsInf(r.Max, 1):
		return "≥ " + num(r.Min)
	}
	left, right := "[", "]"
	if r.OpenMin {
		left = "("
	}
	if r.OpenMax {
		right = ")"
	}
	return left + num(r.Min) + ", " + num(r.Max) + right
}

// typeName is what the parameter takes, for messages and documentation.
func (p *Param) typeName() string {
	if p.Part != "" && p.Many {
		return "list of " + string(p.Part) + "s"
	}
	if p.Part != "" {
		return string(p.Part)
	}
	switch p.Default.(type) {
	case float64:
		return "number"
	case int:
		return "integer"
	case bool:
		return "boolean"
	case string:
		return "text"
	case []string:
		return "list of texts"
	case []int:
		return "list of integers"
	case []float64:
		return "list of numbers"
	}
	panic(fmt.Sprintf("models: parameter %s has a default of type %T", p.Name, p.Default))
}

// serves reports whether the component can be used for the task.
func (c *Component) serves(task Task) bool {
	for _, t := range c.Tasks {
		if t == task {
			return true
		}
	}
	return len(c.Tasks) == 0
}

// param returns the parameter of that name, or nil.
func (c *Component) param(name string) *Param {
	for i := range c.Params {
		if c.Params[i].Name == name {
			return &c.Params[i]
		}
	}
	return nil
}

// Args are the parameters of one component in a resolved spec: every declared one, of its declared
// type and in its range. Asking for an undeclared name or another type panics: that is a mistake in
// the component.
type Args struct {
	component string
	values    map[string]any
}

func arg[T any](a Args, name string) T {
	v, ok := a.values[name].(T)
	if !ok {
		panic(fmt.Sprintf("models: %s has no parameter %s of type %T", a.component, name, v))
	}
	return v
}

// Float returns a number parameter.
func (a Args) Float(name string) float64 { return arg[float64](a, name) }

// Int returns an integer parameter.
func (a Args) Int(name string) int { return arg[int](a, name) }

// Bool returns a boolean parameter.
func (a Args) Bool(name string) bool { return arg[bool](a, name) }

// Text returns a text parameter.
func (a Args) Text(name string) string { return arg[string](a, name) }

// Texts returns a list of texts; the caller must not change it.
func (a Args) Texts(name string) []string { return arg[[]string](a, name) }

// Ints returns a list of integers; the caller must not change it.
func (a Args) Ints(name string) []int { return arg[[]int](a, name) }

// Floats returns a list of numbers; the caller must not change it.
func (a Args) Floats(name string) []float64 { return arg[[]float64](a, name) }

// Part makes a new instance of a nested optimizer, loss or schedule.
func (a Args) Part(name string, env Env) (any, error) {
	p := arg[*Plan](a, name)
	return p.stages[0].comp.NewPart(p.stages[0].args, env)
}

// Model makes a new instance of a nested model, which may be a pipeline.
func (a Args) Model(name string, env Env) (Learner, error) { return arg[*Plan](a, name).Build(env) }

// Forecaster makes a new instance of a nested forecaster.
func (a Args) Forecaster(name string, env ForecastEnv) (Forecaster, error) {
	return arg[*Plan](a, name).Forecaster(env)
}

// Transformer makes a new instance of a nested transformer.
func (a Args) Transformer(name string, env Env) (Transformer, error) {
	p := arg[*Plan](a, name)
	return p.stages[0].comp.NewTransformer(p.stages[0].args, env)
}

// Models makes new instances of a list of nested models, each of which may be a pipeline. The ith draws from the
// stream of its own that env.Seed + i stands for.
func (a Args) Models(name string, env Env) ([]Learner, error) {
	plans := arg[[]*Plan](a, name)
	out := make([]Learner, len(plans))
	for i, p := range plans {
		own := env
		own.Seed += uint64(i)
		m, err := p.Build(own)
		if err != nil {
			return nil, fmt.Errorf("%s[%d]: %w", name, i, err)
		}
		out[i] = m
	}
	return out, nil
}

// Transformers makes new instances of a list of nested transformers, all for the same rows.
func (a Args) Transformers(name string, env Env) ([]Transformer, error) {
	return a.transformers(name, env, false)
}

// ChainedTransformers makes new instances of a list of nested transformers, each for the rows of the one before it.
func (a Args) ChainedTransformers(name string, env Env) ([]Transformer, error) {
	return a.transformers(name, env, true)
}

func (a Args) transformers(name string, env Env, chained bool) ([]Transformer, error) {
	plans := arg[[]*Plan](a, name)
	out := make([]Transformer, len(plans))
	for i, p := range plans {
		t, err := p.stages[0].comp.NewTransformer(p.stages[0].args, env)
		if err != nil {
			return nil, fmt.Errorf("%s[%d], %s: %w", name, i, p.stages[0].comp.Name, err)
		}
		if out[i] = t; chained {
			env.Schema = t.Schema()
		}
	}
	return out, nil
}

// SelectColumns marks the columns of a schema that a component with a `columns` parameter works on:
// those named, or every column of the kind if names is empty. A name that is not in the schema is an
// error that says the nearest one.
func SelectColumns(env Env, names []string, numeric bool) ([]bool, error) {
	if err := CheckColumns(env, names); err != nil {
		return nil, err
	}
	marks := make([]bool, len(env.Schema.Columns))
	var errs SpecErrors
	for _, n := range names {
		i := env.Schema.Index(n)
		if env.Schema.Columns[i].Kind == features.Text {
			errs = append(errs, SpecError{Path: "columns", Reason: "column " + strconv.Quote(n) + " is a text, not numbers or categories", Mend: TextMend})
		}
		marks[i] = true
	}
	if len(names) == 0 {
		for i, c := range env.Schema.Columns {
			marks[i] = c.Kind == features.Numeric && numeric || c.Kind == features.Categorical && !numeric
		}
	}
	if len(errs) > 0 {
		return nil, errs
	}
	return marks, nil
}

// CheckColumns returns an error that names each of names that is not in the schema, with the nearest one that is.
func CheckColumns(env Env, names []string) error {
	var errs SpecErrors
	for _, n := range names {
		if env.Schema.Index(n) < 0 {
			var all []string
			for j := range env.Schema.Columns {
				if name, first := env.Schema.Columns[j].Base(); first {
					all = append(all, name)
				}
			}
			errs = append(errs, SpecError{Path: "columns", Reason: "no column " + strconv.Quote(n), Mend: spelling.DidYouMean(n, all)})
		}
	}
	if len(errs) > 0 {
		return errs
	}
	return nil
}
