package models

import (
	"math"
	"slices"
	"sync"

	"github.com/freshet-ml/freshet/internal/codec"
)

// Chain is a sequence of transformers, each fed with the rows of the one before it. It belongs to one
// goroutine and reuses its rows: what it returns is valid until its next call.
//
// At a predict record the example goes through every transformer in the state before it (Rows), then
// each observes the row as it came in to it (Observe). At the learn record the same raw vector comes
// again and goes through the transformers as they are then: a scaler that moved on in between scales
// with what it knows now.
type Chain struct {
	stages
	rows   []Row // rows[i] is what stage i made
	seen   Row   // the raw row that rows was made from
	fresh  bool  // rows belong to seen and no stage changed since
	taught bool  // some stage learns from labels
	x      Example
}

// LabelFree is embedded by transformers that learn nothing from labels; a chain of only such skips the
// learn record.
type LabelFree struct{}

// Learn does nothing.
func (LabelFree) Learn(*Example) {}

func (LabelFree) labelFree() {}

// NewChain returns the chain of the transformers, which it owns.
func NewChain(ts []Transformer) *Chain {
	c := &Chain{stages: newStages(ts), rows: make([]Row, len(ts))}
	for _, t := range ts {
		if _, free := t.(interface{ labelFree() }); !free {
			c.taught = true
		}
	}
	return c
}

// Apply returns the row that the last transformer makes of e. It changes no state.
func (c *Chain) Apply(e *Example) Row { return *c.apply(e) }

// Rows and examples are handed on by pointer and copied field by field: a struct that was just written word by word is slow
// to read in wider pieces, and this is run three times for every event.

func (c *Chain) apply(e *Example) *Row {
	if len(c.all) == 0 {
		return &e.Row
	}
	if !c.fresh || !sameBits(&c.seen, &e.Row) {
		c.transform(e)
		if e.Index == nil {
			c.seen.Index = nil
		} else {
			c.seen.Index = append(c.seen.Index[:0], e.Index...)
		}
		c.seen.Value = append(c.seen.Value[:0], e.Value...)
		c.fresh = true
	}
	return &c.rows[len(c.rows)-1]
}

// again is apply for a row that is not asked for once more: it does not keep it.
func (c *Chain) again(e *Example) *Row {
	if len(c.all) == 0 {
		return &e.Row
	}
	if !c.fresh || !sameBits(&c.seen, &e.Row) {
		c.fresh = false
		c.transform(e)
	}
	return &c.rows[len(c.rows)-1]
}

func (c *Chain) transform(e *Example) {
	c.into(0, &c.rows[0], e)
	for i := 1; i < len(c.all); i++ {
		c.x.take(e, &c.rows[i-1])
		c.into(i, &c.rows[i], &c.x)
	}
}

// take makes x the example e with another row.
func (x *Example) take(e *Example, r *Row) {
	x.Index, x.Value = r.Index, r.Value
	x.Key, x.Time, x.Y, x.Weight = e.Key, e.Time, e.Y, e.Weight
}

// stages are transformers, and how each is asked for its row.
type stages struct {
	all   []Transformer
	place []InPlace // those of them that are
}

func newStages(ts []Transformer) stages {
	s := stages{all: ts, place: make([]InPlace, len(ts))}
	for i, t := range ts {
		s.place[i], _ = t.(InPlace)
	}
	return s
}

// into writes the row that stage i makes of x to dst.
func (s *stages) into(i int, dst *Row, x *Example) {
	if p := s.place[i]; p != nil {
		p.TransformInto(dst, x)
		return
	}
	transformInto(s.all[i], dst, x)
}

// transformInto writes the row that t makes of x to dst, and keeps the memory of dst when t hands its input through.
func transformInto(t Transformer, dst *Row, x *Example) {
	index, value := dst.Index, dst.Value
	r := t.Transform(Row{Index: index, Value: value}, x)
	if len(r.Value) == 0 || len(x.Value) > 0 && &r.Value[0] == &x.Value[0] {
		dst.Value = append(dst.Value[:0], r.Value...)
		if r.Index == nil {
			dst.Index = nil
		} else {
			dst.Index = append(dst.Index[:0], r.Index...)
		}
		return
	}
	dst.Index, dst.Value = r.Index, r.Value
}

// Observe shows every transformer the row that comes in to it, all of them transformed with the
// states before, and returns the row for the model. It stays valid until the next call.
func (c *Chain) Observe(e *Example) Row { return *c.observe(e) }

func (c *Chain) observe(e *Example) *Row {
	out := c.apply(e)
	for i, t := range c.all {
		if i == 0 {
			t.Observe(e)
			continue
		}
		c.x.take(e, &c.rows[i-1])
		t.Observe(&c.x)
	}
	c.fresh = false
	return out
}

// Learn shows every transformer the row that comes in to it and the label. Call it with the example
// that Apply was called with last, after the model has learned: so no encoder that learns from labels
// lets the model see its own label.
func (c *Chain) Learn(e *Example) {
	if !c.taught {
		return
	}
	c.apply(e)
	for i, t := range c.all {
		if i == 0 {
			t.Learn(e)
			continue
		}
		c.x.take(e, &c.rows[i-1])
		t.Learn(&c.x)
	}
	c.fresh = false
}

// State visits the states of the transformers.
func (c *Chain) State(s *codec.State) {
	s.Fixed("number of transformers", len(c.all))
	for _, t := range c.all {
		t.State(s)
	}
	c.fresh = false
}

// Dropped adds the counts of the transformers.
func (c *Chain) Dropped(d *Drops) {
	for _, t := range c.all {
		d.Of(t)
	}
}

// Snapshot returns immutable copies of the transformers.
func (c *Chain) Snapshot() []Transformer {
	out := make([]Transformer, len(c.all))
	for i, t := range c.all {
		out[i] = t.Snapshot()
	}
	return out
}

func sameBits(a, b *Row) bool {
	if len(a.Value) != len(b.Value) || (a.Index == nil) != (b.Index == nil) || a.Index != nil && !slices.Equal(a.Index, b.Index) {
		return false
	}
	other := b.Value[:len(a.Value)]
	for i, v := range a.Value {
		if math.Float64bits(v) != math.Float64bits(other[i]) {
			return false
		}
	}
	return true
}

// Unobservant is embedded by models that learn nothing at the predict record; a pipeline need not make their row then.
type Unobservant struct{}

// Observe does nothing.
func (Unobservant) Observe(*Example) {}

func (Unobservant) unobservant() {}

// Pipeline is a chain of transformers and a model. See Chain for what each stage sees when.
type Pipeline struct {
	chain *Chain
	model Learner
	brief bool    // one transformer before a model that does not observe: no row is asked for twice
	x     Example // the example as the model sees it
}

// NewPipeline returns the pipeline of the transformers and the model, which it owns. It is a Publisher
// if the model is one.
func NewPipeline(ts []Transformer, model Learner) Learner {
	p := &Pipeline{chain: NewChain(ts), model: model}
	if _, blind := model.(interface{ unobservant() }); blind {
		p.brief = len(ts) == 1
	}
	if _, ok := model.(Publisher); ok {
		return &publishingPipeline{p}
	}
	return p
}

// Predict transforms e and appends the model's answer.
func (p *Pipeline) Predict(dst []float64, e *Example) []float64 {
	if p.brief {
		p.x.take(e, p.chain.again(e))
	} else {
		p.x.take(e, p.chain.apply(e))
	}
	return p.model.Predict(dst, &p.x)
}

// Observe lets every stage observe the row that comes in to it.
func (p *Pipeline) Observe(e *Example) {
	if p.brief {
		p.chain.all[0].Observe(e)
		p.chain.fresh = false
		return
	}
	p.x.take(e, p.chain.observe(e))
	p.model.Observe(&p.x)
}

// Learn transforms e with what the transformers know now, lets the model learn, then the transformers
// that use labels. An example of weight 0 changes nothing.
func (p *Pipeline) Learn(e *Example, past []float64) {
	if e.Weight == 0 {
		return
	}
	if !p.chain.taught {
		p.x.take(e, p.chain.again(e))
		p.model.Learn(&p.x, past)
		return
	}
	p.x.take(e, p.chain.apply(e))
	p.model.Learn(&p.x, past)
	p.chain.Learn(e)
}

// State visits the transformers, then the model.
func (p *Pipeline) State(s *codec.State) {
	p.chain.State(s)
	p.model.State(s)
}

// Dropped adds the counts of the transformers and of the model.
func (p *Pipeline) Dropped(d *Drops) { d.Of(p.chain, p.model) }

type publishingPipeline struct{ *Pipeline }

// Publish snapshots the transformers and the model. Cost: that of the stages' snapshots.
func (p *publishingPipeline) Publish() Predictor {
	return NewPredictor(p.chain.Snapshot(), p.model.(Publisher).Publish())
}

// NewPredictor returns an immutable predictor of immutable stages, safe for any number of goroutines:
// scratch rows come from a pool, so that it allocates nothing in the steady state.
func NewPredictor(ts []Transformer, model Predictor) Predictor {
	f := &frozenPipeline{stages: newStages(ts), model: model}
	f.pool.New = func() any { return &scratch{rows: make([]Row, len(ts))} }
	return f
}

type scratch struct {
	rows []Row
	x    Example
}

type frozenPipeline struct {
	stages
	model Predictor
	pool  sync.Pool
}

// Predict transforms e and appends the model's answer.
func (f *frozenPipeline) Predict(dst []float64, e *Example) []float64 {
	s := f.pool.Get().(*scratch)
	row := &e.Row
	for i := range f.all {
		s.x.take(e, row)
		f.into(i, &s.rows[i], &s.x)
		row = &s.rows[i]
	}
	s.x.take(e, row)
	dst = f.model.Predict(dst, &s.x)
	s.x = Example{}
	f.pool.Put(s)
	return dst
}
