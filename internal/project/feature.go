package project

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"

	"github.com/freshet-ml/freshet/internal/spelling"
)

// features decodes the keys of an entity that are no settings, sorted by name. A feature whose
// aggregation is wrong stays in the list with an empty Agg, so that what refers to it is not reported.
func (d *decoder) features(pairs []pair, f reflect.Value, path string) {
	slices.SortStableFunc(pairs, func(a, b pair) int { return strings.Compare(a.key, b.key) })
	list := make([]Feature, 0, len(pairs))
	for _, p := range pairs {
		at := join(path, p.key)
		if !isName(p.key) {
			d.badName(p, at)
		}
		list = append(list, d.feature(p, at))
	}
	f.Set(reflect.ValueOf(list))
}

func (d *decoder) feature(p pair, path string) Feature {
	f := Feature{Name: p.key}
	v := reflect.ValueOf(&f).Elem()
	opts := options(v.Type(), "")
	d.defaults(v, opts)
	var keys []string
	byKey := map[string]*option{}
	for i := range opts {
		byKey[opts[i].key] = &opts[i]
		keys = append(keys, opts[i].key)
	}
	if at, like := d.settingLike(p); like != "" {
		d.add(p.at, path, at, "", like)
		return f
	}
	pairs := d.pairs(p.value, path, "an aggregation such as {mean: source.field, over: 1h}")
	if pairs == nil {
		return f
	}
	agg := d.aggregationKey(pairs, byKey, path)
	if agg != nil { // first, so that value: beside it is judged after it
		d.aggregation(&f, *agg, join(path, agg.key))
	}
	for _, q := range pairs {
		at := join(path, q.key)
		switch o := byKey[q.key]; {
		case agg != nil && q.key == agg.key:
		case q.key == "value" && f.Value != "":
			d.add(q.at, at, "a value here and a field in "+agg.key, "keep one of them", "")
		case o != nil && o.form == "windows":
			d.windows(&f, q, at)
		case o != nil:
			d.value(q, v.Field(o.index), o, at)
		case agg != nil && known(q.key):
			d.add(q.at, at, fmt.Sprintf("a second aggregation, beside %s", agg.key), "make it a feature of its own", "")
		case agg != nil && parameter(agg.key, q.key):
			d.add(q.at, at, q.key+" is a parameter of "+agg.key, "write with: {"+q.key+": …}", "")
		case agg != nil:
			d.unknown(q, path, keys)
		}
	}
	return f
}

// settingLike recognises a misspelt setting of the entity, such as buckts: 16, which is no feature.
func (d *decoder) settingLike(p pair) (reason, like string) {
	if isScalar(p.value) {
		if like = spelling.Nearest(p.key, []string{"key", "keep", "buckets"}); like != "" {
			return fmt.Sprintf("%q is neither a setting nor a feature", p.key), like
		}
	}
	return "", ""
}

// aggregationKey finds the key that names the aggregation, or reports what stands in its place. lag is
// a setting when another aggregation stands beside it.
func (d *decoder) aggregationKey(pairs []pair, settings map[string]*option, path string) *pair {
	for _, want := range []bool{false, true} {
		for i := range pairs {
			_, setting := settings[pairs[i].key]
			if setting == want && known(pairs[i].key) {
				return &pairs[i]
			}
		}
	}
	for _, p := range pairs {
		if settings[p.key] == nil {
			near, mend := spelling.Nearest(p.key, aggregationNames()), ""
			if near == "" {
				mend = "known: " + strings.Join(aggregationNames(), ", ")
			}
			d.add(p.at, path, fmt.Sprintf("unknown aggregation %q", p.key), mend, near)
			return nil
		}
	}
	d.add(d.keys[path], path, "no aggregation", "add one, such as mean: source.field; known: "+strings.Join(aggregationNames(), ", "), "")
	return nil
}

// aggregation reads the value of the aggregation's key: source or source.field.
func (d *decoder) aggregation(f *Feature, p pair, path string) {
	s, ok := d.text(p.value, path, "source or source.field")
	if !ok {
		return
	}
	source, field, dotted := strings.Cut(s, ".")
	if !isName(source) || dotted && !isName(field) {
		d.add(posOf(p.value), path, fmt.Sprintf("%q is neither source nor source.field", s), "name the source here and put the expression into value:", "")
		return
	}
	f.Agg, f.Source = p.key, source
	if dotted {
		f.Value = field
	}
}

// windows reads over: 1h, lifetime, or a list.
func (d *decoder) windows(f *Feature, p pair, path string) {
	nodes := []ast.Node{p.value}
	seq, isList := p.value.(*ast.SequenceNode)
	if isList {
		nodes = seq.Values
	}
	if isList && len(nodes) == 0 {
		d.add(posOf(p.value), path, "no window in the list", "give one, such as [1h], or remove over", "")
	}
	f.Suffix = isList
	for i, n := range nodes {
		at := path
		if isList {
			at += "[" + strconv.Itoa(i) + "]"
			d.mark(at, p.at, n)
		}
		s, ok := d.text(n, at, "a window such as 1h or 7d, or lifetime")
		if !ok {
			continue
		}
		if s == "lifetime" {
			if isList {
				d.add(posOf(n), at, "lifetime cannot stand in a list of windows", "make it a feature of its own", "")
			}
			continue
		}
		w, err := ParseDuration(s)
		switch {
		case err != nil:
			d.add(posOf(n), at, err.Error(), "give a window such as 1h or 7d, or lifetime", "")
		case w < time.Millisecond:
			d.add(posOf(n), at, fmt.Sprintf("the window %s is too short", s), "give at least 1ms", "")
		case slices.Contains(f.Over, w):
			d.add(posOf(n), at, fmt.Sprintf("the window %s stands here twice", s), "remove one", "")
		default:
			f.Over = append(f.Over, w)
		}
	}
	slices.Sort(f.Over)
}
