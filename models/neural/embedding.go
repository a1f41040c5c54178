package neural

import (
	"math"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
)

// A table of embeddings is an array of buckets of ways rows each. A category may lie only in the bucket that its hash names, so a
// table never grows beyond its size, is never rehashed, and a version of it shares with the one before every bucket that was not written in
// between. Rows hold their key: two categories never share a row (as in Monolith, Liu et al. 2022, §2.1, there by a cuckoo table).
const (
	ways      = 8
	chunkBits = 5 // a directory finds 32 buckets each
	chunkSize = 1 << chunkBits
)

type bucket struct {
	epoch uint64 // of the table when this copy was made: an older one is shared with versions
	keys  [ways]uint64
	v     []float32 // ways rows
}

type chunk struct {
	epoch   uint64
	buckets [chunkSize]*bucket
}

// rows is what answers need of a table: what a version shares.
type rows struct {
	stride int // numbers of a row
	shift  uint
	chunks []*chunk
}

// find returns the slot of a key, −1 if it has no row.
func (t *rows) find(key uint64) int {
	i := int(key >> t.shift)
	c := t.chunks[i>>chunkBits]
	if c == nil {
		return -1
	}
	b := c.buckets[i&(chunkSize-1)]
	if b == nil {
		return -1
	}
	for way, k := range b.keys {
		if k == key {
			return i*ways + way
		}
	}
	return -1
}

// holds reports whether the slot is that of the key.
func (t *rows) holds(slot int, key uint64) bool {
	i := slot / ways
	return t.chunks[i>>chunkBits].buckets[i&(chunkSize-1)].keys[slot%ways] == key
}

// row returns the numbers of a slot that find returned.
func (t *rows) row(slot int) []float32 {
	i := slot / ways
	at := slot % ways * t.stride
	return t.chunks[i>>chunkBits].buckets[i&(chunkSize-1)].v[at : at+t.stride]
}

// embeddingOptions bound a table of embeddings and say how its rows are learned.
type embeddingOptions struct {
	Rows   int     // greatest number of rows: a power of two, at least 512
	Gate   int     // a category gets a row at its Gate-th label; 1: at once
	Expire int64   // µs of event time without a label after which a row is dropped; 0: never
	Rate   float64 // of AdaGrad
	Lead   int     // first numbers of a row, which begin just as what is given
	Spread float64 // the others of a new row begin within ±Spread of what is given
	Seed   uint64
}

// table learns rows of embeddings. It belongs to one goroutine.
type table struct {
	rows
	embeddingOptions
	epoch  uint64
	sides  []*side // by bucket: what only learning needs
	gate   []gateCell
	newest int64 // event time of the newest label
	sweep  int   // next bucket that is searched for expired rows
	count  CategoryCounts
}

// CategoryCounts says what became of categories: those that have numbers of their own, and those that do not.
type CategoryCounts struct {
	Held    uint64 // rows
	Evicted uint64 // rows that gave way to another in a full bucket
	Expired uint64 // rows that were not used for too long
	Waited  uint64 // labels of categories that had no row yet
}

// side is the part of a bucket that no answer needs.
type side struct {
	used [ways]int64 // event time of the newest label
	sums []float32   // squared derivatives
}

// gateCell counts one category without a row; one with the same place and another tag replaces it.
type gateCell struct{ tag, count uint32 }

// adaFloor is what the sums of AdaGrad begin at. Near 0 the first step of a number is the whole rate, however small its derivative: vectors of categories
// that come a few times, most of them, would be noise. At 0.1, as in TensorFlow, whose AdaGrad trained the nets of Cheng et al. 2016 (1 in Juan et al.
// 2016, §3), a step is in the measure of its derivative until some labels were seen.
const adaFloor = 0.1

const (
	gateBits  = 14
	noTimeYet = math.MinInt64
)

func newTable(stride int, o embeddingOptions) *table {
	n := o.Rows / ways
	t := &table{rows: rows{stride: stride, shift: uint(64 - bitsOf(n)), chunks: make([]*chunk, (n+chunkSize-1)/chunkSize)},
		embeddingOptions: o, sides: make([]*side, n), newest: noTimeYet}
	if o.Gate > 1 {
		t.gate = make([]gateCell, 1<<gateBits)
	}
	return t
}

// bitsOf returns the base-two logarithm of a power of two.
func bitsOf(n int) int {
	k := 0
	for 1<<k < n {
		k++
	}
	return k
}

// fieldKey is the key of a category of a field, whose salt is the hash of its name: equal categories of two fields have nothing in common.
func fieldKey(salt uint64, category float64) uint64 {
	return max(1, features.Mix(salt+math.Float64bits(category)*golden))
}

// admit returns the slot of a key for a label of the event time now: that of its row, or of a new one once the gate lets it pass, else
// −1. A new row begins as begin, with numbers of the hash in ±Spread added behind the lead.
func (t *table) admit(key uint64, now int64, begin []float64) int {
	t.newest = max(t.newest, now)
	slot := t.find(key)
	if slot < 0 {
		if !t.pass(key) {
			t.count.Waited++
			return -1
		}
		slot = t.place(key, begin)
	}
	u := &t.sides[slot/ways].used[slot%ways]
	*u = max(*u, now)
	return slot
}

// pass counts a label of a key without a row, and reports whether it gets one now.
func (t *table) pass(key uint64) bool {
	if t.Gate <= 1 {
		return true
	}
	c := &t.gate[key&(1<<gateBits-1)]
	tag := uint32(key >> gateBits)
	if c.tag != tag || c.count == 0 {
		*c = gateCell{tag: tag}
	}
	if c.count++; int(c.count) < t.Gate {
		return false
	}
	*c = gateCell{}
	return true
}

// place gives a key a row in its bucket: a free one, or that of the key whose newest label is oldest.
func (t *table) place(key uint64, begin []float64) int {
	i := int(key >> t.shift)
	b := t.own(i)
	s := t.sides[i]
	way := 0
	for k := range ways {
		if b.keys[k] == 0 {
			way = k
			break
		}
		if s.used[k] < s.used[way] {
			way = k
		}
	}
	if b.keys[way] != 0 {
		t.count.Evicted++
	} else {
		t.count.Held++
	}
	b.keys[way], s.used[way] = key, noTimeYet
	r := draws{seed: key ^ t.Seed}
	for k := range t.stride {
		spread := t.Spread
		if k < t.Lead {
			spread = 0
		}
		b.v[way*t.stride+k] = float32(begin[k] + float64(spread*(float64(2*r.unit())-1)))
		s.sums[way*t.stride+k] = adaFloor
	}
	return i*ways + way
}

// own returns a bucket for writing: it is copied first if a version shares it.
func (t *table) own(i int) *bucket {
	c := t.chunks[i>>chunkBits]
	if c == nil {
		c = &chunk{epoch: t.epoch}
		t.chunks[i>>chunkBits] = c
	} else if c.epoch != t.epoch {
		fresh := *c
		fresh.epoch = t.epoch
		c = &fresh
		t.chunks[i>>chunkBits] = c
	}
	b := c.buckets[i&(chunkSize-1)]
	if b == nil {
		b = &bucket{epoch: t.epoch, v: make([]float32, ways*t.stride)}
		t.sides[i] = &side{sums: make([]float32, ways*t.stride)}
	} else if b.epoch != t.epoch {
		b = &bucket{epoch: t.epoch, keys: b.keys, v: append([]float32(nil), b.v...)}
	}
	c.buckets[i&(chunkSize-1)] = b
	return b
}

// learn takes one AdaGrad step in every number of a row, against scale times its derivatives.
func (t *table) learn(slot int, g []float64, scale float64) {
	i, at := slot/ways, slot%ways*t.stride
	v := t.own(i).v[at : at+t.stride]
	sums := t.sides[i].sums[at : at+t.stride]
	for k, d := range g[:t.stride] {
		if d *= scale; d == 0 {
			continue
		}
		sum := min(float64(sums[k])+float64(d*d), math.MaxFloat32)
		sums[k] = float32(sum)
		v[k] = float32(max(-maxWeight, min(maxWeight, float64(v[k])-float64(t.Rate*d)/math.Sqrt(sum))))
	}
}

// maxWeight bounds the numbers of a row, so that products of them stay finite.
const maxWeight = 1e12

// expire drops the rows of one more bucket that had no label for too long: each label searches one bucket, in turn.
func (t *table) expire() {
	if t.Expire <= 0 || t.newest == noTimeYet {
		return
	}
	i := t.sweep
	t.sweep = (i + 1) % len(t.sides)
	s := t.sides[i]
	if s == nil {
		return
	}
	for k := range ways {
		if key := t.chunks[i>>chunkBits].buckets[i&(chunkSize-1)].keys[k]; key == 0 || t.newest-s.used[k] <= t.Expire {
			continue
		}
		t.own(i).keys[k] = 0
		t.count.Expired++
		t.count.Held--
	}
}

func (t *table) dropped(d *models.Drops) {
	d.Add(embeddingsEvicted, t.count.Evicted)
	d.Add(embeddingsExpired, t.count.Expired)
	d.Add(labelsNotAdmitted, t.count.Waited)
}

// publish returns an immutable version: it shares all buckets until they change. Cost: 8 bytes for 256 rows of the table's size, and
// later a copy of a bucket and its directory at the first change of each.
func (t *table) publish() rows {
	t.epoch++
	r := t.rows
	r.chunks = append([]*chunk(nil), t.chunks...)
	return r
}

// state visits the rows bucket by bucket, the gate, and the counts.
func (t *table) state(s *codec.State) {
	s.Fixed("numbers of a row of embeddings", t.stride)
	s.Fixed("buckets of embeddings", len(t.sides))
	if s.Loading() {
		t.reset()
	}
	s.Int64(&t.newest)
	s.Int(&t.sweep)
	if t.sweep < 0 || t.sweep >= len(t.sides) {
		s.Fail("sweep at bucket %d of %d", t.sweep, len(t.sides))
		t.sweep = 0
	}
	s.Uint64(&t.count.Evicted)
	s.Uint64(&t.count.Expired)
	s.Uint64(&t.count.Waited)
	n := s.Len(int(t.count.Held), 20+8*t.stride, len(t.sides)*ways)
	if s.Loading() {
		t.load(s, n)
	} else {
		t.save(s)
	}
	t.gateState(s)
}

func (t *table) reset() {
	t.epoch++
	t.chunks = make([]*chunk, len(t.chunks))
	clear(t.sides)
	clear(t.gate)
	t.count = CategoryCounts{}
}

func (t *table) save(s *codec.State) {
	for i, side := range t.sides {
		if side == nil {
			continue
		}
		b := t.chunks[i>>chunkBits].buckets[i&(chunkSize-1)]
		for k := range ways {
			if b.keys[k] != 0 {
				slot := uint32(i*ways + k)
				t.rowState(s, &slot, &b.keys[k], &side.used[k], b.v[k*t.stride:(k+1)*t.stride], side.sums[k*t.stride:(k+1)*t.stride])
			}
		}
	}
}

func (t *table) load(s *codec.State, n int) {
	v, sums := make([]float32, t.stride), make([]float32, t.stride)
	last := -1
	for range n {
		var slot uint32
		var key uint64
		var used int64
		if !t.rowState(s, &slot, &key, &used, v, sums) || s.Err() != nil {
			return
		}
		i, way := int(slot)/ways, int(slot)%ways
		if int(slot) <= last || i >= len(t.sides) || key == 0 || int(key>>t.shift) != i || t.find(key) >= 0 {
			s.Fail("row of embeddings %d with the key %x", slot, key)
			return
		}
		last = int(slot)
		b := t.own(i)
		b.keys[way], t.sides[i].used[way] = key, used
		copy(b.v[way*t.stride:], v)
		copy(t.sides[i].sums[way*t.stride:], sums)
		t.count.Held++
	}
}

// rowState visits one row, and reports whether its numbers are sound.
func (t *table) rowState(s *codec.State, slot *uint32, key *uint64, used *int64, v, sums []float32) bool {
	s.Uint32(slot)
	s.Uint64(key)
	s.Int64(used)
	good := true
	for k := range v {
		visitFloat32(s, &v[k])
		visitFloat32(s, &sums[k])
		good = good && math.Abs(float64(v[k])) <= maxWeight*1.001 && sums[k] > 0 && sums[k] <= math.MaxFloat32
	}
	if !good && s.Loading() {
		s.Fail("row of embeddings %d with %v, sums %v", *slot, v, sums)
	}
	return good
}

func (t *table) gateState(s *codec.State) {
	used := 0
	for _, c := range t.gate {
		if c.count > 0 {
			used++
		}
	}
	used = s.Len(used, 12, len(t.gate))
	if !s.Loading() {
		for i := range t.gate {
			if at := uint32(i); t.gate[i].count > 0 {
				s.Uint32(&at)
				s.Uint32(&t.gate[i].tag)
				s.Uint32(&t.gate[i].count)
			}
		}
		return
	}
	last := -1
	for range used {
		var at uint32
		var c gateCell
		s.Uint32(&at)
		s.Uint32(&c.tag)
		s.Uint32(&c.count)
		if s.Err() != nil || int(at) <= last || int(at) >= len(t.gate) || c.count == 0 || int(c.count) >= t.Gate {
			s.Fail("cell %d of the gate counts %d", at, c.count)
			return
		}
		last = int(at)
		t.gate[at] = c
	}
}

func visitFloat32(s *codec.State, v *float32) {
	u := math.Float32bits(*v)
	s.Uint32(&u)
	*v = math.Float32frombits(u)
}
