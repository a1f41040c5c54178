package forecast

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/freshet-ml/freshet/models"
)

// TestStepsOfManyValues: whatever the order of arrival within the lateness, a series with an aggregate answers as one without that is given the value of each step once, when the
// step is over: the sum with zeros for steps without values, the mean, the last one. Means and last values of the present step count as far as they have come.
func TestStepsOfManyValues(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 4))
		a := rapid.SampledFrom([]Aggregate{AggregateSum, AggregateMean, AggregateLast}).Draw(t, "aggregate")
		late := rapid.SampledFrom([]int64{0, hour / 2, 3 * hour}).Draw(t, "lateness")
		cfg := KeyedConfig{Step: hour, Horizon: 3, Seasons: []int{4}, Leads: []int{1, 3}, Levels: []float64{.1, .9}, Inputs: 1}
		plain := newKeyed(asTB(t), naiveOf, cfg)
		cfg.Aggregate, cfg.Lateness, cfg.Group = a, late, rapid.Bool().Draw(t, "group")
		k := newKeyed(asTB(t), naiveOf, cfg)
		type value struct {
			t, arrives int64
			y          float64
		}
		var inTime []value
		at := 5 * hour
		for range rapid.IntRange(1, 60).Draw(t, "values") {
			at += 1 + rng.Int64N(hour)*rng.Int64N(4)/2
			inTime = append(inTime, value{at, at + rng.Int64N(late+1), float64(rng.IntN(9))})
		}
		arriving := slices.Clone(inTime)
		slices.SortStableFunc(arriving, func(a, b value) int { return int(a.arrives - b.arrives) })
		feed := func(values []value) (state []byte) {
			for _, v := range values {
				var isLate bool
				if state, isLate = k.Update(state, v.t, []float64{v.y, v.y + 1}); isLate {
					t.Fatal("a value inside the window was left out")
				}
				if err := k.Check(state); err != nil || len(state) > k.Shape().MaxBytes {
					t.Fatalf("%v, %d bytes of %d", err, len(state), k.Shape().MaxBytes)
				}
			}
			return state
		}
		state := feed(inTime)
		if !bytes.Equal(state, feed(arriving)) {
			t.Fatal("the state depends on the order of arrival")
		}
		steps := map[int64]*Gathered{}
		inputs := map[int64]float64{}
		first, newest := inTime[0].t/hour, at/hour
		for _, v := range inTime {
			if steps[v.t/hour] == nil {
				steps[v.t/hour] = &Gathered{}
			}
			steps[v.t/hour].Add(a, v.t, v.y)
			inputs[v.t/hour] = v.y + 1
		}
		for _, ahead := range []int64{-hour, 0, hour, 5 * hour} {
			asked := at + ahead
			present := max(asked/hour, newest)
			var want []byte
			usual, began := 0.0, false
			for slot := first; slot <= present; slot++ {
				g, there := steps[slot]
				if slot == present && a == AggregateSum || !there && (a != AggregateSum || !began) {
					continue
				}
				if !there {
					g = &Gathered{}
				}
				y, ok := g.Of(a)
				if !ok {
					t.Fatal("a step without a value was taken")
				}
				x := usual
				if there {
					if x = inputs[slot]; !began {
						usual = x
					}
				}
				usual, began = usual+usualWeight*(x-usual), true
				want, _ = plain.Update(want, slot*hour, []float64{y, x})
			}
			if x, y := k.Read(nil, state, asked), plain.Read(nil, want, max(asked, at)); fmt.Sprint(x) != fmt.Sprint(y) {
				t.Fatalf("%v asked %d after the newest: %v, the steps one by one %v", a, ahead, x, y)
			}
		}
	})
}

// TestSumsByHand: three receipts, an hour without, one that comes late within the window, one beyond.
func TestSumsByHand(t *testing.T) {
	k := newKeyed(t, record(0), KeyedConfig{Step: hour, Lateness: hour, Horizon: 1, Leads: []int{1}, Aggregate: AggregateSum})
	var state []byte
	for _, v := range []struct {
		at   int64
		y    float64
		late bool
	}{{10 * hour, 1, false}, {10*hour + 5, 2, false}, {12 * hour, 5, false}, {11*hour + 1, 3, false}, {13 * hour, 7, false}, {10 * hour, 9, true}, {14*hour + 1, math.NaN(), false}} {
		var late bool
		if state, late = k.Update(state, v.at, []float64{v.y}); late != v.late {
			t.Fatalf("%d: late %t", v.at, late)
		}
	}
	s := k.newScratch()
	if err := s.ready(state, 15*hour); err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprint(s.track.slot, s.late), "14 1"; got != want {
		t.Errorf("step and late values %s, want %s", got, want)
	}
	o := models.NewOutlook(1, nil)
	place, err := k.Forecast(o, state, 15*hour, nil)
	if err != nil || place.First != 16*hour || place.Newest != 13*hour {
		t.Errorf("%+v, %v: the first step after the asked one is 16", place, err)
	}
}

// TestLongGapOfSums: a gap of any length costs a bounded number of steps.
func TestLongGapOfSums(t *testing.T) {
	k := newKeyed(t, naiveOf, KeyedConfig{Step: 1, Horizon: 1, Leads: []int{1}, Aggregate: AggregateSum})
	state, _ := k.Update(nil, 5, []float64{3})
	if got := k.Read(nil, state, 1<<60); got[0] != 0 {
		t.Errorf("%v after a long gap", got)
	}
	if state, _ = k.Update(state, 1<<60, []float64{4}); k.Check(state) != nil || k.Read(nil, state, 1<<60+1)[0] != 4 {
		t.Error("no series after a long gap")
	}
}

// TestAggregatesThatCannotBe: what does not fit is said.
func TestAggregatesThatCannotBe(t *testing.T) {
	for _, cfg := range []KeyedConfig{{Aggregate: AggregateSum, Horizon: 1, Leads: []int{1}}, {Aggregate: AggregateMean, Step: 1, Lateness: 100, Horizon: 1, Leads: []int{1}}} {
		if _, err := NewKeyed(naiveOf, cfg); err == nil {
			t.Errorf("%+v is no error", cfg)
		}
	}
	for a := AggregateNone; a <= AggregateLast; a++ {
		if b, err := ParseAggregate(a.String()); err != nil || a != b {
			t.Errorf("%v, %v", b, err)
		}
	}
	if _, err := ParseAggregate("median"); err == nil {
		t.Error("median is taken")
	}
}
