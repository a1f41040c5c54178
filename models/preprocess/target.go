package preprocess

import (
	"fmt"
	"slices"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
)

// TargetEncoderComponent is the catalogue entry of TargetEncoder.
var TargetEncoderComponent = models.Component{
	Name: "target_encoder", Kind: models.TransformerKind, Fold: 1, Tasks: []models.Task{models.Binary, models.Multiclass, models.Regression},
	Params: []models.Param{categoriesParam,
		{Name: "smoothing", Default: 20.0, Range: models.Above(0), Unit: "examples", Doc: "how many examples the mean of all counts for"},
		{Name: "bits", Default: 12, Range: models.Between(4, 20), Unit: "bits", Doc: "each column has 2^bits cells, by the hash of the category"},
		{Name: "keep", Default: false, Doc: "keep the categorical column and add the encoded ones at the end, named with _target, for several classes _target_1, _target_2, …"}},
	Cost: "O(columns), for several classes O(columns · classes)", Memory: "16 · 2^bits bytes per column, for several classes that for each but one; pages of 64 cells are made when they are met", Source: "Micci-Barreca 2001",
	Doc: "Replaces a category by the mean label of its examples so far, drawn towards the mean of all. For several classes it gives one column for each but class 0: the share of the class among the category's examples, drawn towards its share of all; " +
		"that of class 1 stands in the category's place, the others at the end of the row. It learns at the learn record, after the model, " +
		"so no example ever sees its own label or one that had not come yet. A missing category gives the means of all.",
	NewTransformer: func(a models.Args, env models.Env) (models.Transformer, error) {
		cols, err := selected(a, env, false)
		if err != nil {
			return nil, err
		}
		if env.Task == models.Multiclass {
			return NewMulticlassTargetEncoder(env.Schema, cols, env.Classes, a.Float("smoothing"), a.Int("bits"), a.Bool("keep")), nil
		}
		return NewTargetEncoder(env.Schema, cols, a.Float("smoothing"), a.Int("bits"), a.Bool("keep")), nil
	},
}

// TargetEncoder replaces categories by smoothed means of their labels, or by smoothed shares of the classes among them.
type TargetEncoder struct {
	hashed
	smoothing float64
	classes   int    // 0: the label itself is a number
	all       []cell // over all categories, for each number
}

type cell struct{ weight, mean float64 }

func (c *cell) add(y, w float64) {
	c.weight += w
	c.mean += float64((y - c.mean) * (w / c.weight))
}

// NewTargetEncoder returns the encoder for the given columns, for labels that are numbers or 0 and 1. smoothing is above 0, bits between
// 4 and 20.
func NewTargetEncoder(schema *features.Schema, columns []int, smoothing float64, bits int, keep bool) *TargetEncoder {
	return &TargetEncoder{hashed: newHashed(schema, columns, bits, keep, "_target"), smoothing: smoothing, all: make([]cell, 1)}
}

// NewMulticlassTargetEncoder returns the encoder for labels that are classes, of which there are two or more.
func NewMulticlassTargetEncoder(schema *features.Schema, columns []int, classes int, smoothing float64, bits int, keep bool) *TargetEncoder {
	var suffixes []string
	for k := 1; k < classes; k++ {
		suffixes = append(suffixes, fmt.Sprint("_target_", k))
	}
	return &TargetEncoder{hashed: newHashed(schema, columns, bits, keep, suffixes...), smoothing: smoothing, classes: classes, all: make([]cell, classes-1)}
}

// Transform writes a dense row.
func (t *TargetEncoder) Transform(dst models.Row, e *models.Example) models.Row {
	dst = dense(dst, e.Row, len(t.out.Columns))
	for j, i := range t.columns {
		x := e.At(i)
		for k := range t.numbers {
			dst.Value[t.to(j, k)] = t.encode(j, k, x)
		}
	}
	return dst
}

func (t *TargetEncoder) encode(j, k int, x float64) float64 {
	if x != x {
		return t.all[k].mean
	}
	c := t.tables[j*t.numbers+k].at(t.cell(x))
	return (float64(c.weight*c.mean) + float64(t.smoothing*t.all[k].mean)) / (c.weight + t.smoothing)
}

// Observe does nothing.
func (t *TargetEncoder) Observe(*models.Example) {}

// Learn takes the label in. An example without weight, or of a class that there is not, changes nothing.
func (t *TargetEncoder) Learn(e *models.Example) {
	if !(e.Weight > 0) || t.classes > 0 && !(e.Y >= 0 && e.Y < float64(t.classes)) {
		return
	}
	for k := range t.all {
		t.all[k].add(t.target(e.Y, k), e.Weight)
	}
	for j, i := range t.columns {
		x := e.At(i)
		if x != x {
			continue
		}
		for k := range t.numbers {
			t.tables[j*t.numbers+k].edit(t.cell(x)).add(t.target(e.Y, k), e.Weight)
		}
	}
}

// target is what number k is the mean of: the label, or 1 where the class is k + 1.
func (t *TargetEncoder) target(y float64, k int) float64 {
	switch {
	case t.classes == 0:
		return bounded(y)
	case int(y) == k+1:
		return 1
	}
	return 0
}

// State visits all cells.
func (t *TargetEncoder) State(s *codec.State) {
	for k := range t.all {
		visitCell(s, &t.all[k])
	}
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
	c.all, c.tables = slices.Clone(t.all), t.share()
	return &c
}
