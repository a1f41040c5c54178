package neighbors

import (
	"cmp"
	"math"
	"slices"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/cow"
)

// pageRows is how many rows share a page.
const pageRows = 32

// How columns are made comparable.
const (
	scaleRange     = "range"
	scaleDeviation = "deviation"
	scaleNone      = "none"
)

// rows is what is searched: scaled numbers in the order of their spread, so that most rows are ruled out by the first
// four, then categories. A learner owns one, its snapshots share the pages.
type rows struct {
	capacity int
	n        int // rows in use: slots 0 … n−1
	width    int // columns of the schema
	numbers  []int
	nominal  []int
	stride   int       // numbers, rounded up to a multiple of 4
	order    []int     // places in numbers, the widest spread first
	middle   []float64 // by place in numbers: the mean, which stands for missing values
	low      []float64 // scaled = (x − low)·rate
	rate     []float64
	scaled   cow.Pages[float64] // pageRows × stride
	category cow.Pages[float64] // pageRows × len(nominal)
	label    cow.Pages[float64] // pageRows × (label, weight, number of the row)
}

// window is the newest rows with what is needed to scale them anew.
type window struct {
	rows
	scale   string
	raw     cow.Pages[float64] // pageRows × numbers
	head    int                // the next slot
	seen    uint64             // rows that came in
	refresh uint64             // rows after which the scales are taken anew
}

func newWindow(schema *features.Schema, capacity int, scale string) window {
	w := window{scale: scale, refresh: 1}
	w.capacity, w.width = capacity, len(schema.Columns)
	for i, c := range schema.Columns {
		if c.Kind == features.Categorical {
			w.nominal = append(w.nominal, i)
		} else {
			w.numbers = append(w.numbers, i)
			w.order = append(w.order, len(w.order))
		}
	}
	d := len(w.numbers)
	w.stride = (d + 3) &^ 3
	w.middle, w.low, w.rate = make([]float64, d), make([]float64, d), make([]float64, d)
	for j := range w.rate {
		w.rate[j] = 1
	}
	pages := (capacity + pageRows - 1) / pageRows
	w.raw, w.scaled = cow.New[float64](pages, pageRows*d), cow.New[float64](pages, pageRows*w.stride)
	w.category, w.label = cow.New[float64](pages, pageRows*len(w.nominal)), cow.New[float64](pages, pageRows*3)
	return w
}

// question writes the row of e as it is compared to those kept: q has room for stride numbers, c for the categories.
func (r *rows) question(q, c []float64, e *models.Example) {
	dense := e.Index == nil && len(e.Value) >= r.width
	for at, j := range r.order {
		x := 0.0
		if dense {
			x = e.Value[r.numbers[j]]
		} else {
			x = e.At(r.numbers[j])
		}
		q[at] = r.scaleOne(j, x)
	}
	for at, i := range r.nominal {
		c[at] = e.At(i)
	}
}

func (r *rows) scaleOne(j int, x float64) float64 {
	if x != x {
		x = r.middle[j]
	} else if x > limit || x < -limit {
		x = bounded(x)
	}
	return float64(max(-limit, min(limit, x-r.low[j])) * r.rate[j])
}

// search finds the nearest rows by brute force. A row is left as soon as a part of its distance is too much.
func (r *rows) search(f *found, q, c []float64) {
	for p := 0; p*pageRows < r.n; p++ {
		count := min(pageRows, r.n-p*pageRows)
		switch {
		case len(c) > 0:
			r.searchMixed(f, p, count, q, c)
		case r.stride == 8:
			searchEight(f, r.scaled.Page(p), p*pageRows, count, q)
		default:
			searchPage(f, r.scaled.Page(p), p*pageRows, count, q)
		}
	}
}

func searchEight(f *found, page []float64, base, count int, q []float64) {
	q0, q1, q2, q3, q4, q5, q6, q7 := q[0], q[1], q[2], q[3], q[4], q[5], q[6], q[7]
	worst := f.worst()
	for i := 0; i < count; i++ {
		row := (*[8]float64)(page[i*8:])
		a, b, c, d := row[0]-q0, row[1]-q1, row[2]-q2, row[3]-q3
		s := (float64(a*a) + float64(b*b)) + (float64(c*c) + float64(d*d))
		if s >= worst {
			continue
		}
		a, b, c, d = row[4]-q4, row[5]-q5, row[6]-q6, row[7]-q7
		s += (float64(a*a) + float64(b*b)) + (float64(c*c) + float64(d*d))
		if s < worst {
			f.add(s, int32(base+i))
			worst = f.worst()
		}
	}
}

func searchPage(f *found, page []float64, base, count int, q []float64) {
	worst, stride := f.worst(), len(q)
	for i := 0; i < count; i++ {
		if s := partial(page[i*stride:i*stride+stride], q, worst); s < worst {
			f.add(s, int32(base+i))
			worst = f.worst()
		}
	}
}

// partial is the squared distance of two rows of a multiple of four numbers, or a part of it that is at least worst.
func partial(row, q []float64, worst float64) float64 {
	s := 0.0
	for len(row) >= 4 && len(q) >= 4 {
		a, b, c, d := row[0]-q[0], row[1]-q[1], row[2]-q[2], row[3]-q[3]
		s += (float64(a*a) + float64(b*b)) + (float64(c*c) + float64(d*d))
		if s >= worst {
			break
		}
		row, q = row[4:], q[4:]
	}
	return s
}

func (r *rows) searchMixed(f *found, p, count int, q, c []float64) {
	page, categories := r.scaled.Page(p), r.category.Page(p)
	for i := range count {
		if s := r.mixed(page, categories, i, q, c, f.worst()); s < f.worst() {
			f.add(s, int32(p*pageRows+i))
		}
	}
}

// mixed adds 1 for each category that differs or that either side lacks.
func (r *rows) mixed(page, categories []float64, i int, q, c []float64, worst float64) float64 {
	s := partial(page[i*r.stride:(i+1)*r.stride], q, worst)
	for j, x := range categories[i*len(c) : (i+1)*len(c)] {
		if x != c[j] {
			s++
		}
	}
	return s
}

// distance is that of the row in a slot, or at least worst.
func (r *rows) distance(slot int32, q, c []float64, worst float64) float64 {
	p, i := int(slot)/pageRows, int(slot)%pageRows
	if len(c) > 0 {
		return r.mixed(r.scaled.Page(p), r.category.Page(p), i, q, c, worst)
	}
	return partial(r.scaled.Page(p)[i*r.stride:(i+1)*r.stride], q, worst)
}

// at returns label and weight of the row in a slot.
func (r *rows) at(slot int32) (y, weight float64) {
	page := r.label.Page(int(slot) / pageRows)
	i := int(slot) % pageRows * 3
	return page[i], page[i+1]
}

// born is the number of the row in a slot: rows are numbered as they come in.
func (r *rows) born(slot int32) float64 {
	return r.label.Page(int(slot) / pageRows)[int(slot)%pageRows*3+2]
}

// add keeps the row of e in place of the oldest, and returns its slot and whether it took another's place.
func (w *window) add(e *models.Example) (slot int, replaced bool) {
	slot = w.head
	p, i := slot/pageRows, slot%pageRows
	raw := w.raw.Own(p)[i*len(w.numbers):]
	for j, column := range w.numbers {
		raw[j] = e.At(column)
	}
	for j, column := range w.nominal {
		w.category.Own(p)[i*len(w.nominal)+j] = e.At(column)
	}
	label := w.label.Own(p)[3*i:]
	label[0], label[1], label[2] = e.Y, e.Weight, float64(w.seen)
	w.project(slot)
	w.head++
	if w.head == w.capacity {
		w.head = 0
	}
	replaced = w.n == w.capacity
	w.n = min(w.n+1, w.capacity)
	w.seen++
	return slot, replaced
}

// project scales one row.
func (w *window) project(slot int) {
	p, i := slot/pageRows, slot%pageRows
	raw := w.raw.Page(p)[i*len(w.numbers):]
	out := w.scaled.Own(p)[i*w.stride:]
	for at, j := range w.order {
		out[at] = w.scaleOne(j, raw[j])
	}
}

// due reports whether the scales have to be taken anew: when the rows have doubled, later after a quarter of the window.
func (w *window) due() bool { return w.seen >= w.refresh }

// rescale takes the scales from the rows of the window, and scales them all. Cost: O(window · columns).
func (w *window) rescale() {
	w.refresh = w.seen + min(w.seen, uint64(max(w.capacity/4, 16)))
	spread := make([]float64, len(w.numbers))
	for j := range w.numbers {
		spread[j] = w.measure(j)
	}
	for i := range w.order {
		w.order[i] = i
	}
	w.sortBy(spread)
	for slot := range w.n {
		w.project(slot)
	}
}

// measure sets the scale of a column, and returns the variance that it has when scaled. A column that does not vary
// in the window counts 0.
func (w *window) measure(j int) float64 {
	m := noMoments()
	for slot := range w.n {
		m.add(w.raw.Page(slot / pageRows)[slot%pageRows*len(w.numbers)+j])
	}
	return w.scaleBy(j, w.scale, m)
}

// moments are what the scale of a column follows from.
type moments struct{ n, mean, squares, low, high float64 }

func noMoments() moments { return moments{low: math.Inf(1), high: math.Inf(-1)} }

// add takes a value in, unless it is missing.
func (m *moments) add(x float64) {
	if x != x {
		return
	}
	x = bounded(x)
	m.n++
	d := x - m.mean
	m.mean += d / m.n
	m.squares += float64(d * (x - m.mean))
	m.low, m.high = min(m.low, x), max(m.high, x)
}

// sortBy puts the columns that vary most first.
func (r *rows) sortBy(spread []float64) {
	slices.SortStableFunc(r.order, func(a, b int) int { return cmp.Compare(spread[b], spread[a]) })
}

// scaleBy sets the scale of a column from its moments and range, and returns the variance that it has when scaled.
func (r *rows) scaleBy(j int, how string, m moments) float64 {
	if m.n == 0 {
		r.middle[j], r.low[j], r.rate[j] = 0, 0, 0
		return 0
	}
	r.middle[j], r.low[j], r.rate[j] = m.mean, 0, 1
	switch {
	case how == scaleNone:
	case m.squares == 0 || m.high-m.low < 1e-100:
		r.low[j], r.rate[j] = m.mean, 0
	case how == scaleRange:
		r.low[j], r.rate[j] = m.low, 1/(m.high-m.low)
	default:
		r.low[j], r.rate[j] = m.mean, math.Sqrt(m.n/m.squares)
	}
	return m.squares / m.n * r.rate[j] * r.rate[j]
}

// state visits the rows and the scales; scaled rows are derived.
func (w *window) state(s *codec.State) {
	s.Fixed("rows of the window", w.capacity)
	s.Fixed("numeric columns of the window", len(w.numbers))
	s.Fixed("categorical columns of the window", len(w.nominal))
	w.n = s.Len(w.n, 1, w.capacity)
	s.Int(&w.head)
	s.Uint64(&w.seen)
	s.Uint64(&w.refresh)
	for j := range w.numbers {
		s.Int(&w.order[j])
		s.Float64(&w.middle[j])
		s.Float64(&w.low[j])
		s.Float64(&w.rate[j])
	}
	if s.Loading() && !w.sound() {
		s.Fail("window of %d rows with head %d, or its scales", w.n, w.head)
		w.n, w.head, w.order = 0, 0, identity(len(w.numbers))
	}
	d := len(w.numbers)
	for slot := range w.n {
		p, i := slot/pageRows, slot%pageRows
		visit(s, w.raw.Own(p)[i*d:(i+1)*d])
		visit(s, w.category.Own(p)[i*len(w.nominal):(i+1)*len(w.nominal)])
		visit(s, w.label.Own(p)[3*i:3*i+3])
		if s.Loading() {
			if s.Err() != nil {
				w.n = 0
				return
			}
			w.project(slot)
		}
	}
}

// sound reports whether a loaded window can be computed with.
func (w *window) sound() bool {
	full := w.n == w.capacity
	return w.head >= 0 && w.head < w.capacity && (full || w.head == w.n) && w.seen >= uint64(w.n) && w.soundScales()
}

// soundScales reports whether loaded scales can be computed with.
func (r *rows) soundScales() bool {
	taken := make([]bool, len(r.order))
	for j, at := range r.order {
		if at < 0 || at >= len(taken) || taken[at] || !(r.rate[j] >= 0 && r.rate[j] <= 1e110) || !(math.Abs(r.low[j]) <= limit && math.Abs(r.middle[j]) <= limit) {
			return false
		}
		taken[at] = true
	}
	return true
}

func identity(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}

func visit(s *codec.State, v []float64) {
	for i := range v {
		s.Float64(&v[i])
	}
}

// share returns an immutable view. Cost: the table of pages and the scales.
func (w *window) share() rows {
	r := w.rows
	r.order, r.middle, r.low, r.rate = slices.Clone(w.order), slices.Clone(w.middle), slices.Clone(w.low), slices.Clone(w.rate)
	r.scaled, r.category, r.label = w.scaled.Share(), w.category.Share(), w.label.Share()
	return r
}
