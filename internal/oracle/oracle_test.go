package oracle

import (
	"math"
	"slices"
	"sync"
	"testing"
	"time"
)

var load = sync.OnceValues(func() (*Oracle, error) { return Load("../../datasets/flights/data") })

func loaded(t *testing.T) *Oracle {
	t.Helper()
	o, err := load()
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func vector(t *testing.T, id string) map[string]Value {
	t.Helper()
	v, err := loaded(t).Vector(id)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestFirstFlightOfTheYearKnowsNothing(t *testing.T) {
	v := vector(t, "2013-01-01-UA1545-EWR")
	for name, want := range map[string]float64{
		"origin.delay_1h": math.NaN(), "origin.departures": 0, "origin.overdue": 0, "hub.overdue_age": 0,
		"number.usual_delay": math.NaN(), "plane.off": math.NaN(), "derived.slack": math.NaN(),
		"weather.visib": 10, "scheduled.block": 244, "derived.hour": 5, "derived.weekday": 1,
	} {
		if !near(v[name].Exact, want, 0) {
			t.Errorf("%s is %v, want %v", name, v[name].Exact, want)
		}
	}
}

// TestReadByHand follows one plane: N14228 leaves Newark at 10:17 UTC on 1 January, due in Houston 244
// minutes later; the files say where it was seen next.
func TestReadByHand(t *testing.T) {
	o := loaded(t)
	var next string
	for _, i := range o.byTail["N14228"] {
		if e := o.events[i]; e.source == "scheduled" && o.flights[e.row].id != "2013-01-01-UA1545-EWR" {
			next = o.flights[e.row].id
			break
		}
	}
	v := vector(t, next)
	left := time.Date(2013, 1, 1, 10, 17, 0, 0, time.UTC)
	landed := time.Date(2013, 1, 1, 14, 30, 0, 0, time.UTC) // 08:30 in Houston, as in the source's first row
	at := o.At(next)
	for name, want := range map[string]float64{
		"plane.dep_delay": 2, "plane.arr_delay": 11, "plane.off": at.Sub(left).Seconds(), "plane.on": at.Sub(landed).Seconds(),
		"plane.expected": float64(left.Add(244 * time.Minute).Unix()), "derived.in_air": 0, "derived.slack": 300,
	} {
		if !near(v[name].Exact, want, 0) {
			t.Errorf("%s of %s is %v, want %v", name, next, v[name].Exact, want)
		}
	}
	late, known, ok := o.Label("2013-01-01-UA1545-EWR")
	if late || !ok || !known.Equal(landed) {
		t.Errorf("label of the first flight is %v at %v (%v), want false at %v", late, known, ok, landed)
	}
}

func TestTriggerIsNotInItsOwnVector(t *testing.T) {
	// Three flights are scheduled at Kennedy for 12:00 UTC on 1 January; each sees those before it.
	o := loaded(t)
	seen := -1.0
	for _, e := range o.events {
		f := &o.flights[e.row]
		if e.source != "scheduled" || f.origin != "JFK" || f.departs != 12*60 {
			continue
		}
		n := vector(t, f.id)["origin.announced"].Exact
		if seen >= 0 && n != seen+1 {
			t.Errorf("%s sees %v announcements, the one before it %v", f.id, n, seen)
		}
		seen = n
	}
	if seen < 1 {
		t.Fatalf("no flights at one time; last saw %v", seen)
	}
}

func TestWindowAllowsTheOvershootAndNoMore(t *testing.T) {
	o := loaded(t)
	wider := 0
	for _, id := range o.Sample(50, 7) {
		v := vector(t, id)
		if w := v["origin.delay_1h"]; len(w.Allowed) != 1 {
			t.Errorf("%s: a window of an hour on tiles of a minute allows %d values", id, len(w.Allowed))
		}
		w := v["origin.delay_6h"]
		wider += len(w.Allowed) - 1
		if !w.Close(w.Exact, 0) || !math.IsNaN(w.Exact) && w.Close(w.Exact+1e6, 1e-9) {
			t.Errorf("%s: Close does not tell %v from %v", id, w.Exact, w.Exact+1e6)
		}
	}
	if wider == 0 {
		t.Error("no window of six hours overshoots")
	}
}

// TestOverdueCarriesSignal checks a known figure: the number of overdue flights alone has an AUC of .706
// over the year, and the careless count +1 at scheduled, −1 at departed would have about .5.
func TestOverdueCarriesSignal(t *testing.T) {
	o := loaded(t)
	var late, punctual []float64
	for _, id := range o.Sample(1500, 3) {
		if y, _, ok := o.Label(id); ok {
			x := vector(t, id)["origin.overdue"].Exact
			if y {
				late = append(late, x)
			} else {
				punctual = append(punctual, x)
			}
		}
	}
	wins := 0.0
	for _, a := range late {
		for _, b := range punctual {
			switch {
			case a > b:
				wins++
			case a == b:
				wins += 0.5
			}
		}
	}
	auc := wins / float64(len(late)*len(punctual))
	t.Logf("AUC of the overdue count is %.3f on %d flights", auc, len(late)+len(punctual))
	if auc < 0.67 || auc > 0.74 {
		t.Errorf("AUC of the overdue count is %.3f, want .706 within sampling error", auc)
	}
}

func TestSample(t *testing.T) {
	o := loaded(t)
	a, b := o.Sample(2000, 1), o.Sample(2000, 1)
	if !slices.Equal(a, b) || len(a) != 2000 {
		t.Errorf("the same seed gives %d and %d ids, or others", len(a), len(b))
	}
	if slices.Equal(a, o.Sample(2000, 2)) {
		t.Error("another seed gives the same sample")
	}
	if slices.Sort(a); len(slices.Compact(a)) != 2000 {
		t.Error("the sample repeats an id")
	}
}

func TestUnknownFlight(t *testing.T) {
	o := loaded(t)
	if _, err := o.Vector("2013-01-01-XX1-JFK"); err == nil {
		t.Error("a vector of no flight")
	}
	if _, _, ok := o.Label("2013-01-01-XX1-JFK"); ok {
		t.Error("a label of no flight")
	}
}
