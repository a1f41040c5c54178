package unit

import (
	"encoding/binary"
	"math"
)

// Part is what a unit read at a trigger, for one entity type.
type Part struct {
	Event  uint64 // seq of the trigger in the events log
	Entity int    // index of the entity type
	Newest int64  // newest event time behind the values
	Values []float64
}

// AppendPart appends the packed form of a part: uvarint event, entity; varint newest; then 8 bytes a value.
func AppendPart(dst []byte, p *Part) []byte {
	dst = binary.AppendUvarint(dst, p.Event)
	dst = binary.AppendUvarint(dst, uint64(p.Entity))
	dst = binary.AppendVarint(dst, p.Newest)
	for _, v := range p.Values {
		dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(v))
	}
	return dst
}

// DecodePart reads one packed part, reusing p.Values; false if b is none.
func DecodePart(b []byte, p *Part) bool {
	var n int
	if p.Event, n = binary.Uvarint(b); n <= 0 {
		return false
	}
	b = b[n:]
	e, n := binary.Uvarint(b)
	if n <= 0 || e > 1<<20 {
		return false
	}
	p.Entity, b = int(e), b[n:]
	if p.Newest, n = binary.Varint(b); n <= 0 || (len(b)-n)%8 != 0 {
		return false
	}
	p.Values = p.Values[:0]
	for b = b[n:]; len(b) > 0; b = b[8:] {
		p.Values = append(p.Values, math.Float64frombits(binary.LittleEndian.Uint64(b)))
	}
	return true
}
