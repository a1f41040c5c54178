package models

import (
	"fmt"
	"strconv"
	"strings"
)

// Markdown renders components as the reference page of the catalogue: one section per kind, one table
// of parameters per component, in the order given. The text is a function of the components alone.
func Markdown(components []Component) string {
	var b strings.Builder
	b.WriteString("# Models\n\nGenerated from the catalogue. A spec is a name, `{name: {parameter: value}}`, or a list of those: transformers, then one model.\n\n" +
		"Every model has a bound on its memory. What a bound, or a guard of the numbers, has cost is counted by name; counts never fall, belong to the state, and those of a whole are the sums of its parts'. " +
		"`freshet evaluate` shows them as `dropped`, `freshet models NAME` too, and processes as the metric `freshet_model_dropped_total`. A model for which nothing is named has a memory of fixed size that drops nothing.\n")
	for _, kind := range []struct {
		kind  Kind
		title string
	}{{ModelKind, "Models"}, {TransformerKind, "Transformers"}, {OptimizerKind, "Optimizers"}, {LossKind, "Losses"}, {DetectorKind, "Drift detectors"}, {MeasureKind, "Measures of drift"}} {
		var of []*Component
		for i := range components {
			if components[i].Kind == kind.kind {
				of = append(of, &components[i])
			}
		}
		if len(of) == 0 {
			continue
		}
		fmt.Fprintf(&b, "\n## %s\n", kind.title)
		for _, c := range of {
			c.markdown(&b)
		}
	}
	return b.String()
}

func (c *Component) markdown(b *strings.Builder) {
	fmt.Fprintf(b, "\n### %s\n\n%s\n\n", c.Name, c.Doc)
	var facts []string
	if len(c.Tasks) > 0 {
		facts = append(facts, "Tasks: "+taskList(c.Tasks))
	}
	for _, f := range []struct{ name, text string }{{"Cost per event", c.Cost}, {"Memory", c.Memory}, {"Source", c.Source}} {
		if f.text != "" {
			facts = append(facts, f.name+": "+f.text)
		}
	}
	facts = append(facts, "Fold version: "+strconv.Itoa(c.Fold))
	b.WriteString(strings.Join(facts, ". ") + ".\n")
	if len(c.Bounds) > 0 {
		b.WriteString("\nCounted as dropped:")
		for i, x := range c.Bounds {
			if i > 0 {
				b.WriteString(";")
			}
			fmt.Fprintf(b, " `%s`, %s", x.What, x.Doc)
		}
		b.WriteString(".\n")
	}
	if len(c.Params) == 0 {
		return
	}
	b.WriteString("\n| parameter | type | default | allowed | meaning |\n|---|---|---|---|---|\n")
	for i := range c.Params {
		p := &c.Params[i]
		allowed := p.Range.String()
		if len(p.Choices) > 0 {
			allowed = strings.Join(p.Choices, ", ")
		}
		doc := p.Doc
		if p.Unit != "" {
			doc += " (" + p.Unit + ")"
		}
		fmt.Fprintf(b, "| `%s` | %s | %s | %s | %s |\n", p.Name, p.typeName(), cell(p.defaultText()), cell(allowed), cell(doc))
	}
}

// defaultText is the default as a spec writes it.
func (p *Param) defaultText() string {
	switch v := p.Default.(type) {
	case float64:
		return "`" + strconv.FormatFloat(v, 'g', -1, 64) + "`"
	case []string:
		return "`[" + strings.Join(v, ", ") + "]`"
	case []int:
		return "`" + strings.ReplaceAll(fmt.Sprint(v), " ", ", ") + "`"
	case []float64:
		return "`" + strings.ReplaceAll(fmt.Sprint(v), " ", ", ") + "`"
	case string:
		if p.Part == "" && v == "" {
			return ""
		}
		return "`" + v + "`"
	case []Spec:
		texts := make([]string, len(v))
		for i, s := range v {
			texts[i] = s.names()
		}
		return "`[" + strings.Join(texts, ", ") + "]`"
	case Spec:
		return "`" + v.names() + "`"
	default:
		return fmt.Sprintf("`%v`", v)
	}
}

// names lists the stages of a spec.
func (s Spec) names() string {
	names := make([]string, len(s.Stages))
	for i, st := range s.Stages {
		names[i] = st.Name
	}
	return strings.Join(names, ", ")
}

// cell makes a text fit for one cell of a table.
func cell(s string) string { return strings.ReplaceAll(s, "|", "\\|") }
