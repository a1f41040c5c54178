package neighbors

import (
	"slices"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/cow"
)

// memory is rows without order of their own: slots 0 … n−1 are in use. Pages are made when they are first needed.
type memory struct {
	rows
	raw cow.Pages[float64] // pageRows × numbers
}

// newMemory returns room for so many rows.
func newMemory(schema *features.Schema, capacity int) memory {
	var m memory
	m.capacity, m.width = capacity, len(schema.Columns)
	for i, c := range schema.Columns {
		if c.Kind == features.Categorical {
			m.nominal = append(m.nominal, i)
		} else {
			m.numbers = append(m.numbers, i)
		}
	}
	m.order = identity(len(m.numbers))
	d := len(m.numbers)
	m.stride = (d + 3) &^ 3
	m.middle, m.low, m.rate = make([]float64, d), make([]float64, d), make([]float64, d)
	for j := range m.rate {
		m.rate[j] = 1
	}
	m.empty()
	return m
}

// empty forgets all rows and their pages.
func (m *memory) empty() {
	pages := (m.capacity + pageRows - 1) / pageRows
	m.n = 0
	m.raw, m.scaled = cow.New[float64](pages, 0), cow.New[float64](pages, 0)
	m.category, m.label = cow.New[float64](pages, 0), cow.New[float64](pages, 0)
}

// follow makes the memory compare by the scales of another, from now on.
func (m *memory) follow(o *memory) {
	m.order, m.middle, m.low, m.rate = o.order, o.middle, o.low, o.rate
}

// raws are the numbers of a slot as they came, in the order of the columns.
func (m *memory) raws(slot int) []float64 {
	d := len(m.numbers)
	return m.raw.Page(slot / pageRows)[slot%pageRows*d : (slot%pageRows+1)*d]
}

// marks are the categories of a slot.
func (m *memory) marks(slot int) []float64 {
	k := len(m.nominal)
	return m.category.Page(slot / pageRows)[slot%pageRows*k : (slot%pageRows+1)*k]
}

// scaledRow is a slot as it is compared.
func (m *memory) scaledRow(slot int) []float64 {
	return m.scaled.Page(slot / pageRows)[slot%pageRows*m.stride : (slot%pageRows+1)*m.stride]
}

// own makes the pages of a slot ready to be written.
func (m *memory) own(slot int) {
	p := slot / pageRows
	for _, x := range []struct {
		pages *cow.Pages[float64]
		size  int
	}{{&m.raw, len(m.numbers)}, {&m.scaled, m.stride}, {&m.category, len(m.nominal)}, {&m.label, 3}} {
		if len(x.pages.Page(p)) == 0 && x.size > 0 {
			x.pages.Set(p, make([]float64, pageRows*x.size))
		}
		x.pages.Own(p)
	}
}

// push keeps the row of e in the next slot. There must be one.
func (m *memory) push(e *models.Example, y float64) {
	slot := m.n
	m.own(slot)
	raw, marks := m.raws(slot), m.marks(slot)
	for j, column := range m.numbers {
		raw[j] = e.At(column)
	}
	for j, column := range m.nominal {
		marks[j] = e.At(column)
	}
	m.set(slot, y, e.Weight)
	m.n++
	m.project(slot)
}

// set writes label and weight of a slot.
func (m *memory) set(slot int, y, weight float64) {
	label := m.label.Page(slot / pageRows)[slot%pageRows*3:]
	label[0], label[1] = y, weight
}

// take appends a row of another memory of the same columns and scales.
func (m *memory) take(o *memory, slot int) {
	m.own(m.n)
	m.n++
	m.copyFrom(o, m.n-1, slot)
}

// move copies one slot to another.
func (m *memory) move(to, from int) {
	if to != from {
		m.own(to)
		m.copyFrom(m, to, from)
	}
}

func (m *memory) copyFrom(o *memory, to, from int) {
	copy(m.raws(to), o.raws(from))
	copy(m.marks(to), o.marks(from))
	copy(m.scaledRow(to), o.scaledRow(from))
	y, weight := o.at(int32(from))
	m.set(to, y, weight)
}

// remove forgets a slot; the last row takes it.
func (m *memory) remove(slot int) {
	m.move(slot, m.n-1)
	m.n--
}

// dropFirst forgets the first k slots; the others keep their order.
func (m *memory) dropFirst(k int) {
	for i := k; i < m.n; i++ {
		m.move(i-k, i)
	}
	m.n -= k
}

// project scales one row.
func (m *memory) project(slot int) {
	raw, out := m.raws(slot), m.scaledRow(slot)
	for at, j := range m.order {
		out[at] = m.scaleOne(j, raw[j])
	}
}

// searchSpan finds the nearest of the slots from … to−1 by brute force, and adds them to what was found.
func (r *rows) searchSpan(f *found, q, c []float64, from, to int) {
	for at := from; at < to; {
		p, i := at/pageRows, at%pageRows
		count := min(pageRows-i, to-at)
		switch {
		case len(c) > 0:
			page, categories := r.scaled.Page(p), r.category.Page(p)
			for k := i; k < i+count; k++ {
				if s := r.mixed(page, categories, k, q, c, f.worst()); s < f.worst() {
					f.add(s, int32(p*pageRows+k))
				}
			}
		case r.stride == 8:
			searchEight(f, r.scaled.Page(p)[i*8:], at, count, q)
		default:
			searchPage(f, r.scaled.Page(p)[i*r.stride:], at, count, q)
		}
		at += count
	}
}

// scales takes the scales of both memories from the rows that they hold, and scales them all.
func scales(a, b *memory, how string) {
	spread := make([]float64, len(a.numbers))
	for j := range a.numbers {
		of := noMoments()
		for _, m := range []*memory{a, b} {
			for slot := range m.n {
				of.add(m.raws(slot)[j])
			}
		}
		spread[j] = a.scaleBy(j, how, of)
	}
	copy(a.order, identity(len(a.order)))
	a.sortBy(spread)
	for _, m := range []*memory{a, b} {
		for slot := range m.n {
			m.own(slot)
			m.project(slot)
		}
	}
}

// state visits the rows; scaled ones are derived. The scales are visited before.
func (m *memory) state(s *codec.State, what string) {
	n := s.Len(m.n, 1, m.capacity)
	if s.Loading() {
		m.empty()
	}
	for slot := range n {
		if s.Loading() {
			m.own(slot)
		}
		visit(s, m.raws(slot))
		visit(s, m.marks(slot))
		label := m.label.Page(slot / pageRows)[slot%pageRows*3:]
		visit(s, label[:2])
		if s.Err() != nil {
			return
		}
		if s.Loading() {
			if m.n++; !(label[1] > 0 && label[1] <= limit) {
				s.Fail("%s: row %d of weight %v", what, slot, label[1])
				return
			}
			m.project(slot)
		}
	}
}

// shareRows returns an immutable view. Cost: the table of pages and the scales.
func (m *memory) shareRows() rows {
	r := m.rows
	r.order, r.middle, r.low, r.rate = slices.Clone(m.order), slices.Clone(m.middle), slices.Clone(m.low), slices.Clone(m.rate)
	r.scaled, r.category, r.label = m.scaled.Share(), m.category.Share(), m.label.Share()
	return r
}
