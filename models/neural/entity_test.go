package neural

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/freshet-ml/freshet/internal/codec"
)

var smallShape = entityShape{held: 3, hidden: 2, width: 1, names: 1}

type storedEntities struct{ *entities }

func (s storedEntities) State(c *codec.State) { s.state(c) }

// observeIn observes an event whose numbers are functions of its name.
func observeIn(m *entities, key uint64, time int64) {
	e, i := m.observe(key, time, key%3)
	b := m.before(e, i)
	x, names := m.input(e, i)
	b[0], b[1], x[0], names[0] = float64(m.observed), -float64(m.observed), float64(2*m.observed), float64(key)
}

// plainEntities is the same by brute force.
type plainEntities struct {
	limit, held int
	observed    uint64
	of          map[uint64]*plainEntity
}

type plainEntity struct {
	time     int64
	events   []heldEvent
	label    float64
	labelled uint64
}

func (p *plainEntities) observe(key uint64, time int64) {
	e := p.of[key]
	if e == nil {
		if len(p.of) == p.limit {
			first, at := true, uint64(0)
			for k, o := range p.of { // each newest event is another: the order has no ties
				if a := p.of[at]; first || o.time < a.time || o.time == a.time && o.last() < a.last() {
					first, at = false, k
				}
			}
			delete(p.of, at)
		}
		e = &plainEntity{time: time}
		p.of[key] = e
	}
	p.observed++
	e.time = max(e.time, time)
	e.events = append(e.events, heldEvent{seq: p.observed, time: time, row: key % 3})
}

func (e *plainEntity) last() uint64 { return e.events[len(e.events)-1].seq }

// same says where what find gives differs from the brute force.
func (p *plainEntities) same(keys uint64, find func(uint64) *entity) error {
	for k := range keys {
		want, got := p.of[k], find(k)
		if (want == nil) != (got == nil) {
			return fmt.Errorf("key %d: %v, want %v", k, got, want)
		}
		if want == nil {
			continue
		}
		from := max(0, len(want.events)-p.held)
		if got.time != want.time || got.label != want.label || got.labelled != want.labelled || !slices.Equal(got.events, want.events[from:]) {
			return fmt.Errorf("key %d: %+v, want %+v", k, got, want)
		}
		for i, v := range got.events {
			x, names := smallShape.input(got, i)
			if b := smallShape.before(got, i); b[0] != float64(v.seq) || b[1] != -b[0] || x[0] != 2*b[0] || names[0] != float64(k) {
				return fmt.Errorf("key %d, event %d: %v %v %v", k, v.seq, b, x, names)
			}
		}
	}
	return nil
}

func (p *plainEntities) clone() *plainEntities {
	c := &plainEntities{limit: p.limit, held: p.held, observed: p.observed, of: map[uint64]*plainEntity{}}
	for k, e := range p.of {
		copied := *e
		copied.events = slices.Clone(e.events)
		c.of[k] = &copied
	}
	return c
}

// Entities are those of the brute force after any calls, published ones stay what they were, and a loaded store goes on alike.
func TestEntities(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.IntRange(1, 12).Draw(t, "limit")
		m, p := newEntities(limit, smallShape), &plainEntities{limit: limit, held: smallShape.held, of: map[uint64]*plainEntity{}}
		const keys = 20
		type version struct {
			entityVersion
			want *plainEntities
		}
		var versions []version
		for range rapid.IntRange(1, 120).Draw(t, "calls") {
			switch k := rapid.Uint64Range(0, keys-1).Draw(t, "key"); rapid.IntRange(0, 9).Draw(t, "call") {
			case 0:
				versions = append(versions, version{m.publish(), p.clone()})
			case 1:
				saved := codec.Save(storedEntities{m})
				m = newEntities(limit, smallShape)
				observeIn(m, 99, 99)
				if err := codec.Load(storedEntities{m}, saved); err != nil {
					t.Fatal(err)
				}
				if !bytes.Equal(codec.Save(storedEntities{m}), saved) {
					t.Fatal("saving what was loaded gives other bytes")
				}
			case 2, 3:
				if e := p.of[k]; e != nil {
					i := rapid.IntRange(0, len(e.events)-1).Draw(t, "event")
					e.events[i].taught = true
					if e.events[i].seq >= e.labelled {
						e.label, e.labelled = float64(i), e.events[i].seq
					}
					m.own(k).teach(e.events[i].seq, float64(i))
				} else if m.own(k) != nil {
					t.Fatal("an entity that is not there was given to write")
				}
			default:
				at := rapid.Int64Range(-3, 3).Draw(t, "time")
				observeIn(m, k, at)
				p.observe(k, at)
			}
			if err := p.same(keys, m.find); err != nil {
				t.Fatal(err)
			}
		}
		for i, v := range versions {
			if err := v.want.same(keys, v.find); err != nil {
				t.Fatalf("version %d: %v", i, err)
			}
		}
	})
}

func TestEventsByNameAndTime(t *testing.T) {
	m := newEntities(4, smallShape)
	for _, at := range []int64{5, 5, 7} {
		observeIn(m, 1, at)
	}
	e := m.own(1)
	if e.at(2) != 1 || e.at(9) != -1 || e.like(5, 1) != 0 || e.like(5, 2) != -1 || e.like(6, 1) != -1 || e.like(7, 9) != 2 {
		t.Errorf("places %d %d %d %d %d %d", e.at(2), e.at(9), e.like(5, 1), e.like(5, 2), e.like(6, 1), e.like(7, 9))
	}
	e.teach(1, 0)
	if e.like(5, 1) != 1 {
		t.Errorf("the first event of the time was learned, and is found again: %d", e.like(5, 1))
	}
	e.teach(3, 30)
	e.teach(2, 20) // a late label is no newer
	if e.like(5, 1) != -1 || e.label != 30 {
		t.Errorf("place %d, last label %v", e.like(5, 1), e.label)
	}
	observeIn(m, 1, 9)
	if e := m.find(1); e.at(1) != -1 || e.at(4) != 2 {
		t.Errorf("after a fourth event: places %d, %d", e.at(1), e.at(4))
	}
}

// With as many entities as there may be, and new ones all the time, nothing is allocated.
func TestEntitiesSteadyState(t *testing.T) {
	m := newEntities(1000, entityShape{held: 4, hidden: 16, width: 10, names: 2})
	rng, now := rand.New(rand.NewPCG(1, 1)), int64(0)
	step := func() {
		now++
		m.observe(uint64(rng.IntN(2000)), now, 0)
	}
	for range 200_000 {
		step()
	}
	if n := testing.AllocsPerRun(1000, step); n != 0 {
		t.Errorf("%v allocations per event", n)
	}
}

func FuzzEntitiesState(f *testing.F) {
	m := newEntities(5, smallShape)
	for i := range uint64(20) {
		observeIn(m, i%7, int64(i))
	}
	f.Add(codec.Save(storedEntities{m}))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		m := newEntities(5, smallShape)
		if err := codec.Load(storedEntities{m}, b); err != nil {
			if !errors.Is(err, codec.ErrDamaged) {
				t.Fatal(err)
			}
			return
		}
		if !bytes.Equal(codec.Save(storedEntities{m}), b) {
			t.Fatal("saving what was loaded gives other bytes")
		}
		m.publish()
		for i := range uint64(20) {
			observeIn(m, i, math.MaxInt64)
		}
		m.publish()
	})
}

// BenchmarkEntities is an event of one of 100,000 entities, without and with a publication after it.
func BenchmarkEntities(b *testing.B) {
	for _, publish := range []bool{false, true} {
		b.Run(fmt.Sprintf("publish=%v", publish), func(b *testing.B) {
			m := newEntities(100_000, entityShape{held: 16, hidden: 16, width: 10})
			rng := rand.New(rand.NewPCG(1, 1))
			for i := range 2_000_000 {
				m.observe(uint64(rng.IntN(100_000)), int64(i), 0)
			}
			m.publish()
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				m.observe(uint64(rng.IntN(100_000)), int64(2_000_000+i), 0)
				if publish {
					m.publish()
				}
			}
		})
	}
}
