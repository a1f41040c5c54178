package neighbors

import (
	"fmt"
	"math"
	"slices"
	"sync"

	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
)

const (
	weightDistance = "distance"
	weightUniform  = "uniform"
	searchExact    = "exact"
	searchCells    = "cells"
)

// KNNComponent is the catalogue entry of KNN.
var KNNComponent = models.Component{
	Name: "k_nearest_neighbors", Kind: models.ModelKind, Tasks: []models.Task{models.Binary, models.Multiclass, models.Regression}, Fold: 1,
	Bounds: []models.Bound{{What: examplesForgotten, Doc: "examples that left the window"}},
	Doc: "Answers from the `k` examples of the window that are nearest (Euclidean; a category that differs counts 1). Columns are scaled by what the window holds, taken anew after every quarter of it. " +
		"A missing number counts as the column's mean in the window, a missing category differs from all. " +
		"`search: cells` looks only at examples near the question: it compares itself with the exact search at every 32nd example and looks into as many cells as the wanted `recall` takes.",
	Params: []models.Param{
		{Name: "k", Default: 5, Range: models.Between(1, 1000), Unit: "examples", Doc: "neighbours that answer"},
		{Name: "window", Default: 1000, Range: models.Between(1, 1<<20), Unit: "examples", Doc: "the newest examples are kept"},
		{Name: "weights", Default: weightDistance, Choices: []string{weightDistance, weightUniform}, Doc: "what a neighbour counts: the inverse of its distance (those that are equal to the question count alone), or all the same"},
		{Name: "scale", Default: scaleRange, Choices: []string{scaleRange, scaleDeviation, scaleNone}, Doc: "columns are divided by their range in the window, by their standard deviation, or not"},
		{Name: "search", Default: searchExact, Choices: []string{searchExact, searchCells}, Doc: "all of the window, or the nearest of √window cells"},
		{Name: "recall", Default: 0.95, Range: models.Inside(0, 1), Doc: "share of the true neighbours that `search: cells` is to find"},
	},
	Cost:   "O(window · columns); with cells O(√window · columns · cells searched)",
	Memory: "16 bytes per number and 24 per example of the window",
	Source: "Fix & Hodges 1951; scaling: Aha, Kibler & Albert 1991; weights: Dudani 1976; cells: Sivic & Zisserman 2003",
	NewModel: func(a models.Args, env models.Env) (models.Learner, error) {
		m, err := NewKNN(env, Config{K: a.Int("k"), Window: a.Int("window"), Uniform: a.Text("weights") == weightUniform,
			Scale: a.Text("scale"), Cells: a.Text("search") == searchCells, Recall: a.Float("recall")})
		if err != nil {
			return nil, err
		}
		return m, nil
	},
}

// Config are the parameters of k nearest neighbours.
type Config struct {
	K       int     // ≥ 1
	Window  int     // ≥ 1
	Uniform bool    // every neighbour counts the same
	Scale   string  // range (also ""), deviation or none
	Cells   bool    // search near cells only
	Recall  float64 // in (0, 1), with Cells
}

// KNN answers from the nearest of the newest examples. It implements models.Learner and models.Publisher.
type KNN struct {
	answering
	window  window
	scratch scratch
}

// answering is what a learner and its snapshots do with the rows that were found.
type answering struct {
	task    models.Task
	classes int
	k       int
	uniform bool
	counts  []int // classification: rows of the window by class
	mean    float64
	cells   *cells
}

// scratch is the memory of one question.
type scratch struct {
	near, cells, exact found
	q, c               []float64
}

// NewKNN returns an empty model, or an error for a task that it does not serve.
func NewKNN(env models.Env, cfg Config) (*KNN, error) {
	classes := env.Classes
	switch env.Task {
	case models.Binary:
		classes = 2
	case models.Multiclass:
	case models.Regression:
		classes = 0
	default:
		return nil, fmt.Errorf("k_nearest_neighbors: no answers for the task %s", env.Task)
	}
	if cfg.Scale == "" {
		cfg.Scale = scaleRange
	}
	m := &KNN{answering: answering{task: env.Task, classes: classes, k: min(cfg.K, cfg.Window), uniform: cfg.Uniform, counts: make([]int, classes)},
		window: newWindow(env.Schema, cfg.Window, cfg.Scale)}
	if cfg.Cells {
		m.cells = newCells(cfg.Window, cfg.Recall)
	}
	return m, nil
}

// Predict appends P(Y = 1), one probability for each class, or a number. Before anything was learned it is ½, equal
// probabilities, or 0.
func (m *KNN) Predict(dst []float64, e *models.Example) []float64 {
	return m.answer(dst, e, &m.window.rows, &m.scratch)
}

// answer asks the window. The shares of the classes in it count as half a neighbour, so that no class is impossible.
func (a *answering) answer(dst []float64, e *models.Example, r *rows, s *scratch) []float64 {
	s.ready(r, a.k)
	r.question(s.q, s.c, e)
	if a.cells != nil {
		a.cells.search(r, &s.near, &s.cells, s.q, s.c)
	} else {
		r.search(&s.near, s.q, s.c)
	}
	if a.task == models.Regression {
		return append(dst, a.number(r, &s.near))
	}
	return a.shares(dst, r, &s.near)
}

func (s *scratch) ready(r *rows, k int) {
	s.near.reset(k)
	if len(s.q) != r.stride || len(s.c) != len(r.nominal) {
		s.q, s.c = make([]float64, r.stride), make([]float64, len(r.nominal))
	}
}

// vote is what a neighbour counts. With a distance of 0 among the neighbours only those count.
func (a *answering) vote(f *found, i int, weight float64) float64 {
	switch {
	case a.uniform:
		return weight
	case f.distance[0] <= 0:
		if f.distance[i] > 0 {
			return 0
		}
		return weight
	}
	return weight * math.Sqrt(f.distance[0]/f.distance[i]) // relative to the nearest, so that it is finite
}

// pseudo is how many neighbours the shares of the classes in the window count as.
const pseudo = 0.5

// appendPrior appends the shares of the classes in n rows, equal ones without any.
func (a *answering) appendPrior(dst []float64, n int) []float64 {
	for _, k := range a.counts {
		share := 1 / float64(a.classes)
		if n > 0 {
			share = float64(k) / float64(n)
		}
		dst = append(dst, share)
	}
	return dst
}

func (a *answering) shares(dst []float64, r *rows, f *found) []float64 {
	from, total := len(dst), 0.0
	dst = a.appendPrior(dst, r.n)
	p := dst[from:]
	votes := 0.0
	for i := range f.n {
		_, weight := r.at(f.slot[i])
		votes += a.vote(f, i, weight)
	}
	if votes > 0 && votes <= math.MaxFloat64 {
		unit := float64(f.n) / votes
		for c := range p {
			p[c] *= pseudo
		}
		for i := range f.n {
			y, weight := r.at(f.slot[i])
			p[int(y)] += a.vote(f, i, weight) * unit
		}
		total = 1 / (float64(f.n) + pseudo)
		for c := range p {
			p[c] = min(p[c]*total, 1)
		}
	}
	if a.task == models.Binary {
		dst[from] = p[1]
		return dst[:from+1]
	}
	return dst
}

func (a *answering) number(r *rows, f *found) float64 {
	votes, sum := 0.0, 0.0
	for i := range f.n {
		y, weight := r.at(f.slot[i])
		v := a.vote(f, i, weight)
		votes += v
		if votes > 0 {
			sum += (y - sum) * (v / votes)
		}
	}
	if !(votes > 0) || sum-sum != 0 {
		return a.mean
	}
	return sum
}

// Observe does nothing.
func (m *KNN) Observe(*models.Example) {}

// Learn keeps the example in place of the oldest of a full window. One without a label of the task, or with a weight of 0
// or above 1e100, changes nothing.
func (m *KNN) Learn(e *models.Example, _ []float64) {
	if !usable(e, m.task, m.classes) {
		return
	}
	w := &m.window
	kept := *e
	if m.task == models.Regression {
		kept.Y = bounded(e.Y)
	} else {
		kept.Y = math.Trunc(e.Y)
		if w.n == w.capacity {
			old, _ := w.at(int32(w.head))
			m.counts[int(old)]--
		}
		m.counts[int(kept.Y)]++
	}
	if m.cells != nil && w.seen%checkEvery == checkEvery-1 {
		m.check(&kept)
	}
	slot, _ := w.add(&kept)
	m.mean += float64((kept.Y - m.mean) / float64(w.n))
	if m.cells != nil {
		m.cells.insert(w, slot, &m.scratch.near)
	}
	if w.due() {
		w.rescale()
		if m.cells != nil {
			m.cells.build(w, &m.scratch.near)
		}
	}
}

// check measures what the search of cells misses.
func (m *KNN) check(e *models.Example) {
	s, r := &m.scratch, &m.window.rows
	s.ready(r, m.k)
	r.question(s.q, s.c, e)
	m.cells.search(r, &s.near, &s.cells, s.q, s.c)
	s.exact.reset(m.k)
	r.search(&s.exact, s.q, s.c)
	m.cells.judge(&s.near, &s.exact)
}

// Recall is the share of the true neighbours that are found, as measured lately: 1 for the exact search.
func (m *KNN) Recall() float64 {
	if m.cells == nil {
		return 1
	}
	return m.cells.recall
}

// examplesForgotten is the name of what is counted.
const examplesForgotten = "examples_forgotten"

// Dropped adds how many examples have left the window.
func (m *KNN) Dropped(d *models.Drops) { d.Add(examplesForgotten, m.window.seen-uint64(m.window.n)) }

// State visits the window.
func (m *KNN) State(s *codec.State) {
	m.window.state(s)
	s.Float64(&m.mean)
	if m.cells != nil {
		m.cells.state(s, &m.window)
	}
	if !s.Loading() {
		return
	}
	clear(m.counts)
	for slot := range m.window.n {
		y, weight := m.window.at(int32(slot))
		if !(weight > 0 && weight <= limit) || !(math.Abs(y) <= limit) || m.task != models.Regression && !(y >= 0 && y < float64(m.classes)) {
			s.Fail("label %v with weight %v", y, weight)
			m.window.n, m.window.head = 0, 0
			return
		}
		if m.task != models.Regression {
			m.counts[int(y)]++
		}
	}
	if m.mean != m.mean {
		s.Fail("mean %v", m.mean)
	}
}

// Publish shares the window: the next example copies its page of 32 rows, once. Cost: the table of pages.
func (m *KNN) Publish() models.Predictor {
	p := &snapshot{answering: m.answering, rows: m.window.share()}
	p.counts = slices.Clone(m.counts)
	if m.cells != nil {
		c := *m.cells
		c.members = m.cells.members.Share()
		p.cells = &c
	}
	p.pool.New = func() any { return new(scratch) }
	return p
}

type snapshot struct {
	answering
	rows rows
	pool sync.Pool
}

// Predict answers as the model did when it was published.
func (p *snapshot) Predict(dst []float64, e *models.Example) []float64 {
	s := p.pool.Get().(*scratch)
	dst = p.answer(dst, e, &p.rows, s)
	p.pool.Put(s)
	return dst
}
