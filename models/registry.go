package models

import (
	"crypto/sha256"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/internal/spelling"
)

// Registry is a catalogue of components: one explicit list, no registration by side effect.
type Registry []Component

var exponent = regexp.MustCompile(`^[-+]?[0-9]+[eE][-+]?[0-9]+$`)

// Find returns the component of that name, or nil.
func (r Registry) Find(name string) *Component {
	for i := range r {
		if r[i].Name == name {
			return &r[i]
		}
	}
	return nil
}

// Plan is a spec that was checked against a catalogue: every component is known, every parameter is
// there, of its type and in its range. It is immutable.
type Plan struct {
	task   Task // 0 for parts
	stages []planStage
}

type planStage struct {
	comp *Component
	args Args
}

// Resolve checks the spec for the task and fills in the defaults. The error, if any, is SpecErrors
// with everything that is wrong.
func (r Registry) Resolve(s Spec, task Task) (*Plan, error) {
	var errs SpecErrors
	p := r.resolvePipeline("", s, task, &errs)
	if len(errs) > 0 {
		return nil, errs
	}
	return p, nil
}

// ResolvePart checks the spec of one component that is not a model, such as a detector: its name, or its name with parameters. The
// error, if any, is SpecErrors.
func (r Registry) ResolvePart(spec any, kind Kind) (*Plan, error) {
	var errs SpecErrors
	p := r.resolvePart("", &Param{Part: kind}, spec, 0, &errs)
	if len(errs) > 0 {
		return nil, errs
	}
	return p, nil
}

// Part makes a new instance of a component that ResolvePart resolved.
func (p *Plan) Part(env Env) (any, error) { return p.stages[0].comp.NewPart(p.stages[0].args, env) }

// Name is that of the component that ResolvePart resolved, or of the model.
func (p *Plan) Name() string { return p.stages[len(p.stages)-1].comp.Name }

// Bounds are the counts that a model of the plan may have: those of its stages and of the parts that their parameters name, each once.
func (p *Plan) Bounds() []Bound {
	var out []Bound
	add := func(list []Bound) {
		for _, b := range list {
			if !slices.ContainsFunc(out, func(x Bound) bool { return x.What == b.What }) {
				out = append(out, b)
			}
		}
	}
	for _, st := range p.stages {
		add(st.comp.Bounds)
		for i := range st.comp.Params {
			switch v := st.args.values[st.comp.Params[i].Name].(type) {
			case *Plan:
				if v != nil {
					add(v.Bounds())
				}
			case []*Plan:
				for _, q := range v {
					add(q.Bounds())
				}
			}
		}
	}
	return out
}

func (r Registry) resolvePipeline(path string, s Spec, task Task, errs *SpecErrors) *Plan {
	p := &Plan{task: task}
	if len(s.Stages) == 0 {
		*errs = append(*errs, SpecError{Path: path, Reason: "empty pipeline", Mend: "name a model, such as auto"})
	}
	for i, st := range s.Stages {
		at := path
		if len(s.Stages) > 1 {
			at = fmt.Sprintf("%s[%d]", path, i)
		}
		want, last := TransformerKind, i == len(s.Stages)-1
		if last {
			want = ModelKind
		}
		c := r.resolveName(at, st.Name, want, task, errs)
		if c == nil {
			continue
		}
		if !c.serves(task) {
			*errs = append(*errs, SpecError{Path: join(at, c.Name), Reason: fmt.Sprintf("%s cannot be used for the task %s", c.Name, task),
				Mend: "it serves " + taskList(c.Tasks)})
		}
		p.stages = append(p.stages, r.resolveStage(join(at, c.Name), c, st.Params, task, errs))
	}
	return p
}

// resolveName finds a component that may stand where the kind want is wanted.
func (r Registry) resolveName(path, name string, want Kind, task Task, errs *SpecErrors) *Component {
	c := r.Find(name)
	if c == nil {
		*errs = append(*errs, SpecError{Path: path, Reason: fmt.Sprintf("no %s %q", want, name), Mend: r.mendName(name, want, task)})
		return nil
	}
	if c.Kind == want {
		return c
	}
	e := SpecError{Path: path, Reason: fmt.Sprintf("%s is %s where %s is wanted", name, article(string(c.Kind)), article(string(want)))}
	switch {
	case want == ModelKind && c.Kind == TransformerKind:
		e.Reason = fmt.Sprintf("the pipeline ends with the transformer %s, not with a model", name)
		e.Mend = "add a model at the end"
	case want == TransformerKind && c.Kind == ModelKind:
		e.Reason = fmt.Sprintf("the model %s is not at the end of the pipeline", name)
		e.Mend = "a pipeline has one model, its last stage"
	default:
		e.Mend = listed(want)
	}
	*errs = append(*errs, e)
	return nil
}

// mendName says what a misspelt name may mean: first of what serves the task.
func (r Registry) mendName(name string, kind Kind, task Task) string {
	serving := slices.DeleteFunc(slices.Clone(r), func(c Component) bool { return !c.serves(task) })
	for _, among := range []Registry{serving, r} {
		if mend := spelling.DidYouMean(name, among.Names(kind)); mend != "" {
			return mend
		}
	}
	return listed(kind)
}

func listed(kind Kind) string {
	return "`freshet models --catalog` lists each " + string(kind)
}

// article puts a or an before a noun.
func article(noun string) string {
	if noun != "" && strings.ContainsRune("aeiou", rune(noun[0])) {
		return "an " + noun
	}
	return "a " + noun
}

// Names lists the components of a kind, in the order of the catalogue.
func (r Registry) Names(kind Kind) []string {
	var names []string
	for i := range r {
		if r[i].Kind == kind {
			names = append(names, r[i].Name)
		}
	}
	return names
}

func (r Registry) resolveStage(path string, c *Component, params map[string]any, task Task, errs *SpecErrors) planStage {
	st := planStage{comp: c, args: Args{component: c.Name, values: make(map[string]any, len(c.Params))}}
	for _, name := range sortedKeys(params) {
		if c.param(name) == nil {
			all := make([]string, len(c.Params))
			for i := range c.Params {
				all[i] = c.Params[i].Name
			}
			mend := spelling.DidYouMean(name, all)
			if mend == "" && len(all) > 0 {
				mend = "it has " + strings.Join(all, ", ")
			}
			*errs = append(*errs, SpecError{Path: path, Reason: fmt.Sprintf("%s has no parameter %q", c.Name, name), Mend: mend})
		}
	}
	for i := range c.Params {
		p := &c.Params[i]
		v, given := params[p.Name]
		if !given {
			v = p.Default
		}
		if p.Part != "" && p.Many {
			st.args.values[p.Name] = r.resolveParts(join(path, p.Name), p, v, task, errs)
			continue
		}
		if p.Part != "" {
			st.args.values[p.Name] = r.resolvePart(join(path, p.Name), p, v, task, errs)
			continue
		}
		st.args.values[p.Name] = p.check(join(path, p.Name), v, errs)
	}
	return st
}

func (r Registry) resolvePart(path string, p *Param, v any, task Task, errs *SpecErrors) *Plan {
	if p.Task != 0 {
		task = p.Task
	}
	s := parseSpec(path, v, errs)
	if p.Part == ModelKind {
		return r.resolvePipeline(path, s, task, errs)
	}
	if len(s.Stages) != 1 || s.Stages[0].Name == "" {
		if len(s.Stages) != 1 {
			*errs = append(*errs, SpecError{Path: path, Reason: fmt.Sprintf("one %s is wanted, not %d", p.Part, len(s.Stages))})
		}
		return nil
	}
	c := r.resolveName(path, s.Stages[0].Name, p.Part, task, errs)
	if c == nil {
		return nil
	}
	if !c.serves(task) {
		*errs = append(*errs, SpecError{Path: path, Reason: fmt.Sprintf("%s cannot be used for the task %s", c.Name, task),
			Mend: "it serves " + taskList(c.Tasks)})
	}
	return &Plan{stages: []planStage{r.resolveStage(join(path, c.Name), c, s.Stages[0].Params, task, errs)}}
}

// resolveParts resolves a list of nested specs; one that is no list stands for a list of one.
func (r Registry) resolveParts(path string, p *Param, v any, task Task, errs *SpecErrors) []*Plan {
	var list []any
	switch v := v.(type) {
	case []Spec:
		for _, s := range v {
			list = append(list, s)
		}
	case []any:
		list = v
	default:
		list = []any{v}
	}
	if len(list) == 0 {
		*errs = append(*errs, SpecError{Path: path, Reason: "an empty list where " + string(p.Part) + "s are wanted", Mend: "name at least one"})
	}
	plans := make([]*Plan, len(list))
	for i, e := range list {
		plans[i] = r.resolvePart(fmt.Sprintf("%s[%d]", path, i), p, e, task, errs)
	}
	return plans
}

// check returns v as the type of the parameter, or reports why it cannot be.
func (p *Param) check(path string, v any, errs *SpecErrors) any {
	fail := func(reason, mend string) any {
		*errs = append(*errs, SpecError{Path: path, Reason: reason, Mend: mend})
		return p.Default
	}
	wrong := func() any { return fail(article(p.typeName())+" is wanted, not "+describe(v), "") }
	switch p.Default.(type) {
	case float64, int:
		x, ok := asNumber(v)
		if !ok {
			return wrong()
		}
		_, whole := p.Default.(int)
		if whole && (x != math.Trunc(x) || math.Abs(x) > 1<<53) {
			return wrong()
		}
		if !p.Range.Contains(x) {
			return fail("out of range: "+strconv.FormatFloat(x, 'g', -1, 64), strings.TrimSpace("allowed: "+p.Range.String()+" "+p.Unit))
		}
		if whole {
			return int(x)
		}
		return x
	case bool:
		if b, ok := v.(bool); ok {
			return b
		}
	case string:
		if s, ok := v.(string); ok {
			if len(p.Choices) > 0 && !slices.Contains(p.Choices, s) {
				return fail(fmt.Sprintf("no such choice %q", s), "one of "+strings.Join(p.Choices, ", "))
			}
			return s
		}
	case []string:
		return p.checkTexts(v, wrong, fail)
	case []int:
		return checkNumbers(p, v, 0, wrong, errs, path)
	case []float64:
		return checkNumbers(p, v, 0.0, wrong, errs, path)
	}
	return wrong()
}

// checkNumbers returns v as a list of numbers of the type of each, all of them in the parameter's range; one number stands for a list of one.
func checkNumbers[T int | float64](p *Param, v any, each T, wrong func() any, errs *SpecErrors, path string) any {
	var list []any
	switch v := v.(type) {
	case []T:
		for _, e := range v {
			list = append(list, e)
		}
	case []any:
		list = v
	default:
		if _, ok := asNumber(v); !ok {
			return wrong()
		}
		list = []any{v}
	}
	element := Param{Name: p.Name, Default: each, Range: p.Range, Unit: p.Unit}
	out := make([]T, len(list))
	for i, e := range list {
		out[i] = element.check(fmt.Sprintf("%s[%d]", path, i), e, errs).(T)
	}
	return out
}

func (p *Param) checkTexts(v any, wrong func() any, fail func(reason, mend string) any) any {
	var out []string
	switch v := v.(type) {
	case []string:
		out = v
	case string:
		out = []string{v}
	case []any:
		for _, e := range v {
			s, ok := e.(string)
			if !ok {
				return wrong()
			}
			out = append(out, s)
		}
	default:
		return wrong()
	}
	for _, s := range out {
		if len(p.Choices) > 0 && !slices.Contains(p.Choices, s) {
			return fail(fmt.Sprintf("no such choice %q", s), "some of "+strings.Join(p.Choices, ", "))
		}
	}
	return out
}

// asNumber returns v as a double if it is a number of any Go type that decoders make. Decoders of YAML 1.1 take 1e-6, without a point, for a text;
// it counts as what it says.
func asNumber(v any) (float64, bool) {
	switch v := v.(type) {
	case string:
		if !exponent.MatchString(v) {
			return 0, false
		}
		x, err := strconv.ParseFloat(v, 64)
		return x, err == nil
	case float64:
		return v, true
	case float32:
		return float64(v), true
	case int:
		return float64(v), true
	case int64:
		return float64(v), true
	case uint64:
		return float64(v), true
	case int32:
		return float64(v), true
	case uint32:
		return float64(v), true
	}
	return 0, false
}

func taskList(tasks []Task) string {
	names := make([]string, len(tasks))
	for i, t := range tasks {
		names[i] = t.String()
	}
	return strings.Join(names, ", ")
}

// Canonical returns the spec with every default written out, apart from those of parameters that came later, and the fold version of every component:
// two specs with one canonical text fold alike.
func (p *Plan) Canonical() string {
	var b strings.Builder
	if p.task != 0 {
		b.WriteString(p.task.String())
		b.WriteByte(' ')
	}
	p.appendStages(&b)
	return b.String()
}

// Entity returns the first component of the plan, nested ones included, that remembers entities; nil if none does.
func (p *Plan) Entity() *Component {
	for _, st := range p.stages {
		if st.comp.Entities {
			return st.comp
		}
		for i := range st.comp.Params {
			var nested []*Plan
			switch v := st.args.values[st.comp.Params[i].Name].(type) {
			case *Plan:
				nested = []*Plan{v}
			case []*Plan:
				nested = v
			}
			for _, part := range nested {
				if c := part.Entity(); c != nil {
					return c
				}
			}
		}
	}
	return nil
}

func (p *Plan) appendStages(b *strings.Builder) {
	b.WriteByte('[')
	for i, st := range p.stages {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(b, "%s@%d{", st.comp.Name, st.comp.Fold)
		between := ""
		for j := range st.comp.Params {
			param := &st.comp.Params[j]
			name := param.Name
			if param.Later && st.args.values[name] == param.Default {
				continue
			}
			b.WriteString(between + name + ": ")
			between = ", "
			switch v := st.args.values[name].(type) {
			case *Plan:
				v.appendStages(b)
			case []*Plan:
				b.WriteByte('[')
				for k, p := range v {
					if k > 0 {
						b.WriteString(", ")
					}
					p.appendStages(b)
				}
				b.WriteByte(']')
			case float64:
				b.WriteString(strconv.FormatFloat(v, 'g', -1, 64))
			case string:
				b.WriteString(strconv.Quote(v))
			case []string:
				fmt.Fprintf(b, "%q", v)
			default:
				fmt.Fprintf(b, "%v", v)
			}
		}
		b.WriteByte('}')
	}
	b.WriteByte(']')
}

// Fingerprint is the SHA-256 of the canonical text.
func (p *Plan) Fingerprint() [sha256.Size]byte { return sha256.Sum256([]byte(p.Canonical())) }

// TextMend says what a model needs before it that is given texts.
const TextMend = "put word_ngrams, char_ngrams or tf_idf before it"

// fits refuses texts, which only what counts their words can read, but for models that read no column and those whose members, which may be
// pipelines, are judged for themselves. It refuses categories where every column is read as a quantity: the number that stands for one is near
// 2^53 and would drown all others.
func (c *Component) fits(schema *features.Schema) error {
	if schema == nil { // of a model that is built for no rows in particular
		return nil
	}
	passes := c.NoColumns || slices.ContainsFunc(c.Params, func(p Param) bool { return p.Part == ModelKind })
	for i, col := range schema.Columns {
		if name, _ := schema.Columns[i].Base(); col.Kind == features.Text && !passes {
			return SpecErrors{{Path: c.Name, Reason: "column " + strconv.Quote(name) + " is a text and " + c.Name + " reads " + c.reads(), Mend: TextMend}}
		}
		if col.Kind == features.Categorical && c.NumbersOnly {
			return SpecErrors{{Path: c.Name, Reason: "column " + strconv.Quote(col.Name) + " is a category and " + c.Name + " reads numbers",
				Mend: "put one_hot, hashing or target_encoder before it"}}
		}
	}
	return nil
}

// reads says what columns the model takes.
func (c *Component) reads() string {
	if c.NumbersOnly {
		return "numbers"
	}
	return "numbers and categories"
}

// Build makes a new learner for env, whose Task must be the one that the spec was resolved for. A spec
// of one model gives that model, a longer one a Pipeline.
func (p *Plan) Build(env Env) (Learner, error) {
	if env.Task != p.task {
		return nil, fmt.Errorf("build %s: the spec was resolved for the task %s, not %s", p.Canonical(), p.task, env.Task)
	}
	if env.Task == Multiclass && env.Classes < 2 {
		return nil, fmt.Errorf("build %s: %d classes, at least 2 are needed", p.Canonical(), env.Classes)
	}
	if env.Task == Binary {
		env.Classes = 2
	}
	last := len(p.stages) - 1
	if p.stages[last].comp.NewModel == nil {
		return nil, fmt.Errorf("model %s: it forecasts series, and cannot be built for examples", p.stages[last].comp.Name)
	}
	ts := make([]Transformer, last)
	for i, st := range p.stages[:last] {
		t, err := st.comp.NewTransformer(st.args, env)
		if err != nil {
			return nil, fmt.Errorf("stage %d, %s: %w", i, st.comp.Name, err)
		}
		ts[i], env.Schema = t, t.Schema()
	}
	if err := p.stages[last].comp.fits(env.Schema); err != nil {
		return nil, err
	}
	m, err := p.stages[last].comp.NewModel(p.stages[last].args, env)
	if err != nil {
		return nil, fmt.Errorf("model %s: %w", p.stages[last].comp.Name, err)
	}
	if last == 0 {
		return m, nil
	}
	return NewPipeline(ts, m), nil
}

// Forecaster makes what a plan for the task Forecast stands for. A plan of more than one stage is an error: forecasters take the series as it
// comes, and scale and transform it themselves.
func (p *Plan) Forecaster(env ForecastEnv) (Forecaster, error) {
	if env.Horizon < 1 || env.Regressors < 0 {
		return nil, fmt.Errorf("build %s: horizon %d, regressors %d", p.Canonical(), env.Horizon, env.Regressors)
	}
	for i, m := range env.Seasons {
		if m < 2 || i > 0 && m <= env.Seasons[i-1] {
			return nil, fmt.Errorf("build %s: seasons %v: give rising numbers of steps, each at least 2", p.Canonical(), env.Seasons)
		}
	}
	comp := p.stages[len(p.stages)-1].comp
	if len(p.stages) > 1 || comp.NewForecaster == nil {
		return nil, fmt.Errorf("build %s: a forecaster stands alone in its pipeline: give one name with its parameters", p.Canonical())
	}
	f, err := comp.NewForecaster(p.stages[0].args, env)
	if err != nil {
		return nil, fmt.Errorf("forecaster %s: %w", comp.Name, err)
	}
	return f, nil
}
