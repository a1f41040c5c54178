package tree

import (
	"math"
	"slices"

	"github.com/freshet-ml/freshet/internal/codec"
)

// visit visits a whole classification tree.
func (t *classTree) visit(c *codec.State) {
	c.Fixed("classes", t.classes)
	c.Fixed("columns", t.width)
	c.Fixed("categorical columns", len(t.nominal))
	if t.cfg.Bins > 0 {
		c.Fixed("bins of a numeric column", t.cfg.Bins)
	}
	c.Uint64(&t.cfg.Seed)
	c.Uint64(&t.draws)
	c.Uint64(&t.dropped.leaves)
	c.Uint64(&t.dropped.splits)
	if c.Loading() {
		t.restart()
	}
	t.visitDicts(c)
	t.visitNodes(c, t.cfg.MaxLeaves, t.anytime, func(at int32, kind byte) { t.visitCell(c, at, kind) })
	if c.Loading() && (c.Err() != nil || t.leaves > t.cfg.MaxLeaves) {
		c.Fail("%d leaves", t.leaves)
		t.plant()
	}
}

// restart empties the tree for loading.
func (t *classTree) restart() {
	t.uproot()
	t.last.valid = false
	t.shared = nil
	if t.cfg.PerTree && t.random() {
		t.shared = t.draw(t.cfg.Subspace, 0)
	}
}

// visitCell visits what learning keeps at a node.
func (t *classTree) visitCell(c *codec.State, at int32, kind byte) {
	l := &t.cells[at]
	if c.Loading() {
		l.classes = int32(t.classes)
	}
	if kind&kindBits != leafKind && kind&activeFlag == 0 && !t.anytime {
		return
	}
	if c.Loading() {
		if kind&activeFlag == 0 {
			l.block = t.lines.take(t.classes, t.ample)
		} else {
			l.block = t.scratch[:t.classes] // until it has memory
			t.visitColumns(c, l)
		}
	} else if l.active {
		t.visitColumns(c, l)
	}
	for i := range t.classes {
		c.Float64(&l.block[i])
		if c.Loading() && !(l.block[i] >= 0 && l.block[i] < math.Inf(1)) {
			c.Fail("class weight %g", l.block[i])
		}
	}
	for _, v := range []*float64{&l.weight, &l.tried, &l.bayes, &l.majority} {
		c.Float64(v)
	}
	if kind&activeFlag == 0 || c.Err() != nil {
		return
	}
	if c.Loading() {
		t.enliven(l)
	}
	l.visitStats(c, t.cfg.MaxCategories)
}

// visitColumns visits the columns that a leaf watches, if it does not watch all.
func (t *classTree) visitColumns(c *codec.State, l *cell) {
	if !t.random() {
		l.scope = t.all
		return
	}
	var columns []uint32
	if !c.Loading() {
		for _, i := range l.numeric {
			columns = append(columns, uint32(i))
		}
		for _, s := range l.slots {
			columns = append(columns, uint32(t.nominal[s]))
		}
		slices.Sort(columns)
	}
	c.Uint32s(&columns)
	if !c.Loading() {
		return
	}
	if len(columns) != t.cfg.Subspace {
		c.Fail("%d columns in a leaf, not %d", len(columns), t.cfg.Subspace)
		return
	}
	l.scope = &scope{}
	for i, column := range columns {
		if int(column) >= t.width || i > 0 && columns[i-1] >= column {
			c.Fail("columns of a leaf: %v", columns)
			return
		}
		if s := t.slot[column]; s >= 0 {
			l.slots = append(l.slots, s)
		} else {
			l.numeric = append(l.numeric, int32(column))
		}
	}
	if t.cfg.PerTree {
		if !slices.Equal(l.numeric, t.shared.numeric) || !slices.Equal(l.slots, t.shared.slots) {
			c.Fail("a leaf watches other columns than its tree")
			return
		}
		l.scope = t.shared
	}
}

// visitStats visits the moments, bins and tables of active statistics.
func (s *classStats) visitStats(c *codec.State, places int) {
	for k := range int(s.classes) {
		mean, _ := s.density(k)
		n, squares, least, most := s.moments(k)
		for a := range mean {
			for _, v := range []*float64{&n[a], &mean[a], &squares[a], &least[a], &most[a]} {
				c.Float64(v)
			}
			if c.Loading() && !(n[a] >= 0) {
				c.Fail("weight %g", n[a])
			}
		}
	}
	if c.Loading() && c.Err() == nil {
		s.renew()
	}
	if s.bins != nil {
		s.histograms().visit(c, len(s.numeric))
	}
	for k := range s.tables {
		c.Float64s(&s.tables[k])
		if t := s.tables[k]; c.Loading() && (len(t)%int(s.classes) != 0 || len(t) == int(s.classes) || len(t) > (places+1)*int(s.classes)) {
			c.Fail("table of %d counts", len(t))
			s.tables[k] = nil
		}
	}
}
