package features

import "encoding/binary"

// ColumnKind says how a model may read a column.
type ColumnKind uint8

const (
	// Numeric columns hold numbers; NaN is missing.
	Numeric ColumnKind = iota
	// Categorical columns hold Category values; NaN is missing.
	Categorical
	// Text columns hold parts of a text, as AppendText makes them; NaN is missing.
	Text
)

// Column is one slot of a feature vector.
type Column struct {
	Name string
	Kind ColumnKind
}

// Schema is the meaning of the slots of a feature vector. It is immutable after it was made.
type Schema struct {
	Columns []Column
}

// Index returns the slot of the named column, or -1. Cost: linear; for set-up only.
func (s *Schema) Index(name string) int {
	for i := range s.Columns {
		if s.Columns[i].Name == name {
			return i
		}
	}
	return -1
}

// ID is a fingerprint of names, kinds and order: two schemas with one ID read the same vectors.
func (s *Schema) ID() uint64 {
	var b []byte
	for _, c := range s.Columns {
		b = binary.AppendUvarint(b, uint64(len(c.Name)))
		b = append(append(b, c.Name...), byte(c.Kind))
	}
	return Hash(string(b))
}

// SourcesID is a fingerprint of what the Source and Fields of items mean: names, kinds and their order. Two
// logs with one ID can be read with the same sources.
func SourcesID(sources []Source) uint64 {
	var b []byte
	for i := range sources {
		b = AppendKey(b, sources[i].Name)
		for _, f := range sources[i].Fields {
			b = append(AppendKey(b, f.Name), byte(f.Kind))
		}
		b = append(b, 0xff)
	}
	return Hash(string(b))
}

// AppendKey appends an entity key of one or more parts to dst, each with its length before it, so that
// ("a", "bc") and ("ab", "c") differ and no key can look like a name of Freshet's own.
func AppendKey(dst []byte, parts ...string) []byte {
	for _, p := range parts {
		dst = binary.AppendUvarint(dst, uint64(len(p)))
		dst = append(dst, p...)
	}
	return dst
}

// SplitKey returns the parts of a key made by AppendKey, and false if b is no such key.
func SplitKey(b string) ([]string, bool) {
	var parts []string
	for len(b) > 0 {
		n, w := uint64(0), 0
		for shift := uint(0); ; shift += 7 {
			if w >= len(b) || w > 3 {
				return nil, false
			}
			c := b[w]
			n |= uint64(c&0x7f) << shift
			w++
			if c < 0x80 {
				break
			}
		}
		if uint64(len(b)-w) < n {
			return nil, false
		}
		parts = append(parts, b[w:w+int(n)])
		b = b[w+int(n):]
	}
	return parts, true
}
