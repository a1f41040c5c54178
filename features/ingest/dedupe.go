package ingest

import (
	"crypto/sha256"
	"encoding/binary"
	"math"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/internal/codec"
)

// ids remembers the ids of the accepted events of one source. An id is forgotten when the watermark
// has passed its event time by within, or when there are more than size, the oldest first. What is
// remembered is a function of the items alone. Ids are kept as the first 16 bytes of their SHA-256.
type ids struct {
	field     int
	within    int64
	size      int
	forgotten uint64 // ids that were forgotten for their number
	seen      map[[16]byte]int64
	ring      []remembered // in the order of the items
	head      int
	count     int
	scratch   []byte
}

type remembered struct {
	id [16]byte
	t  int64
}

func newIDs(spec *SourceSpec) *ids {
	if spec.Dedupe.Within <= 0 {
		return nil
	}
	return &ids{field: spec.Index(spec.Dedupe.By), within: spec.Dedupe.Within.Microseconds(),
		size: orDefault(spec.Dedupe.Size, DefaultDedupeSize), seen: map[[16]byte]int64{}}
}

func (d *ids) id(v features.Value) [16]byte {
	d.scratch = append(d.scratch[:0], byte(v.Kind()))
	switch v.Kind() {
	case features.String:
		d.scratch = append(d.scratch, v.Str()...)
	case features.Double:
		d.scratch = binary.LittleEndian.AppendUint64(d.scratch, math.Float64bits(v.Float()))
	default:
		d.scratch = binary.LittleEndian.AppendUint64(d.scratch, uint64(v.Int()))
	}
	sum := sha256.Sum256(d.scratch)
	return [16]byte(sum[:16])
}

// has reports whether the fields at time t repeat an id.
func (d *ids) has(fields []features.Value, t, watermark int64) bool {
	if fields[d.field].IsNull() {
		return false
	}
	first, ok := d.seen[d.id(fields[d.field])]
	if !ok || first < before(watermark, d.within) {
		return false
	}
	return t-first <= d.within && first-t <= d.within
}

// add remembers the id of an accepted event.
func (d *ids) add(fields []features.Value, t int64) {
	if fields[d.field].IsNull() {
		return
	}
	r := remembered{id: d.id(fields[d.field]), t: t}
	if d.count == len(d.ring) {
		grown := make([]remembered, max(16, 2*len(d.ring)))
		for k := range d.count {
			grown[k] = d.ring[(d.head+k)&(len(d.ring)-1)]
		}
		d.ring, d.head = grown, 0
	}
	d.ring[(d.head+d.count)&(len(d.ring)-1)] = r
	d.count++
	d.seen[r.id] = t
	if d.count > d.size {
		d.forgotten++
		d.drop()
	}
}

// expire forgets what the watermark has passed.
func (d *ids) expire(watermark int64) {
	limit := before(watermark, d.within)
	for d.count > 0 && d.ring[d.head].t < limit {
		d.drop()
	}
}

func (d *ids) drop() {
	r := d.ring[d.head]
	d.head = (d.head + 1) & (len(d.ring) - 1)
	d.count--
	if d.seen[r.id] == r.t {
		delete(d.seen, r.id)
	}
}

// State visits what is remembered, in the order of the items.
func (d *ids) State(s *codec.State) {
	s.Uint64(&d.forgotten)
	n := s.Len(d.count, 24, d.size)
	if s.Loading() {
		d.seen, d.head, d.count = make(map[[16]byte]int64, n), 0, n
		size := 16
		for size < n {
			size *= 2
		}
		d.ring = make([]remembered, size)
	}
	for k := range n {
		r := &d.ring[(d.head+k)&(len(d.ring)-1)]
		for b := range r.id {
			s.Byte(&r.id[b])
		}
		s.Int64(&r.t)
		if s.Loading() {
			d.seen[r.id] = r.t
		}
	}
}
