package unit

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/features/agg"
)

// keyedModel is a keyed model of an entity type. Its state is updated in the order of items and, like a last value, does not look back: a
// read at an earlier time is answered by the newest state. Values that are missing leave it alone; those that come too late for the model are
// counted.
type keyedModel struct {
	feature string
	model   features.Keyed
	grouped features.Grouped // model, if its entities start from a group; else nil
	shape   features.KeyedShape
	source  int
	input   input   // the value
	with    []input // what comes with it
	column  int     // the first
}

// timeLen is the length of the newest event time behind a keyed model's state.
const timeLen = 8

// keyedSpec is what a keyed model may be declared with, beside its own parameters: value and where.
var keyedSpec = &agg.Spec{Value: agg.MustValue, Always: true}

// keyedSection is the section of keyed model i in a head.
func (p *Program) keyedSection(i int) int { return len(p.streams) + len(p.sets) + i }

// keyedFeature compiles a feature that is a keyed model, and reports whether it is one.
func (c *compiling) keyedFeature(f *Feature) bool {
	model := f.Keyed.Model
	if model == nil {
		return false
	}
	n := len(c.errs)
	if f.Name == "" {
		c.wrong("?", "%s has no name; name it", f.Agg)
	}
	if !c.takes(f, f.Source) {
		return true
	}
	c.checkUse(f, keyedSpec)
	c.checkWindows(f, keyedSpec)
	where := c.compile(f, "where", f.Where, wantsTruth)
	k := &keyedModel{feature: f.Name, model: model, shape: model.Shape(), source: f.Source, column: len(c.p.columns),
		input: input{value: c.compile(f, "value", f.Value, wantsNumber), where: where}}
	for _, src := range f.Keyed.Inputs {
		k.with = append(k.with, input{value: c.compile(f, "regressor", src, wantsNumber)})
	}
	if want := k.shape.Inputs - 1; len(k.with) != want || want > maxInputs {
		c.wrong(f.Name, "%s takes %d regressors, of which %d are given", f.Agg, want, len(k.with))
	}
	c.grouped(f, k)
	if len(c.errs) > n {
		return true
	}
	for _, suffix := range k.shape.Columns {
		c.column(f.Name+suffix, features.Numeric, columnWindow{})
	}
	c.p.keyed = append(c.p.keyed, k)
	return true
}

// keyed takes the item into the keyed model whose section is i.
func (f *folding) keyed(i int, k *keyedModel) {
	if f.it.Flags&features.Tombstone != 0 {
		f.st.Head = setSection(f.st.Head, headLen, i, nil)
		return
	}
	x := k.input.number(f.it.Fields)
	if math.IsNaN(x) {
		return
	}
	t := f.it.Time
	start, end := section(f.st.Head, headLen, i)
	b := append(f.sc.keyed[:0], f.st.Head[start:end]...)
	newest := t
	if len(b) > 0 {
		newest = i64(b, len(b)-timeLen)
		b = b[:len(b)-timeLen]
	}
	if t < -farthest || t > farthest {
		f.p.late.Add(1)
		return
	}
	f.sc.x = append(f.sc.x[:0], x)
	for j := range k.with {
		f.sc.x = append(f.sc.x, k.with[j].number(f.it.Fields))
	}
	b, late := f.update(k, b, t)
	if late {
		f.p.late.Add(1)
	}
	if len(b) > k.shape.MaxBytes {
		panic(fmt.Sprintf("unit: a state of the keyed model %s has %d bytes, more than its %d", k.feature, len(b), k.shape.MaxBytes))
	}
	b = binary.LittleEndian.AppendUint64(b, uint64(max(t, newest)))
	f.sc.keyed = b
	f.st.Head = setSection(f.st.Head, headLen, i, b)
}

// read writes the columns of the model at t; b is its section, nil for an entity without events.
func (k *keyedModel) read(dst []float64, b []byte, t int64) {
	if len(b) > 0 {
		b = b[:len(b)-timeLen]
	}
	from, to := k.column, k.column+len(k.shape.Columns)
	if got := k.model.Read(dst[from:from:to], b, t); len(got) != to-from {
		panic(fmt.Sprintf("unit: the keyed model %s reads %d values, not %d", k.feature, len(got), to-from))
	}
}

// KeyedState returns the model of a feature that is a keyed one and its state in st, nil for an entity that has none yet; ok is false for every
// other feature. The bytes are borrowed.
func (p *Program) KeyedState(st *State, feature string) (model features.Keyed, state []byte, ok bool) {
	for i, k := range p.keyed {
		if k.feature != feature {
			continue
		}
		if st != nil && len(st.Head) > 0 {
			start, end := section(st.Head, headLen, p.keyedSection(i))
			if state = st.Head[start:end:end]; len(state) > 0 {
				state = state[:len(state)-timeLen]
			}
		}
		return k.model, state, true
	}
	return nil, nil, false
}

// check returns an error if b, in the head of an entity with that newest event time, is no section of the model.
func (k *keyedModel) check(b []byte, newest int64) error {
	switch {
	case len(b) == 0:
		return nil
	case len(b) < timeLen || len(b)-timeLen > k.shape.MaxBytes:
		return errors.New("state cut short or too long")
	}
	if t := i64(b, len(b)-timeLen); t > newest || t < -farthest || t > farthest {
		return errors.New("time out of range")
	}
	return k.model.Check(b[:len(b)-timeLen])
}
