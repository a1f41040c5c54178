package unit

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/features/agg"
	"github.com/freshet-ml/freshet/features/window"
)

// State is all that Freshet keeps about one entity. The zero State is an entity without events. Apply
// owns the bytes and writes into them; whoever saves a State copies them first and clears the marks.
//
// Head: version u8, newest event time i64, then for each stream, for each open set and for each keyed model of the
// program: length u32, bytes. The bytes of a stream are rows in the order of (time, seq): time i64, seq
// u64, inputs f64 each. Those of a set are as agg.Set says. Those of a keyed model are nothing before its first value, then what its
// Update returned, which begins with a version of its own, then the event time i64 of the newest value that it took.
//
// A group of entities has a State of its own, a head alone: version u8 (2), newest event time i64 of the items that it learned from, then for each keyed model: length u32, bytes as its
// UpdateIn returned them.
//
// Tiles: nothing as long as nothing was sealed; else version u8, then for each stream: length u32, records newest first: length u32 (of the whole
// record), start i64, hop code u8 (255: the base of lifetime features, always last), newest event time
// i64, the fixed cells, then the growing cells, each with its length u32. Numbers are little endian.
type State struct {
	Head, Tiles           []byte
	HeadDirty, TilesDirty bool // changed since whoever saves cleared them
}

const (
	version    = 1 // of both blobs
	headLen    = 9 // before the first section of a head
	tilesLen   = 1 // before the first section of tiles
	rowLen     = 16
	recordLen  = 21
	baseCode   = 255
	baseStart  = features.NoTime
	sectionLen = 4
)

// Reset makes st an entity without events, keeping its memory.
func (st *State) Reset() {
	st.Head, st.Tiles = st.Head[:0], st.Tiles[:0]
	st.HeadDirty, st.TilesDirty = true, true
}

// Newest returns the newest event time that st has, or features.NoTime.
func (st *State) Newest() int64 {
	if st == nil || len(st.Head) < headLen {
		return features.NoTime
	}
	return int64(binary.LittleEndian.Uint64(st.Head[1:]))
}

// ensure gives an empty head its empty sections.
func (p *Program) ensure(st *State) {
	if len(st.Head) == 0 {
		st.Head = append(st.Head, version)
		newest := int64(features.NoTime)
		st.Head = binary.LittleEndian.AppendUint64(st.Head, uint64(newest))
		st.Head = append(st.Head, make([]byte, sectionLen*p.sections())...)
		st.HeadDirty = true
	}
}

// ensureTiles gives a state without tiles their empty sections.
func (p *Program) ensureTiles(st *State) {
	if len(st.Tiles) == 0 {
		st.Tiles = append(st.Tiles, version)
		st.Tiles = append(st.Tiles, make([]byte, sectionLen*len(p.streams))...)
	}
	st.TilesDirty = true
}

// section returns where the bytes of section i begin and end, of a blob whose first section stands at from.
func section(b []byte, from, i int) (start, end int) {
	at := from
	for ; i > 0; i-- {
		at += sectionLen + int(binary.LittleEndian.Uint32(b[at:]))
	}
	at += sectionLen
	return at, at + int(binary.LittleEndian.Uint32(b[at-sectionLen:]))
}

// setSection replaces section i.
func setSection(b []byte, from, i int, with []byte) []byte {
	start, end := section(b, from, i)
	binary.LittleEndian.PutUint32(b[start-sectionLen:], uint32(len(with)))
	return slices.Replace(b, start, end, with...)
}

func i64(b []byte, at int) int64 { return int64(binary.LittleEndian.Uint64(b[at:])) }
func u32(b []byte, at int) int   { return int(binary.LittleEndian.Uint32(b[at:])) }

// CheckState returns an error if st, loaded from a store, is not a state of this program. Every other
// method may panic on such a state. Cost: one pass.
func (p *Program) CheckState(st *State) error {
	if len(st.Head) == 0 && len(st.Tiles) == 0 {
		return nil
	}
	if len(st.Head) < headLen || st.Head[0] != version || len(st.Tiles) > 0 && st.Tiles[0] != version {
		return fmt.Errorf("state of an entity of %s: unknown version or cut short; refold it from the events log", p.entity.Name)
	}
	heads, err := sections(st.Head[headLen:], p.sections())
	if err != nil {
		return fmt.Errorf("head of an entity of %s: %w", p.entity.Name, err)
	}
	tiles := make([][]byte, len(p.streams))
	if len(st.Tiles) > 0 {
		if tiles, err = sections(st.Tiles[tilesLen:], len(p.streams)); err != nil {
			return fmt.Errorf("tiles of an entity of %s: %w", p.entity.Name, err)
		}
	}
	for i, s := range p.streams {
		if err := s.check(heads[i], tiles[i]); err != nil {
			return fmt.Errorf("stream %d of an entity of %s: %w", i, p.entity.Name, err)
		}
	}
	for i := range p.sets {
		set := agg.Set{B: heads[len(p.streams)+i]}
		if err := set.Check(); err != nil {
			return fmt.Errorf("open set %d of an entity of %s: %w", i, p.entity.Name, err)
		}
	}
	for i, k := range p.keyed {
		if err := k.check(heads[p.keyedSection(i)], st.Newest()); err != nil {
			return fmt.Errorf("keyed model %s of an entity of %s: %w", k.feature, p.entity.Name, err)
		}
	}
	return nil
}

// sections returns how many sections a head has.
func (p *Program) sections() int { return p.keyedSection(len(p.keyed)) }

// sections splits b into n sections.
func sections(b []byte, n int) ([][]byte, error) {
	out := make([][]byte, n)
	for i := range out {
		if len(b) < sectionLen || len(b)-sectionLen < u32(b, 0) {
			return nil, fmt.Errorf("section %d cut short", i)
		}
		end := sectionLen + u32(b, 0)
		out[i], b = b[sectionLen:end], b[end:]
	}
	if len(b) > 0 {
		return nil, fmt.Errorf("%d bytes behind the last section", len(b))
	}
	return out, nil
}

func (s *stream) check(rows, tiles []byte) error {
	if len(rows)%s.width != 0 {
		return fmt.Errorf("rows of %d bytes cut short", s.width)
	}
	for at := s.width; at < len(rows); at += s.width {
		if t, u := i64(rows, at-s.width), i64(rows, at); t > u || t == u && uint64(i64(rows, at-s.width+8)) > uint64(i64(rows, at+8)) {
			return fmt.Errorf("row %d out of order", at/s.width)
		}
	}
	for before := int64(1<<63 - 1); len(tiles) > 0; {
		if len(tiles) < recordLen || u32(tiles, 0) < recordLen+s.fixed || u32(tiles, 0) > len(tiles) {
			return fmt.Errorf("tile cut short")
		}
		r := record(tiles[:u32(tiles, 0)])
		tiles = tiles[len(r):]
		if r.code() == baseCode {
			if !s.base || len(tiles) > 0 {
				return fmt.Errorf("base out of place")
			}
		} else if r.code() >= window.Codes || r.start() >= before || r.end() > before || r.start()%window.Hop(r.code()) != 0 {
			return fmt.Errorf("tile out of order")
		}
		before = r.start()
		if err := s.checkCells(r); err != nil {
			return err
		}
	}
	return nil
}

func (s *stream) checkCells(r record) error {
	for i := range s.partials {
		if f := &s.partials[i]; f.width > 0 {
			if err := f.p.Check(r[recordLen+f.at : recordLen+f.at+f.width]); err != nil {
				return err
			}
		}
	}
	rest := r[recordLen+s.fixed:]
	for _, i := range s.grown {
		if len(rest) < sectionLen || len(rest)-sectionLen < u32(rest, 0) {
			return fmt.Errorf("growing cell cut short")
		}
		n := sectionLen + u32(rest, 0)
		if err := s.partials[i].p.Check(rest[sectionLen:n]); err != nil {
			return err
		}
		rest = rest[n:]
	}
	if len(rest) > 0 { // so tiles without growing cells have one length
		return fmt.Errorf("%d bytes behind the last cell", len(rest))
	}
	return nil
}

// record is one tile.
type record []byte

func (r record) start() int64 { return i64(r, 4) }
func (r record) code() int    { return int(r[12]) }
func (r record) max() int64   { return i64(r, 13) }
func (r record) end() int64   { return r.start() + window.Hop(r.code()) }
