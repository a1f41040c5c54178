package neural

import (
	"slices"
	"strconv"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
)

// EmbeddingComponent is the catalogue entry of the transformer that turns categories into learned vectors.
var EmbeddingComponent = models.Component{
	Name: "embedding", Kind: models.TransformerKind, Tasks: supervised, Fold: 2, Bounds: netBounds,
	Doc: "Replaces each category by a vector that a multilayer perceptron on the whole row learns for it, label by label: numbers for models that read numbers. Numbers pass through as they are. " +
		"It learns at the learn record, after the model, so no example ever sees its own label. A rare or new category has the vector that those of its column share, a missing one another. " +
		"Good for: categories of many values before a linear model, neighbours or trees. Not for: few values (one_hot says the same, and stands still: vectors move as they are learned, which trees like least).",
	Params: slices.Concat([]models.Param{{Name: "columns", Default: []string{}, Doc: "categorical columns; none: all of them"}},
		[]models.Param{withLength(4)}, embeddingParams[1:], []models.Param{withHidden(32)}, layerParams[1:], lossParams, learnParams),
	Cost: "O(weights) of the perceptron", Memory: memoryDoc, Source: "Guo and Berkhahn 2016",
	NewTransformer: func(a models.Args, env models.Env) (models.Transformer, error) {
		keep, err := models.SelectColumns(env, a.Texts("columns"), false)
		if err != nil {
			return nil, err
		}
		t, err := NewEmbedding(env, optionsOf(a, env), keep)
		if err != nil {
			return nil, err
		}
		return t, nil
	},
}

func withLength(n int) models.Param {
	p := embeddingParams[0]
	p.Default = n
	return p
}

// Embedding is a transformer that replaces categories by learned vectors.
type Embedding struct {
	vectors
	net *Net
}

// vectors is what rows are transformed with.
type vectors struct {
	in     *inputs
	known  *known
	schema *features.Schema // of what comes out
	fields []int            // by column of what comes in: its number among the fields, −1 if it passes through
	length int
}

// NewEmbedding returns the transformer of the columns of env's schema that keep marks, which must be categorical.
func NewEmbedding(env models.Env, o Options, keep []bool) (*Embedding, error) {
	n, err := NewMLP(env, o)
	if err != nil {
		return nil, err
	}
	t := &Embedding{net: n, vectors: vectors{in: &n.parts[0], known: &n.known, schema: &features.Schema{}, fields: make([]int, len(env.Schema.Columns)), length: o.Embedding}}
	f := 0
	for i, c := range env.Schema.Columns {
		t.fields[i] = -1
		if c.Kind == features.Categorical {
			if keep[i] {
				t.fields[i] = f
			}
			f++
		} else if keep[i] {
			return nil, models.SpecErrors{{Path: "columns", Reason: "column " + strconv.Quote(c.Name) + " is no category", Mend: "numbers need no embedding"}}
		}
		if t.fields[i] < 0 {
			t.schema.Columns = append(t.schema.Columns, c)
			continue
		}
		for k := range o.Embedding {
			t.schema.Columns = append(t.schema.Columns, features.Column{Name: c.Name + "_" + strconv.Itoa(k+1)})
		}
	}
	return t, nil
}

// Transform writes a dense row with the vectors in the places of the categories.
func (t *vectors) Transform(dst models.Row, e *models.Example) models.Row {
	out := dst.Value[:0]
	for i, f := range t.fields {
		if f < 0 {
			out = append(out, value(e, i))
			continue
		}
		slot := missing
		if key, ok := t.in.fields[f].key(e); ok {
			slot = t.known.rows[0].find(key)
		}
		if slot < 0 {
			out = append(out, t.in.sharedRow(t.known.w, f, slot)...)
			continue
		}
		for _, v := range t.known.rows[0].row(slot) {
			out = append(out, float64(v))
		}
	}
	return models.Row{Value: out}
}

// Observe hands the row to the perceptron.
func (t *Embedding) Observe(e *models.Example) { t.net.Observe(e) }

// Learn hands the label to the perceptron.
func (t *Embedding) Learn(e *models.Example) { t.net.Learn(e, nil) }

// Dropped adds the counts of the perceptron.
func (t *Embedding) Dropped(d *models.Drops) { d.Of(t.net) }

// State visits the perceptron.
func (t *Embedding) State(s *codec.State) { t.net.State(s) }

// Schema is that of the rows that come out.
func (t *vectors) Schema() *features.Schema { return t.schema }

// Snapshot copies the weights and shares the vectors.
func (t *Embedding) Snapshot() models.Transformer {
	k := t.net.share(t.net.tables)
	c := &stillVectors{t.vectors}
	c.known = &k
	return c
}

// stillVectors transforms as the transformer did when it was taken.
type stillVectors struct{ vectors }

func (*stillVectors) Observe(*models.Example) {}
func (*stillVectors) Learn(*models.Example)   {}
func (*stillVectors) State(*codec.State)      {}
func (t *stillVectors) Snapshot() models.Transformer {
	return t
}
