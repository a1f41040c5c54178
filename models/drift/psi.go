package drift

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/stat/distuv"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
)

// The bins of one feature: ten for values, then those beyond the reference's range (numeric) or not among its ten most
// frequent values (categorical), then missing ones.
const (
	psiValueBins = 10
	psiOther     = psiValueBins
	psiMissing   = psiValueBins + 1
	psiBins      = psiValueBins + 2
)

// PSIConfig are the parameters of PSI; zero fields take the default.
type PSIConfig struct {
	Reference int     // examples whose distribution is frozen as the reference, 5,000; at least 100
	Window    int     // examples of one window that is compared with it, 2,000; at least 100
	Alpha     float64 // chance of a false alarm for one feature and window, 0.001
}

func (c PSIConfig) withDefaults() PSIConfig {
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
		panic("drift: parameter of psi out of range")
	}
	return c
}

// PSI is the population stability index Σ (q − p)·ln(q/p) of every feature between a frozen reference (the first examples) and each
// window of examples that follows. The edges are the reference's deciles, so values of different windows can be compared; counts
// are smoothed by ½ so that empty bins stay finite.
//
// A fixed threshold alarms on small windows without any drift, since then E[PSI] ≈ (B−1)(1/n_ref + 1/n_cur);
// the threshold is therefore max(0.1, χ²-quantile(1−α, B−1)·(1/n_ref + 1/n_cur)), B the bins that the reference or the window uses.
//
// Memory: 8·Reference bytes per feature until the reference is frozen, about 500 bytes per feature after. It belongs to one goroutine.
type PSI struct {
	cfg      PSIConfig
	kinds    []features.ColumnKind
	names    []string
	seen     uint64      // examples of the reference so far
	sample   [][]float64 // by feature, until frozen
	columns  []psiColumn
	inWindow uint64
	windows  uint64 // finished ones
}

type psiColumn struct {
	edges     []float64 // numeric: least value, inner edges, greatest value; categorical: the values of the bins in order
	reference [psiBins]float64
	current   [psiBins]float64
	last      [psiBins]float64 // of the last finished window
}

// Score is what PSI says of one feature in the last finished window.
type Score struct {
	Feature   string
	PSI       float64
	Threshold float64
	Missing   float64 // share of examples
	Other     float64 // share beyond the reference's range, or not among its frequent values
	Drifted   bool    // PSI > Threshold
}

// NewPSI returns the index of the columns of a schema. It panics for parameters out of range.
func NewPSI(schema *features.Schema, cfg PSIConfig) *PSI {
	p := &PSI{cfg: cfg.withDefaults(), columns: make([]psiColumn, len(schema.Columns)), sample: make([][]float64, len(schema.Columns))}
	for i, c := range schema.Columns {
		p.kinds, p.names = append(p.kinds, c.Kind), append(p.names, c.Name)
		p.sample[i] = make([]float64, 0, p.cfg.Reference)
	}
	return p
}

// Observe takes in one feature vector and reports whether it ended a window. It allocates only when the reference is frozen. It panics when the
// row is dense and has another number of columns than the schema.
func (p *PSI) Observe(row models.Row) bool {
	if row.Index == nil && len(row.Value) != len(p.columns) {
		panic("drift: row with another number of columns than the schema")
	}
	j := 0
	for i := range p.columns {
		x := 0.0
		if row.Index == nil {
			x = row.Value[i]
		} else if j < len(row.Index) && int(row.Index[j]) == i {
			x = row.Value[j]
			j++
		}
		if p.sample != nil {
			p.sample[i] = append(p.sample[i], x)
			continue
		}
		c := &p.columns[i]
		c.current[c.bin(x, p.kinds[i])]++
	}
	if p.sample != nil {
		if p.seen++; p.seen == uint64(p.cfg.Reference) {
			p.freeze()
		}
		return false
	}
	if p.inWindow++; p.inWindow < uint64(p.cfg.Window) {
		return false
	}
	for i := range p.columns {
		c := &p.columns[i]
		c.last, c.current = c.current, [psiBins]float64{}
	}
	p.inWindow = 0
	p.windows++
	return true
}

func (p *PSI) freeze() {
	for i, sample := range p.sample {
		c := &p.columns[i]
		values := make([]float64, 0, len(sample))
		for _, x := range sample {
			if !math.IsNaN(x) {
				values = append(values, x)
			}
		}
		slices.Sort(values)
		if p.kinds[i] == features.Categorical {
			c.edges = frequent(values)
		} else {
			c.edges = deciles(values)
		}
		for _, x := range sample {
			c.reference[c.bin(x, p.kinds[i])]++
		}
	}
	p.sample = nil
}

// deciles returns the least value, the distinct inner deciles and the greatest value of a sorted sample.
func deciles(sorted []float64) []float64 {
	if len(sorted) == 0 {
		return nil
	}
	edges := []float64{sorted[0]}
	for k := 1; k < psiValueBins; k++ {
		e := sorted[k*len(sorted)/psiValueBins]
		if e > edges[len(edges)-1] {
			edges = append(edges, e)
		}
	}
	return append(edges, sorted[len(sorted)-1])
}

// frequent returns the ten most frequent values of a sorted sample, in order; the lesser value first on a tie.
func frequent(sorted []float64) []float64 {
	type count struct {
		value float64
		n     int
	}
	var counts []count
	for _, x := range sorted {
		if k := len(counts) - 1; k >= 0 && counts[k].value >= x {
			counts[k].n++
		} else {
			counts = append(counts, count{x, 1})
		}
	}
	slices.SortStableFunc(counts, func(a, b count) int { return b.n - a.n })
	counts = counts[:min(len(counts), psiValueBins)]
	values := make([]float64, len(counts))
	for i, c := range counts {
		values[i] = c.value
	}
	slices.Sort(values)
	return values
}

// bin returns the bin of a value. Numeric bin k holds the values in [edge k, edge k+1), the last one its upper edge too.
func (c *psiColumn) bin(x float64, kind features.ColumnKind) int {
	if math.IsNaN(x) {
		return psiMissing
	}
	i, found := slices.BinarySearch(c.edges, x)
	if kind == features.Categorical {
		if !found {
			return psiOther
		}
		return i
	}
	last := len(c.edges) - 1
	if last < 0 || x < c.edges[0] || x > c.edges[last] {
		return psiOther
	}
	if found {
		i++
	}
	return max(min(i-1, last-1), 0)
}

// Frozen reports whether the reference is complete.
func (p *PSI) Frozen() bool { return p.sample == nil }

// Sizes returns how many examples the reference and a window have.
func (p *PSI) Sizes() (reference, window int) { return p.cfg.Reference, p.cfg.Window }

// Windows returns the number of finished windows.
func (p *PSI) Windows() uint64 { return p.windows }

// Scores appends the scores of all features in the last finished window, in the order of the schema; nothing before the
// first one is finished.
func (p *PSI) Scores(dst []Score) []Score {
	if p.windows == 0 {
		return dst
	}
	for i := range p.columns {
		c := &p.columns[i]
		s := Score{Feature: p.names[i]}
		n := float64(p.cfg.Window)
		s.PSI = Index(c.reference[:], c.last[:])
		s.Threshold = Threshold(usedBins(c), float64(p.cfg.Reference), n, p.cfg.Alpha)
		s.Missing, s.Other = c.last[psiMissing]/n, c.last[psiOther]/n
		s.Drifted = s.PSI > s.Threshold
		dst = append(dst, s)
	}
	return dst
}

func usedBins(c *psiColumn) int {
	used := 0
	for b := range c.reference {
		if c.reference[b]+c.last[b] > 0 {
			used++
		}
	}
	return used
}

// Index is the population stability index between two histograms of the same bins. Bins that are empty in both are left out, ½ is
// added to every other count. 0 when nothing was counted.
func Index(reference, current []float64) float64 {
	var n, m float64
	for b := range reference {
		if reference[b]+current[b] > 0 {
			n += reference[b] + 0.5
			m += current[b] + 0.5
		}
	}
	total := 0.0
	for b := range reference {
		if reference[b]+current[b] > 0 {
			p, q := (reference[b]+0.5)/n, (current[b]+0.5)/m
			total += float64((q - p) * math.Log(q/p))
		}
	}
	return total
}

// Threshold is the index above which a difference is both worth a look (0.1) and no accident of the sizes: max(0.1, χ²-quantile(1−alpha, bins−1)·
// (1/nReference + 1/nCurrent)).
func Threshold(bins int, nReference, nCurrent, alpha float64) float64 {
	if bins < 2 {
		return 0.1
	}
	q := distuv.ChiSquared{K: float64(bins - 1)}.Quantile(1 - alpha)
	return max(0.1, q*(1/nReference+1/nCurrent))
}

// Distribution is the histograms behind a Score. Counts are those of the value bins, then values beyond the reference's range or not among its
// frequent ones, then missing ones.
type Distribution struct {
	Feature     string
	Categorical bool
	Edges       []float64 // numeric: one more than there are value bins; categorical: the value of each bin
	Reference   []float64
	Current     []float64 // of the last finished window; zeros before the first
}

// Distributions returns copies of the histograms of all features in the order of the schema; nil before the reference is complete.
func (p *PSI) Distributions() []Distribution {
	if !p.Frozen() {
		return nil
	}
	out := make([]Distribution, len(p.columns))
	for i := range p.columns {
		c := &p.columns[i]
		d := &out[i]
		d.Feature, d.Categorical, d.Edges = p.names[i], p.kinds[i] == features.Categorical, slices.Clone(c.edges)
		bins := len(c.edges)
		if !d.Categorical {
			bins = max(bins-1, 0)
			if bins == 0 && len(c.edges) == 1 {
				bins, d.Edges = 1, []float64{c.edges[0], c.edges[0]}
			}
		}
		d.Reference = append(slices.Clone(c.reference[:bins]), c.reference[psiOther], c.reference[psiMissing])
		d.Current = append(slices.Clone(c.last[:bins]), c.last[psiOther], c.last[psiMissing])
	}
	return out
}

// State visits the reference and the counts. Loading refuses another schema width or other sizes.
func (p *PSI) State(c *codec.State) {
	c.Fixed("psi version", 1)
	c.Fixed("psi columns", len(p.columns))
	c.Fixed("psi reference", p.cfg.Reference)
	c.Fixed("psi window", p.cfg.Window)
	c.Uint64(&p.seen)
	c.Uint64(&p.inWindow)
	c.Uint64(&p.windows)
	if p.seen > uint64(p.cfg.Reference) || p.inWindow >= uint64(p.cfg.Window) {
		c.Fail("psi counts %d and %d", p.seen, p.inWindow)
		return
	}
	if p.seen < uint64(p.cfg.Reference) {
		p.visitSample(c)
		return
	}
	if c.Loading() {
		p.sample = nil
	}
	for i := range p.columns {
		p.columns[i].state(c)
	}
}

func (p *PSI) visitSample(c *codec.State) {
	if c.Loading() {
		p.sample = make([][]float64, len(p.columns))
	}
	for i := range p.sample {
		c.Float64s(&p.sample[i])
		if c.Loading() && uint64(len(p.sample[i])) != p.seen {
			c.Fail("psi sample of %d, not %d", len(p.sample[i]), p.seen)
			return
		}
	}
}

func (col *psiColumn) state(c *codec.State) {
	c.Float64s(&col.edges)
	if c.Loading() {
		if len(col.edges) > psiValueBins+1 || !slices.IsSorted(col.edges) {
			c.Fail("psi edges")
			col.edges = nil
		}
	}
	for b := range col.reference {
		c.Float64(&col.reference[b])
		c.Float64(&col.current[b])
		c.Float64(&col.last[b])
	}
}
