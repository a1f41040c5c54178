package preprocess

import (
	"math"
	"slices"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
)

// TargetEncoderComponent is the catalogue entry of TargetEncoder.
var TargetEncoderComponent = models.Component{
	Name: "target_encoder", Kind: models.TransformerKind, Fold: 1, Tasks: []models.Task{models.Binary, models.Regression},
	Params: []models.Param{categoriesParam,
		{Name: "smoothing", Default: 20.0, Range: models.Above(0), Unit: "examples", Doc: "how many examples the mean of all counts for"},
		{Name: "bits", Default: 12, Range: models.Between(4, 20), Unit: "bits", Doc: "each column has 2^bits cells, by the hash of the category"},
		{Name: "keep", Default: false, Doc: "keep the categorical column and add the encoded one at the end, named with _target"}},
	Cost: "O(columns)", Memory: "16 · 2^bits bytes per column", Source: "Micci-Barreca 2001",
	Doc: "Replaces a category by the mean label of its examples so far, drawn towards the mean of all. It learns at the learn record, after the model, " +
		"so no example ever sees its own label or one that had not come yet. A missing category gives the mean of all.",
	NewTransformer: func(a models.Args, env models.Env) (models.Transformer, error) {
		cols, err := selected(a, env, false)
		if err != nil {
			return nil, err
		}
		return NewTargetEncoder(env.Schema, cols, a.Float("smoothing"), a.Int("bits"), a.Bool("keep")), nil
	},
}

// TargetEncoder replaces categories by smoothed means of their labels.
type TargetEncoder struct {
	in, out   *features.Schema
	columns   []int
	smoothing float64
	bits      int
	keep      bool
	all       cell
	tables    []table // one per column
}

type cell struct{ weight, mean float64 }

func (c *cell) add(y, w float64) {
	c.weight += w
	c.mean += float64((y - c.mean) * (w / c.weight))
}

// NewTargetEncoder returns the encoder for the given columns. bits is between 4 and 20.
func NewTargetEncoder(schema *features.Schema, columns []int, smoothing float64, bits int, keep bool) *TargetEncoder {
	t := &TargetEncoder{in: schema, columns: columns, smoothing: smoothing, bits: bits, keep: keep}
	t.out = extended(schema)
	for _, i := range columns {
		c := features.Column{Name: schema.Columns[i].Name + "_target"}
		if keep {
			t.out.Columns = append(t.out.Columns, c)
		} else {
			t.out.Columns[i] = c
		}
		t.tables = append(t.tables, newTable(bits))
	}
	return t
}

// Transform writes a dense row.
func (t *TargetEncoder) Transform(dst models.Row, e *models.Example) models.Row {
	dst = dense(dst, e.Row, len(t.out.Columns))
	n := len(t.in.Columns)
	for j, i := range t.columns {
		to := i
		if t.keep {
			to = n + j
		}
		dst.Value[to] = t.encode(j, e.At(i))
	}
	return dst
}

func (t *TargetEncoder) encode(j int, x float64) float64 {
	if x != x {
		return t.all.mean
	}
	c := t.tables[j].at(t.hash(x))
	return (float64(c.weight*c.mean) + float64(t.smoothing*t.all.mean)) / (c.weight + t.smoothing)
}

func (t *TargetEncoder) hash(x float64) int {
	return int(mix(math.Float64bits(x)) >> (64 - t.bits))
}

// Observe does nothing.
func (t *TargetEncoder) Observe(*models.Example) {}

// Learn takes the label in.
func (t *TargetEncoder) Learn(e *models.Example) {
	if !(e.Weight > 0) {
		return
	}
	y := bounded(e.Y)
	t.all.add(y, e.Weight)
	for j, i := range t.columns {
		if x := e.At(i); x == x {
			t.tables[j].edit(t.hash(x)).add(y, e.Weight)
		}
	}
}

// State visits all cells.
func (t *TargetEncoder) State(s *codec.State) {
	visitCell(s, &t.all)
	s.Fixed("columns of target_encoder", len(t.tables))
	for j := range t.tables {
		t.tables[j].state(s)
	}
}

func visitCell(s *codec.State, c *cell) {
	s.Float64(&c.weight)
	s.Float64(&c.mean)
}

// Schema is the incoming one with the categories replaced, or with more columns at its end.
func (t *TargetEncoder) Schema() *features.Schema { return t.out }

// Snapshot shares the pages of the tables; a page is copied when it is written again. Cost: 8 bytes per
// 64 cells.
func (t *TargetEncoder) Snapshot() models.Transformer {
	c := *t
	c.tables = make([]table, len(t.tables))
	for j := range t.tables {
		c.tables[j] = t.tables[j].share()
	}
	return &c
}

const pageCells = 64

type page [pageCells]cell

// table is an array of cells in pages that are copied on the first write after they were shared. Pages
// that were never written are nil.
type table struct {
	pages []*page
	mine  []bool // not shared with a snapshot
}

func newTable(bits int) table {
	n := max(1, 1<<bits/pageCells)
	return table{pages: make([]*page, n), mine: make([]bool, n)}
}

func (t *table) at(i int) cell {
	if p := t.pages[i/pageCells]; p != nil {
		return p[i%pageCells]
	}
	return cell{}
}

func (t *table) edit(i int) *cell {
	k := i / pageCells
	if !t.mine[k] {
		fresh := new(page)
		if p := t.pages[k]; p != nil {
			*fresh = *p
		}
		t.pages[k], t.mine[k] = fresh, true
	}
	return &t.pages[k][i%pageCells]
}

func (t *table) share() table {
	clear(t.mine)
	return table{pages: slices.Clone(t.pages)}
}

func (t *table) state(s *codec.State) {
	s.Fixed("pages of target_encoder", len(t.pages))
	for k := range t.pages {
		used := t.pages[k] != nil
		s.Bool(&used)
		if s.Loading() {
			t.pages[k], t.mine[k] = nil, false
		}
		if !used {
			continue
		}
		if s.Loading() {
			t.pages[k], t.mine[k] = new(page), true
		}
		for i := range t.pages[k] {
			visitCell(s, &t.pages[k][i])
		}
	}
}
