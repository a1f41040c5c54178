package ingest

import (
	"crypto/sha256"
	"encoding/binary"
	"math"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/internal/codec"
)

// ids remembers the ids of the accepted events of one source, with their times. An id is forgotten
// when the watermark has passed its event time by within, or when there are more than size, the oldest first. What is
// remembered is a function of the items alone. Ids are kept as the first 16 bytes of their SHA-256.
type ids struct {
	field     int
	within    int64
	size      int
	forgotten uint64 // ids that were forgotten for their number
	newest    map[[16]byte]uint64
	ring      []remembered // in the order of the items; entry n lies at n modulo its length
	first     uint64       // entries before it are forgotten
	next      uint64
	scratch   []byte
}

type remembered struct {
	id   [16]byte
	t    int64
	prev uint64 // the entry before with the same id; itself: none
}

func newIDs(d *features.Declared) *ids {
	if d.Dedupe.Within <= 0 {
		return nil
	}
	return &ids{field: d.FieldIndex(d.Dedupe.By), within: d.Dedupe.Within, size: int(d.Dedupe.Size), newest: map[[16]byte]uint64{}}
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

func (d *ids) at(n uint64) *remembered { return &d.ring[n&uint64(len(d.ring)-1)] }

// count returns how many entries are remembered.
func (d *ids) count() int { return int(d.next - d.first) }

// has reports whether the fields at time t repeat an id: whether one that is remembered lies within of it.
// Cost: the entries of this id, which lie farther than within from one another.
func (d *ids) has(fields []features.Value, t, watermark int64) bool {
	if fields[d.field].IsNull() {
		return false
	}
	n, ok := d.newest[d.id(fields[d.field])]
	limit := before(watermark, d.within)
	for ok && n >= d.first {
		r := d.at(n)
		if r.t >= limit && t-r.t <= d.within && r.t-t <= d.within {
			return true
		}
		n, ok = r.prev, r.prev != n
	}
	return false
}

// add remembers the id of an accepted event.
func (d *ids) add(fields []features.Value, t int64) {
	if fields[d.field].IsNull() {
		return
	}
	d.push(d.id(fields[d.field]), t)
	if d.count() > d.size {
		d.forgotten++
		d.drop()
	}
}

func (d *ids) push(id [16]byte, t int64) {
	if d.count() == len(d.ring) {
		grown := make([]remembered, max(16, 2*len(d.ring)))
		for n := d.first; n < d.next; n++ {
			grown[n&uint64(len(grown)-1)] = *d.at(n)
		}
		d.ring = grown
	}
	prev, ok := d.newest[id]
	if !ok {
		prev = d.next
	}
	*d.at(d.next) = remembered{id: id, t: t, prev: prev}
	d.newest[id] = d.next
	d.next++
}

// expire forgets what the watermark has passed.
func (d *ids) expire(watermark int64) {
	limit := before(watermark, d.within)
	for d.first < d.next && d.at(d.first).t < limit {
		d.drop()
	}
}

func (d *ids) drop() {
	id := d.at(d.first).id
	if d.newest[id] == d.first {
		delete(d.newest, id)
	}
	d.first++
}

// State visits what is remembered, in the order of the items.
func (d *ids) State(s *codec.State) {
	s.Uint64(&d.forgotten)
	n := s.Len(d.count(), 24, d.size)
	if s.Loading() {
		d.newest, d.first, d.next = make(map[[16]byte]uint64, n), 0, 0
	}
	for k := range uint64(n) {
		var r remembered
		if !s.Loading() {
			r = *d.at(d.first + k)
		}
		for b := range r.id {
			s.Byte(&r.id[b])
		}
		s.Int64(&r.t)
		if s.Loading() {
			d.push(r.id, r.t)
		}
	}
}
