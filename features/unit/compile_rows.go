package unit

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/features/agg"
	"github.com/freshet-ml/freshet/features/expr"
	"github.com/freshet-ml/freshet/features/window"
)

// streamKey is what features must agree on to share a stream.
type streamKey struct {
	source int
	at     string
	exact  bool
}

// inputKey is what features must agree on to share an input.
type inputKey struct {
	value, where string
	nulls        bool
}

type partialKey struct {
	p    agg.Partial
	x, y int
}

type streamBuilder struct {
	*stream
	inputAt  map[inputKey]int // offsets in a row
	partialI map[partialKey]int
	lags     map[int64]map[int64][]out // by lag and window; the window math.MaxInt64 is the lifetime
}

// lifetime stands for the window of lifetime features.
const lifetime = math.MaxInt64

// rowsFeature compiles a feature over a stream; errs is how many errors there were before it.
func (c *compiling) rowsFeature(f *Feature, spec *agg.Spec, errs int) {
	at := c.timeField(f, "at", f.At)
	anything := func(*expr.Expr) string { return "" }
	wants := wantsNumber
	if spec.Text {
		wants = anything
	}
	value := c.compile(f, "value", f.Value, wants)
	per := c.compile(f, "per", f.Per, wantsNumber)
	where := c.compile(f, "where", f.Where, wantsTruth)
	fold, err := spec.New(agg.Params{Valued: f.Value != "", K: f.K, HalfLife: f.HalfLife, Weight: f.Weight, Cap: f.Cap})
	if err != nil {
		c.wrong(f.Name, "%v", err)
	}
	if len(c.errs) > errs {
		return
	}
	b := c.stream(f, at)
	nulls := c.sources[f.Source].Table && fold.Nulls
	key := partialKey{p: fold.Partial, x: b.input(inputKey{f.Value, f.Where, nulls}, value, where)}
	if f.Per != "" {
		key.y = b.input(inputKey{f.Per, f.Where, false}, per, where)
	}
	if len(b.inputs) > maxInputs {
		c.wrong(f.Name, "source %s has more than %d different values and conditions; split the entity", c.sources[f.Source].Name, maxInputs)
		return
	}
	kind := features.Numeric
	if fold.Category && value.Kind() == features.String {
		kind = features.Categorical
	}
	c.outs(f, b, b.partial(key), fold, kind)
}

// outs adds the columns of a feature, for each of its windows.
func (c *compiling) outs(f *Feature, b *streamBuilder, partial int, fold agg.Fold, kind features.ColumnKind) {
	over := f.Over
	if len(over) == 0 {
		over = []time.Duration{0}
	}
	for _, w := range over {
		length, hop := int64(lifetime), int64(0)
		if w > 0 {
			length = w.Microseconds()
			hop = window.Hop(window.CodeFor(length))
		}
		name := f.Name
		if f.Suffix && w > 0 {
			name += "_" + window.Suffix(w)
		}
		meta := columnWindow{w, time.Duration(hop) * time.Microsecond, f.Lag}
		first := len(c.p.columns)
		for i := range fold.Columns {
			if fold.Numbered {
				c.column(name+"_"+strconv.Itoa(i+1), kind, meta)
			} else {
				c.column(name, kind, meta)
			}
		}
		lag := f.Lag.Microseconds()
		if b.lags[lag] == nil {
			b.lags[lag] = map[int64][]out{}
		}
		b.lags[lag][length] = append(b.lags[lag][length], out{partial, first, fold.Columns, fold.Finish})
	}
}

// stream returns the stream that f shares.
func (c *compiling) stream(f *Feature, at int) *streamBuilder {
	key := streamKey{f.Source, f.At, f.Exact}
	b := c.streams[key]
	if b == nil {
		b = &streamBuilder{stream: &stream{source: f.Source, at: at, exact: f.Exact},
			inputAt: map[inputKey]int{}, partialI: map[partialKey]int{}, lags: map[int64]map[int64][]out{}}
		c.streams[key] = b
		c.p.bySource[f.Source] = append(c.p.bySource[f.Source], len(c.p.streams))
		c.p.streams = append(c.p.streams, b.stream)
	}
	return b
}

// input returns the offset in a row of an input, 0 for the one that is always 1.
func (b *streamBuilder) input(key inputKey, value, where *expr.Expr) int {
	if value == nil && where == nil {
		b.plain = true
		return 0
	}
	at, ok := b.inputAt[key]
	if !ok {
		at = rowLen + 8*len(b.inputs)
		b.inputs = append(b.inputs, input{value, where, key.nulls})
		b.inputAt[key] = at
	}
	return at
}

func (b *streamBuilder) partial(key partialKey) int {
	i, ok := b.partialI[key]
	if ok {
		return i
	}
	i = len(b.partials)
	b.partialI[key] = i
	f := partial{p: key.p, x: key.x, y: key.y, width: key.p.Width()}
	f.run, _ = key.p.(agg.Runner)
	if f.width > 0 {
		f.at = b.fixed
		b.fixed += f.width
	} else {
		f.at = len(b.grown)
		b.grown = append(b.grown, i)
	}
	b.partials = append(b.partials, f)
	return i
}

// finish lays out the streams once all features are known.
func (c *compiling) finish() {
	for _, b := range c.streams { // each stands alone: the order does not matter
		b.width = rowLen + 8*len(b.inputs)
		lags := make([]int64, 0, len(b.lags))
		for lag := range b.lags {
			lags = append(lags, lag)
		}
		slices.Sort(lags)
		for _, lag := range lags {
			b.laggedGroups(lag, b.lags[lag])
		}
		if len(b.needs) == 0 { // lifetime only: tiles for the last max_skew, then the base
			b.needs = []need{{code: max(window.CodeFor(c.p.skew), 3)}}
		}
		b.layLevels()
	}
}

// laggedGroups makes the groups of a lag: one, or with a lag one for each hop, whose windows end on their own grid.
func (b *streamBuilder) laggedGroups(lag int64, windows map[int64][]out) {
	if lag == 0 {
		b.group(0, windows)
		return
	}
	for code := range window.Codes {
		some := map[int64][]out{}
		for length, outs := range windows {
			if window.CodeFor(length) == code {
				some[length] = outs
			}
		}
		if len(some) > 0 {
			b.group(lag, some)
		}
	}
}

func (b *streamBuilder) group(lag int64, windows map[int64][]out) {
	g := group{lag: lag}
	for length, outs := range windows {
		w := reading{length: length, life: length == lifetime, outs: outs}
		if w.life {
			b.base = true
		} else {
			code := window.CodeFor(length)
			w.hop = window.Hop(code)
			b.needs = append(b.needs, need{length + lag, code})
			b.reach = max(b.reach, length+lag)
		}
		g.windows = append(g.windows, w)
	}
	slices.SortFunc(g.windows, func(a, b reading) int { return cmp.Compare(a.length, b.length) })
	last := map[int]int{}
	for i, w := range g.windows {
		for _, o := range w.outs {
			last[o.partial] = i
		}
	}
	for i := range b.partials {
		n, used := last[i]
		switch {
		case !used:
		case b.partials[i].width > 0:
			g.fixed = append(g.fixed, use{i, n})
		default:
			g.grown = append(g.grown, use{i, n})
		}
	}
	slices.SortStableFunc(g.fixed, func(a, b use) int { return b.last - a.last })
	for i := range g.windows {
		for _, u := range g.fixed {
			if u.last >= i {
				g.windows[i].active++
			}
		}
	}
	b.groups = append(b.groups, g)
}

// layLevels collects the hops in use and which windows hold each back.
func (b *streamBuilder) layLevels() {
	slices.SortFunc(b.needs, func(a, b need) int { return cmp.Or(a.code-b.code, cmp.Compare(a.reach, b.reach)) })
	for _, n := range b.needs {
		if k := len(b.levels); k == 0 || b.levels[k-1].code != n.code {
			l := level{code: n.code}
			for _, m := range b.needs {
				if m.code < n.code {
					l.finer = append(l.finer, m)
				}
			}
			b.levels = append(b.levels, l)
		}
	}
}
