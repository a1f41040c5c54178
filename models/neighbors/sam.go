package neighbors

import (
	"fmt"
	"math"
	"slices"
	"sync"

	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/random"
)

// SAMComponent is the catalogue entry of SAM.
var SAMComponent = models.Component{
	Name: "sam_knn", Kind: models.ModelKind, Tasks: []models.Task{models.Binary, models.Multiclass}, Fold: 1,
	Bounds: []models.Bound{{What: examplesCleaned, Doc: "examples of either memory that contradicted newer ones"}, {What: examplesMerged, Doc: "examples of the long-term memory that were put into others for want of room"}},
	Doc: "Nearest neighbours with two memories, for streams that change in ways that are not known beforehand. The short-term memory holds the newest examples; it is cut to a half, a quarter, … when its newest part alone would have answered better. " +
		"What it drops goes to the long-term memory, apart from what contradicts the newest examples, and is put together by class (k-means++) when both are full: so what was learned before a change and still holds is kept. " +
		"The answer comes from the short-term memory, the long-term one or both, whichever was right most often of late. Distances, scales and missing values as in k_nearest_neighbors; in a cluster numbers are averaged and the most frequent category stays.",
	Params: []models.Param{
		{Name: "k", Default: 5, Range: models.Between(1, 1000), Unit: "examples", Doc: "neighbours that answer"},
		{Name: "max_examples", Default: 5000, Range: models.Between(20, 1<<20), Unit: "examples", Doc: "what both memories hold together"},
		{Name: "long_share", Default: 0.4, Range: models.Inside(0, 1), Doc: "share of max_examples from which the long-term memory is compressed"},
		{Name: "min_window", Default: 50, Range: models.Between(2, 1<<19), Unit: "examples", Doc: "the short-term memory is not cut below this, and k in any case"},
		{Name: "weights", Default: weightDistance, Choices: []string{weightDistance, weightUniform}, Doc: "what a neighbour counts: the inverse of its distance (those that are equal to the question count alone), or all the same"},
		{Name: "scale", Default: scaleRange, Choices: []string{scaleRange, scaleDeviation, scaleNone}, Doc: "columns are divided by their range in the memories, by their standard deviation, or not; taken anew after every quarter of max_examples"},
	},
	Cost:   "O(max_examples · columns); when the short-term memory is cut or the long-term one compressed O(max_examples² · columns), at most once in an eighth of the examples that it concerns",
	Memory: "16 bytes per number, 8 per category and 32 per example, of at most twice max_examples: compression needs a second place",
	Source: "Losing, Hammer & Wersing 2016, KNN classifier with self adjusting memory for heterogeneous concept drift, §IV; k-means++: Arthur & Vassilvitskii 2007; clusters with categories: Huang 1998",
	NewModel: func(a models.Args, env models.Env) (models.Learner, error) {
		m, err := NewSAM(env, SAMConfig{K: a.Int("k"), Most: a.Int("max_examples"), LongShare: a.Float("long_share"), Least: a.Int("min_window"),
			Uniform: a.Text("weights") == weightUniform, Scale: a.Text("scale")})
		if err != nil {
			return nil, err
		}
		return m, nil
	},
}

// SAMConfig are the parameters of SAM, as SAMComponent documents them.
type SAMConfig struct {
	K, Most   int
	LongShare float64
	Least     int
	Uniform   bool
	Scale     string
}

// The memories that can answer, in the order that ties are decided.
const (
	byShort = iota
	byLong
	byBoth
)

// SAM is k nearest neighbours with a self-adjusting memory. It implements models.Learner and models.Publisher.
type SAM struct {
	choosing
	cfg     SAMConfig
	random  random.Source
	short   memory // in the order of arrival
	long    memory
	seen    uint64
	refresh uint64 // examples after which the scales are taken anew
	windows windows
	right   [3]int  // by memory: how often it was right, over the examples of the short-term memory
	hits    []uint8 // by slot of the short-term memory: bit m is set if memory m was right
	scratch samScratch
	spare   clusters
	next    memory // what is on its way to the long-term memory; empty between two examples
	gone    []int32
	cleaned uint64 // examples that contradicted newer ones
	merged  uint64 // examples that compression put into others
}

// choosing is what a learner and its snapshots answer by.
type choosing struct {
	answering
	choice int
}

// samScratch is the memory of one question.
type samScratch struct {
	short, long, both found
	q, c              []float64
}

// NewSAM returns an empty model, or an error for a task that is no classification.
func NewSAM(env models.Env, cfg SAMConfig) (*SAM, error) {
	classes := env.Classes
	switch env.Task {
	case models.Binary:
		classes = 2
	case models.Multiclass:
	default:
		return nil, fmt.Errorf("sam_knn: no answers for the task %s", env.Task)
	}
	if cfg.Scale == "" {
		cfg.Scale = scaleRange
	}
	cfg.Least = max(cfg.Least, cfg.K+1)
	m := &SAM{cfg: cfg, random: random.New(env.Seed, 1), refresh: 1, short: newMemory(env.Schema, cfg.Most+1), long: newMemory(env.Schema, cfg.Most+1)}
	m.answering = answering{task: env.Task, classes: classes, k: cfg.K, uniform: cfg.Uniform, counts: make([]int, classes)}
	m.next = newMemory(env.Schema, cfg.Most+1)
	m.long.follow(&m.short)
	m.next.follow(&m.short)
	m.windows.least = cfg.Least
	return m, nil
}

// Predict appends P(Y = 1), or one probability for each class; before anything was learned ½ or equal ones.
func (m *SAM) Predict(dst []float64, e *models.Example) []float64 {
	return m.answerOf(dst, e, &m.short.rows, &m.long.rows, &m.scratch)
}

// answerOf asks the chosen memory. The shares of the classes in the short-term one count as half a neighbour.
func (c *choosing) answerOf(dst []float64, e *models.Example, short, long *rows, s *samScratch) []float64 {
	s.ready(short, c.k)
	short.question(s.q, s.c, e)
	if c.choice != byLong || long.n == 0 {
		short.searchSpan(&s.short, s.q, s.c, 0, short.n)
	}
	if c.choice != byShort {
		long.searchSpan(&s.long, s.q, s.c, 0, long.n)
	}
	f := s.join()
	from := len(dst)
	dst = c.appendPrior(dst, short.n)
	c.count(dst[from:], f, short, long)
	if c.task == models.Binary {
		dst[from] = dst[from+1]
		return dst[:from+1]
	}
	return dst
}

// count mixes the votes of neighbours into the shares of the classes.
func (c *choosing) count(p []float64, f *found, short, long *rows) {
	votes := 0.0
	for i := range f.n {
		_, weight := eitherAt(short, long, f.slot[i])
		votes += c.vote(f, i, weight)
	}
	if !(votes > 0 && votes <= math.MaxFloat64) {
		return
	}
	unit := float64(f.n) / votes
	for k := range p {
		p[k] *= pseudo
	}
	for i := range f.n {
		y, weight := eitherAt(short, long, f.slot[i])
		p[int(y)] += c.vote(f, i, weight) * unit
	}
	for k := range p {
		p[k] = min(p[k]/(float64(f.n)+pseudo), 1)
	}
}

// eitherAt returns label and weight of a slot of the short-term memory, or of the long-term one, whose slots are marked by ^.
func eitherAt(short, long *rows, slot int32) (y, weight float64) {
	if slot < 0 {
		return long.at(^slot)
	}
	return short.at(slot)
}

func (s *samScratch) ready(r *rows, k int) {
	s.short.reset(k)
	s.long.reset(k)
	s.both.reset(k)
	if len(s.q) != r.stride || len(s.c) != len(r.nominal) {
		s.q, s.c = make([]float64, r.stride), make([]float64, len(r.nominal))
	}
}

// join makes the nearest of both memories of those that were found in each.
func (s *samScratch) join() *found {
	for i := range s.short.n {
		if d := s.short.distance[i]; d < s.both.worst() {
			s.both.add(d, s.short.slot[i])
		}
	}
	for i := range s.long.n {
		if d := s.long.distance[i]; d < s.both.worst() {
			s.both.add(d, ^s.long.slot[i])
		}
	}
	return &s.both
}

// classOf is the class with most votes among the neighbours, the lowest of equals; −1 without any.
func (m *SAM) classOf(f *found) int {
	best, most := -1, 0.0
	for i := range f.n {
		y, _ := eitherAt(&m.short.rows, &m.long.rows, f.slot[i])
		sum := 0.0
		for j := range f.n {
			if other, weight := eitherAt(&m.short.rows, &m.long.rows, f.slot[j]); other == y {
				sum += m.vote(f, j, weight)
			}
		}
		if class := int(y); sum > most || sum == most && class < best {
			best, most = class, sum
		}
	}
	return best
}

// Observe does nothing.
func (m *SAM) Observe(*models.Example) {}

// Learn judges the memories and windows by the example, keeps it, cleans the long-term memory and adapts the sizes. An example without a class
// of the task, or with a weight of 0 or above 1e100, changes nothing. The answer that was given earlier is not used: under label delay
// memories are judged as they are now.
func (m *SAM) Learn(e *models.Example, _ []float64) {
	if !usable(e, m.task, m.classes) {
		return
	}
	y, s := int(e.Y), &m.scratch
	s.ready(&m.short.rows, m.k)
	m.short.question(s.q, s.c, e)
	m.windows.advance(m.short.n, m.k)
	row := m.windows.judge(m, y)
	m.long.searchSpan(&s.long, s.q, s.c, 0, m.long.n)
	hits := m.judge(y)
	if m.short.n >= m.k {
		m.clean(float64(y))
	}
	m.short.push(e, float64(y))
	m.windows.rows, m.hits = append(m.windows.rows, row), append(m.hits, hits)
	m.counts[y]++
	m.seen++
	m.fit()
	m.windows.open(m)
	m.adapt()
	m.choose()
	if m.seen >= m.refresh {
		m.refresh = m.seen + min(m.seen, uint64(max(m.cfg.Most/4, 16)))
		scales(&m.short, &m.long, m.cfg.Scale)
	}
}

// judge says which memories answer with the class.
func (m *SAM) judge(y int) (hits uint8) {
	s := &m.scratch
	for i, slot := range s.long.slot[:s.long.n] {
		s.long.slot[i] = ^slot
	}
	if m.classOf(&s.short) == y {
		hits |= 1 << byShort
	}
	if m.classOf(&s.long) == y {
		hits |= 1 << byLong
	}
	for i, slot := range s.long.slot[:s.long.n] {
		s.long.slot[i] = ^slot
	}
	if m.classOf(s.join()) == y {
		hits |= 1 << byBoth
	}
	for b := range m.right {
		m.right[b] += int(hits >> b & 1)
	}
	return hits
}

// choose takes the memory that was right most often.
func (m *SAM) choose() {
	m.choice = byShort
	for b := range m.right {
		if m.right[b] > m.right[m.choice] {
			m.choice = b
		}
	}
}

// clean forgets the rows of the long-term memory that contradict the newest example: those of its nearest there that have another class and are
// no farther away than the farthest of its nearest in the short-term memory that have the same (§IV-B, eq. 6).
func (m *SAM) clean(y float64) {
	s := &m.scratch
	m.purge(&m.long, &s.long, reach(&m.short, &s.short, y), y)
}

// reach is the distance of the farthest neighbour of that class, −1 without one.
func reach(m *memory, f *found, y float64) float64 {
	for i := f.n - 1; i >= 0; i-- {
		if label, _ := m.at(f.slot[i]); label == y {
			return f.distance[i]
		}
	}
	return -1
}

// purge removes the found rows of other classes within a distance.
func (m *SAM) purge(from *memory, f *found, within, y float64) {
	m.gone = m.gone[:0]
	for i := range f.n {
		if label, _ := from.at(f.slot[i]); label != y && f.distance[i] <= within {
			m.gone = append(m.gone, f.slot[i])
		}
	}
	slices.Sort(m.gone)
	for i := len(m.gone) - 1; i >= 0; i-- { // from the end: the row that moves is none of them
		from.remove(int(m.gone[i]))
	}
	m.cleaned += uint64(len(m.gone))
}

// fit makes room when both memories together hold too much: the long-term one is compressed, if it is full; else it takes the oldest rows of
// the short-term one first (§IV-B).
func (m *SAM) fit() {
	for m.short.n+m.long.n > m.cfg.Most {
		most := int(m.cfg.LongShare * float64(m.cfg.Most))
		if m.long.n <= most {
			k := min(most-m.long.n+1, m.short.n-1)
			for slot := range k {
				m.long.take(&m.short, slot)
			}
			m.forget(k)
		}
		before := m.long.n
		m.compress()
		if m.long.n == before { // nothing but classes of one row
			m.long.remove(0)
		}
		m.merged += uint64(before - m.long.n)
	}
}

// forget drops the oldest rows of the short-term memory.
func (m *SAM) forget(k int) {
	m.short.dropFirst(k)
	m.windows.rows, m.hits = slices.Delete(m.windows.rows, 0, k), slices.Delete(m.hits, 0, k)
	m.recount()
}

// recount counts anew what follows from the rows of the short-term memory.
func (m *SAM) recount() {
	clear(m.counts)
	m.right = [3]int{}
	for slot, hits := range m.hits {
		y, _ := m.short.at(int32(slot))
		m.counts[int(y)]++
		for b := range m.right {
			m.right[b] += int(hits >> b & 1)
		}
	}
	m.windows.recount(m.short.n, m.k)
}

// adapt cuts the short-term memory to the window that would have answered best, if that is a shorter one. What is cut off is cleaned by what
// stays and goes to the long-term memory.
func (m *SAM) adapt() {
	j := m.windows.best(m)
	if j == 0 {
		return
	}
	start := m.short.n - m.short.n>>j
	old := &m.next
	old.n = 0
	for slot := range start {
		old.take(&m.short, slot)
	}
	m.windows.cut(j)
	m.forget(start)
	m.cleanAll(old)
	for slot := range old.n {
		m.long.take(old, slot)
	}
	m.fit()
}

// cleanAll cleans rows by all of the short-term memory, each compared to the others there.
func (m *SAM) cleanAll(old *memory) {
	f, far := &m.scratch.short, &m.scratch.long
	for slot := range m.short.n {
		if old.n == 0 {
			return
		}
		y, _ := m.short.at(int32(slot))
		q, c := m.short.scaledRow(slot), m.short.marks(slot)
		f.reset(m.k)
		m.short.searchSpan(f, q, c, 0, slot)
		m.short.searchSpan(f, q, c, slot+1, m.short.n)
		far.reset(m.k)
		old.searchSpan(far, q, c, 0, old.n)
		m.purge(old, far, reach(&m.short, f, y), y)
	}
}

// Sizes returns how many examples the memories hold.
func (m *SAM) Sizes() (short, long int) { return m.short.n, m.long.n }

// The names of what is counted.
const (
	examplesCleaned = "examples_cleaned"
	examplesMerged  = "examples_merged"
)

// Dropped adds how many examples are gone: they contradicted newer ones, or were put into others.
func (m *SAM) Dropped(d *models.Drops) {
	d.Add(examplesCleaned, m.cleaned)
	d.Add(examplesMerged, m.merged)
}

// State visits the memories, and how each example was answered when it came.
func (m *SAM) State(s *codec.State) {
	s.Fixed("examples of both memories", m.cfg.Most)
	s.Fixed("numeric columns", len(m.short.numbers))
	s.Fixed("categorical columns", len(m.short.nominal))
	m.random.State(s)
	for _, v := range []*uint64{&m.seen, &m.refresh, &m.cleaned, &m.merged} {
		s.Uint64(v)
	}
	for j := range m.short.numbers {
		s.Int(&m.short.order[j])
		s.Float64(&m.short.middle[j])
		s.Float64(&m.short.low[j])
		s.Float64(&m.short.rate[j])
	}
	if s.Loading() && !m.short.soundScales() {
		s.Fail("scales of the columns")
		copy(m.short.order, identity(len(m.short.order)))
	}
	m.short.state(s, "short-term memory")
	m.long.state(s, "long-term memory")
	m.windows.state(s, m.short.n)
	codec.Slice(s, &m.hits, 1, m.short.n, func(s *codec.State, v *uint8) { s.Byte(v) })
	if s.Loading() {
		m.restore(s)
	}
}

// restore checks what was loaded and derives the rest.
func (m *SAM) restore(s *codec.State) {
	ok := s.Err() == nil && len(m.hits) == m.short.n && len(m.windows.rows) == m.short.n && m.short.n+m.long.n <= m.cfg.Most
	for _, x := range []*memory{&m.short, &m.long} {
		for slot := range x.n {
			y, _ := x.at(int32(slot))
			ok = ok && y >= 0 && y < float64(m.classes) && y == math.Trunc(y)
		}
	}
	if !ok {
		s.Fail("%d and %d examples with %d and %d marks", m.short.n, m.long.n, len(m.hits), len(m.windows.rows))
		m.short.empty()
		m.long.empty()
		m.hits, m.windows.rows = nil, nil
	}
	m.windows.reopen(m.short.n)
	m.recount()
	m.choose()
}

// Publish shares the memories: a page of 32 rows is copied when it next changes. Cost: the tables of pages.
func (m *SAM) Publish() models.Predictor {
	p := &samSnapshot{choosing: m.choosing, short: m.short.shareRows(), long: m.long.shareRows()}
	p.counts = slices.Clone(m.counts)
	p.pool.New = func() any { return new(samScratch) }
	return p
}

type samSnapshot struct {
	choosing
	short, long rows
	pool        sync.Pool
}

// Predict answers as the model did when it was published.
func (p *samSnapshot) Predict(dst []float64, e *models.Example) []float64 {
	s := p.pool.Get().(*samScratch)
	dst = p.answerOf(dst, e, &p.short, &p.long, s)
	p.pool.Put(s)
	return dst
}
