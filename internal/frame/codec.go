package frame

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

const (
	prefix    = len(magic) + 1 + 4 // magic, version, CRC32C of all that follows
	flagFull  = 1
	flagMeta  = 2 // behind the inputs stand a length and Meta
	posIndex  = 1 // flags of an encoded position
	posLast   = 2
	inputSize = 3 // least bytes of an encoded input
)

// Append encodes f after dst. Numbers are uvarints, offsets are stored plus one (none is -1), nonces
// and the generation are 8 bytes little endian. A header or payload above its limit is an ErrTooBig.
func (f *Frame) Append(dst []byte) ([]byte, error) {
	start := len(dst)
	dst = append(dst, magic...)
	dst = append(dst, Version, 0, 0, 0, 0)
	var flags byte
	if f.Full {
		flags |= flagFull
	}
	if len(f.Meta) > 0 {
		flags |= flagMeta
	}
	dst = append(dst, flags)
	dst = appendID(dst, f.ID)
	dst = appendID(dst, f.Prev)
	dst = binary.AppendUvarint(dst, uint64(f.Anchor.Offset+1))
	dst = appendID(dst, f.Anchor.ID)
	dst = binary.AppendUvarint(dst, uint64(f.Shard))
	dst = binary.LittleEndian.AppendUint64(dst, f.Generation)
	dst = binary.AppendUvarint(dst, f.FirstSeq)
	var err error
	for _, list := range [][]Input{f.Before, f.After} {
		if dst, err = appendInputs(dst, list); err != nil {
			return dst[:start], err
		}
	}
	if len(f.Meta) > 0 {
		dst = binary.AppendUvarint(dst, uint64(len(f.Meta)))
		dst = append(dst, f.Meta...)
	}
	dst = binary.AppendUvarint(dst, uint64(f.Count))
	if n := len(dst) - start; n > MaxHeader || len(f.Items) > MaxPayload {
		return dst[:start], fmt.Errorf("header of %d and items of %d bytes: %w", n, len(f.Items), ErrTooBig)
	}
	dst = append(dst, f.Items...)
	sum := crc32.Checksum(dst[start+prefix:], castagnoli)
	binary.LittleEndian.PutUint32(dst[start+len(magic)+1:], sum)
	return dst, nil
}

func appendInputs(dst []byte, list []Input) ([]byte, error) {
	if len(list) > MaxInputs {
		return dst, fmt.Errorf("%d inputs: %w (limit %d)", len(list), ErrTooBig, MaxInputs)
	}
	dst = binary.AppendUvarint(dst, uint64(len(list)))
	for i := range list {
		if len(list[i].Name) > MaxName {
			return dst, fmt.Errorf("input name of %d bytes: %w (limit %d)", len(list[i].Name), ErrTooBig, MaxName)
		}
		dst = appendLen(dst, len(list[i].Name))
		dst = append(dst, list[i].Name...)
		dst = list[i].Pos.Append(dst)
	}
	return dst, nil
}

// Append encodes the position after dst: flags, offset plus one, then the index and the last frame
// where there are such.
func (p Position) Append(dst []byte) []byte {
	var flags byte
	if p.Index != 0 {
		flags |= posIndex
	}
	if !p.Last.Zero() {
		flags |= posLast
	}
	dst = append(dst, flags)
	dst = binary.AppendUvarint(dst, uint64(p.Offset+1))
	if p.Index != 0 {
		dst = binary.AppendUvarint(dst, uint64(p.Index))
	}
	if !p.Last.Zero() {
		dst = appendID(dst, p.Last)
	}
	return dst
}

// DecodePosition reads what Position.Append wrote; b must hold that and nothing else.
func DecodePosition(b []byte) (Position, error) {
	r := reader{b: b}
	p := r.position()
	if r.bad || len(r.b) > 0 {
		return Position{}, fmt.Errorf("position of %d bytes: %w", len(b), ErrDamaged)
	}
	return p, nil
}

// Decode fills f from b, a whole record. f.Items aliases b, the slices of inputs are reused. A record
// without the magic is ErrForeign, one that fails its checksum or any limit is ErrDamaged; a version
// above Version is ErrDamaged too, with the reason. Every item length is checked here, so that
// iterating cannot fail.
func (f *Frame) Decode(b []byte) error {
	if len(b) < len(magic) || string(b[:len(magic)]) != magic {
		return ErrForeign
	}
	if len(b) < prefix || len(b) > MaxSize {
		return fmt.Errorf("frame of %d bytes: %w", len(b), ErrDamaged)
	}
	if v := b[len(magic)]; v == 0 || v > Version {
		return fmt.Errorf("frame version %d, this build reads up to %d: %w", v, Version, ErrDamaged)
	}
	if crc32.Checksum(b[prefix:], castagnoli) != binary.LittleEndian.Uint32(b[len(magic)+1:]) {
		return fmt.Errorf("checksum of a frame of %d bytes: %w", len(b), ErrDamaged)
	}
	r := reader{b: b[prefix:]}
	flags := r.byte()
	f.Full = flags&flagFull != 0
	f.ID = r.id()
	f.Prev = r.id()
	f.Anchor.Offset = r.offset()
	f.Anchor.ID = r.id()
	f.Shard = uint32(r.uvarint(math.MaxUint32))
	f.Generation = r.uint64()
	f.FirstSeq = r.uvarint(math.MaxInt64)
	f.Before = r.inputs(f.Before)
	f.After = r.inputs(f.After)
	f.Meta = nil
	if flags&flagMeta != 0 {
		f.Meta = r.bytes(MaxHeader)
	}
	f.Count = int(r.uvarint(MaxPayload))
	f.Items = r.b
	if r.bad || flags > flagFull|flagMeta || f.ID.Zero() || len(b)-len(r.b) > MaxHeader || !packed(f.Items, f.Count) {
		return fmt.Errorf("fields of a frame of %d bytes: %w", len(b), ErrDamaged)
	}
	return nil
}

// packed reports whether b is exactly count items, each length in its shortest form.
func packed(b []byte, count int) bool {
	if len(b) > MaxPayload {
		return false
	}
	for ; count > 0; count-- {
		n, rest, ok := cutLen(b)
		if !ok {
			return false
		}
		b = rest[n:]
	}
	return len(b) == 0
}

func appendLen(dst []byte, n int) []byte { return binary.AppendUvarint(dst, uint64(n)) }

// cutLen takes a length that the rest can hold off the front of b.
func cutLen(b []byte) (int, []byte, bool) {
	if len(b) > 0 && b[0] < 0x80 {
		n := int(b[0])
		return n, b[1:], n < len(b)
	}
	u, w := binary.Uvarint(b)
	if w <= 0 || w > maxLen || u > uint64(len(b)-w) || b[w-1] == 0 {
		return 0, nil, false
	}
	return int(u), b[w:], true
}

func appendID(dst []byte, id ID) []byte {
	dst = binary.LittleEndian.AppendUint64(dst, id.Writer)
	return binary.AppendUvarint(dst, id.Number)
}

// reader takes fields off a byte slice; after the first one that does not fit all are zero.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) fail() { r.bad, r.b = true, nil }

func (r *reader) byte() byte {
	if len(r.b) == 0 {
		r.fail()
		return 0
	}
	v := r.b[0]
	r.b = r.b[1:]
	return v
}

func (r *reader) uint64() uint64 {
	if len(r.b) < 8 {
		r.fail()
		return 0
	}
	v := binary.LittleEndian.Uint64(r.b)
	r.b = r.b[8:]
	return v
}

func (r *reader) uvarint(limit uint64) uint64 {
	v, w := binary.Uvarint(r.b)
	if w <= 0 || v > limit || w > 1 && r.b[w-1] == 0 {
		r.fail()
		return 0
	}
	r.b = r.b[w:]
	return v
}

// bytes takes a length above 0, at most limit, and that many bytes, which it aliases.
func (r *reader) bytes(limit uint64) []byte {
	n := r.uvarint(limit)
	if n == 0 || n > uint64(len(r.b)) {
		r.fail()
		return nil
	}
	b := r.b[:n:n]
	r.b = r.b[n:]
	return b
}

func (r *reader) offset() int64 { return int64(r.uvarint(math.MaxInt64)) - 1 }

func (r *reader) id() ID { return ID{r.uint64(), r.uvarint(math.MaxUint64)} }

func (r *reader) position() Position {
	flags := r.byte()
	p := Position{Offset: r.offset()}
	if flags&posIndex != 0 {
		p.Index = int32(r.uvarint(math.MaxInt32))
	}
	if flags&posLast != 0 {
		p.Last = r.id()
	}
	if flags > posIndex|posLast || flags&posIndex != 0 && p.Index == 0 || flags&posLast != 0 && p.Last.Zero() {
		r.fail()
	}
	return p
}

// inputs reads a list into the memory of old; a name that stands in the same place already is not
// allocated again.
func (r *reader) inputs(old []Input) []Input {
	n := int(r.uvarint(MaxInputs))
	if n > len(r.b)/inputSize {
		r.fail()
		return old[:0]
	}
	list := old[:0]
	for i := range n {
		size, rest, ok := cutLen(r.b)
		if !ok || size > MaxName {
			r.fail()
			return old[:0]
		}
		name := rest[:size]
		r.b = rest[size:]
		in := Input{}
		if i < cap(old) && old[:cap(old)][i].Name == string(name) {
			in.Name = old[:cap(old)][i].Name
		} else {
			in.Name = string(name)
		}
		in.Pos = r.position()
		list = append(list, in)
	}
	return list
}
