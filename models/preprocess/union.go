package preprocess

import (
	"fmt"
	"sync"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
)

// UnionComponent is the catalogue entry of Union.
var UnionComponent = models.Component{
	Name: "union", Kind: models.TransformerKind, Fold: 1,
	Params: []models.Param{{Name: "of", Default: []models.Spec{models.Named("standard_scaler"), models.Named("count_encoder")},
		Part: models.TransformerKind, Many: true, Doc: "transformers that all get the incoming row"}},
	Cost: "that of the parts", Memory: "that of the parts",
	Doc: "Puts the rows that several transformers make of the incoming one side by side. A name that was there before gets _2, _3 and so on. What a part does with missing values holds for its columns; a chain is a part of several steps.",
	NewTransformer: func(a models.Args, env models.Env) (models.Transformer, error) {
		ts, err := a.Transformers("of", env)
		if err != nil {
			return nil, err
		}
		return NewUnion(ts), nil
	},
}

// ChainComponent is the catalogue entry of Chain.
var ChainComponent = models.Component{
	Name: "chain", Kind: models.TransformerKind, Fold: 1,
	Params: []models.Param{{Name: "of", Default: []models.Spec{models.Named("impute"), models.Named("standard_scaler")},
		Part: models.TransformerKind, Many: true, Doc: "transformers, each for the row of the one before it"}},
	Cost: "that of the parts", Memory: "that of the parts",
	Doc: "Several transformers in a row as one, as a part of a union. Missing values fare as in its parts.",
	NewTransformer: func(a models.Args, env models.Env) (models.Transformer, error) {
		ts, err := a.ChainedTransformers("of", env)
		if err != nil {
			return nil, err
		}
		return NewChain(ts), nil
	},
}

// parts is what a union and a chain share: rows between their parts come from a pool, so that immutable copies serve any number of
// goroutines.
type parts struct {
	of   []models.Transformer
	pool *sync.Pool
}

type partRows struct {
	row [2]models.Row
	x   models.Example
}

func newParts(ts []models.Transformer) parts {
	return parts{of: ts, pool: &sync.Pool{New: func() any { return &partRows{} }}}
}

// State visits the parts.
func (p *parts) State(s *codec.State) {
	s.Fixed("number of parts", len(p.of))
	for _, t := range p.of {
		t.State(s)
	}
}

// Dropped adds the counts of the transformers inside.
func (p *parts) Dropped(d *models.Drops) {
	for _, t := range p.of {
		d.Of(t)
	}
}

func (p *parts) snapshot() parts {
	c := parts{of: make([]models.Transformer, len(p.of)), pool: p.pool}
	for i, t := range p.of {
		c.of[i] = t.Snapshot()
	}
	return c
}

// into lets t write to the memory of dst and keeps that memory when t hands its input through.
func into(dst *models.Row, t models.Transformer, x *models.Example) models.Row {
	r := t.Transform(*dst, x)
	if len(r.Value) > 0 && (len(x.Value) == 0 || &r.Value[0] != &x.Value[0]) {
		*dst = r
	}
	return r
}

// Union puts the rows of several transformers side by side.
type Union struct {
	parts
	out    *features.Schema
	widths []int
}

// NewUnion returns the union of the transformers, which it owns. They must be made for one schema.
func NewUnion(ts []models.Transformer) *Union {
	u := &Union{parts: newParts(ts), out: &features.Schema{}}
	seen := map[string]int{}
	for _, t := range ts {
		u.widths = append(u.widths, len(t.Schema().Columns))
		for _, c := range t.Schema().Columns {
			if seen[c.Name]++; seen[c.Name] > 1 {
				c.Name = fmt.Sprintf("%s_%d", c.Name, seen[c.Name])
			}
			u.out.Columns = append(u.out.Columns, c)
		}
	}
	return u
}

// Transform writes a sparse row.
func (u *Union) Transform(dst models.Row, e *models.Example) models.Row {
	dst = startSparse(dst)
	s := u.pool.Get().(*partRows)
	first := 0
	for i, t := range u.of {
		r := into(&s.row[0], t, e)
		present(r, u.widths[i], func(k int, x float64) {
			if x != 0 {
				dst.Index, dst.Value = append(dst.Index, uint32(first+k)), append(dst.Value, x)
			}
		})
		first += u.widths[i]
	}
	u.pool.Put(s)
	return dst
}

// Observe shows every part the row.
func (u *Union) Observe(e *models.Example) {
	for _, t := range u.of {
		t.Observe(e)
	}
}

// Learn shows every part the row and its label.
func (u *Union) Learn(e *models.Example) {
	for _, t := range u.of {
		t.Learn(e)
	}
}

// Schema is the schemas of the parts, one after another.
func (u *Union) Schema() *features.Schema { return u.out }

// Snapshot copies the parts.
func (u *Union) Snapshot() models.Transformer {
	return &Union{parts: u.snapshot(), out: u.out, widths: u.widths}
}

// Chain is several transformers in a row.
type Chain struct{ parts }

// NewChain returns the chain of the transformers, at least one, which it owns. Each must be made for the schema of the one before it.
func NewChain(ts []models.Transformer) *Chain { return &Chain{newParts(ts)} }

// Transform hands the row from part to part.
func (c *Chain) Transform(dst models.Row, e *models.Example) models.Row {
	s := c.pool.Get().(*partRows)
	s.x = *e
	last, free := len(c.of)-1, 0 // free is the row that holds nothing that is still read
	for _, t := range c.of[:last] {
		r := into(&s.row[free], t, &s.x)
		if own := s.row[free].Value; len(r.Value) > 0 && len(own) > 0 && &r.Value[0] == &own[0] {
			free = 1 - free
		}
		s.x.Row = r
	}
	r := c.of[last].Transform(dst, &s.x)
	if last > 0 && len(r.Value) > 0 && len(s.x.Value) > 0 && &r.Value[0] == &s.x.Value[0] { // handed through: the pool owns it
		if r.Index == nil {
			r = models.Row{Value: append(dst.Value[:0], r.Value...)}
		} else {
			r = models.Row{Index: append(startSparse(dst).Index, r.Index...), Value: append(dst.Value[:0], r.Value...)}
		}
	}
	s.x = models.Example{}
	c.pool.Put(s)
	return r
}

// visit calls f for part i and those after it with the row that comes in to each. It makes all rows before it calls f for the first time: they
// come from the states before.
func (c *Chain) visit(i int, e *models.Example, f func(models.Transformer, *models.Example)) {
	if i+1 < len(c.of) {
		s := c.pool.Get().(*partRows)
		s.x = *e
		s.x.Row = into(&s.row[0], c.of[i], e)
		c.visit(i+1, &s.x, f)
		s.x = models.Example{}
		c.pool.Put(s)
	}
	f(c.of[i], e)
}

// Observe shows every part the row that comes in to it.
func (c *Chain) Observe(e *models.Example) {
	c.visit(0, e, models.Transformer.Observe)
}

// Learn shows every part the row that comes in to it and its label.
func (c *Chain) Learn(e *models.Example) {
	c.visit(0, e, models.Transformer.Learn)
}

// Schema is that of the last part.
func (c *Chain) Schema() *features.Schema { return c.of[len(c.of)-1].Schema() }

// Snapshot copies the parts.
func (c *Chain) Snapshot() models.Transformer { return &Chain{c.snapshot()} }
