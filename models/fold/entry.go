package fold

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"unsafe"
)

// EntryKind says what a record of the example log is.
type EntryKind uint8

// The kinds of entries. Numbers are part of the storage format.
const (
	Predict EntryKind = 1 // an example: its vector as of its trigger
	Learn   EntryKind = 2 // the label of an example came, with the vector again
	Close   EntryKind = 3 // nothing more comes for an example: free it
	Control EntryKind = 4 // freeze, thaw and their like, by Verb on the model named ID
)

// Flags of an entry.
type Flags uint8

const (
	// NotLearned marks an example that is predicted and not learned (its trigger came too late).
	NotLearned Flags = 1 << iota
	// Correction marks a second label of an example.
	Correction
	// Assumed marks a label that was assumed because none came in time (missing: negative).
	Assumed
	// Served marks an example whose vector a server took (on: request).
	Served
	// Final marks a label after which nothing more comes for that label of the example.
	Final
)

// Entry is one record of an example log. Which fields count depends on Kind. Seq, its ordinal in
// this log, is not part of its bytes: a frame carries the first.
type Entry struct {
	Kind   EntryKind
	Flags  Flags
	Label  uint8     // Learn, Close: which label of the trigger
	Seq    uint64    // ordinal in the example log
	Ref    uint64    // Learn, Close: Seq of the Predict entry
	Event  uint64    // seq of the causing item in the events log
	Time   int64     // event time: of the trigger (Predict), of the label (Learn), of the watermark (Close)
	Taken  int64     // Learn: event time of the trigger; Predict: newest event time in the vector
	Key    uint64    // hash of the id; Predict, Learn
	Y      float64   // Learn: the label
	ID     string    // Predict, Learn, Close: id of the example; Control: the model, "" for all. Borrowed
	Verb   string    // Control: freeze, thaw, promote, rollback, erase. Borrowed
	Vector []float64 // Predict, Learn; reused by DecodeEntry
}

// ErrEntry is what DecodeEntry wraps for bytes that are no entry.
var ErrEntry = errors.New("malformed example log entry")

// AppendEntry appends the packed form of e: kind, flags, label (1 byte each), uvarint ref, event; varint time, taken; then
// uvarint-length id and, by kind, y (8 bytes), verb, and the vector (uvarint count, 8 bytes each).
func AppendEntry(dst []byte, e *Entry) []byte {
	dst = append(dst, byte(e.Kind), byte(e.Flags), e.Label)
	dst = binary.AppendUvarint(dst, e.Ref)
	dst = binary.AppendUvarint(dst, e.Event)
	dst = binary.AppendVarint(dst, e.Time)
	dst = binary.AppendVarint(dst, e.Taken)
	dst = appendText(dst, e.ID)
	switch e.Kind {
	case Learn:
		dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(e.Y))
		fallthrough
	case Predict:
		dst = binary.LittleEndian.AppendUint64(dst, e.Key)
		dst = binary.AppendUvarint(dst, uint64(len(e.Vector)))
		for _, v := range e.Vector {
			dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(v))
		}
	case Control:
		dst = appendText(dst, e.Verb)
	}
	return dst
}

func appendText(dst []byte, s string) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(s)))
	return append(dst, s...)
}

// DecodeEntry reads one packed entry, reusing e.Vector. Strings borrow b, which must never be written
// again. It allocates only when e.Vector has to grow. Errors wrap ErrEntry.
func DecodeEntry(b []byte, e *Entry) error {
	d := reader{b: b}
	e.Kind, e.Flags, e.Label = EntryKind(d.byte()), Flags(d.byte()), d.byte()
	e.Ref, e.Event = d.uvarint(), d.uvarint()
	e.Time, e.Taken = d.varint(), d.varint()
	e.ID, e.Verb, e.Y, e.Key, e.Vector = d.text(), "", 0, 0, e.Vector[:0]
	switch e.Kind {
	case Learn:
		e.Y = math.Float64frombits(d.fixed())
		fallthrough
	case Predict:
		e.Key = d.fixed()
		d.vector(e)
	case Close:
	case Control:
		e.Verb = d.text()
	default:
		d.bad = true
	}
	if d.bad || len(d.b) > 0 {
		return fmt.Errorf("kind %d, %d bytes left: %w", e.Kind, len(d.b), ErrEntry)
	}
	return nil
}

type reader struct {
	b   []byte
	bad bool
}

func (d *reader) byte() byte {
	if len(d.b) == 0 {
		d.bad = true
		return 0
	}
	c := d.b[0]
	d.b = d.b[1:]
	return c
}

func (d *reader) uvarint() uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 {
		d.bad, d.b = true, nil
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *reader) varint() int64 {
	v, n := binary.Varint(d.b)
	if n <= 0 {
		d.bad, d.b = true, nil
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *reader) fixed() uint64 {
	if len(d.b) < 8 {
		d.bad = true
		return 0
	}
	v := binary.LittleEndian.Uint64(d.b)
	d.b = d.b[8:]
	return v
}

func (d *reader) text() string {
	n := d.uvarint()
	if n > uint64(len(d.b)) {
		d.bad = true
		return ""
	}
	if n == 0 {
		return ""
	}
	s := unsafe.String(&d.b[0], int(n))
	d.b = d.b[n:]
	return s
}

func (d *reader) vector(e *Entry) {
	n := d.uvarint()
	if n > uint64(len(d.b)/8) {
		d.bad = true
		return
	}
	e.Vector = slices.Grow(e.Vector, int(n))[:n]
	for i := range e.Vector {
		e.Vector[i] = math.Float64frombits(binary.LittleEndian.Uint64(d.b[8*i:]))
	}
	d.b = d.b[8*n:]
}
