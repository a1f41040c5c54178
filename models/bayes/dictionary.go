package bayes

import (
	"math"

	"github.com/freshet-ml/freshet/internal/codec"
)

// dictionary gives each value of a categorical column a place, in the order of occurrence: a flat hash table with
// linear probing, at most half full. Once room values have a place, later ones share the last. A value is never
// removed, so a snapshot may read the slices of an older dictionary while a newer one is made.
type dictionary struct {
	keys   []uint64 // bits of the values by place
	table  []int32  // place + 1 by hash; 0: empty
	room   int      // places, the shared one included
	shared bool     // a snapshot reads the slices
	lost   uint64   // occurrences that went to the shared place without a place of their own
}

func newDictionary(room int) dictionary {
	size := 4
	for size < 2*room {
		size *= 2
	}
	return dictionary{room: room, table: make([]int32, size)}
}

func hash(key uint64) uint64 {
	key *= 0x9e3779b97f4a7c15
	return key ^ key>>32
}

// find returns the place of x; without one of its own it is −1, or the shared place once that is in use.
func (d *dictionary) find(x float64) int {
	key, mask := math.Float64bits(x), uint64(len(d.table)-1)
	for i := hash(key) & mask; ; i = (i + 1) & mask {
		p := d.table[i]
		if p == 0 {
			break
		}
		if d.keys[p-1] == key {
			return int(p - 1)
		}
	}
	if len(d.keys) >= d.room-1 {
		return d.room - 1
	}
	return -1
}

// place returns the place of x and makes one if it is new.
func (d *dictionary) place(x float64) int {
	p := d.find(x)
	if p < 0 {
		d.add(math.Float64bits(x))
		return len(d.keys) - 1
	}
	if p == d.room-1 {
		d.lost++
	}
	return p
}

func (d *dictionary) add(key uint64) {
	if d.shared {
		d.keys = append(make([]uint64, 0, 2*len(d.keys)+4), d.keys...)
		d.table = append([]int32(nil), d.table...)
		d.shared = false
	}
	d.keys = append(d.keys, key)
	mask := uint64(len(d.table) - 1)
	i := hash(key) & mask
	for d.table[i] != 0 {
		i = (i + 1) & mask
	}
	d.table[i] = int32(len(d.keys))
}

// share returns a view for a snapshot.
func (d *dictionary) share() dictionary {
	d.shared = true
	return *d
}

// State visits the values by place; the table is derived.
func (d *dictionary) State(s *codec.State) {
	n := s.Len(len(d.keys), 8, d.room-1)
	if !s.Loading() {
		for i := range d.keys {
			s.Uint64(&d.keys[i])
		}
		s.Uint64(&d.lost)
		return
	}
	*d = newDictionary(d.room)
	for range n {
		var key uint64
		s.Uint64(&key)
		if s.Err() == nil && d.find(math.Float64frombits(key)) >= 0 && len(d.keys) < d.room-1 {
			s.Fail("category %x twice", key)
		}
		if s.Err() != nil {
			return
		}
		d.add(key)
	}
	s.Uint64(&d.lost)
}
