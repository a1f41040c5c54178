package unit

import (
	"math"
	"slices"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/features/agg"
	"github.com/freshet-ml/freshet/features/window"
)

// Read appends the values of all Columns at time t to dst. st nil or empty is an entity without events. newest is
// the newest event time that the entity has, features.NoTime if none. The values are a function of the
// bytes of st and of t; missing is NaN. st is not changed, so any number of goroutines may read it at
// once. Whoever reads decides by Expired whether the entity is absent. Cost: one pass over the state, 1 to 2 µs for a
// dense entity, without allocating when dst has room.
func (p *Program) Read(dst []float64, st *State, t int64) (values []float64, newest int64) {
	from := len(dst)
	dst = slices.Grow(dst, len(p.columns))[:from+len(p.columns)]
	own := dst[from:]
	sc := p.scratch.Get().(*scratch)
	var head, tiles []byte
	headAt, tilesAt := headLen, tilesLen
	if st != nil {
		head, tiles = st.Head, st.Tiles
	}
	for _, s := range p.streams {
		r := reader{s: s, c: &sc.tile, dst: own}
		r.rows, headAt = next(head, headAt)
		r.tiles, tilesAt = next(tiles, tilesAt)
		sc.tile.fit(s)
		for i := range s.groups {
			r.group(&s.groups[i], t)
		}
	}
	for _, set := range p.sets {
		sc.view.B, headAt = next(head, headAt)
		sc.view.Keep = set.keep
		for _, r := range set.reads {
			own[r.column] = r.of(&sc.view, t)
		}
	}
	sc.view.B = nil
	for _, k := range p.keyed {
		var b []byte
		b, headAt = next(head, headAt)
		k.read(own, b, t)
	}
	p.scratch.Put(sc)
	for i, x := range own {
		if math.IsInf(x, 0) {
			own[i] = math.NaN()
			p.notFinite.Add(1)
		}
	}
	return dst, st.Newest()
}

// next returns the section at that place and the place of the next.
func next(b []byte, at int) ([]byte, int) {
	if at >= len(b) {
		return nil, at
	}
	end := at + sectionLen + u32(b, at)
	return b[at+sectionLen : end : end], end
}

// reader reads one stream.
type reader struct {
	s           *stream
	c           *cells
	rows, tiles []byte
	dst         []float64
}

// group walks rows and tiles once, newest first, and finishes each window when its start is passed, so
// that longer windows go on from the shorter ones.
func (r *reader) group(g *group, t int64) {
	t = window.Back(t, g.lag)
	r.c.open(r.s, 0, 0)
	rows, tiles, sealed := r.rows, r.tiles, int64(features.NoTime)
	if len(tiles) > 0 {
		sealed = record(tiles).max()
	}
	if g.lag > 0 && sealed > t { // the end, too, lies among tiles: it goes to the grid
		t = window.Floor(t, g.windows[0].hop)
	}
	for len(rows) > 0 && i64(rows, len(rows)-r.s.width) > t {
		rows = rows[:len(rows)-r.s.width]
	}
	for i := range g.windows {
		w := &g.windows[i]
		from, cut := int64(math.MinInt64), int64(math.MinInt64)
		if !w.life {
			cut = window.Back(t, w.length)
			from = window.Floor(cut, w.hop)
			if sealed > from {
				cut = from
			}
		}
		rows = r.addRows(g, i, rows, cut, w.life)
		tiles = r.addTiles(g, i, tiles, from, t)
		span := agg.Span{End: t}
		if !w.life {
			span.Seconds = float64(w.length) / 1e6
		}
		for _, o := range w.outs {
			o.finish(r.dst[o.column:o.column+o.columns], r.cell(o.partial), span)
		}
	}
}

func (r *reader) cell(i int) []byte {
	f := &r.s.partials[i]
	if f.width == 0 {
		return r.c.grown[f.at]
	}
	return r.c.fixed[f.at : f.at+f.width]
}

// addRows folds the rows after cut, or all, and returns the others.
func (r *reader) addRows(g *group, i int, rows []byte, cut int64, all bool) []byte {
	from := len(rows)
	for from > 0 && (all || i64(rows, from-r.s.width) > cut) {
		from -= r.s.width
	}
	if from == len(rows) {
		return rows
	}
	for _, u := range g.fixed[:g.windows[i].active] {
		f := &r.s.partials[u.partial]
		f.add(r.c.fixed[f.at:f.at+f.width], r.s, rows[from:])
	}
	for _, u := range g.grown {
		if u.last >= i {
			f := &r.s.partials[u.partial]
			r.c.grown[f.at] = f.add(r.c.grown[f.at], r.s, rows[from:])
		}
	}
	return rows[:from]
}

// addTiles folds the tiles that start at from or later, leaving out those that hold events after t, and
// returns the others. Only the lifetime reads the base.
func (r *reader) addTiles(g *group, i int, tiles []byte, from, t int64) []byte {
	run := 0 // bytes of tiles found and not yet folded
	for run < len(tiles) {
		tile := record(tiles[run:])
		if tile.start() < from || tile.code() == baseCode && !g.windows[i].life {
			break
		}
		n := u32(tiles, run)
		if tile.max() > t { // left out: the future never counts
			r.mergeRun(g, i, tiles[:run])
			tiles, run = tiles[run+n:], 0
			continue
		}
		run += n
	}
	r.mergeRun(g, i, tiles[:run])
	return tiles[run:]
}

// mergeRun folds tiles that all count.
func (r *reader) mergeRun(g *group, i int, tiles []byte) {
	if len(tiles) == 0 {
		return
	}
	if len(r.s.grown) > 0 { // tiles differ in length
		for len(tiles) > 0 {
			n := u32(tiles, 0)
			r.merge(g, i, record(tiles[:n]))
			tiles = tiles[n:]
		}
		return
	}
	stride := recordLen + r.s.fixed
	for _, u := range g.fixed[:g.windows[i].active] {
		f := &r.s.partials[u.partial]
		cell, at := r.c.fixed[f.at:f.at+f.width], recordLen+f.at
		if f.run != nil {
			f.run.MergeRun(cell, agg.Cells{B: tiles, Stride: stride, At: at})
			continue
		}
		for ; at < len(tiles); at += stride {
			f.p.Merge(cell, tiles[at:at+f.width])
		}
	}
}

func (r *reader) merge(g *group, i int, tile record) {
	body := tile[recordLen:]
	for _, u := range g.fixed[:g.windows[i].active] {
		f := &r.s.partials[u.partial]
		f.p.Merge(r.c.fixed[f.at:f.at+f.width], body[f.at:f.at+f.width])
	}
	if len(g.grown) == 0 {
		return
	}
	rest, k := body[r.s.fixed:], 0
	for _, u := range g.grown {
		f := &r.s.partials[u.partial]
		for ; k < f.at; k++ {
			rest = rest[sectionLen+u32(rest, 0):]
		}
		if u.last >= i {
			r.c.grown[f.at] = f.p.Merge(r.c.grown[f.at], rest[sectionLen:sectionLen+u32(rest, 0)])
		}
	}
}
