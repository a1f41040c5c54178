package drift

import (
	"math"
	"slices"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
)

// WatchConfig are the parameters of Watch; zero fields take the default.
type WatchConfig struct {
	Reference int     // examples whose distribution is frozen as the reference, 5,000; at least 100
	Window    int     // examples of one window that is compared with it, 2,000; at least 100
	Alpha     float64 // chance of a false alarm for one feature and window, 0.001
	// Measures are the distances of the columns in the order of the schema, of a text that of its first column; nil: UsualMeasure of all.
	Measures []Measure
}

func (c WatchConfig) withDefaults() WatchConfig {
	if c.Reference == 0 {
		c.Reference = 5000
	}
	if c.Window == 0 {
		c.Window = 2000
	}
	if c.Alpha == 0 {
		c.Alpha = 0.001
	}
	if c.Reference < 100 || c.Window < 100 || !(c.Alpha > 0 && c.Alpha < 1) {
		panic("drift: parameter of a watch out of range")
	}
	return c
}

// Watch compares the distribution of every feature in each window of examples with that in a frozen reference, the first examples, by the measure
// of the feature. Cuts of the line are the reference's, so that values of different windows can be compared.
//
// A threshold is the greater of the measure's and of what Alpha, the chance of a false alarm, allows at these sizes: a fixed one alarms on small
// windows without any drift.
//
// Of a text, which has several columns, it watches the length in bytes, under the name of the text.
//
// Memory: 8·Reference bytes per feature until the reference is frozen; after that about 500 bytes, and 7 KB more for measures of ordered values. It
// belongs to one goroutine.
type Watch struct {
	cfg      WatchConfig
	kinds    []features.ColumnKind
	names    []string
	slots    [][2]int    // by feature: its first column, and how many there are: one, but for texts
	width    int         // columns of the schema
	seen     uint64      // examples of the reference so far
	sample   [][]float64 // by feature, until frozen
	columns  []watched
	inWindow uint64
	windows  uint64 // finished ones
}

// watched is one column.
type watched struct {
	measure Measure
	bins    histogram
	order   *ordered // for measures of ordered values, from when the reference is frozen
}

// Score is what is said of one feature in the last finished window.
type Score struct {
	Feature   string
	Measure   string // psi, jensen_shannon, ks or wasserstein
	Value     float64
	Threshold float64 // given the sizes
	Alert     float64 // above it the drift is worth somebody's time; at least Threshold
	Missing   float64 // share of examples
	Other     float64 // share beyond the reference's range, or not among its frequent values
	Drifted   bool    // Value > Threshold
}

// NewWatch returns the comparison of the columns of a schema. It panics for parameters out of range, among them measures of ordered values for columns
// of categories.
func NewWatch(schema *features.Schema, cfg WatchConfig) *Watch {
	w := &Watch{cfg: cfg.withDefaults(), width: len(schema.Columns)}
	texts := features.TextsOf(schema)
	for i, n := 0, 1; i < w.width; i += n {
		if n = 1; len(texts) > 0 && texts[0][0] == i {
			n, texts = len(texts[0]), texts[1:]
		}
		c := schema.Columns[i]
		w.kinds, w.names, w.slots = append(w.kinds, c.Kind), append(w.names, c.Name), append(w.slots, [2]int{i, n})
		w.sample = append(w.sample, make([]float64, 0, w.cfg.Reference))
		m := UsualMeasure
		if cfg.Measures != nil {
			m = cfg.Measures[i]
		}
		w.columns = append(w.columns, watched{measure: m})
		if !m.valid() || m != m.For(c.Kind == features.Categorical) {
			panic("drift: no measure of " + c.Name + ": " + m.Name)
		}
	}
	return w
}

// Observe takes in one feature vector and reports whether it ended a window. It allocates only when the reference is frozen. It panics when the
// row is dense and has another number of columns than the schema.
func (w *Watch) Observe(row models.Row) bool {
	if row.Index == nil && len(row.Value) != w.width {
		panic("drift: row with another number of columns than the schema")
	}
	j := 0
	for i := range w.columns {
		x, at := 0.0, w.slots[i][0]
		switch {
		case row.Index != nil:
			x, j = w.sparse(row, i, j)
		case w.kinds[i] == features.Text:
			x = features.TextLen(row.Value[at : at+w.slots[i][1]])
		default:
			x = row.Value[at]
		}
		if w.sample != nil {
			w.sample[i] = append(w.sample[i], x)
			continue
		}
		c := &w.columns[i]
		c.bins.current[c.bins.bin(x, w.kinds[i])]++
		if c.order != nil {
			c.order.add(&c.order.current, x)
		}
	}
	if w.sample != nil {
		if w.seen++; w.seen == uint64(w.cfg.Reference) {
			w.freeze()
		}
		return false
	}
	if w.inWindow++; w.inWindow < uint64(w.cfg.Window) {
		return false
	}
	w.end()
	return true
}

// sparse returns the value of feature i in a sparse row of which entry j is the first that may be its, and the entry behind it.
func (w *Watch) sparse(row models.Row, i, j int) (x float64, next int) {
	first, n := w.slots[i][0], w.slots[i][1]
	if w.kinds[i] != features.Text {
		if j < len(row.Index) && int(row.Index[j]) == first {
			return row.Value[j], j + 1
		}
		return 0, j
	}
	slots := make([]float64, n)
	for ; j < len(row.Index) && int(row.Index[j]) < first+n; j++ {
		slots[int(row.Index[j])-first] = row.Value[j]
	}
	return features.TextLen(slots), j
}

// end ends the current window.
func (w *Watch) end() {
	for i := range w.columns {
		c := &w.columns[i]
		c.bins.last, c.bins.current = c.bins.current, [allBins]float64{}
		if c.order != nil {
			c.order.end()
		}
	}
	w.inWindow = 0
	w.windows++
}

func (w *Watch) freeze() {
	for i, sample := range w.sample {
		c := &w.columns[i]
		values := make([]float64, 0, len(sample))
		for _, x := range sample {
			if !math.IsNaN(x) {
				values = append(values, x)
			}
		}
		slices.Sort(values)
		if w.kinds[i] == features.Categorical {
			c.bins.edges = frequent(values)
		} else {
			c.bins.edges = deciles(values)
		}
		for _, x := range sample {
			c.bins.reference[c.bins.bin(x, w.kinds[i])]++
		}
		if c.measure.Ordered() {
			c.order = newOrdered(values, len(sample)-len(values))
		}
	}
	w.sample = nil
}

// Frozen reports whether the reference is complete.
func (w *Watch) Frozen() bool { return w.sample == nil }

// Sizes returns how many examples the reference and a window have.
func (w *Watch) Sizes() (reference, window int) { return w.cfg.Reference, w.cfg.Window }

// Windows returns the number of finished windows.
func (w *Watch) Windows() uint64 { return w.windows }

// Scores appends the scores of all features in the last finished window, in the order of the schema; nothing before the
// first one is finished.
func (w *Watch) Scores(dst []Score) []Score {
	if w.windows == 0 {
		return dst
	}
	for i := range w.columns {
		dst = append(dst, w.score(i))
	}
	return dst
}

func (w *Watch) score(i int) Score {
	c := &w.columns[i]
	n, m, alpha := float64(w.cfg.Reference), float64(w.cfg.Window), w.cfg.Alpha
	ref, cur := c.bins.reference[:], c.bins.last[:]
	s := Score{Feature: w.names[i], Measure: c.measure.Name, Missing: cur[missingBin] / m, Other: cur[otherBin] / m}
	chance := 0.0
	switch c.measure.Name {
	case "ks":
		s.Value, chance = c.order.ks(), ksChance(n, m, alpha)
	case "wasserstein":
		s.Value, chance = c.order.wasserstein(), c.order.chance(n, m, alpha)
	case "jensen_shannon":
		s.Value, chance = JensenShannon(ref, cur), jensenShannonChance(used(ref, cur), n, m, alpha)
	default:
		s.Value, chance = Index(ref, cur), indexChance(used(ref, cur), n, m, alpha)
	}
	s.Threshold = max(c.measure.Threshold, chance)
	s.Alert = max(c.measure.Alert, s.Threshold)
	s.Drifted = s.Value > s.Threshold
	return s
}

// Distribution is the histograms of a feature. Counts are those of the value bins, then values beyond the reference's range or not among its
// frequent ones, then missing ones.
type Distribution struct {
	Feature     string
	Categorical bool
	Edges       []float64 // numeric: one more than there are value bins; categorical: the value of each bin
	Reference   []float64
	Current     []float64 // of the last finished window; zeros before the first
}

// Distributions returns copies of the histograms of all features in the order of the schema; nil before the reference is complete.
func (w *Watch) Distributions() []Distribution {
	if !w.Frozen() {
		return nil
	}
	out := make([]Distribution, len(w.columns))
	for i := range w.columns {
		c := &w.columns[i].bins
		d := &out[i]
		d.Feature, d.Categorical, d.Edges = w.names[i], w.kinds[i] == features.Categorical, slices.Clone(c.edges)
		bins := len(c.edges)
		if !d.Categorical {
			bins = max(bins-1, 0)
			if bins == 0 && len(c.edges) == 1 {
				bins, d.Edges = 1, []float64{c.edges[0], c.edges[0]}
			}
		}
		d.Reference = append(slices.Clone(c.reference[:bins]), c.reference[otherBin], c.reference[missingBin])
		d.Current = append(slices.Clone(c.last[:bins]), c.last[otherBin], c.last[missingBin])
	}
	return out
}

// State visits the reference and the counts. Loading refuses another schema width, other sizes, and other columns with measures of ordered values; thresholds
// and measures of the same counts are no part of it. Version 1 is a state without such columns.
func (w *Watch) State(c *codec.State) {
	version, inOrder := 1, w.inOrder()
	if len(inOrder) > 0 {
		version = 2
	}
	c.Fixed("version of the watch on features", version)
	c.Fixed("watched columns", len(w.columns))
	c.Fixed("examples of the reference", w.cfg.Reference)
	c.Fixed("examples of a window", w.cfg.Window)
	if version == 2 {
		c.Fixed("columns in order", len(inOrder))
		for _, i := range inOrder {
			c.Fixed("column in order", i)
		}
	}
	c.Uint64(&w.seen)
	c.Uint64(&w.inWindow)
	c.Uint64(&w.windows)
	if w.seen > uint64(w.cfg.Reference) || w.inWindow >= uint64(w.cfg.Window) {
		c.Fail("counts of the watch on features: %d and %d", w.seen, w.inWindow)
		return
	}
	if w.seen < uint64(w.cfg.Reference) {
		w.visitSample(c)
		return
	}
	if c.Loading() {
		w.sample = nil
	}
	for i := range w.columns {
		w.columns[i].bins.state(c)
	}
	w.visitOrdered(c, inOrder)
}

// inOrder returns the columns with measures of ordered values.
func (w *Watch) inOrder() (columns []int) {
	for i := range w.columns {
		if w.columns[i].measure.Ordered() {
			columns = append(columns, i)
		}
	}
	return columns
}

func (w *Watch) visitOrdered(c *codec.State, columns []int) {
	last := 0.0
	if w.windows > 0 {
		last = float64(w.cfg.Window)
	}
	for _, i := range columns {
		col := &w.columns[i]
		if col.order == nil { // loading
			col.order = &ordered{}
		}
		col.order.state(c, float64(w.cfg.Reference), float64(w.inWindow), last)
	}
}

func (w *Watch) visitSample(c *codec.State) {
	if c.Loading() {
		w.sample = make([][]float64, len(w.columns))
	}
	for i := range w.sample {
		c.Float64s(&w.sample[i])
		if c.Loading() && uint64(len(w.sample[i])) != w.seen {
			c.Fail("reference of %d examples, not %d", len(w.sample[i]), w.seen)
			return
		}
	}
}
