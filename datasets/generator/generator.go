// Package generator makes labelled streams of any length from a seed: the synthetic concepts that papers on learning under drift
// use, and wrappers that change from one concept to another at known places. It stands before the flow, like the other data sets:
// `freshet evaluate --data 'generator:sea?n=50000'` reads it like a file, and tests and examples use it where files cannot be shipped.
//
// Rows are a function of the spec alone. Streams that MOA (Bifet et al., JMLR 11, 2010) has too are drawn from the same random
// generator in the same order, so that with equal seeds the rows are the same to the bit, and figures published for them can be
// repeated without its files; each says so in its Source.
package generator

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/freshet-ml/freshet/features"
)

// Column is one feature of a stream.
type Column struct {
	Name   string
	Values []string // of a category, in order; nil: a number
}

// Meta says what the rows of a stream mean. It does not change; callers must not change it.
type Meta struct {
	Columns []Column
	Target  string
	Classes []string // labels by class index; nil: the label is a number
}

// Drift is a change of concept.
type Drift struct {
	At    int64 // rows before the centre of the change
	Width int64 // rows over which it happens; 0: at once; -1: from the beginning to the end of the stream
}

// Stream yields rows without end. It belongs to one goroutine.
type Stream interface {
	Meta() *Meta
	// Next writes the next row to x, which has a place for each column (a number, or the index of a category's value), and returns its
	// label: a class index, or a number.
	Next(x []float64) float64
	// Drifts lists the true changes of concept, by At.
	Drifts() []Drift
}

// Param is a parameter of a generator.
type Param struct {
	Name     string
	Default  float64
	Min, Max float64 // both inclusive
	Integer  bool
	Stream   string // not "": the parameter is a stream, and this the spec of its default
	Doc      string
}

// Spec is one entry of the catalogue.
type Spec struct {
	Name   string
	Doc    string // what it is and what changes
	Source string // paper; and whether the rows are those of MOA
	Params []Param
	New    func(a Args) (Stream, error)
}

// Args are the parameters of a stream, checked and filled.
type Args struct {
	numbers map[string]float64
	streams map[string]Stream
}

func (a Args) float(name string) float64 { return a.numbers[name] }
func (a Args) int(name string) int       { return int(a.numbers[name]) }
func (a Args) flag(name string) bool     { return a.numbers[name] != 0 }

// rand returns the generator for a parameter that is a seed.
func (a Args) rand(name string) *JavaRandom { return NewJavaRandom(int64(a.numbers[name])) }

const (
	maxSeed = 1 << 47
	maxRows = 1 << 40
	// DefaultRows is how many rows a Source has unless its spec says n.
	DefaultRows = 100_000
)

func seed(name, doc string) Param {
	return Param{Name: name, Default: 1, Min: 0, Max: maxSeed, Integer: true, Doc: doc}
}

var rowSeed = seed("seed", "seed of the rows")

func count(name string, def, lo, hi float64, doc string) Param {
	return Param{Name: name, Default: def, Min: lo, Max: hi, Integer: true, Doc: doc}
}

func share(name string, def float64, doc string) Param {
	return Param{Name: name, Default: def, Min: 0, Max: 1, Doc: doc}
}

func flag(name, doc string) Param {
	return Param{Name: name, Min: 0, Max: 1, Integer: true, Doc: doc}
}

// Source is a stream that ends after a number of rows.
type Source struct {
	Stream
	Rows int64 // all there are

	made  int64
	x     []float64
	codes [][]float64 // by column: the numbers that stand for its categories in vectors
}

// Open makes the stream of a spec: a name and parameters, as in random_tree, random_tree?seed=7&n=5000 or, the same,
// random_tree(seed=7,n=5000). A parameter that is a stream takes the form with brackets:
// gradual?first=sea(concept=1)&second=sea(concept=3)&at=5000&width=100&n=10000. n is the number of rows, DefaultRows without it.
// Errors name the part that is wrong and what may stand there.
func Open(spec string) (*Source, error) {
	s := &Source{Rows: DefaultRows}
	stream, err := parse(spec, func(value string) error {
		n, err := number(Param{Name: "n", Min: 1, Max: maxRows, Integer: true}, value)
		s.Rows = int64(n)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("generator %q: %w", spec, err)
	}
	s.Stream = stream
	for _, c := range stream.Meta().Columns {
		var codes []float64
		for _, v := range c.Values {
			codes = append(codes, features.Category(v))
		}
		s.codes = append(s.codes, codes)
	}
	s.x = make([]float64, len(s.codes))
	return s, nil
}

// Schema is the meaning of the vectors that Vector writes.
func (s *Source) Schema() *features.Schema {
	out := &features.Schema{}
	for _, c := range s.Meta().Columns {
		kind := features.Numeric
		if c.Values != nil {
			kind = features.Categorical
		}
		out.Columns = append(out.Columns, features.Column{Name: c.Name, Kind: kind})
	}
	return out
}

// Vector writes the next row as a model sees it to dst, which has a place for each column, and returns its label; false after the last
// row. Categories are written as features.Category of their text. It allocates nothing.
func (s *Source) Vector(dst []float64) (y float64, ok bool) {
	if s.made == s.Rows {
		return 0, false
	}
	s.made++
	y = s.Next(dst)
	for i, codes := range s.codes {
		if codes != nil {
			dst[i] = codes[int(dst[i])]
		}
	}
	return y, true
}

// Record appends the next row as texts to dst, the label last; false after the last row. Numbers are written so that they are read
// again exactly.
func (s *Source) Record(dst []string) ([]string, bool) {
	if s.made == s.Rows {
		return dst, false
	}
	s.made++
	y := s.Next(s.x)
	m := s.Meta()
	for i, c := range m.Columns {
		if c.Values != nil {
			dst = append(dst, c.Values[int(s.x[i])])
		} else {
			dst = append(dst, strconv.FormatFloat(s.x[i], 'g', -1, 64))
		}
	}
	if m.Classes != nil {
		return append(dst, m.Classes[int(y)]), true
	}
	return append(dst, strconv.FormatFloat(y, 'g', -1, 64)), true
}

// parse makes the stream of a spec; rows is handed the value of n, nil where n may not stand.
func parse(spec string, rows func(string) error) (Stream, error) {
	name, rest, err := head(strings.TrimSpace(spec))
	if err != nil {
		return nil, err
	}
	s, ok := find(name)
	if !ok {
		return nil, fmt.Errorf("there is no %q; choose one of %s", name, strings.Join(Names(), ", "))
	}
	a := Args{numbers: map[string]float64{}, streams: map[string]Stream{}}
	given := map[string]string{}
	for _, pair := range rest {
		key, value, found := strings.Cut(pair, "=")
		key, value = strings.TrimSpace(key), strings.TrimSpace(value)
		if !found || key == "" || value == "" {
			return nil, fmt.Errorf("%s: %q: write name=value", name, pair)
		}
		if _, twice := given[key]; twice {
			return nil, fmt.Errorf("%s: %s is given twice", name, key)
		}
		given[key] = value
	}
	if n, ok := given["n"]; ok && rows != nil {
		if err := rows(n); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		delete(given, "n")
	}
	for _, p := range s.Params {
		if err := a.set(p, given); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		delete(given, p.Name)
	}
	for _, key := range slices.Sorted(maps.Keys(given)) {
		return nil, fmt.Errorf("%s has no parameter %q; it has %s", name, key, strings.Join(s.names(), ", "))
	}
	stream, err := s.New(a)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return stream, nil
}

func (a Args) set(p Param, given map[string]string) error {
	value, ok := given[p.Name]
	if p.Stream != "" {
		if !ok {
			value = p.Stream
		}
		s, err := parse(value, nil)
		a.streams[p.Name] = s
		return err
	}
	a.numbers[p.Name] = p.Default
	if !ok {
		if p.Name != "seed" && strings.HasSuffix(p.Name, "_seed") { // follows the seed of the rows unless it is given
			a.numbers[p.Name] = a.numbers["seed"]
		}
		return nil
	}
	x, err := number(p, value)
	a.numbers[p.Name] = x
	return err
}

func number(p Param, value string) (float64, error) {
	switch value {
	case "true":
		value = "1"
	case "false":
		value = "0"
	}
	x, err := strconv.ParseFloat(value, 64)
	if err != nil || !(x >= p.Min && x <= p.Max) || p.Integer && x != float64(int64(x)) {
		what := "a number"
		if p.Integer {
			what = "a whole number"
		}
		return 0, fmt.Errorf("%s=%s: want %s from %s to %s", p.Name, value, what, plain(p.Min), plain(p.Max))
	}
	return x, nil
}

// plain writes a bound as people do: without an exponent where it is a whole number.
func plain(x float64) string {
	if x == math.Trunc(x) && math.Abs(x) < 1e15 {
		return strconv.FormatFloat(x, 'f', -1, 64)
	}
	return strconv.FormatFloat(x, 'g', -1, 64)
}

// head splits a spec into its name and its pairs.
func head(spec string) (name string, pairs []string, err error) {
	at := strings.IndexAny(spec, "?(")
	if at < 0 {
		return spec, nil, nil
	}
	name, rest, separator := spec[:at], spec[at+1:], byte('&')
	if spec[at] == '(' {
		if !strings.HasSuffix(rest, ")") {
			return "", nil, fmt.Errorf("%q: the bracket after %s is not closed", spec, name)
		}
		rest, separator = rest[:len(rest)-1], ','
	}
	if strings.TrimSpace(rest) == "" {
		return name, nil, nil
	}
	depth, start := 0, 0
	for i := 0; i < len(rest); i++ {
		switch c := rest[i]; {
		case c == '(':
			depth++
		case c == ')':
			depth--
		case c == separator && depth == 0:
			pairs = append(pairs, rest[start:i])
			start = i + 1
		}
		if depth < 0 || depth > maxNesting {
			return "", nil, fmt.Errorf("%q: brackets do not match, or are nested deeper than %d", spec, maxNesting)
		}
	}
	if depth != 0 {
		return "", nil, fmt.Errorf("%q: a bracket is not closed", spec)
	}
	return name, append(pairs, rest[start:]), nil
}

// maxNesting bounds streams within streams.
const maxNesting = 8

func (s *Spec) names() []string {
	var out []string
	for _, p := range s.Params {
		out = append(out, p.Name)
	}
	return append(out, "n")
}
