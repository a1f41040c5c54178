package unit

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/features/agg"
	"github.com/freshet-ml/freshet/features/expr"
	"github.com/freshet-ml/freshet/features/window"
)

// Program is a compiled entity type. Read, AppendKey and the descriptions are safe for any number of
// goroutines; Apply is, for different states.
type Program struct {
	entity      Entity
	columns     []features.Column
	windows     []columnWindow
	keys        [][]int // by source: positions of the key fields; nil where the source lacks one
	taken       []bool  // by source: its items change states
	streams     []*stream
	bySource    [][]int // by source: its streams
	sets        []*openSet
	keyed       []*keyedModel
	groups      [][]int // by source: positions of the fields of the group of keyed models that start from one; nil: no such model takes the source
	keep, skew  int64   // µs
	fingerprint uint64
	scratch     sync.Pool

	late, capHits, setFull, notFinite atomic.Uint64
}

// Stats are counts since the Program was compiled. They are no part of any state.
type Stats struct {
	Late      uint64 // events left out: older than all that their stream keeps, or than the newest step of a keyed model
	CapHits   uint64 // times that an `exact: true` stream or the rows of the last max_skew hit their cap and were sealed early
	SetFull   uint64 // things left out because an open set was full
	NotFinite uint64 // results that were not finite and became missing
}

// Stats returns the counts so far.
func (p *Program) Stats() Stats {
	return Stats{p.late.Load(), p.capHits.Load(), p.setFull.Load(), p.notFinite.Load()}
}

type columnWindow struct{ window, hop, lag time.Duration }

// openSet is one configuration of open things, shared by the features that have it.
type openSet struct {
	source, due int   // due: field position; -1: event time
	by          []int // by source: position of the field that names the thing; -1: no part in it
	where       *expr.Expr
	keep        int64
	reads       []setRead
}

type setRead struct {
	column int
	of     func(*agg.Set, int64) float64
}

// stream is the events of one source in the order of one time field.
type stream struct {
	source, at int // at: field position; -1: event time
	exact      bool
	inputs     []input
	plain      bool // some partial takes every event, whatever its inputs
	width      int  // of a row
	partials   []partial
	fixed      int   // bytes of the fixed cells of a tile
	grown      []int // partials whose cells grow
	base       bool  // some feature is over the lifetime
	groups     []group
	needs      []need  // windows, as far as tiles are concerned
	levels     []level // hops in use, ascending
	reach      int64   // longest window + lag
}

// input is one number of a row: a value of the events that satisfy a condition.
type input struct {
	value *expr.Expr // nil: 1
	where *expr.Expr // nil: all
	nulls bool       // a null counts as a value: a table's field
}

// partial is one partial aggregate of a stream.
type partial struct {
	p     agg.Partial
	run   agg.Runner // p, if it has a tight loop
	x, y  int        // offsets of its inputs in a row; 0: always 1
	width int        // of its cell; 0: grows
	at    int        // of its cell among the fixed cells; its place in stream.grown
}

// need is a window: t reads the tiles from floor(t − reach) on.
type need struct {
	reach int64 // window + lag
	code  int   // of the hop
}

// level is a hop in use, and the windows of finer hops: those that forbid its tiles while they need finer ones.
type level struct {
	code  int
	finer []need
}

// group is the reads of a stream at one lag; with a lag, also of one hop.
type group struct {
	lag     int64
	windows []reading
	fixed   []use // ordered by last, descending
	grown   []use // in the order of the cells of a tile
}

// use is a partial that a group reads, up to its window number last.
type use struct{ partial, last int }

// reading is one window of a group, shorter ones first; the lifetime comes last.
type reading struct {
	length int64
	hop    int64
	life   bool
	active int // how many of group.fixed this window still reads
	outs   []out
}

type out struct {
	partial, column, columns int
	finish                   func(dst []float64, cell []byte, s agg.Span)
}

// Columns returns the columns of the entity, in the order in which Read appends them: entity.feature,
// with _1h for each of a list of windows, then _1, _2 … where an aggregation gives several. Borrowed.
func (p *Program) Columns() []features.Column { return p.columns }

// Window returns the window of a column (0: lifetime), its hop, and its lag. The hop is the greatest overshoot
// of the window for an entity with many events.
func (p *Program) Window(column int) (window, hop, lag time.Duration) {
	w := p.windows[column]
	return w.window, w.hop, w.lag
}

// Takes reports whether items of that source change states of this entity type.
func (p *Program) Takes(source int) bool {
	return source >= 0 && source < len(p.taken) && p.taken[source]
}

// AppendKey appends the key of the entity that it belongs to, or that a trigger reads. ok is false, and dst
// unchanged, if a field of the key is null or its source has no such field.
func (p *Program) AppendKey(dst []byte, it *features.Item) (key []byte, ok bool) {
	if it.Source < 0 || it.Source >= len(p.keys) || p.keys[it.Source] == nil {
		return dst, false
	}
	for _, i := range p.keys[it.Source] {
		if i >= len(it.Fields) || it.Fields[i].IsNull() {
			return dst, false
		}
	}
	for _, i := range p.keys[it.Source] {
		dst = features.AppendKey(dst, it.Fields[i].String())
	}
	return dst, true
}

// AppendKeyFrom appends the key that values names. ok is false, and dst unchanged, if a part is null or
// not there.
func (p *Program) AppendKeyFrom(dst []byte, values func(name string) (features.Value, bool)) (key []byte, ok bool) {
	key = dst
	for _, name := range p.entity.Key {
		v, there := values(name)
		if !there || v.IsNull() {
			return dst, false
		}
		key = features.AppendKey(key, v.String())
	}
	return key, true
}

// Entity returns the declaration that the program was compiled from. Borrowed.
func (p *Program) Entity() *Entity { return &p.entity }

// Expired reports whether the entity is absent at that watermark: idle for longer than keep, or without
// events. What a group knows is never absent.
func (p *Program) Expired(st *State, watermark int64) bool {
	newest := st.Newest()
	if newest == features.NoTime {
		return true
	}
	if st.Head[0] == groupVersion {
		return false
	}
	return p.keep > 0 && watermark != features.NoTime && newest < window.Back(watermark, p.keep)
}

// Fingerprint identifies the compiled spec: names, expressions, windows, parameters and fold versions. States of two
// programs are interchangeable exactly if it is equal.
func (p *Program) Fingerprint() uint64 { return p.fingerprint }
