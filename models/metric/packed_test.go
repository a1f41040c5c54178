package metric

import (
	"bytes"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
)

func saved(s interface{ State(*codec.State) }) []byte {
	c := codec.Saver(nil)
	s.State(c)
	return c.Bytes()
}

// Packed bins say the same in every way that they are read, whatever the weights, and go on when a score comes.
func TestPackedBinsAreTheSame(t *testing.T) {
	for _, shift := range []int{0, coarse} {
		for _, whole := range []bool{true, false} {
			r := rand.New(rand.NewPCG(3, uint64(shift)))
			plain, packed := New(models.Binary, 2), New(models.Binary, 2)
			plain.scores.shift, packed.scores.shift = shift, shift
			for i := range 30000 {
				p := []float64{1 / (1 + math.Exp(-9*r.NormFloat64()))}
				if i%1000 == 0 {
					p[0] = float64(i / 1000 % 2) // the ends of the grid
				}
				y, w := float64(r.IntN(2)), 1.0
				if !whole {
					w = r.Float64()
				}
				plain.Add(y, p, w)
				packed.Add(y, p, w)
				if i%3000 != 2999 {
					continue
				}
				packed.scores.pack()
				if packed.scores.pages != nil {
					t.Fatal("not packed")
				}
				if a, b := plain.Values(), packed.Values(); !slices.Equal(a, b) {
					t.Fatalf("%v, packed %v", a, b)
				}
				if !bytes.Equal(saved(plain), saved(packed)) {
					t.Fatal("states differ")
				}
				a, b := New(models.Binary, 2), New(models.Binary, 2)
				a.Merge(plain)
				b.Merge(packed)
				if !bytes.Equal(saved(a), saved(b)) {
					t.Fatal("merged sets differ")
				}
			}
		}
	}
}

// Months before the last two are packed, in less than a fifth of the memory; a late answer is scored in its month all the same.
func TestOldMonthsArePacked(t *testing.T) {
	const month = 31 * 86400e6
	r := rand.New(rand.NewPCG(1, 2))
	p, plain := NewPeriods(models.Binary, 2, 120), map[Month]*Set{}
	add := func(at int64) {
		x := 1 / (1 + math.Exp(-1.5*r.NormFloat64()))
		y := float64(r.IntN(2))
		p.Add(at, y, []float64{x}, 1)
		m := MonthOf(at)
		if plain[m] == nil {
			plain[m] = newCoarse(models.Binary, 2)
		}
		plain[m].Add(y, []float64{x}, 1)
	}
	for i := range int64(12) {
		for range 20000 {
			add(i * month)
		}
		if i > 3 {
			add((i - 3) * month)
		}
	}
	check := func(p *Periods) {
		t.Helper()
		list := p.List()
		for i, m := range list {
			if !bytes.Equal(saved(m.Set), saved(plain[m.Month])) {
				t.Errorf("%v has another state", m.Month)
			}
			if i >= len(list)-2 {
				continue
			}
			if m.scores.pages != nil && m.Month != list[len(list)-4].Month {
				t.Errorf("%v is not packed", m.Month)
			}
			loose := 0
			for _, page := range plain[m.Month].scores.pages {
				loose += 16 * len(page)
			}
			if n := len(m.scores.packed); 5*n > loose {
				t.Errorf("%v: %d bytes, %d loose", m.Month, n, loose)
			}
		}
	}
	check(p)
	again := NewPeriods(models.Binary, 2, 120)
	c := codec.Loader(saved(p))
	if again.State(c); c.Close() != nil {
		t.Fatal(c.Close())
	}
	check(again)
	for _, m := range again.List()[:10] {
		if m.scores.pages != nil {
			t.Errorf("%v is not packed after loading", m.Month)
		}
	}
}
