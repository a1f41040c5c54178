package project

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"

	"github.com/freshet-ml/freshet/internal/spelling"
)

// Load reads the project file at path. env looks variables up (os.LookupEnv); nil: none is set.
// A file that is wrong gives *Errors with everything that is wrong with it.
func Load(path string, env func(string) (string, bool)) (*Project, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("project file: %w", err)
	}
	if info.Size() > maxFile {
		return nil, fmt.Errorf("project file %s: %d bytes; at most %d are read", path, info.Size(), maxFile)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("project file: %w", err)
	}
	return Parse(path, data, env)
}

// Parse reads a project file from memory. file is its path: messages begin with its last part, and the
// names of secret files count from its folder. Errors are as in Load.
func Parse(file string, data []byte, env func(string) (string, bool)) (*Project, error) {
	d := &decoder{env: env, file: file, where: map[string]Pos{}, keys: map[string]Pos{}, broken: map[string]bool{}}
	p := &Project{file: filepath.Base(file), where: d.where}
	if root := d.parse(data); root != nil {
		d.structure(root, reflect.ValueOf(p).Elem(), "", "")
		p.finish(d)
		c := &checker{p: p, d: d}
		c.project()
	}
	if err := d.errors(p.file); err != nil {
		return nil, err
	}
	return p, nil
}

type decoder struct {
	report
	env   func(string) (string, bool)
	file  string
	where map[string]Pos // value of each path
	keys  map[string]Pos // key of each path
	// broken holds the paths of mappings that could not be read whole: what they lack is not reported.
	broken map[string]bool
	// secrets are texts that no message may show.
	secrets []string
}

// option is a key of a struct, from its tags.
type option struct {
	index               int
	key, def, form, doc string
	enum                []string
	minimum, maximum    string
	required            bool
	typ                 reflect.Type
}

// options returns the keys of a struct in their order, without those that omit names.
func options(t reflect.Type, omit string) []option {
	left := strings.Split(omit, "|")
	var list []option
	for i := range t.NumField() {
		tag := t.Field(i).Tag
		key := tag.Get("key")
		if key == "" || key == "-" || slices.Contains(left, key) {
			continue
		}
		o := option{index: i, key: key, def: tag.Get("default"), form: tag.Get("form"), doc: tag.Get("doc"), minimum: tag.Get("min"),
			maximum: tag.Get("max"), required: tag.Get("required") == "true", typ: t.Field(i).Type}
		if e := tag.Get("enum"); e != "" {
			o.enum = strings.Split(e, "|")
		}
		list = append(list, o)
	}
	return list
}

func (o *option) secret() bool { return o.typ == secretType }

var (
	durationType = reflect.TypeFor[time.Duration]()
	timeType     = reflect.TypeFor[time.Time]()
	sizeType     = reflect.TypeFor[Size]()
	secretType   = reflect.TypeFor[Secret]()
)

// structure decodes a mapping into the struct v, fills in defaults, and reports keys that are unknown
// or missing.
func (d *decoder) structure(n ast.Node, v reflect.Value, path, omit string) {
	opts := options(v.Type(), omit)
	rest := -1
	byKey := map[string]*option{}
	var known []string
	for i := range opts {
		o := &opts[i]
		if o.key == "*" {
			rest = o.index
			continue
		}
		byKey[o.key] = o
		known = append(known, o.key)
		if o.secret() {
			byKey[o.key+"_file"] = o
			known = append(known, o.key+"_file")
		}
	}
	d.defaults(v, opts)
	if !isMapping(n) {
		d.secrets = append(d.secrets, secretsIn(n, v.Type())...)
		d.wrong(n, path, "a mapping")
		d.broken[path] = true
		return
	}
	given := map[string]bool{}
	var others []pair
	for _, p := range d.pairs(n, path, "a mapping") {
		o := byKey[p.key]
		switch {
		case o == nil && rest >= 0:
			others = append(others, p)
		case o == nil:
			d.unknown(p, path, known)
		case given[o.key]:
			d.add(p.at, join(path, p.key), o.key+" is given twice", "keep "+o.key+" or "+o.key+"_file", "")
		default:
			given[o.key] = true
			d.value(p, v.Field(o.index), o, join(path, p.key))
		}
	}
	if rest >= 0 {
		d.features(others, v.Field(rest), path)
	}
	for _, o := range opts {
		if o.required && !given[o.key] && !d.broken[path] {
			d.missing(n, path, &o)
		}
	}
}

func (d *decoder) unknown(p pair, path string, known []string) {
	if key, _, ok := strings.Cut(p.key, ":"); ok { // what follows may be a secret
		d.add(p.at, join(path, key), fmt.Sprintf("unknown key that begins with %q", key+":"), "leave a space after the colon", "")
		return
	}
	near, mend := spelling.Nearest(p.key, known), ""
	if near == "" {
		mend = "known here: " + strings.Join(known, ", ")
	}
	d.add(p.at, join(path, p.key), fmt.Sprintf("unknown key %q", p.key), mend, near)
}

func (d *decoder) missing(n ast.Node, path string, o *option) {
	at := d.keys[path]
	if path == "" {
		at = posOf(n)
	}
	doc, _, _ := strings.Cut(o.doc, ". ")
	doc = strings.ToLower(doc[:1]) + strings.TrimSuffix(doc[1:], ".")
	d.add(at, path, fmt.Sprintf("%s is missing", o.key), "add "+o.key+": "+doc, "")
}

// defaults fills in what stands in for absent keys, also in nested sections.
func (d *decoder) defaults(v reflect.Value, opts []option) {
	for i := range opts {
		o := &opts[i]
		f := v.Field(o.index)
		switch {
		case o.secret():
		case o.typ.Kind() == reflect.Struct && o.typ != timeType:
			d.defaults(f, options(o.typ, ""))
		case o.def == "" || o.form == "windows":
		case o.form == "any":
			f.Set(reflect.ValueOf(o.def))
		case o.form == "list":
			f.Set(reflect.ValueOf(strings.Split(o.def, ", ")))
		default:
			d.scalar(o.def, f, o, Pos{}, o.key)
		}
	}
}

// value decodes the value of one key.
func (d *decoder) value(p pair, f reflect.Value, o *option, path string) {
	if o.secret() {
		if s, ok := d.secret(p, o, path); ok {
			f.Set(reflect.ValueOf(s))
		}
		return
	}
	switch o.form {
	case "tokens":
		f.Set(reflect.ValueOf(d.tokens(p, path)))
		return
	case "extensions":
		f.Set(reflect.ValueOf(d.extensions(p.value, path)))
		return
	case "fields":
		f.Set(reflect.ValueOf(d.fields(p.value, path)))
		return
	case "any":
		f.Set(reflect.Zero(f.Type()))
		if g := d.generic(p.value, path, 0); g != nil {
			f.Set(reflect.ValueOf(g))
		} else {
			d.wrong(p.value, path, "a name or a list of stages")
		}
		return
	case "list":
		d.list(p, f, o, path)
		return
	case "numbers":
		d.numbers(p, f, o, path)
		return
	case "params":
		if m, ok := d.generic(p.value, path, 0).(map[string]any); ok {
			f.Set(reflect.ValueOf(m))
		} else {
			d.wrong(p.value, path, "a mapping of parameters")
		}
		return
	}
	switch {
	case o.typ.Kind() == reflect.Pointer:
		f.Set(reflect.New(o.typ.Elem()))
		d.structure(p.value, f.Elem(), path, "")
	case o.typ.Kind() == reflect.Struct && o.typ != timeType:
		d.structure(p.value, f, path, "")
	case o.typ.Kind() == reflect.Slice:
		tag, _ := projectField(o)
		d.named(p.value, f, path, tag)
	default:
		if s, ok := d.text(p.value, path, wanted(o)); ok {
			d.scalar(s, f, o, posOf(p.value), path)
		}
	}
}

func projectField(o *option) (omit string, ok bool) {
	f, ok := reflect.TypeFor[Project]().FieldByNameFunc(func(name string) bool {
		g, _ := reflect.TypeFor[Project]().FieldByName(name)
		return g.Tag.Get("key") == o.key
	})
	return f.Tag.Get("omit"), ok
}

// list decodes a scalar or a list of scalars.
func (d *decoder) list(p pair, f reflect.Value, o *option, path string) {
	var texts []string
	switch n := p.value.(type) {
	case *ast.SequenceNode:
		for i, v := range n.Values {
			at := path + "[" + strconv.Itoa(i) + "]"
			d.mark(at, p.at, v)
			if s, ok := d.text(v, at, "text"); ok {
				texts = append(texts, s)
			}
		}
	default:
		s, ok := d.text(n, path, wanted(o))
		if !ok {
			return
		}
		texts = []string{s}
	}
	f.Set(reflect.ValueOf(texts))
}

// numbers decodes a number or a list of numbers, whole ones where the option holds such.
func (d *decoder) numbers(p pair, f reflect.Value, o *option, path string) {
	nodes := []ast.Node{p.value}
	seq, isList := p.value.(*ast.SequenceNode)
	if isList {
		nodes = seq.Values
	}
	f.SetLen(0)
	for i, n := range nodes {
		at := path
		if isList {
			at += "[" + strconv.Itoa(i) + "]"
			d.mark(at, p.at, n)
		}
		whole := f.Type().Elem().Kind() == reflect.Int
		want := "a number or a list of numbers"
		if whole {
			want = "a whole number or a list of them"
		}
		s, ok := d.text(n, at, want)
		if !ok {
			continue
		}
		x, err := strconv.ParseFloat(strings.ReplaceAll(s, "_", ""), 64)
		switch {
		case err != nil || math.IsNaN(x) || math.IsInf(x, 0) || whole && (x != math.Trunc(x) || math.Abs(x) > 1<<31):
			d.wrong(n, at, want)
		case whole:
			f.Set(reflect.Append(f, reflect.ValueOf(int(x))))
		default:
			f.Set(reflect.Append(f, reflect.ValueOf(x)))
		}
	}
}

// named decodes a mapping of names into a slice of structs, sorted by name.
func (d *decoder) named(n ast.Node, f reflect.Value, path, omit string) {
	pairs := d.pairs(n, path, "a mapping of names")
	slices.SortStableFunc(pairs, func(a, b pair) int { return strings.Compare(a.key, b.key) })
	for _, p := range pairs {
		at := join(path, p.key)
		if !isName(p.key) {
			d.badName(p, at)
			d.broken[at] = true
		}
		e := reflect.New(f.Type().Elem()).Elem()
		e.FieldByName("Name").SetString(p.key)
		if short, ok := e.Addr().Interface().(*Derived); ok && isScalar(p.value) {
			short.Expr, _ = d.text(p.value, at, "an expression")
		} else {
			d.structure(p.value, e, at, omit)
		}
		f.Set(reflect.Append(f, e))
	}
}

func (d *decoder) badName(p pair, path string) {
	d.add(p.at, path, fmt.Sprintf("%q cannot be a name", p.key), fmt.Sprintf("use a letter or _, then letters, digits and _, at most %d", maxName), "")
}

// wanted says what an option holds, for messages.
func wanted(o *option) string {
	switch {
	case len(o.enum) > 0:
		return quoted(o.enum)
	case o.typ == durationType:
		return "a duration such as 90s, 1h or 7d"
	case o.typ == sizeType:
		return "a size such as 64KiB or 4MiB"
	case o.form == "instant":
		return "a date or an RFC 3339 time"
	case o.form == "expr":
		return "an expression"
	case o.form == "numbers":
		return "a number or a list of numbers"
	case o.form == "task":
		return "binary, multiclass, regression, forecast or anomaly"
	}
	switch o.typ.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Uint64:
		return "a whole number"
	case reflect.Float64:
		return "a number"
	}
	return "text"
}
