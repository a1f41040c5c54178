package features

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"unsafe"
)

// Field is one declared field of a source.
type Field struct {
	Name     string
	Kind     Kind
	Nullable bool
}

// Source is a declared source or table as every stage after the sequencer sees it: what an item's
// Fields mean.
type Source struct {
	Name   string
	Fields []Field
	Table  bool // a table: an event replaces the row of its key
	// Plain marks Freshet's own topics (served, feedback, control): they never move head or watermark.
	Plain bool
	// OutOfOrder is how much older than the newest event of the project an event of this source may
	// be without being late, µs.
	OutOfOrder int64
}

// FieldIndex returns the position of the named field, or -1.
func (s *Source) FieldIndex(name string) int {
	for i := range s.Fields {
		if s.Fields[i].Name == name {
			return i
		}
	}
	return -1
}

// ItemKind says what an item of the events log is.
type ItemKind uint8

// The kinds of items. Numbers are part of the storage format.
const (
	EventItem   ItemKind = 1 // a source record that was accepted
	RefusalItem ItemKind = 2 // a source record that was refused; Reason says why, Fields is empty
	TickItem    ItemKind = 3 // clock: wall, an all-idle project: time advanced to Time
	IdleItem    ItemKind = 4 // clock: wall, Source/Partition no longer blocks the order
	SchemaItem  ItemKind = 5 // from here on items mean what Sources declares
	// SkippedItem is never stored: it stands for an item of a source that the project of the reader has no more. It moves the clock
	// only, to its Time.
	SkippedItem ItemKind = 255
)

// ItemFlags are decisions of the sequencer about an event.
type ItemFlags uint8

const (
	// NotLearned marks an event older than head − max_skew: an example it triggers is predicted and
	// not learned, since last, decayed and open values of its vector cannot look back.
	NotLearned ItemFlags = 1 << iota
	// Tombstone marks an event of a table without a value: the row of its key is removed. Only the
	// key fields are set.
	Tombstone
	// TextCut marks an event of which a text was longer than its field takes, and was cut.
	TextCut
)

// Item is one entry of the events log, the only input of every stage after the sequencer.
// Seq is its ordinal since the log began and is not part of its bytes (a frame carries the first).
// Fields stand in the order of the source's declaration and borrow the decoded bytes.
type Item struct {
	Seq       uint64
	Kind      ItemKind
	Flags     ItemFlags
	Source    int   // index into the project's sources
	Partition int32 // of the source topic
	Offset    int64 // in the source topic
	Time      int64 // event time, µs since the epoch
	Reason    string
	Fields    []Value
	Sources   []Declared // of a schema item: all sources from here on; its own memory
}

// ErrItem is what DecodeItem wraps for bytes that are no item.
var ErrItem = errors.New("malformed item")

// AppendItem appends the packed form of it to dst. Layout (docs/reference/formats.md): kind u8, flags u8, uvarint source,
// uvarint partition, varint offset, varint time, then reason (uvarint length, bytes) for a refusal, or
// uvarint count and the fields (kind u8; string: uvarint length, bytes; int and time: varint;
// double: 8 bytes little endian; bool: 1 byte) for an event, or uvarint length and the table of declarations for a schema item.
func AppendItem(dst []byte, it *Item) []byte {
	dst = append(dst, byte(it.Kind), byte(it.Flags))
	dst = binary.AppendUvarint(dst, uint64(it.Source))
	dst = binary.AppendUvarint(dst, uint64(it.Partition))
	dst = binary.AppendVarint(dst, it.Offset)
	dst = binary.AppendVarint(dst, it.Time)
	switch it.Kind {
	case RefusalItem:
		dst = binary.AppendUvarint(dst, uint64(len(it.Reason)))
		dst = append(dst, it.Reason...)
	case EventItem:
		dst = binary.AppendUvarint(dst, uint64(len(it.Fields)))
		for _, v := range it.Fields {
			dst = appendValue(dst, v)
		}
	case SchemaItem:
		table := AppendDeclared(nil, it.Sources)
		dst = binary.AppendUvarint(dst, uint64(len(table)))
		dst = append(dst, table...)
	}
	return dst
}

func appendValue(dst []byte, v Value) []byte {
	dst = append(dst, byte(v.kind))
	switch v.kind {
	case String:
		dst = binary.AppendUvarint(dst, uint64(len(v.str)))
		dst = append(dst, v.str...)
	case Int, Time:
		dst = binary.AppendVarint(dst, int64(v.bits))
	case Double:
		dst = binary.LittleEndian.AppendUint64(dst, v.bits)
	case Bool:
		dst = append(dst, byte(v.bits))
	}
	return dst
}

// DecodeItem reads one packed item into it, reusing it.Fields, and returns the bytes after it.
// Strings borrow b, which must never be written again. Seq is left alone. It allocates only when
// it.Fields has to grow. Errors wrap ErrItem.
func DecodeItem(b []byte, it *Item) ([]byte, error) {
	d := decoder{b: b}
	it.Kind, it.Flags = ItemKind(d.byte()), ItemFlags(d.byte())
	it.Source = int(d.uvarint(1 << 20))
	it.Partition = int32(d.uvarint(math.MaxInt32))
	it.Offset, it.Time = d.varint(), d.varint()
	it.Reason, it.Fields, it.Sources = "", it.Fields[:0], nil
	switch it.Kind {
	case RefusalItem:
		it.Reason = d.text()
	case EventItem:
		n := int(d.uvarint(uint64(len(d.b))))
		for i := 0; i < n && !d.bad; i++ {
			it.Fields = append(it.Fields, d.value())
		}
	case SchemaItem:
		list, err := DecodeDeclared([]byte(d.text()))
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrItem, err)
		}
		it.Sources = list
	case TickItem, IdleItem:
	default:
		return nil, fmt.Errorf("item kind %d: %w", it.Kind, ErrItem)
	}
	if d.bad {
		return nil, fmt.Errorf("item cut short or out of range: %w", ErrItem)
	}
	return d.b, nil
}

type decoder struct {
	b   []byte
	bad bool
}

func (d *decoder) byte() byte {
	if len(d.b) == 0 {
		d.bad = true
		return 0
	}
	c := d.b[0]
	d.b = d.b[1:]
	return c
}

func (d *decoder) uvarint(limit uint64) uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 || v > limit {
		d.bad, d.b = true, nil
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) varint() int64 {
	v, n := binary.Varint(d.b)
	if n <= 0 {
		d.bad, d.b = true, nil
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) text() string {
	n := int(d.uvarint(uint64(len(d.b))))
	if n > len(d.b) {
		d.bad = true
		return ""
	}
	if n == 0 {
		return ""
	}
	s := unsafe.String(&d.b[0], n)
	d.b = d.b[n:]
	return s
}

func (d *decoder) value() Value {
	switch k := Kind(d.byte()); k {
	case Null:
		return Value{}
	case String:
		return Value{kind: String, str: d.text()}
	case Int, Time:
		return Value{kind: k, bits: uint64(d.varint())}
	case Double:
		if len(d.b) < 8 {
			d.bad = true
			return Value{}
		}
		v := Value{kind: Double, bits: binary.LittleEndian.Uint64(d.b)}
		d.b = d.b[8:]
		return v
	case Bool:
		return Value{kind: Bool, bits: uint64(d.byte() & 1)}
	default:
		d.bad = true
		return Value{}
	}
}
