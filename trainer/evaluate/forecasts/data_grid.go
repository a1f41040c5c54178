package forecasts

import (
	"fmt"
	"math"
	"slices"
	"sort"
)

// steps finds the length of a step and turns the times of all series into steps.
func (d *data) steps(times *clockReader, name string) error {
	for _, s := range d.series {
		d.sort(s.points, s.x, name)
		d.sort(s.tail, s.tailX, d.o.Test)
	}
	if err := d.findGrid(times, name); err != nil {
		return err
	}
	d.grid.snap = d.o.Snap
	for _, s := range d.series {
		if err := d.place(s, name); err != nil {
			return err
		}
	}
	return nil
}

// sort puts points into the order of their times; rows of one time keep theirs.
func (d *data) sort(points []point, x []float64, name string) {
	sorted := true
	for i := 1; i < len(points); i++ {
		if points[i].t < points[i-1].t {
			sorted = false
			d.unsorted++
			if d.unsortedAt == "" {
				d.unsortedAt = fmt.Sprintf("%s:%d", name, points[i].line)
			}
		}
	}
	if !sorted {
		sort.Stable(&byTime{points, x, len(d.regressors), make([]float64, len(d.regressors))})
	}
}

// byTime sorts points with their regressors.
type byTime struct {
	points []point
	x      []float64
	width  int
	swap   []float64
}

func (b *byTime) Len() int           { return len(b.points) }
func (b *byTime) Less(i, j int) bool { return b.points[i].t < b.points[j].t }
func (b *byTime) Swap(i, j int) {
	b.points[i], b.points[j] = b.points[j], b.points[i]
	xi, xj := b.x[i*b.width:(i+1)*b.width], b.x[j*b.width:(j+1)*b.width]
	copy(b.swap, xi)
	copy(xi, xj)
	copy(xj, b.swap)
}

func (d *data) findGrid(times *clockReader, name string) error {
	if !times.started {
		d.grid = grid{kind: byPlace, step: 1}
		if d.o.Step != "" {
			return fmt.Errorf("step: there are no times that it could hold for: name their column with --time")
		}
		return nil
	}
	if d.o.Step != "" {
		g, err := parseStep(d.o.Step, times.numbers)
		d.grid = g
		return err
	}
	f := newFinding()
	for _, s := range d.series {
		f.series(s.points, times.numbers)
	}
	if len(f.kinds[byMoment].count) == 0 { // no series has two times: those of the test say more
		for _, s := range d.series {
			f.series(slices.Concat(s.points[max(len(s.points)-1, 0):], s.tail), times.numbers)
		}
	}
	d.grid = f.grid(times.numbers, times.monthly)
	if d.grid.step > 0 {
		return nil
	}
	if len(f.kinds[byMoment].count) == 0 { // every key has one time
		d.grid.step = dayLength
		return nil
	}
	usual := f.usual(times.numbers)
	return d.misfit(usual, name)
}

// misfit names the first time that is no multiple of the usual step from the time before.
func (d *data) misfit(g grid, name string) error {
	for _, s := range d.series {
		for i := 1; i < len(s.points); i++ {
			if gap := s.points[i].t - s.points[i-1].t; gap%g.step != 0 {
				return fmt.Errorf("%s:%d: key %q: the time lies %s after the one before, which is no multiple of the usual step of %s: mend it, give --step, or let times belong to the step they lie in with --snap and --step",
					name, s.points[i].line, s.key, describeGap(g, gap), g.describe())
			}
		}
	}
	return fmt.Errorf("%s: no step fits the times: give --step", name)
}

func describeGap(g grid, gap int64) string {
	g.step = gap
	return g.describe()
}

// place turns the times of a series into steps since its first value, and joins its test part.
func (d *data) place(s *series, name string) error {
	width := len(d.regressors)
	lead := 0 // missing values before the first one
	for lead < len(s.points) && math.IsNaN(s.points[lead].y) {
		lead++
	}
	s.points, s.x = s.points[lead:], s.x[lead*width:]
	if len(s.points) == 0 {
		s.tail, s.tailX = nil, nil
		return nil
	}
	first := s.points[0].stamp()
	s.base = d.count(first)
	var err error
	if s.points, s.x, err = d.slots(s, first, s.points, s.x, name); err != nil {
		return err
	}
	if s.tail, s.tailX, err = d.slots(s, first, s.tail, s.tailX, d.o.Test); err != nil {
		return err
	}
	s.train = len(s.points)
	if len(s.tail) > 0 && s.tail[0].t <= s.points[s.train-1].t {
		return fmt.Errorf("%s:%d: key %q: its time %s is not after %s, the last of the file before: a test file holds what comes after",
			d.o.Test, s.tail[0].line, s.key, d.grid.text(s.tail[0].t, s.base), d.grid.text(s.points[s.train-1].t, s.base))
	}
	s.points, s.x = append(s.points, s.tail...), append(s.x, s.tailX...)
	s.tail, s.tailX = nil, nil
	return nil
}

func (d *data) count(s stamp) int64 {
	if d.grid.kind == byPlace {
		return s.t
	}
	return d.grid.count(s)
}

// slots turns times into steps, and merges those of one step.
func (d *data) slots(s *series, first stamp, points []point, x []float64, name string) ([]point, []float64, error) {
	width, n, same := len(d.regressors), 0, 0
	for i := range points {
		p := points[i]
		slot, fits := d.grid.slot(d.count(p.stamp()), s.base)
		if !fits {
			return nil, nil, fmt.Errorf("%s:%d: key %q: the time does not fit steps of %s from the series' first, %s: mend it, give another --step, or let times belong to the step they lie in with --snap",
				name, p.line, s.key, d.grid.describe(), d.grid.text(0, s.base))
		}
		if d.grid.kind == byMonth && !d.grid.snap && !sameDay(first, p.stamp()) {
			return nil, nil, fmt.Errorf("%s:%d: key %q: the time lies on another day of the month than the series' first: mend it, or let times belong to the month they lie in with --snap", name, p.line, s.key)
		}
		p.t = slot
		if n == 0 || points[n-1].t != slot {
			points[n] = p
			copy(x[n*width:(n+1)*width], x[i*width:(i+1)*width])
			n, same = n+1, 0
			if !math.IsNaN(p.y) {
				same = 1
			}
			continue
		}
		d.repeated++
		if !math.IsNaN(p.y) {
			same++
		}
		if err := d.merge(&points[n-1], &p, same); err != nil {
			return nil, nil, fmt.Errorf("%s:%d: key %q: %w", name, p.line, s.key, err)
		}
		if d.o.Repeat != "first" {
			copy(x[(n-1)*width:n*width], x[i*width:(i+1)*width])
		}
	}
	return points[:n], x[:n*width], nil
}

// merge takes a further value of a step into the first; same of them are not missing.
func (d *data) merge(into, p *point, same int) error {
	switch d.o.Repeat {
	case "first":
		if math.IsNaN(into.y) {
			into.y = p.y
		}
	case "last":
		if !math.IsNaN(p.y) {
			into.y = p.y
		}
	case "sum":
		if math.IsNaN(into.y) {
			into.y = 0
		}
		if !math.IsNaN(p.y) {
			into.y += p.y
		}
	case "mean":
		switch {
		case math.IsNaN(into.y):
			into.y = p.y
		case !math.IsNaN(p.y):
			into.y += (p.y - into.y) / float64(same)
		}
	default:
		hint := ""
		if d.grid.kind == byMoment && d.o.Zone == nil {
			hint = "; where clocks go back an hour is there twice: give --zone, such as Europe/Berlin"
		}
		return fmt.Errorf("there is a value of this step already, in line %d: remove one, or say with --repeated first, last, mean or sum what to do%s", into.line, hint)
	}
	return nil
}

// sameDay reports whether two times lie on the same day of a month, or both on its last.
func sameDay(a, b stamp) bool {
	x, y := wallDate(a), wallDate(b)
	return x.Day() == y.Day() || x.AddDate(0, 0, 1).Day() == 1 && y.AddDate(0, 0, 1).Day() == 1
}
