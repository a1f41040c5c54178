package frame

import (
	"errors"
	"fmt"
)

// Sizes in bytes. A frame is one Kafka record, so MaxSize keeps it below the usual limit of 1 MB
// before and after compression. An item that does not fit is refused from its own size alone, never
// because of what else stands in its frame: the header has its own share.
const (
	MaxSize    = 512 << 10           // an encoded frame
	MaxHeader  = 128 << 10           // all of it but the items
	MaxPayload = MaxSize - MaxHeader // packed items of one frame
	MaxItem    = MaxPayload - maxLen // one item
	MaxInputs  = 4096                // inputs before, and inputs after
	MaxName    = 512                 // the name of an input
	maxLen     = 3                   // uvarint of a length up to MaxPayload
	FullEvery  = 256                 // frames between two with full positions, at most
	Version    = 1                   // of the encoding
	magic      = "FXF"               // first bytes of every frame
)

// Errors of the package. They are wrapped with what and where.
var (
	// ErrForeign is a record that is no frame at all. Every reader passes over it as void.
	ErrForeign = errors.New("record is not a frame")
	// ErrDamaged is a record that begins like a frame but is cut short, altered or out of range.
	ErrDamaged = errors.New("damaged frame")
	// ErrTooBig is an item above MaxItem or a header above MaxHeader.
	ErrTooBig = errors.New("too big for a frame")
	// ErrDiverged is a log that contradicts a position or an anchor: it was truncated or replaced.
	ErrDiverged = errors.New("log contradicts what is known of it")
	// ErrCut is a log whose head is gone so far that nothing in it can be judged.
	ErrCut = errors.New("log is cut beyond its last anchor")
)

// ID names a frame. Writer is the random nonce of the producing session, Number counts its frames
// from 1. The zero ID stands before the first frame of a log.
type ID struct {
	Writer, Number uint64
}

// Zero reports whether the ID is the one before the first frame.
func (id ID) Zero() bool { return id == ID{} }

// String returns the nonce in hexadecimal and the number.
func (id ID) String() string { return fmt.Sprintf("%016x/%d", id.Writer, id.Number) }

// Position is a place between two items of a log, where reading goes on. The zero Position is the
// beginning of a log that was never cut.
//
// Index 0: the next record to judge lies at Offset or after it, and Last is the last counted frame
// before it. Index > 0: the frame at Offset counts, is Last, and its items below Index are done.
// For an input that is no log of frames only Offset is set: the next offset.
type Position struct {
	Offset int64
	Index  int32
	Last   ID
}

// Anchor points at a frame that its writer knows to count and that holds full positions. A zero ID
// means that there was none yet: the log is judged from its beginning.
type Anchor struct {
	Offset int64
	ID     ID
}

// Input is how far a named input was read.
type Input struct {
	Name string
	Pos  Position
}

// Frame is one record of an internal log.
type Frame struct {
	ID, Prev   ID
	Anchor     Anchor
	Shard      uint32 // which of several parallel logs; 0 when there is one
	Generation uint64 // fingerprint of the compiled project
	FirstSeq   uint64 // ordinal of the first item since the log began
	Full       bool   // Before and After list every input, not only the changed ones
	Before     []Input
	After      []Input
	// Meta is what a full frame says of its log besides, opaque here; empty: nothing. Decode aliases the record.
	Meta  []byte
	Count int    // items
	Items []byte // packed: each a uvarint length and that many bytes
}

// NextSeq is the ordinal of the item after this frame.
func (f *Frame) NextSeq() uint64 { return f.FirstSeq + uint64(f.Count) }

// Each returns an iterator over the items. It allocates nothing; items alias f.Items.
func (f *Frame) Each() Iterator { return Iterator{rest: f.Items} }

// Iterator walks the packed items of a frame that Decode accepted or Pack built.
type Iterator struct {
	rest, item []byte
}

// Next moves to the next item and reports whether there is one.
func (it *Iterator) Next() bool {
	n, rest, ok := cutLen(it.rest)
	if !ok {
		it.item = nil
		return false
	}
	it.item, it.rest = rest[:n:n], rest[n:]
	return true
}

// Item returns the current item, an alias of the frame's bytes.
func (it *Iterator) Item() []byte { return it.item }

// Skip passes over n items.
func (it *Iterator) Skip(n int) {
	for range n {
		if !it.Next() {
			return
		}
	}
}

// Pack collects items for the next frame. The zero Pack is empty and ready.
type Pack struct {
	buf   []byte
	count int
}

// Add appends a copy of item. It returns false, and changes nothing, when the frame is full: append
// what is there and try again. An item above MaxItem never fits and is an ErrTooBig.
func (p *Pack) Add(item []byte) (bool, error) {
	if len(item) > MaxItem {
		return false, fmt.Errorf("item of %d bytes: %w (limit %d)", len(item), ErrTooBig, MaxItem)
	}
	if len(p.buf)+maxLen+len(item) > MaxPayload {
		return false, nil
	}
	p.buf = appendLen(p.buf, len(item))
	p.buf = append(p.buf, item...)
	p.count++
	return true, nil
}

// Len is the number of items.
func (p *Pack) Len() int { return p.count }

// Size is the bytes that the items take in the frame.
func (p *Pack) Size() int { return len(p.buf) }

// Reset empties the pack and keeps its memory.
func (p *Pack) Reset() { p.buf, p.count = p.buf[:0], 0 }
