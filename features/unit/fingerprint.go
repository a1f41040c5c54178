package unit

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/features/agg"
)

// fingerprint hashes all that state bytes and columns depend on.
func (c *compiling) fingerprint(e *Entity) uint64 {
	var b strings.Builder
	fmt.Fprintf(&b, "layout %d entity %q key %q keep %d buckets %d skew %d\n", version, e.Name, e.Key, e.Keep, e.Buckets, c.opt.MaxSkew)
	for i := range e.Features {
		f := &e.Features[i]
		fmt.Fprintf(&b, "%q %s@%d value %q where %q at %q per %q over %d suffix %t exact %t lag %d k %d half %d weight %x",
			f.Name, f.Agg, c.version(f), f.Value, f.Where, f.At, f.Per, f.Over, f.Suffix, f.Exact, f.Lag, f.K, f.HalfLife, f.Weight)
		fmt.Fprintf(&b, " due %q by %q keep %d cap %d\n", f.Due, f.By, f.Keep, f.Cap)
		if f.Keyed.Model != nil {
			fmt.Fprintf(&b, "keyed %q inputs %q\n", f.Keyed.Text, f.Keyed.Inputs)
			if f.Keyed.Grouped {
				fmt.Fprintf(&b, "group %q\n", f.Keyed.Group)
			}
		}
		for _, source := range append([]int{f.Source}, f.Until...) {
			s := &c.sources[source]
			fmt.Fprintf(&b, " source %q table %t", s.Name, s.Table)
			for _, field := range fieldsNamed(s, slices.Concat([]string{f.Value, f.Where, f.At, f.Per, f.Due, f.By}, f.Keyed.Inputs, f.Keyed.Group, e.Key)) {
				fmt.Fprintf(&b, " %q %v", field.Name, field.Kind)
			}
			b.WriteByte('\n')
		}
	}
	return features.Hash(b.String())
}

// version returns the fold version of a feature.
func (c *compiling) version(f *Feature) int {
	if spec := agg.Find(f.Agg); spec != nil {
		return spec.Version
	}
	for _, k := range c.p.keyed {
		if k.feature == f.Name {
			return k.shape.Version
		}
	}
	return 0
}

// fieldsNamed returns the fields of a source that occur as words in texts, by name: what else a source has does not touch the
// state, so that fields may come, go and change places.
func fieldsNamed(s *features.Source, texts []string) []features.Field {
	words := map[string]bool{}
	for _, text := range texts {
		for _, w := range strings.FieldsFunc(text, func(r rune) bool { return r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
			words[w] = true
		}
		words[text] = true
	}
	var list []features.Field
	for _, f := range s.Fields {
		if words[f.Name] {
			list = append(list, f)
		}
	}
	slices.SortFunc(list, func(a, b features.Field) int { return strings.Compare(a.Name, b.Name) })
	return list
}
