package neural

import (
	"math"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"

	"github.com/freshet-ml/freshet/internal/codec"
)

func smallTable(gate int, expire int64) *table {
	return newTable(2, embeddingOptions{Rows: 512, Gate: gate, Expire: expire, Rate: 0.1, Spread: 0.01, Seed: 5})
}

var zeros = []float64{0, 0}

// TestGate: a category gets its row at the label that the gate says, near what it was given, and keeps it.
func TestGate(t *testing.T) {
	for _, gate := range []int{1, 2, 5} {
		tb := smallTable(gate, 0)
		key := fieldKey(7, 3)
		for i := range 8 {
			slot := tb.admit(key, int64(i), []float64{4, -4})
			if has := i+1 >= gate; (slot >= 0) != has {
				t.Fatalf("gate %d, label %d: slot %d", gate, i+1, slot)
			}
			if slot >= 0 && (math.Abs(float64(tb.row(slot)[0])-4) > 0.011 || tb.row(slot)[0] == 4) {
				t.Errorf("row %v does not begin near 4", tb.row(slot))
			}
		}
		if tb.count.Held != 1 || tb.count.Waited != uint64(gate-1) {
			t.Errorf("gate %d: %+v", gate, tb.count)
		}
	}
}

// TestFieldsAreSalted: equal categories of two fields are two rows.
func TestFieldsAreSalted(t *testing.T) {
	if fieldKey(1, 5) == fieldKey(2, 5) {
		t.Error("one key for two fields")
	}
}

// TestBounded: a table holds no more rows than it may, drops the ones used longest ago, and counts them.
func TestBounded(t *testing.T) {
	tb := smallTable(1, 0)
	const n = 4000
	for i := range n {
		tb.admit(fieldKey(1, float64(i)), int64(i), zeros)
	}
	if tb.count.Held > 512 || tb.count.Held < 400 || tb.count.Held+tb.count.Evicted != n {
		t.Errorf("%+v after %d categories", tb.count, n)
	}
	kept := 0
	for i := n - 100; i < n; i++ {
		if tb.find(fieldKey(1, float64(i))) >= 0 {
			kept++
		}
	}
	if kept < 95 {
		t.Errorf("%d of the 100 newest are there", kept)
	}
}

// TestGaveWay: more categories of one row in one bucket than it has places: the derivatives of the one that gave way reach no other.
func TestGaveWay(t *testing.T) {
	tb := smallTable(1, 0)
	var in inputs
	in.width = 2
	m := encoded{}
	for c := 0; len(m.slots) <= ways; c++ {
		key := fieldKey(1, float64(c))
		if key>>tb.shift != 0 {
			continue
		}
		m.slots, m.keys = append(m.slots, tb.admit(key, 7, zeros)), append(m.keys, key)
		m.demb = append(m.demb, 0, 0)
	}
	m.demb[0] = 1
	last := tb.row(m.slots[ways])[0]
	if m.slots[0] != m.slots[ways] || tb.holds(m.slots[0], m.keys[0]) {
		t.Fatalf("slots %v: the first should have given way", m.slots)
	}
	in.learn(&m, tb, 1)
	if tb.row(m.slots[ways])[0] != last {
		t.Error("the row of another category was moved")
	}
}

// TestExpiry: rows without a label for too long go, whatever order labels come in.
func TestExpiry(t *testing.T) {
	tb := smallTable(1, 100)
	for i := range 50 {
		tb.admit(fieldKey(1, float64(i)), int64(i%7), zeros)
	}
	for range 2 * len(tb.sides) {
		tb.admit(fieldKey(2, 0), 107, zeros)
		tb.admit(fieldKey(2, 0), 3, zeros) // a late label makes nothing younger or older
		tb.expire()
	}
	if tb.count.Held != 1 || tb.count.Expired != 50 {
		t.Errorf("%+v: all but one are too old", tb.count)
	}
}

// TestVersionsStay is a property: every version finds for ever what was there when it was published.
func TestVersionsStay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tb := smallTable(1, int64(rapid.IntRange(0, 50).Draw(t, "expire")))
		type version struct {
			rows
			want map[uint64][2]float32
		}
		var versions []version
		for i := range rapid.IntRange(1, 200).Draw(t, "labels") {
			key := fieldKey(1, float64(rapid.IntRange(0, 40).Draw(t, "category")))
			slot := tb.admit(key, int64(i), zeros)
			tb.learn(slot, []float64{1, float64(i)}, 1)
			tb.expire()
			if i%17 == 0 {
				v := version{rows: tb.publish(), want: map[uint64][2]float32{}}
				for c := range 41 {
					k := fieldKey(1, float64(c))
					if s := tb.find(k); s >= 0 {
						v.want[k] = [2]float32(tb.row(s))
					}
				}
				versions = append(versions, v)
			}
		}
		for i, v := range versions {
			for c := range 41 {
				k := fieldKey(1, float64(c))
				want, held := v.want[k]
				s := v.find(k)
				if (s >= 0) != held || held && [2]float32(v.row(s)) != want {
					t.Fatalf("version %d: category %d is not what it was", i, c)
				}
			}
		}
	})
}

type visited func(s *codec.State)

func (f visited) State(s *codec.State) { f(s) }

// TestTableState: rows, gate and counts come back, and going on gives the same.
func TestTableState(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	feed := func(tb *table, n int) {
		for i := range n {
			if slot := tb.admit(fieldKey(1, float64(rng.IntN(900))), int64(i), zeros); slot >= 0 {
				tb.learn(slot, []float64{rng.NormFloat64(), 1}, 0.5)
			}
			tb.expire()
		}
	}
	a, b := smallTable(2, 400), smallTable(2, 400)
	feed(a, 3000)
	feed(b, 50)
	saved := codec.Save(visited(a.state))
	if err := codec.Load(visited(b.state), saved); err != nil {
		t.Fatal(err)
	}
	if a.count != b.count {
		t.Errorf("counts %+v, loaded %+v", a.count, b.count)
	}
	rng = rand.New(rand.NewPCG(3, 4))
	feed(a, 1000)
	rng = rand.New(rand.NewPCG(3, 4))
	feed(b, 1000)
	if codec.Sum(visited(a.state)) != codec.Sum(visited(b.state)) {
		t.Error("going on after a load gives another table")
	}
}

func FuzzTableState(f *testing.F) {
	tb := smallTable(2, 10)
	for i := range 200 {
		tb.admit(fieldKey(1, float64(i%30)), int64(i), zeros)
	}
	f.Add(codec.Save(visited(tb.state)))
	f.Fuzz(func(t *testing.T, b []byte) {
		tb := smallTable(2, 10)
		if codec.Load(visited(tb.state), b) != nil {
			return
		}
		for i := range 40 {
			if slot := tb.admit(fieldKey(1, float64(i)), int64(i), zeros); slot >= 0 {
				tb.learn(slot, []float64{1, 1}, 1)
			}
			tb.expire()
		}
		if codec.Load(visited(smallTable(2, 10).state), codec.Save(visited(tb.state))) != nil {
			t.Error("what was loaded and used cannot be saved and loaded")
		}
	})
}
