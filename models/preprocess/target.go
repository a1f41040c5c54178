package preprocess

import (
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
	hashed
	smoothing float64
	all       cell
}

type cell struct{ weight, mean float64 }

func (c *cell) add(y, w float64) {
	c.weight += w
	c.mean += float64((y - c.mean) * (w / c.weight))
}

// NewTargetEncoder returns the encoder for the given columns. bits is between 4 and 20.
func NewTargetEncoder(schema *features.Schema, columns []int, smoothing float64, bits int, keep bool) *TargetEncoder {
	return &TargetEncoder{hashed: newHashed(schema, columns, bits, keep, "_target"), smoothing: smoothing}
}

// Transform writes a dense row.
func (t *TargetEncoder) Transform(dst models.Row, e *models.Example) models.Row {
	dst = dense(dst, e.Row, len(t.out.Columns))
	for j, i := range t.columns {
		dst.Value[t.to(j)] = t.encode(j, e.At(i))
	}
	return dst
}

func (t *TargetEncoder) encode(j int, x float64) float64 {
	if x != x {
		return t.all.mean
	}
	c := t.tables[j].at(t.cell(x))
	return (float64(c.weight*c.mean) + float64(t.smoothing*t.all.mean)) / (c.weight + t.smoothing)
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
			t.tables[j].edit(t.cell(x)).add(y, e.Weight)
		}
	}
}

// State visits all cells.
func (t *TargetEncoder) State(s *codec.State) {
	visitCell(s, &t.all)
	s.Fixed("columns of target_encoder", len(t.tables))
	t.visitTables(s)
}

func visitCell(s *codec.State, c *cell) {
	s.Float64(&c.weight)
	s.Float64(&c.mean)
}

// Snapshot shares the pages of the tables; a page is copied when it is written again. Cost: 8 bytes per
// 64 cells.
func (t *TargetEncoder) Snapshot() models.Transformer {
	c := *t
	c.tables = t.share()
	return &c
}
