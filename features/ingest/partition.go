package ingest

import "github.com/freshet-ml/freshet/features"

// PartitionOf returns the partition of a key among n, as Kafka's own producers choose it: 32-bit
// MurmurHash2 (Appleby 2008) of the key with Kafka's seed, without its sign, modulo n. A record
// without a key (nil) has no partition of its own; row decides then: (row − 1) modulo n.
func PartitionOf(key []byte, row int64, n int32) int32 {
	if key == nil {
		return int32(max(row-1, 0) % int64(n))
	}
	return int32(murmur2(key)&0x7fffffff) % n
}

func murmur2(b []byte) uint32 {
	const m = 0x5bd1e995
	h := uint32(0x9747b28c) ^ uint32(len(b))
	for ; len(b) >= 4; b = b[4:] {
		k := (uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16 | uint32(b[3])<<24) * m
		h = h*m ^ (k^k>>24)*m
	}
	for i := len(b) - 1; i >= 0; i-- {
		h ^= uint32(b[i]) << (8 * i)
	}
	if len(b) > 0 {
		h *= m
	}
	h = (h ^ h>>13) * m
	return h ^ h>>15
}

// AppendRecordKey appends the Kafka key of a row to dst: the text of the one key field, or a JSON
// object of several. It returns nil where there is no key field or one of them is null. What it
// writes is what the tombstones of tables are read by.
func (w *RowWriter) AppendRecordKey(dst []byte, fields []features.Value) []byte {
	for _, k := range w.key {
		if fields[k].IsNull() {
			return nil
		}
	}
	switch len(w.key) {
	case 0:
		return nil
	case 1:
		k := w.key[0]
		if v := fields[k]; v.Kind() == features.String && (v.Str() == "" || v.Str()[0] != '{') {
			dst = append(dst, v.Str()...)
			if dst == nil {
				dst = []byte{}
			}
			return dst
		} else if v.Kind() != features.String {
			return w.appendText(dst, k, v)
		}
	}
	dst = append(dst, '{')
	for n, k := range w.key {
		if n > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, w.names[k]...)
		dst = w.appendJSON(dst, k, fields[k])
	}
	return append(dst, '}')
}
