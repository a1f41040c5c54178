package forecasts

import (
	"context"
	"fmt"
	"io"
	"math"
	"strings"

	"github.com/freshet-ml/freshet/internal/spelling"
	"github.com/freshet-ml/freshet/trainer/evaluate"
)

// point is one row of a series. Until the steps are known t is its time, then the number of its step since the first.
type point struct {
	t      int64
	y      float64 // NaN: missing
	offset int32
	line   int32
}

func (p *point) stamp() stamp { return stamp{p.t, p.offset} }

// series is one key.
type series struct {
	key    string
	base   int64     // count of the first step
	points []point   // by rising step, beginning with a value
	x      []float64 // regressors by point
	train  int       // points before those of the test file
	tail   []point   // of the test file, until they are joined
	tailX  []float64
	last   int64 // greatest moment read, for times that are there twice
	loaded bool  // there is a state of it, at the step before
	before int64 // step before the first point
}

// at is the step of a point, -1 being the one before the first.
func (s *series) at(point int) int64 {
	if point < 0 {
		return s.before
	}
	return s.points[point].t
}

// data is what files hold.
type data struct {
	ctx        context.Context
	progress   evaluate.Progress
	rows       int64 // read
	o          *Options
	layout     string
	grid       grid
	series     []*series
	index      map[string]*series
	regressors []string
	values     int64 // held in memory
	strangers  int64 // keys of the test that a limit left out
	unsorted   int64 // rows that stood before an earlier one
	unsortedAt string
	repeated   int64 // values that were merged
	notes      []string
}

// readData reads the file and its test.
func readData(ctx context.Context, o *Options, progress evaluate.Progress) (*data, error) {
	d := &data{ctx: ctx, progress: progress, o: o, index: map[string]*series{}, regressors: o.Regressors}
	times := &clockReader{zone: o.Zone}
	name, err := d.file(o.Path, o.Reader, times, false)
	if err != nil {
		return nil, err
	}
	if len(d.series) == 0 {
		return nil, fmt.Errorf("%s: there is no row after the first line, which names the columns", name)
	}
	if o.Test != "" {
		if _, err := d.file(o.Test, nil, times, true); err != nil {
			return nil, err
		}
	}
	if err := d.steps(times, name); err != nil {
		return nil, err
	}
	d.explain()
	return d, nil
}

// file reads one file, and finds its layout if it is the first.
func (d *data) file(path string, in io.Reader, times *clockReader, test bool) (string, error) {
	r, err := evaluate.OpenRows(path, in, d.o.Format, true)
	if err != nil {
		return "", err
	}
	defer r.Close()
	c, err := d.columns(r)
	if err != nil {
		return "", err
	}
	if test && c.layout != d.layout {
		return "", fmt.Errorf("%s: its layout is %s, and that of the file before %s: write both alike, or name it with --layout", r.Name(), c.layout, d.layout)
	}
	d.layout = c.layout
	f := &filing{data: d, rows: r, columns: c, times: times, test: test}
	for n := int64(0); test || d.o.Limit == 0 || n < d.o.Limit; n++ {
		err := r.Next()
		if err == io.EOF {
			break
		}
		if err == nil {
			err = f.row()
		}
		if err == nil {
			err = d.tell()
		}
		if err != nil {
			return "", err
		}
	}
	return r.Name(), nil
}

// tell reports now and then how far reading is, and ends it when the run is to end.
func (d *data) tell() error {
	const every = 4096
	if d.rows++; d.rows%every != 0 {
		return nil
	}
	if d.progress != nil {
		d.progress(&evaluate.Standing{Reading: true, Rows: d.rows})
	}
	return d.ctx.Err()
}

// filing puts the rows of a file into their series.
type filing struct {
	*data
	rows    *evaluate.Rows
	columns *columns
	times   *clockReader
	test    bool
	x       []float64
	seen    map[string]int // of files with a row for each series: the line of each key
	place   int64          // of files with a column for each series and no times
}

func (f *filing) errorf(format string, args ...any) error {
	return fmt.Errorf("%s:%d: %w", f.rows.Name(), f.rows.Line, fmt.Errorf(format, args...))
}

func (f *filing) row() error {
	if f.layout != "rows" && len(f.rows.Fields) < len(f.rows.Columns) {
		return f.errorf("the row has %d fields, and the first line names %d columns: mend or remove it", len(f.rows.Fields), len(f.rows.Columns))
	}
	switch f.layout {
	case "rows":
		return f.wideRow()
	case "columns":
		return f.wideColumns()
	}
	return f.longRow()
}

// find returns the series of a key; nil for one of the test that a limit left out.
func (f *filing) find(key string) (*series, error) {
	if s, ok := f.index[key]; ok {
		return s, nil
	}
	if f.test {
		if f.o.Limit > 0 {
			f.strangers++
			return nil, nil
		}
		var near string
		if len(f.series) <= 10_000 {
			keys := make([]string, len(f.series))
			for i, s := range f.series {
				keys[i] = s.key
			}
			near = spelling.DidYouMean(key, keys)
		}
		return nil, f.errorf("%q: there is no such key in the file before: nothing was learned of it; remove the row, or mend the key%s", key, prefix("; ", near))
	}
	if len(f.series) == MaxSeries {
		return nil, f.errorf("more than %d series: split the file", MaxSeries)
	}
	s := &series{key: strings.Clone(key), last: never, before: -1}
	f.series, f.index[s.key] = append(f.series, s), s
	return s, nil
}

func prefix(by, text string) string {
	if text == "" {
		return ""
	}
	return by + text
}

// add appends a point to a series, with the regressors of f.x.
func (f *filing) add(s *series, p point) error {
	if f.values += int64(1 + len(f.x)); f.values > maxValues {
		return f.errorf("more than %d numbers: split the file, or take --limit", maxValues)
	}
	p.line = int32(min(f.rows.Line, math.MaxInt32))
	if f.test {
		s.tail, s.tailX = append(s.tail, p), append(s.tailX, f.x...)
		return nil
	}
	s.points, s.x = append(s.points, p), append(s.x, f.x...)
	return nil
}

// value parses a field: NaN where it is missing.
func (f *filing) value(column int) (float64, error) {
	text := f.rows.Fields[column]
	if evaluate.Missing(text) {
		return math.NaN(), nil
	}
	x, ok := evaluate.Number(text)
	if !ok || math.IsInf(x, 0) {
		return 0, f.errorf("column %s: %q is no finite number: mend it, or leave it empty if it is missing", f.rows.Columns[column], text)
	}
	return x, nil
}

// longRow is key, time, value and regressors.
func (f *filing) longRow() error {
	c, key := f.columns, ""
	if c.key >= 0 {
		if key = f.rows.Fields[c.key]; key == "" {
			return f.errorf("column %s: the row has no key: mend or remove it", f.rows.Columns[c.key])
		}
	}
	s, err := f.find(key)
	if s == nil {
		return err
	}
	var p point
	if p.y, err = f.value(c.target); err != nil {
		return err
	}
	f.x = f.x[:0]
	for _, column := range c.regressors {
		x, err := f.value(column)
		if err != nil {
			return err
		}
		f.x = append(f.x, x)
	}
	if c.time < 0 {
		p.t = int64(len(s.points) + len(s.tail))
		return f.add(s, p)
	}
	if p.t, p.offset, err = f.time(s.last); err != nil {
		return err
	}
	s.last = max(s.last, p.t)
	return f.add(s, p)
}

func (f *filing) time(last int64) (int64, int32, error) {
	column := f.columns.time
	text := f.rows.Fields[column]
	if evaluate.Missing(text) {
		return 0, 0, f.errorf("column %s: the row has no time: mend or remove it", f.rows.Columns[column])
	}
	s, err := f.times.read(text, last)
	if err != nil {
		return 0, 0, f.errorf("column %s: %w", f.rows.Columns[column], err)
	}
	return s.t, s.offset, nil
}

// wideRow is an id and the values of its series. Empty fields at the end are padding, those between are gaps.
func (f *filing) wideRow() error {
	if f.seen == nil {
		f.seen = map[string]int{}
	}
	fields, at := f.rows.Fields, f.columns.key
	if at >= len(fields) || fields[at] == "" {
		return f.errorf("the row has no key in column %s: mend or remove it", f.rows.Columns[at])
	}
	key := fields[at]
	if line, ok := f.seen[key]; ok {
		return f.errorf("the key %q is there twice, first in line %d: a series has one row", key, line)
	}
	s, err := f.find(key)
	if s == nil {
		return err
	}
	f.seen[s.key] = f.rows.Line
	from := int64(0)
	if n := len(s.points); f.test && n > 0 {
		from = s.points[n-1].t + 1
	}
	place := int64(0)
	for i := range fields {
		if i == at {
			continue
		}
		y, err := f.value(i)
		if err != nil {
			return err
		}
		if !math.IsNaN(y) {
			if err := f.add(s, point{t: from + place, y: y}); err != nil {
				return err
			}
		}
		place++
	}
	return nil
}

// wideColumns is a time and a value of each series.
func (f *filing) wideColumns() error {
	var at point
	if f.columns.time >= 0 {
		var err error
		var last int64 = never
		if len(f.columns.series) > 0 {
			if s := f.index[f.rows.Columns[f.columns.series[0]]]; s != nil {
				last = s.last
			}
		}
		if at.t, at.offset, err = f.time(last); err != nil {
			return err
		}
	} else {
		at.t = f.place
		f.place++
	}
	for _, column := range f.columns.series {
		s, err := f.find(f.rows.Columns[column])
		if err != nil {
			return err
		}
		if s == nil {
			continue
		}
		y, err := f.value(column)
		if err != nil {
			return err
		}
		p := at
		if p.y = y; f.columns.time < 0 && f.test && len(s.points) > 0 {
			p.t += s.points[len(s.points)-1].t + 1
		}
		s.last = max(s.last, p.t)
		if err := f.add(s, p); err != nil {
			return err
		}
	}
	return nil
}

// explain writes what was done with the rows.
func (d *data) explain() {
	if d.unsorted > 0 {
		d.notes = append(d.notes, fmt.Sprintf("%d rows stood before an earlier time of their key, the first at %s: they were sorted", d.unsorted, d.unsortedAt))
	}
	if d.repeated > 0 {
		d.notes = append(d.notes, fmt.Sprintf("%d values came to a step that had one: %s of each was taken", d.repeated, d.o.Repeat))
	}
	if d.strangers > 0 {
		d.notes = append(d.notes, fmt.Sprintf("%d rows of the test have keys beyond --limit: they were left out", d.strangers))
	}
	if d.grid.kind == byPlace && d.layout != "rows" {
		d.notes = append(d.notes, "no --time: the rows of each key are taken for steps that follow each other")
	}
	gaps, empty := int64(0), 0
	for _, s := range d.series {
		if len(s.points) == 0 {
			empty++
			continue
		}
		gaps += s.points[len(s.points)-1].t + 1 - int64(len(s.points))
	}
	if gaps > 0 {
		d.notes = append(d.notes, fmt.Sprintf("%d steps between the values have no row: they count as missing", gaps))
	}
	if empty > 0 {
		d.notes = append(d.notes, fmt.Sprintf("%d series have no value: they were left out", empty))
	}
}
