package oracle

import (
	"fmt"
	"math"
	"time"
)

// Value is what a column must hold.
type Value struct {
	// Exact is the number; NaN is missing. It is not set for categories of text.
	Exact float64
	// Allowed lists the numbers that a tiled window may show, the exact one first. A window reaches
	// back to the start of the tile that its own start lies in; of the events between, which are too old,
	// a unit counts those that it has sealed already, and it seals the oldest first. So the k-th is
	// the value with the k oldest of them. Nil where the column must be exact.
	Allowed []float64
	// Text is set for categories: one text, or the parts of a cross in order. Nil with an Exact of NaN
	// is a missing category.
	Text []string
}

// Close reports whether got is one of the numbers that v allows, within a relative tolerance.
func (v Value) Close(got, tolerance float64) bool {
	if near(got, v.Exact, tolerance) {
		return true
	}
	for _, a := range v.Allowed {
		if near(got, a, tolerance) {
			return true
		}
	}
	return false
}

func near(a, b, tolerance float64) bool {
	if math.IsNaN(a) || math.IsNaN(b) {
		return math.IsNaN(a) && math.IsNaN(b)
	}
	return math.Abs(a-b) <= tolerance*max(1, math.Abs(a), math.Abs(b))
}

// asked is one question: everything before place, as of minute, for the flight f.
type asked struct {
	o      *Oracle
	place  int
	minute int
	f      *flight
	out    map[string]Value
}

// Vector returns the columns of the flight's example, by their names in the project file, including those
// that only derived features read (plane.expected, scheduled.departs).
func (o *Oracle) Vector(id string) (map[string]Value, error) {
	place, ok := o.trigger[id]
	if !ok {
		return nil, fmt.Errorf("no flight %q", id)
	}
	e := o.events[place]
	a := &asked{o: o, place: place, minute: e.minute, f: &o.flights[e.row], out: map[string]Value{}}
	a.fields()
	a.airports()
	a.plane()
	a.tables()
	a.derived()
	return a.out, nil
}

func (a *asked) set(name string, v float64) { a.out[name] = Value{Exact: v} }

func (a *asked) fields() {
	f := a.f
	a.out["scheduled.origin"] = Value{Text: []string{f.origin}}
	a.out["scheduled.carrier"] = Value{Text: []string{f.carrier}}
	a.out["scheduled.dest"] = Value{Text: []string{f.dest}}
	a.set("scheduled.distance", f.distance)
	a.set("scheduled.block", float64(f.block))
	a.set("scheduled.departs", seconds(f.departs))
}

// seconds returns an instant in seconds since the Unix epoch.
func seconds(minute int) float64 { return float64(instant(minute).Unix()) }

// airports sets the windows and open sets of origin, carrier, hub and dest, and the flight number's mean.
func (a *asked) airports() {
	origin := func(f *flight) bool { return f.origin == a.f.origin }
	carrier := func(f *flight) bool { return f.carrier == a.f.carrier }
	hub := func(f *flight) bool { return origin(f) && carrier(f) }
	dest := func(f *flight) bool { return f.dest == a.f.dest }
	depDelay := func(f *flight) float64 { return float64(f.depDelay) }
	arrDelay := func(f *flight) float64 { return float64(f.arrDelay) }
	late := func(f *flight) float64 {
		if f.depDelay > 15 {
			return 1
		}
		return 0
	}
	one := func(*flight) float64 { return 1 }

	a.window("origin.delay_1h", "departed", origin, depDelay, 1, mean)
	a.window("origin.delay_6h", "departed", origin, depDelay, 6, mean)
	a.window("origin.late_share", "departed", origin, late, 1, mean)
	a.window("origin.departures", "departed", origin, one, 1, sum)
	a.window("origin.announced", "scheduled", origin, one, 1, sum)
	a.window("origin.cancellations", "cancelled", origin, one, 6, sum)
	a.window("origin.arrival_delay_1h", "arrived", origin, arrDelay, 1, mean)
	a.window("origin.arrival_delay_24h", "arrived", origin, arrDelay, 24, mean)
	a.overdue("origin", origin, true)

	a.window("carrier.delay_1h", "departed", carrier, depDelay, 1, mean)
	a.window("carrier.delay_6h", "departed", carrier, depDelay, 6, mean)
	a.window("carrier.arrival_delay_1h", "arrived", carrier, arrDelay, 1, mean)
	a.window("carrier.arrival_delay_24h", "arrived", carrier, arrDelay, 24, mean)
	a.overdue("carrier", carrier, false)

	a.window("hub.delay_1h", "departed", hub, depDelay, 1, mean)
	a.window("hub.delay_6h", "departed", hub, depDelay, 6, mean)
	a.window("hub.departures", "departed", hub, one, 1, sum)
	a.overdue("hub", hub, true)

	a.window("dest.delay", "departed", dest, depDelay, 6, mean)
	a.window("dest.arrival_delay_1h", "arrived", dest, arrDelay, 1, mean)
	a.window("dest.arrival_delay_6h", "arrived", dest, arrDelay, 6, mean)
	a.window("dest.arrival_delay_24h", "arrived", dest, arrDelay, 24, mean)
	a.usual()
}

func sum(values []float64) float64 {
	total := 0.0
	for _, v := range values {
		total += v
	}
	return total
}

func mean(values []float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	return sum(values) / float64(len(values))
}

// hopMinutes is the length of the tiles of a window of w: the greatest of the grid's hops of a minute or more
// that is at most w/24.
func hopMinutes(w time.Duration) int {
	hop := 0
	for _, h := range []int{1, 5, 15, 60, 6 * 60, 24 * 60} {
		if time.Duration(h)*time.Minute*24 <= w {
			hop = h
		}
	}
	return hop
}

// window sets an aggregate over the events of a source in (t − hours, t].
func (a *asked) window(name, source string, match func(*flight) bool, value func(*flight) float64, hours int, aggregate func([]float64) float64) {
	from := a.minute - hours*60
	hop := hopMinutes(time.Duration(hours) * time.Hour)
	floor := from - ((from%hop)+hop)%hop
	var old, in []float64
	for i := a.place - 1; i >= 0 && a.o.events[i].minute > floor; i-- {
		e := a.o.events[i]
		if e.source != source || !match(&a.o.flights[e.row]) {
			continue
		}
		v := value(&a.o.flights[e.row])
		if e.minute > from {
			in = append([]float64{v}, in...)
		} else {
			old = append([]float64{v}, old...)
		}
	}
	v := Value{Exact: aggregate(in)}
	for k := range len(old) + 1 {
		v.Allowed = append(v.Allowed, aggregate(append(append([]float64{}, old[:k]...), in...)))
	}
	a.out[name] = v
}

// overdue sets how many flights are past their scheduled departure and neither left nor were cancelled, and, if
// aged, the seconds that they have waited. Those due more than 24 hours ago are forgotten.
func (a *asked) overdue(entity string, match func(*flight) bool, aged bool) {
	count, age := 0.0, 0.0
	gone := map[int]bool{}
	for i := a.place - 1; i >= 0 && a.o.events[i].minute >= a.minute-26*60; i-- {
		e := a.o.events[i]
		if e.source == "weather" || !match(&a.o.flights[e.row]) {
			continue
		}
		switch e.source {
		case "departed", "cancelled":
			gone[e.row] = true
		case "scheduled":
			due := a.o.flights[e.row].departs
			if !gone[e.row] && due <= a.minute && due >= a.minute-24*60 {
				count++
				age += float64(a.minute-due) * 60
			}
		}
	}
	a.set(entity+".overdue", count)
	if aged {
		a.set(entity+".overdue_age", age)
	}
}

// usual sets the exponentially weighted mean arrival delay of the flight number.
func (a *asked) usual() {
	m := math.NaN()
	for _, i := range a.o.byNumber[a.f.carrier+a.f.number] {
		e := a.o.events[i]
		if i >= a.place || e.source != "arrived" {
			continue
		}
		x := float64(a.o.flights[e.row].arrDelay)
		if math.IsNaN(m) {
			m = x
		} else {
			m += 0.2 * (x - m)
		}
	}
	a.set("number.usual_delay", m)
}

// plane sets what the tail number did last.
func (a *asked) plane() {
	for _, name := range []string{"dep_delay", "arr_delay", "off", "on", "expected"} {
		a.set("plane."+name, math.NaN())
	}
	for _, i := range a.o.byTail[a.f.tail] {
		if i >= a.place || a.f.tail == "" {
			break
		}
		e := a.o.events[i]
		f := &a.o.flights[e.row]
		switch e.source {
		case "departed":
			a.set("plane.dep_delay", float64(f.depDelay))
			a.set("plane.off", float64(a.minute-e.minute)*60)
			a.set("plane.expected", seconds(e.minute+f.block))
		case "arrived":
			a.set("plane.arr_delay", float64(f.arrDelay))
			a.set("plane.on", float64(a.minute-e.minute)*60)
		}
	}
}

// tables sets the plane's row and the airport's newest readings.
func (a *asked) tables() {
	row, ok := a.o.planes[a.f.tail]
	if !ok {
		row = [2]float64{math.NaN(), math.NaN()}
	}
	a.set("planes.seats", row[0])
	a.set("planes.year", row[1])
	var newest map[string]float64
	for i := a.place - 1; i >= 0 && newest == nil; i-- {
		if e := a.o.events[i]; e.source == "weather" && a.o.weather[e.row].origin == a.f.origin {
			newest = a.o.weather[e.row].values
		}
	}
	for _, name := range []string{"wind_speed", "wind_gust", "humid", "precip", "pressure", "visib"} {
		v, ok := newest[name]
		if !ok {
			v = math.NaN()
		}
		a.set("weather."+name, v)
	}
}

func (a *asked) derived() {
	local := instant(a.f.departs).In(a.o.newYork)
	a.set("derived.hour", float64(local.Hour()))
	a.set("derived.at_hour", float64(local.Hour()))
	a.set("derived.weekday", float64((int(local.Weekday())+6)%7)) // 0 is Monday
	a.out["derived.hub"] = Value{Text: []string{a.f.origin, a.f.carrier}}
	off, on := a.out["plane.off"].Exact, a.out["plane.on"].Exact
	inAir, slack := math.NaN(), math.NaN()
	if !math.IsNaN(off) {
		if math.IsNaN(on) || off < on {
			inAir = 1
			slack = (seconds(a.f.departs) - a.out["plane.expected"].Exact) / 60
		} else {
			inAir = 0
			slack = on/60 + 60
		}
		slack = max(-300, min(300, slack))
	}
	a.set("derived.in_air", inAir)
	a.set("derived.slack", slack)
}
