package preprocess

import (
	"math"
	"slices"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
)

// VarianceThresholdComponent is the catalogue entry of VarianceThreshold.
var VarianceThresholdComponent = models.Component{
	Name: "variance_threshold", Kind: models.TransformerKind, Fold: 1,
	Params: []models.Param{columnsParam,
		{Name: "threshold", Default: 0.0, Range: models.AtLeast(0), Unit: "squared units of the column", Doc: "columns whose variance so far is not above it are left out"},
		{Name: "warm_up", Default: 100, Range: models.AtLeast(1), Unit: "values", Doc: "a column passes until it has so many values"}},
	Cost: "O(columns)", Memory: "24 bytes per column", Source: "definition; Welford 1962",
	Doc: "Leaves out columns that hardly vary: they are 0 for the model, and the schema stays as it is. Put it before a scaler, after which all variances are 1. Missing values of a column that passes stay missing; they are not counted.",
	NewTransformer: func(a models.Args, env models.Env) (models.Transformer, error) {
		cols, err := selected(a, env, true)
		if err != nil {
			return nil, err
		}
		return NewVarianceThreshold(env.Schema, cols, a.Float("threshold"), a.Int("warm_up")), nil
	},
}

// VarianceThreshold leaves out columns of little variance.
type VarianceThreshold struct {
	unlabelled
	schema    *features.Schema
	columns   []int
	threshold float64
	warm      float64
	stats     []moments
}

// NewVarianceThreshold returns the selection among the given columns.
func NewVarianceThreshold(schema *features.Schema, columns []int, threshold float64, warm int) *VarianceThreshold {
	return &VarianceThreshold{schema: schema, columns: columns, threshold: threshold, warm: float64(warm), stats: make([]moments, len(columns))}
}

// Transform copies the row without the columns that are left out.
func (t *VarianceThreshold) Transform(dst models.Row, e *models.Example) models.Row {
	dst = dense(dst, e.Row, len(t.schema.Columns))
	for j, i := range t.columns {
		if m := &t.stats[j]; m.n >= t.warm && m.m2 <= t.threshold*m.n {
			dst.Value[i] = 0
		}
	}
	return dst
}

// Observe takes the row in.
func (t *VarianceThreshold) Observe(e *models.Example) {
	for j, i := range t.columns {
		if x := bounded(e.At(i)); x == x {
			m := &t.stats[j]
			m.n++
			d := x - m.mean
			m.mean += d / m.n
			m.m2 += float64(d * (x - m.mean))
		}
	}
}

// State visits the moments.
func (t *VarianceThreshold) State(s *codec.State) {
	s.Fixed("columns of variance_threshold", len(t.stats))
	for i := range t.stats {
		s.Float64(&t.stats[i].n)
		s.Float64(&t.stats[i].mean)
		s.Float64(&t.stats[i].m2)
	}
}

// Schema is that of the rows that come in.
func (t *VarianceThreshold) Schema() *features.Schema { return t.schema }

// Snapshot copies the moments.
func (t *VarianceThreshold) Snapshot() models.Transformer {
	c := *t
	c.stats = slices.Clone(t.stats)
	return &c
}

// SelectKBestComponent is the catalogue entry of SelectKBest.
var SelectKBestComponent = models.Component{
	Name: "select_k_best", Kind: models.TransformerKind, Fold: 1,
	Params: []models.Param{columnsParam,
		{Name: "k", Default: 10, Range: models.AtLeast(1), Unit: "columns", Doc: "so many columns pass"},
		{Name: "every", Default: 100, Range: models.AtLeast(1), Unit: "labels", Doc: "labels between two choices"}},
	Cost: "O(columns · classes)", Memory: "48 bytes per column, and 8 per class", Source: "Pearson's correlation, updated as in Welford 1962",
	Doc: "Passes the columns whose correlation with the label is greatest in magnitude (the sum of squares over the classes, of which each counts as a label of 0 and 1); the others are 0 for the model, and the schema stays as it is. " +
		"It learns at the learn record, after the model, so no example takes part in its own choice; all columns pass until the first choice. Missing values stay missing; they are not counted.",
	NewTransformer: func(a models.Args, env models.Env) (models.Transformer, error) {
		cols, err := selected(a, env, true)
		if err != nil {
			return nil, err
		}
		targets := 1
		if env.Task == models.Multiclass {
			targets = env.Classes
		}
		return NewSelectKBest(env.Schema, cols, a.Int("k"), a.Int("every"), targets), nil
	},
}

// SelectKBest passes the columns that are most correlated with the label.
type SelectKBest struct {
	schema   *features.Schema
	columns  []int
	k, every int
	targets  int // 1: the label is a number; else: indicators of so many classes
	learned  uint64
	stats    []comoments // columns · targets
	out      []bool      // by place in columns: left out
	order    []int       // scratch of choose
	score    []float64   // scratch of choose
}

// comoments are the moments of a column and a label together.
type comoments struct{ n, x, y, xx, yy, xy float64 }

func (m *comoments) add(x, y, w float64) {
	m.n += w
	dx, dy := x-m.x, y-m.y
	a := w / m.n
	m.x += float64(a * dx)
	m.y += float64(a * dy)
	m.xx += float64(w * float64(dx*(x-m.x)))
	m.yy += float64(w * float64(dy*(y-m.y)))
	m.xy += float64(w * float64(dx*(y-m.y)))
}

// squared returns the squared correlation, 0 when one of both has not varied.
func (m *comoments) squared() float64 {
	if !(m.xx > 0) || !(m.yy > 0) {
		return 0
	}
	r := m.xy / math.Sqrt(m.xx) / math.Sqrt(m.yy)
	return min(1, r*r)
}

// NewSelectKBest returns the selection among the given columns; targets is the number of classes of a multiclass label, else 1.
func NewSelectKBest(schema *features.Schema, columns []int, k, every, targets int) *SelectKBest {
	return &SelectKBest{schema: schema, columns: columns, k: k, every: every, targets: targets, stats: make([]comoments, len(columns)*targets),
		out: make([]bool, len(columns)), order: make([]int, len(columns)), score: make([]float64, len(columns))}
}

// Transform copies the row without the columns that are left out.
func (t *SelectKBest) Transform(dst models.Row, e *models.Example) models.Row {
	dst = dense(dst, e.Row, len(t.schema.Columns))
	for j, i := range t.columns {
		if t.out[j] {
			dst.Value[i] = 0
		}
	}
	return dst
}

// Observe does nothing.
func (t *SelectKBest) Observe(*models.Example) {}

// chosenLimit bounds values and labels, so that products of sums stay finite.
const chosenLimit = 1e60

// Learn takes the label in.
func (t *SelectKBest) Learn(e *models.Example) {
	if !(e.Weight > 0) {
		return
	}
	for j, i := range t.columns {
		x := e.At(i)
		if x != x {
			continue
		}
		x = max(-chosenLimit, min(chosenLimit, x))
		for c := range t.targets {
			y := max(-chosenLimit, min(chosenLimit, e.Y))
			if t.targets > 1 {
				if y = 0; e.Y == float64(c) {
					y = 1
				}
			}
			t.stats[j*t.targets+c].add(x, y, e.Weight)
		}
	}
	if t.learned++; t.learned%uint64(t.every) == 0 {
		t.choose()
	}
}

// choose leaves all but the k best columns out; the earlier of equals passes.
func (t *SelectKBest) choose() {
	for j := range t.columns {
		t.order[j], t.score[j] = j, 0
		for c := range t.targets {
			t.score[j] += t.stats[j*t.targets+c].squared()
		}
	}
	slices.SortFunc(t.order, func(a, b int) int {
		switch {
		case t.score[a] > t.score[b]:
			return -1
		case t.score[a] < t.score[b]:
			return 1
		}
		return a - b
	})
	for place, j := range t.order {
		t.out[j] = place >= t.k
	}
}

// State visits the moments and the choice.
func (t *SelectKBest) State(s *codec.State) {
	s.Fixed("columns of select_k_best", len(t.stats))
	s.Uint64(&t.learned)
	for i := range t.stats {
		m := &t.stats[i]
		for _, v := range []*float64{&m.n, &m.x, &m.y, &m.xx, &m.yy, &m.xy} {
			s.Float64(v)
		}
	}
	for j := range t.out {
		s.Bool(&t.out[j])
	}
}

// Schema is that of the rows that come in.
func (t *SelectKBest) Schema() *features.Schema { return t.schema }

// Snapshot copies the choice.
func (t *SelectKBest) Snapshot() models.Transformer {
	return &SelectKBest{schema: t.schema, columns: t.columns, out: slices.Clone(t.out)}
}
