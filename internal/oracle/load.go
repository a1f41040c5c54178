package oracle

import (
	"compress/gzip"
	"encoding/csv"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"time"
)

// flight is one row of the flights files, with times as instants in minutes since 2013-01-01T00:00Z.
type flight struct {
	id, carrier, number, tail, origin, dest string
	departs, block                          int
	distance                                float64
	flew, landed                            bool
	depDelay, arrDelay                      int
}

type reading struct {
	origin string
	values map[string]float64
}

// event is one record of a stream. row is an index into flights, or into weather.
type event struct {
	minute int
	source string
	row    int
}

// Oracle holds the data files as one list of events in their order.
type Oracle struct {
	flights  []flight
	weather  []reading
	planes   map[string][2]float64 // by tail: seats, year
	events   []event
	trigger  map[string]int // by flight id: index of its scheduled event
	byTail   map[string][]int
	byNumber map[string][]int
	newYork  *time.Location
}

var start = time.Date(2013, 1, 1, 0, 0, 0, 0, time.UTC)

// Load reads the files in dir (datasets/flights/data) and orders the events of the year.
func Load(dir string) (*Oracle, error) {
	zone, err := time.LoadLocation("America/New_York")
	if err != nil {
		return nil, err
	}
	o := &Oracle{newYork: zone, planes: map[string][2]float64{}, trigger: map[string]int{},
		byTail: map[string][]int{}, byNumber: map[string][]int{}}
	if err := o.readFlights(dir); err != nil {
		return nil, err
	}
	if err := o.readTables(dir); err != nil {
		return nil, err
	}
	o.order()
	return o, nil
}

func (o *Oracle) readFlights(dir string) error {
	routes, err := table(dir, "routes.csv.gz")
	if err != nil {
		return err
	}
	distance := map[string]float64{}
	for _, r := range routes {
		distance[r["origin"]+"-"+r["dest"]] = number(r["distance"])
	}
	names, err := filepath.Glob(filepath.Join(dir, "flights-*.csv.gz"))
	if err != nil {
		return err
	}
	sort.Strings(names)
	for _, name := range names {
		rows, err := table(dir, filepath.Base(name))
		if err != nil {
			return err
		}
		for _, r := range rows {
			f := flight{carrier: r["carrier"], number: r["flight"], tail: r["tail"], origin: r["origin"], dest: r["dest"],
				departs: whole(r["scheduled"]), block: whole(r["block"]), distance: distance[r["origin"]+"-"+r["dest"]],
				flew: r["dep_delay"] != "", landed: r["arr_delay"] != ""}
			if f.flew {
				f.depDelay = whole(r["dep_delay"])
			}
			if f.landed {
				f.arrDelay = whole(r["arr_delay"])
			}
			date := instant(f.departs).In(o.newYork).Format(time.DateOnly)
			f.id = date + "-" + f.carrier + f.number + "-" + f.origin
			o.flights = append(o.flights, f)
		}
	}
	return nil
}

func (o *Oracle) readTables(dir string) error {
	planes, err := table(dir, "planes.csv.gz")
	if err != nil {
		return err
	}
	for _, r := range planes {
		o.planes[r["tail"]] = [2]float64{number(r["seats"]), number(r["year"])}
	}
	weather, err := table(dir, "weather.csv.gz")
	if err != nil {
		return err
	}
	for i, r := range weather {
		w := reading{origin: r["origin"], values: map[string]float64{}}
		for name, text := range r {
			if name != "origin" {
				w.values[name] = number(text)
			}
		}
		o.weather = append(o.weather, w)
		o.events = append(o.events, event{whole(r["hour"])*60 + 60, "weather", i})
	}
	return nil
}

// order makes the events and sorts them: by time, then by the name of the source, then by row.
func (o *Oracle) order() {
	for i, f := range o.flights {
		o.events = append(o.events, event{f.departs - 60, "scheduled", i})
		if !f.flew {
			o.events = append(o.events, event{f.departs, "cancelled", i})
		} else {
			o.events = append(o.events, event{f.departs + f.depDelay, "departed", i})
		}
		if f.landed {
			o.events = append(o.events, event{f.departs + f.block + f.arrDelay, "arrived", i})
		}
	}
	sort.Slice(o.events, func(i, j int) bool {
		a, b := o.events[i], o.events[j]
		if a.minute != b.minute {
			return a.minute < b.minute
		}
		if a.source != b.source {
			return a.source < b.source
		}
		return a.row < b.row
	})
	for i, e := range o.events {
		if e.source == "weather" {
			continue
		}
		f := &o.flights[e.row]
		if e.source == "scheduled" {
			o.trigger[f.id] = i
		}
		if f.tail != "" {
			o.byTail[f.tail] = append(o.byTail[f.tail], i)
		}
		o.byNumber[f.carrier+f.number] = append(o.byNumber[f.carrier+f.number], i)
	}
}

// Sample returns n ids of flights, drawn without repetition by the seed, in the order of their triggers.
func (o *Oracle) Sample(n int, seed uint64) []string {
	rows := rand.New(rand.NewPCG(seed, 0)).Perm(len(o.flights))[:min(n, len(o.flights))]
	sort.Ints(rows)
	ids := make([]string, len(rows))
	for i, r := range rows {
		ids[i] = o.flights[r].id
	}
	return ids
}

// Label returns whether the flight came more than 15 minutes late, and when that was known; ok is false
// for flights that never landed where they should have.
func (o *Oracle) Label(id string) (late bool, at time.Time, ok bool) {
	i, found := o.trigger[id]
	if !found {
		return false, time.Time{}, false
	}
	f := o.flights[o.events[i].row]
	if !f.landed {
		return false, time.Time{}, false
	}
	return f.arrDelay > 15, instant(f.departs + f.block + f.arrDelay), true
}

// At returns the event time of the flight's trigger, zero if there is no such flight.
func (o *Oracle) At(id string) time.Time {
	i, found := o.trigger[id]
	if !found {
		return time.Time{}
	}
	return instant(o.events[i].minute)
}

// Event is an event of a stream: when it happens, the name of its source, and the id of its flight, or the airport of a reading.
type Event struct {
	At         time.Time
	Source, ID string
}

// Events returns all events of the year in their order. The rows of planes, which come before them, are left out.
func (o *Oracle) Events() []Event {
	list := make([]Event, len(o.events))
	for i, e := range o.events {
		list[i] = Event{At: instant(e.minute), Source: e.source}
		if e.source == "weather" {
			list[i].ID = o.weather[e.row].origin
		} else {
			list[i].ID = o.flights[e.row].id
		}
	}
	return list
}

// Planes returns how many rows the table of planes has.
func (o *Oracle) Planes() int { return len(o.planes) }

func instant(minute int) time.Time { return start.Add(time.Duration(minute) * time.Minute) }

// table reads a CSV file as one map per row.
func table(dir, name string) ([]map[string]string, error) {
	f, err := os.Open(filepath.Join(dir, name))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	lines, err := csv.NewReader(z).ReadAll()
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	var rows []map[string]string
	for _, line := range lines[1:] {
		row := make(map[string]string, len(line))
		for i, cell := range line {
			row[lines[0][i]] = cell
		}
		rows = append(rows, row)
	}
	return rows, nil
}

func whole(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		panic("oracle: not a whole number: " + s)
	}
	return n
}

// number reads a cell; an empty one is missing.
func number(s string) float64 {
	if s == "" {
		return math.NaN()
	}
	v, err := strconv.ParseFloat(s, 64)
	if err != nil {
		panic("oracle: not a number: " + s)
	}
	return v
}
