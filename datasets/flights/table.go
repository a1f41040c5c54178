package flights

import (
	"bytes"
	"compress/gzip"
	"embed"
	"errors"
	"fmt"
	"io"
	"strconv"
)

//go:embed data/*.csv.gz
var files embed.FS

//go:embed freshet.yaml
var project []byte

// Project returns a copy of the demo's project file, freshet.yaml.
func Project() []byte { return bytes.Clone(project) }

// flightFiles are the lean flights in the order of scheduled departure.
var flightFiles = []string{"flights-2013-01-02", "flights-2013-03-04", "flights-2013-05-06",
	"flights-2013-07-08", "flights-2013-09-10", "flights-2013-11-12"}

// missing stands for an empty number.
const missing = -1 << 15

// flight is one lean row. Minutes count from 2013-01-01T00:00Z.
type flight struct {
	scheduled          int32 // minute of the scheduled departure
	depDelay, arrDelay int16 // minutes, missing
	block, airTime     int16 // minutes; airTime may be missing
	distance           int16 // miles
	number             uint16
	tail, dest         uint16 // indices into names
	carrier, origin    uint16
}

// weather is one hour of readings at an airport; the readings stay text.
type weather struct {
	hour     int32 // hours since 2013-01-01T00:00Z
	origin   uint16
	readings [len(readingNames)]string
}

var readingNames = [...]string{"temp", "dewp", "humid", "wind_dir", "wind_speed", "wind_gust", "precip", "pressure", "visib"}

// plane is one row of the registry; the cells stay text.
type plane struct{ tail, year, seats, engines, manufacturer, model string }

// data is everything, in memory: about 25 MB.
type data struct {
	names    []string // every tail number, airport and carrier once
	flights  []flight
	weather  []weather
	planes   []plane
	index    map[string]uint16
	distance map[[2]uint16]int16
}

// load reads the embedded files.
func load() (*data, error) {
	d := &data{index: map[string]uint16{}, distance: map[[2]uint16]int16{}, flights: make([]flight, 0, 336776)}
	d.intern(nil)
	if err := each("routes", 4, func(c [][]byte) error {
		n, err := strconv.Atoi(string(c[2]))
		d.distance[[2]uint16{d.intern(c[0]), d.intern(c[1])}] = int16(n)
		return err
	}); err != nil {
		return nil, err
	}
	for _, name := range flightFiles {
		if err := each(name, 10, d.addFlight); err != nil {
			return nil, err
		}
	}
	if err := each("weather", 2+len(readingNames), d.addWeather); err != nil {
		return nil, err
	}
	return d, each("planes", 6, func(c [][]byte) error {
		d.planes = append(d.planes, plane{string(c[0]), string(c[1]), string(c[2]), string(c[3]), string(c[4]), string(c[5])})
		return nil
	})
}

func (d *data) addFlight(c [][]byte) error {
	var f flight
	var bad bool
	number := func(b []byte) int16 {
		n, ok := atoi(b)
		bad = bad || !ok
		return int16(n)
	}
	scheduled, ok := atoi(c[0])
	f.scheduled = int32(scheduled)
	f.depDelay, f.block, f.arrDelay, f.airTime = number(c[1]), number(c[2]), number(c[3]), number(c[4])
	f.carrier, f.number = d.intern(c[5]), uint16(number(c[6]))
	f.tail, f.origin, f.dest = d.intern(c[7]), d.intern(c[8]), d.intern(c[9])
	f.distance = d.distance[[2]uint16{f.origin, f.dest}]
	if bad || !ok || f.distance == 0 {
		return errors.New("malformed flight")
	}
	d.flights = append(d.flights, f)
	return nil
}

func (d *data) addWeather(c [][]byte) error {
	hour, ok := atoi(c[0])
	if !ok {
		return errors.New("malformed hour")
	}
	w := weather{hour: int32(hour), origin: d.intern(c[1])}
	for i := range w.readings {
		w.readings[i] = string(c[2+i])
	}
	d.weather = append(d.weather, w)
	return nil
}

func (d *data) intern(b []byte) uint16 {
	if i, ok := d.index[string(b)]; ok {
		return i
	}
	s := string(b)
	d.index[s] = uint16(len(d.names))
	d.names = append(d.names, s)
	return uint16(len(d.names) - 1)
}

// atoi reads a whole number; an empty cell is missing.
func atoi(b []byte) (int, bool) {
	if len(b) == 0 {
		return missing, true
	}
	sign, n := 1, 0
	if b[0] == '-' {
		sign, b = -1, b[1:]
	}
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	return sign * n, len(b) > 0
}

// each calls f with the cells of every row of a data file; they are valid during the call.
func each(name string, columns int, f func([][]byte) error) error {
	z, err := files.Open("data/" + name + ".csv.gz")
	if err != nil {
		return err
	}
	r, err := gzip.NewReader(z)
	if err != nil {
		return fmt.Errorf("open %s: %w", name, err)
	}
	b, err := io.ReadAll(r)
	if err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	cells := make([][]byte, 0, columns)
	_, b, _ = bytes.Cut(b, []byte("\n"))
	for line := 2; len(b) > 0; line++ {
		var row []byte
		row, b, _ = bytes.Cut(b, []byte("\n"))
		cells = cells[:0]
		for more := true; more; {
			var cell []byte
			cell, row, more = bytes.Cut(row, []byte(","))
			cells = append(cells, cell)
		}
		if len(cells) != columns {
			return fmt.Errorf("read %s: line %d: %d cells, want %d", name, line, len(cells), columns)
		}
		if err := f(cells); err != nil {
			return fmt.Errorf("read %s: line %d: %w", name, line, err)
		}
	}
	return nil
}
