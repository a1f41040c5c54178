package unit

import (
	"encoding/binary"
	"math"
	"slices"

	"github.com/freshet-ml/freshet/features/agg"
	"github.com/freshet-ml/freshet/features/window"
)

// floorOf returns from where on a read at t counts the tiles of window n.
func (n need) floorOf(t int64) int64 {
	return window.Floor(window.Back(t, n.reach), window.Hop(n.code))
}

// expiry returns the time up to which no window that is read at ref or later needs events.
func (s *stream) expiry(ref int64) int64 { return floorOfAll(s.needs, ref) }

func floorOfAll(needs []need, ref int64) int64 {
	limit := int64(math.MaxInt64)
	for _, n := range needs {
		limit = min(limit, n.floorOf(ref))
	}
	return limit
}

// scratch is the working memory of one Apply or Read.
type scratch struct {
	set        agg.Set // being changed; its bytes are a copy
	view       agg.Set // being read; its bytes are the state's
	row, keyed []byte
	x          []float64 // the inputs of a keyed model
	tile, base cells
	tiles      []byte  // the tiles being written
	limits     []int64 // by level: up to where its tiles may reach
}

// cells is one running partial aggregate of every partial of a stream.
type cells struct {
	fixed []byte
	grown [][]byte // in the order of stream.grown
	start int64
	code  int
	max   int64
	used  bool
}

// fit makes room for the cells of s.
func (c *cells) fit(s *stream) {
	c.fixed = slices.Grow(c.fixed[:0], s.fixed)[:s.fixed]
	for len(c.grown) < len(s.grown) {
		c.grown = append(c.grown, nil)
	}
	c.used = false
}

// open begins an empty tile.
func (c *cells) open(s *stream, start int64, code int) {
	c.start, c.code, c.max, c.used = start, code, math.MinInt64, true
	for i := range s.partials {
		if f := &s.partials[i]; f.width > 0 {
			f.p.Init(c.fixed[f.at : f.at+f.width])
		}
	}
	for g, i := range s.grown {
		c.grown[g] = s.partials[i].p.Init(c.grown[g])
	}
}

// merge adds a tile.
func (c *cells) merge(s *stream, r record) {
	c.max = max(c.max, r.max())
	for i := range s.partials {
		if f := &s.partials[i]; f.width > 0 {
			f.p.Merge(c.fixed[f.at:f.at+f.width], r[recordLen+f.at:recordLen+f.at+f.width])
		}
	}
	rest := r[recordLen+s.fixed:]
	for g, i := range s.grown {
		n := sectionLen + u32(rest, 0)
		c.grown[g] = s.partials[i].p.Merge(c.grown[g], rest[sectionLen:n])
		rest = rest[n:]
	}
}

// add adds rows.
func (c *cells) add(s *stream, rows []byte) {
	c.max = max(c.max, i64(rows, len(rows)-s.width))
	for i := range s.partials {
		if f := &s.partials[i]; f.width > 0 {
			f.add(c.fixed[f.at:f.at+f.width], s, rows)
		}
	}
	for g, i := range s.grown {
		f := &s.partials[i]
		c.grown[g] = f.add(c.grown[g], s, rows)
	}
}

// add adds rows to a cell of f and returns the cell.
func (f *partial) add(cell []byte, s *stream, rows []byte) []byte {
	packed := agg.Rows{B: rows, Stride: s.width, X: f.x, Y: f.y}
	if f.run != nil {
		f.run.AddRun(cell, packed)
		return cell
	}
	return agg.AddRows(f.p, cell, packed)
}

// flush appends the tile, if there is one, to dst and closes it.
func (c *cells) flush(s *stream, dst []byte) []byte {
	if !c.used {
		return dst
	}
	c.used = false
	from := len(dst)
	dst = append(dst, 0, 0, 0, 0)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(c.start))
	dst = append(dst, byte(c.code))
	dst = binary.LittleEndian.AppendUint64(dst, uint64(c.max))
	dst = append(dst, c.fixed...)
	for g := range s.grown {
		dst = binary.LittleEndian.AppendUint32(dst, uint32(len(c.grown[g])))
		dst = append(dst, c.grown[g]...)
	}
	binary.LittleEndian.PutUint32(dst[from:], uint32(len(dst)-from))
	return dst
}

// seal folds rows, which are in order, into the tiles of stream i. Tiles are coalesced as far as no window that is
// read at ref or later tells them apart; what no window needs goes into the base of lifetime features.
func (f *folding) seal(i int, s *stream, rows []byte) {
	sc := f.sc
	f.p.ensureTiles(f.st)
	start, end := section(f.st.Tiles, tilesLen, i)
	m := merging{s: s, sc: sc, expiry: s.expiry(f.ref), rows: rows, tiles: f.st.Tiles[start:end]}
	m.run(f.ref)
	f.st.Tiles = setSection(f.st.Tiles, tilesLen, i, sc.tiles)
}

// merging is one pass over old tiles and sealed rows, newest first.
type merging struct {
	s      *stream
	sc     *scratch
	expiry int64
	rows   []byte // what is left of them; the newest stand last
	tiles  []byte // what is left of them
}

func (m *merging) run(ref int64) {
	m.sc.tiles, m.sc.limits = m.sc.tiles[:0], m.sc.limits[:0]
	for _, l := range m.s.levels {
		m.sc.limits = append(m.sc.limits, floorOfAll(l.finer, ref))
	}
	m.sc.tile.fit(m.s)
	m.sc.base.fit(m.s)
	for len(m.rows) > 0 || len(m.tiles) > 0 {
		rowStart, rowCode := int64(math.MinInt64), -1
		if len(m.rows) > 0 {
			rowStart, rowCode = m.place(window.Start(i64(m.rows, len(m.rows)-m.s.width), window.Hop(m.s.levels[0].code)), m.s.levels[0].code)
		}
		tileStart, tileCode := int64(math.MinInt64), -1
		if len(m.tiles) > 0 {
			if r := record(m.tiles); r.code() != baseCode {
				tileStart, tileCode = m.place(r.start(), r.code())
			}
		}
		if rowCode >= 0 && (rowStart >= tileStart || tileCode < 0) {
			m.takeRows(rowStart, rowCode)
		} else {
			m.takeTile(tileStart, tileCode)
		}
	}
	m.sc.tiles = m.sc.tile.flush(m.s, m.sc.tiles)
	m.sc.tiles = m.sc.base.flush(m.s, m.sc.tiles)
}

// place returns the coarsest tile that something at start, of that hop, may lie in.
func (m *merging) place(start int64, code int) (int64, int) {
	for j := 1; j < len(m.s.levels); j++ {
		l := &m.s.levels[j]
		if l.code <= code {
			continue
		}
		hop := window.Hop(l.code)
		coarse := window.Floor(start, hop)
		if coarse+hop > m.sc.limits[j] {
			break
		}
		start, code = coarse, l.code
	}
	return start, code
}

// target returns the running aggregate of the tile at start, flushing the one before; nil if nobody needs it.
func (m *merging) target(start int64, code int) *cells {
	if code < 0 || start < m.expiry {
		if !m.s.base {
			return nil
		}
		if !m.sc.base.used {
			m.sc.base.open(m.s, baseStart, baseCode)
		}
		return &m.sc.base
	}
	c := &m.sc.tile
	if !c.used || c.start != start {
		m.sc.tiles = c.flush(m.s, m.sc.tiles)
		c.open(m.s, start, code)
	}
	return c
}

// takeRows folds the newest rows, as many as lie in the tile at start.
func (m *merging) takeRows(start int64, code int) {
	from := len(m.rows) - m.s.width
	for from > 0 && i64(m.rows, from-m.s.width) > start {
		from -= m.s.width
	}
	if c := m.target(start, code); c != nil {
		c.add(m.s, m.rows[from:])
	}
	m.rows = m.rows[:from]
}

// takeTile folds the newest old tile, or copies it when it stays as it is.
func (m *merging) takeTile(start int64, code int) {
	r := record(m.tiles[:u32(m.tiles, 0)])
	m.tiles = m.tiles[len(r):]
	stays := code >= 0 && code == r.code() && start >= m.expiry && !(m.sc.tile.used && m.sc.tile.start == start)
	if stays {
		m.sc.tiles = append(m.sc.tile.flush(m.s, m.sc.tiles), r...)
		return
	}
	if c := m.target(start, code); c != nil {
		c.merge(m.s, r)
	}
}

// newScratch is what the pool of a program makes.
func newScratch() any { return new(scratch) }
