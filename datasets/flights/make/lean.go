package main

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// epoch is minute 0 of the data files.
var epoch = time.Date(2013, 1, 1, 0, 0, 0, 0, time.UTC)

// flight is one lean row. Missing numbers are "".
type flight struct {
	scheduled                           int // minutes since epoch
	block                               int // scheduled arrival − scheduled departure, minutes
	depDelay, arrDelay, airTime         string
	carrier, number, tail, origin, dest string
	distance                            string
}

// leanFlights turns the local clock readings of the source into minutes of UTC, checks the rule for
// arrivals against every row, and says how often it held.
func leanFlights(t *table) ([]flight, string, error) {
	clocks := map[string]*clock{}
	var flights []flight
	var arrived, agree, departed, sameDeparture int
	for i := range t.rows {
		f := flight{
			depDelay: t.get(i, "dep_delay"), arrDelay: t.get(i, "arr_delay"), airTime: t.get(i, "air_time"),
			carrier: t.get(i, "carrier"), number: t.get(i, "flight"), tail: t.get(i, "tailnum"),
			origin: t.get(i, "origin"), dest: t.get(i, "dest"), distance: t.get(i, "distance"),
		}
		hour, err := time.Parse(time.RFC3339, t.get(i, "time_hour"))
		if err != nil {
			return nil, "", fmt.Errorf("row %d: %w", i+2, err)
		}
		f.scheduled = int(hour.Sub(epoch)/time.Minute) + number(t.get(i, "minute"))
		to, err := clockOf(clocks, zoneOf[f.dest])
		if err != nil {
			return nil, "", fmt.Errorf("row %d: zone of %s: %w", i+2, f.dest, err)
		}
		f.block = to.next(f.scheduled, t.get(i, "sched_arr_time")) - f.scheduled
		if f.depDelay != "" {
			departed++
			ny, err := clockOf(clocks, "America/New_York")
			if err != nil {
				return nil, "", err
			}
			dep := f.scheduled + number(f.depDelay)
			if ny.next(dep, t.get(i, "dep_time")) == dep {
				sameDeparture++
			}
			if f.arrDelay != "" {
				arrived++
				clock := to.next(dep+number(f.airTime), t.get(i, "arr_time"))
				if clock == f.scheduled+f.block+number(f.arrDelay) {
					agree++
				}
			}
		}
		flights = append(flights, f)
	}
	slices.SortStableFunc(flights, func(a, b flight) int {
		return cmp.Or(cmp.Compare(a.scheduled, b.scheduled), cmp.Compare(a.carrier, b.carrier),
			cmp.Compare(number(a.number), number(b.number)), cmp.Compare(a.origin, b.origin))
	})
	report := fmt.Sprintf("%d flights; departure = scheduled + dep_delay on %d of %d; arrival rule agrees on %d of %d",
		len(flights), sameDeparture, departed, agree, arrived)
	return flights, report, nil
}

func number(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil {
		panic("make: not a whole number: " + s)
	}
	return n
}

// clock reads a zone's local time at minutes since epoch.
type clock struct {
	zone   *time.Location
	offset map[int]int // by UTC hour since epoch: minutes to add
}

func clockOf(clocks map[string]*clock, zone string) (*clock, error) {
	if c := clocks[zone]; c != nil {
		return c, nil
	}
	l, err := time.LoadLocation(zone)
	if err != nil || zone == "" {
		return nil, fmt.Errorf("zone %q: %w", zone, err)
	}
	clocks[zone] = &clock{zone: l, offset: map[int]int{}}
	return clocks[zone], nil
}

// next returns the first minute ≥ from at which the clock reads hhmm (2400 is midnight).
func (c *clock) next(from int, hhmm string) int {
	n := number(hhmm)
	want := (n/100*60 + n%100) % 1440
	for m := from; ; {
		hour := m / 60
		if m < 0 {
			hour = (m - 59) / 60
		}
		offset, ok := c.offset[hour]
		if !ok {
			_, s := epoch.Add(time.Duration(hour) * time.Hour).In(c.zone).Zone()
			offset = s / 60
			c.offset[hour] = offset
		}
		end := (hour + 1) * 60 // offsets change on whole hours
		wait := ((want-(m+offset))%1440 + 1440) % 1440
		if m+wait < end {
			return m + wait
		}
		m = end
	}
}

// splitFlights writes the lean rows as CSV files of two months (UTC) each.
func splitFlights(flights []flight) map[string][]byte {
	files := map[string]*bytes.Buffer{}
	for _, f := range flights {
		month := int(epoch.Add(time.Duration(f.scheduled) * time.Minute).Month())
		if f.scheduled >= 365*1440 {
			month = 12 // the evening of 31 December in New York
		}
		first := (month-1)/2*2 + 1
		name := fmt.Sprintf("flights-2013-%02d-%02d.csv", first, first+1)
		b := files[name]
		if b == nil {
			b = &bytes.Buffer{}
			b.WriteString("scheduled,dep_delay,block,arr_delay,air_time,carrier,flight,tail,origin,dest\n")
			files[name] = b
		}
		fmt.Fprintf(b, "%d,%s,%d,%s,%s,%s,%s,%s,%s,%s\n", f.scheduled, f.depDelay, f.block, f.arrDelay,
			f.airTime, f.carrier, f.number, f.tail, f.origin, f.dest)
	}
	out := map[string][]byte{}
	for name, b := range files {
		out[name] = b.Bytes()
	}
	return out
}

// routes lists every pair of airports with the zone of the destination and the distance that most of
// its flights state (the source has two for two routes).
func routes(flights []flight) []byte {
	counts := map[string]map[string]int{}
	for _, f := range flights {
		k := f.origin + "," + f.dest
		if counts[k] == nil {
			counts[k] = map[string]int{}
		}
		counts[k][f.distance]++
	}
	var lines []string
	for k, c := range counts {
		best := ""
		for d, n := range c {
			if best == "" || n > c[best] || n == c[best] && d < best {
				best = d
			}
		}
		lines = append(lines, k+","+best+","+zoneOf[strings.Split(k, ",")[1]]+"\n")
	}
	slices.Sort(lines)
	return []byte("origin,dest,distance,zone\n" + strings.Join(lines, ""))
}

// leanWeather keeps the readings; the local date and hour of the source repeat time_hour.
func leanWeather(t *table) ([]byte, error) {
	keep := []string{"temp", "dewp", "humid", "wind_dir", "wind_speed", "wind_gust", "precip", "pressure", "visib"}
	type line struct {
		hour int
		text string
	}
	var lines []line
	for i := range t.rows {
		at, err := time.Parse(time.RFC3339, t.get(i, "time_hour"))
		if err != nil {
			return nil, fmt.Errorf("row %d: %w", i+2, err)
		}
		hour := int(at.Sub(epoch) / time.Hour)
		text := fmt.Sprintf("%d,%s", hour, t.get(i, "origin"))
		for _, c := range keep {
			text += "," + short(t.get(i, c))
		}
		lines = append(lines, line{hour, text})
	}
	slices.SortFunc(lines, func(a, b line) int { return cmp.Or(cmp.Compare(a.hour, b.hour), cmp.Compare(a.text, b.text)) })
	b := bytes.NewBufferString("hour,origin," + strings.Join(keep, ",") + "\n")
	for _, l := range lines {
		b.WriteString(l.text + "\n")
	}
	return b.Bytes(), nil
}

// short drops the digits that come from converting knots to miles an hour in binary.
func short(s string) string {
	if s == "" {
		return ""
	}
	v, err := strconv.ParseFloat(s, 64)
	if err != nil {
		panic("make: not a number: " + s)
	}
	return strconv.FormatFloat(float64(int64(v*1e5+0.5))/1e5, 'f', -1, 64)
}

// leanPlanes keeps what the demo uses of the registry.
func leanPlanes(t *table) ([]byte, error) {
	var lines []string
	for i := range t.rows {
		lines = append(lines, strings.Join([]string{t.get(i, "tailnum"), t.get(i, "year"), t.get(i, "seats"),
			t.get(i, "engines"), t.get(i, "manufacturer"), t.get(i, "model")}, ",")+"\n")
	}
	slices.Sort(lines)
	return []byte("tail,year,seats,engines,manufacturer,model\n" + strings.Join(lines, "")), nil
}
