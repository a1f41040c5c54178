package project

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Definition writes a source, a table, an entity type, a derived feature, a model or (as model/challenger) a challenger the way the project
// file would, with what is a default left out; empty when there is none of that name. kind is source, table, entity, derived or model.
func (p *Project) Definition(kind, name string) string {
	switch kind {
	case "source", "table":
		if s := p.Input(name); s != nil && s.Table == (kind == "table") {
			return defineStruct(reflect.ValueOf(s).Elem(), map[string]string{"topic": s.Name})
		}
	case "entity":
		if e := p.Entity(name); e != nil {
			return defineStruct(reflect.ValueOf(e).Elem(), nil)
		}
	case "derived":
		for i := range p.Derived {
			if p.Derived[i].Name == name {
				return defineStruct(reflect.ValueOf(&p.Derived[i]).Elem(), nil)
			}
		}
	case "model":
		of, challenger, is := strings.Cut(name, "/")
		m := p.Model(of)
		switch {
		case m == nil:
		case !is:
			return defineStruct(reflect.ValueOf(m).Elem(), map[string]string{"challengers": ""})
		default:
			for i := range m.Challengers {
				if m.Challengers[i].Name == challenger {
					return defineStruct(reflect.ValueOf(&m.Challengers[i]).Elem(), nil)
				}
			}
		}
	}
	return ""
}

// defineStruct writes the options of a struct, one a line. hide leaves out a key when it has this text, or always when the text is empty.
func defineStruct(v reflect.Value, hide map[string]string) string {
	var b strings.Builder
	for _, o := range options(v.Type(), "") {
		f := v.Field(o.index)
		if list, ok := f.Interface().([]Feature); ok {
			for i := range list {
				fmt.Fprintf(&b, "%s: %s\n", list[i].Name, list[i].definition())
			}
			continue
		}
		text, block := defineOption(&o, f)
		if usual, ok := hide[o.key]; text == "" || ok && (usual == "" || usual == text) {
			continue
		}
		if block {
			fmt.Fprintf(&b, "%s:\n  %s\n", o.key, strings.ReplaceAll(text, "\n", "\n  "))
			continue
		}
		fmt.Fprintf(&b, "%s: %s\n", o.key, text)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// defineOption is the text of one option, empty for a default or a secret; block when it stands on lines of its own.
func defineOption(o *option, v reflect.Value) (text string, block bool) {
	if o.secret() {
		return "", false
	}
	switch x := v.Interface().(type) {
	case time.Duration:
		if d, err := ParseDuration(o.def); err == nil && d == x || x == 0 {
			return "", false
		}
		return FormatDuration(x), false
	case time.Time:
		if x.IsZero() {
			return "", false
		}
		return x.UTC().Format(time.RFC3339), false
	case []time.Duration:
		words := make([]string, len(x))
		for i, d := range x {
			words[i] = FormatDuration(d)
		}
		return flow(words), false
	case []Field:
		words := make([]string, len(x))
		for i := range x {
			words[i] = x[i].Name + ": " + fieldText(&x[i])
		}
		return strings.Join(words, "\n"), true
	case []string:
		words := make([]string, len(x))
		for i, w := range x {
			words[i] = word(w)
		}
		if text = flow(words); text == o.def {
			return "", false
		}
		return text, false
	case []int, []float64:
		words := strings.Fields(strings.Trim(fmt.Sprint(x), "[]"))
		return flow(words), false
	case map[string]any:
		if len(x) == 0 {
			return "", false
		}
		return plainText(v), false
	case fmt.Stringer:
		return x.String(), false
	}
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() || v.Elem().Kind() != reflect.Struct {
			return "", false
		}
		return defineStruct(v.Elem(), nil), true
	case reflect.Slice, reflect.Struct:
		return "", false
	}
	text = plainText(v)
	if text == o.def || o.def == "" && v.IsZero() {
		return "", false
	}
	return text, false
}

func plainText(v reflect.Value) string {
	switch x := v.Interface().(type) {
	case string:
		return word(x)
	case bool, int, uint64, float64:
		return fmt.Sprint(x)
	}
	b, err := json.Marshal(v.Interface())
	if err != nil {
		return "?"
	}
	return strings.ReplaceAll(strings.ReplaceAll(string(b), `"`, ""), ",", ", ")
}

// word quotes a text that YAML would read as something else.
func word(s string) string {
	plain := func(r rune) bool {
		return r == '_' || r == '-' || r == '.' || r == '*' || r == '/' || r == ' ' || r == '>' || r == '<' || r == '=' || r == '(' || r == ')' || r == '+' ||
			r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
	}
	if s == "" || strings.IndexFunc(s, func(r rune) bool { return !plain(r) }) >= 0 || s[0] == '*' || s[0] == '-' || s[0] == ' ' {
		return strconv.Quote(s)
	}
	return s
}

func flow(words []string) string {
	switch len(words) {
	case 0:
		return ""
	case 1:
		return words[0]
	}
	return "[" + strings.Join(words, ", ") + "]"
}

// definition writes a feature the short way.
func (f *Feature) definition() string {
	from := f.Source
	value := f.Value
	if isName(value) {
		from, value = from+"."+value, ""
	}
	words := []string{f.Agg + ": " + from}
	if value != "" {
		words = append(words, "value: "+word(value))
	}
	v := reflect.ValueOf(f).Elem()
	for _, o := range options(v.Type(), "") {
		if slices.Contains([]string{"value", "-"}, o.key) {
			continue
		}
		if text, _ := defineOption(&o, v.Field(o.index)); text != "" {
			words = append(words, o.key+": "+text)
		}
	}
	return "{" + strings.Join(words, ", ") + "}"
}
