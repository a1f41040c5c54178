package preprocess

import (
	"math"
	"slices"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/internal/codec"
)

// hashed is what the encoders have that learn numbers for each category, most of them one: for each column and number a table of 2^bits
// cells, of which a category has the one of its hash.
type hashed struct {
	in, out *features.Schema
	columns []int
	numbers int // for each category
	bits    int
	keep    bool
	tables  []table // those of the first column, then those of the second, …
}

// newHashed makes empty tables, for each column one for each suffix, which the name of the encoded column ends with. The first of these
// stands in the place of the category, the others at the end; to keep the categories, all of them do.
func newHashed(schema *features.Schema, columns []int, bits int, keep bool, suffixes ...string) hashed {
	h := hashed{in: schema, out: extended(schema), columns: columns, numbers: len(suffixes), bits: bits, keep: keep}
	for _, i := range columns {
		for k, suffix := range suffixes {
			c := features.Column{Name: schema.Columns[i].Name + suffix}
			if keep || k > 0 {
				h.out.Columns = append(h.out.Columns, c)
			} else {
				h.out.Columns[i] = c
			}
			h.tables = append(h.tables, newTable(bits))
		}
	}
	return h
}

// cell is the place of a category.
func (h *hashed) cell(x float64) int { return int(mix(math.Float64bits(x)) >> (64 - h.bits)) }

// to is where number k of the jth column stands in the row.
func (h *hashed) to(j, k int) int {
	switch {
	case h.keep:
		return len(h.in.Columns) + j*h.numbers + k
	case k > 0:
		return len(h.in.Columns) + j*(h.numbers-1) + k - 1
	}
	return h.columns[j]
}

// Schema is the incoming one with the categories replaced, or with more columns at its end.
func (h *hashed) Schema() *features.Schema { return h.out }

// share returns the tables for a snapshot.
func (h *hashed) share() []table {
	out := make([]table, len(h.tables))
	for j := range h.tables {
		out[j] = h.tables[j].share()
	}
	return out
}

func (h *hashed) visitTables(s *codec.State) {
	for j := range h.tables {
		h.tables[j].state(s)
	}
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
