package models

import (
	"fmt"
	"slices"
	"sort"
	"strings"
)

// Spec is a parsed pipeline spec: names and parameters as written, not yet checked against a
// catalogue. Resolve checks it.
type Spec struct {
	Stages []Stage
}

// Stage is one component of a spec as written: numbers are float64 or int, lists []any, nested specs
// as they came.
type Stage struct {
	Name   string
	Params map[string]any
}

// Named is the spec of one component with its defaults.
func Named(name string) Spec { return Spec{Stages: []Stage{{Name: name}}} }

// SpecError is one thing that is wrong with a spec.
type SpecError struct {
	Path   string // where, such as [1].logistic_regression.optimizer; "" is the spec itself
	Reason string
	Mend   string // how to mend it, "" if nothing can be said
}

// Error formats the error in one line.
func (e SpecError) Error() string {
	s := e.Reason
	if e.Path != "" {
		s = e.Path + ": " + s
	}
	if e.Mend != "" {
		s += " (" + e.Mend + ")"
	}
	return s
}

// SpecErrors is all that is wrong with a spec, in the order of the text.
type SpecErrors []SpecError

// Error joins the errors, one per line.
func (e SpecErrors) Error() string {
	lines := make([]string, len(e))
	for i := range e {
		lines[i] = e[i].Error()
	}
	return strings.Join(lines, "\n")
}

// ParseSpec reads a spec from the generic values that YAML and JSON decoders make: a name, a map of
// one name to its parameters (a map, or null for the defaults), or a list of those. Maps may be
// map[string]any or map[any]any. The error, if any, is SpecErrors.
func ParseSpec(v any) (Spec, error) {
	var errs SpecErrors
	s := parseSpec("", v, &errs)
	if len(errs) > 0 {
		return Spec{}, errs
	}
	return s, nil
}

func parseSpec(path string, v any, errs *SpecErrors) Spec {
	switch v := v.(type) {
	case Spec:
		return v
	case []any:
		if len(v) == 0 {
			*errs = append(*errs, SpecError{Path: path, Reason: "empty pipeline", Mend: "name a model, such as auto"})
		}
		var s Spec
		for i, e := range v {
			if st, ok := parseStage(fmt.Sprintf("%s[%d]", path, i), e, errs); ok {
				s.Stages = append(s.Stages, st)
			}
		}
		return s
	default:
		st, _ := parseStage(path, v, errs)
		return Spec{Stages: []Stage{st}}
	}
}

func parseStage(path string, v any, errs *SpecErrors) (Stage, bool) {
	if name, ok := v.(string); ok && name != "" {
		return Stage{Name: name}, true
	}
	m, ok := asMap(v)
	if !ok || len(m) != 1 {
		*errs = append(*errs, SpecError{Path: path, Reason: "a component is wanted, not " + describe(v),
			Mend: "write name, or {name: {parameter: value}}"})
		return Stage{}, false
	}
	for name, params := range m {
		if params == nil {
			return Stage{Name: name}, true
		}
		p, ok := asMap(params)
		if !ok {
			*errs = append(*errs, SpecError{Path: join(path, name), Reason: "parameters are wanted, not " + describe(params),
				Mend: "write {" + name + ": {parameter: value}}"})
			return Stage{}, false
		}
		return Stage{Name: name, Params: p}, true
	}
	return Stage{}, false
}

// asMap returns v as a map with text keys.
func asMap(v any) (map[string]any, bool) {
	switch m := v.(type) {
	case map[string]any:
		return m, true
	case map[any]any:
		out := make(map[string]any, len(m))
		for k, e := range m {
			s, ok := k.(string)
			if !ok {
				return nil, false
			}
			out[s] = e
		}
		return out, true
	}
	return nil, false
}

// describe names a generic value for messages.
func describe(v any) string {
	if m, ok := asMap(v); ok {
		return fmt.Sprintf("a map of %d keys", len(m))
	}
	switch v := v.(type) {
	case nil:
		return "nothing"
	case string:
		return fmt.Sprintf("the text %q", v)
	case bool:
		return fmt.Sprintf("%t", v)
	case []any:
		return "a list"
	case int, int64, uint64, float64:
		return fmt.Sprintf("the number %v", v)
	}
	return fmt.Sprintf("a %T", v)
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// sortedKeys returns the keys of m in order.
func sortedKeys(m map[string]any) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return slices.Clip(keys)
}
