// Package cluster groups examples that are near each other, one at a time. In the flow a clusterer is a transformer: it appends the
// cluster of an example and the distance to it as columns; and cluster_distance makes a detector of any of them. They learn at the
// predict record, without labels, after the answer was given. Memory is bounded by a number of clusters; what is dropped is counted.
package cluster

import (
	"math"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/cow"
)

// Components lists the transformers and the model of this package for the catalogue.
var Components = []models.Component{
	KMeansComponent,
	CluStreamComponent,
	DenStreamComponent,
	DBStreamComponent,
	DistanceComponent,
}

const rule = "Appends the columns NAME_cluster (a category) and NAME_distance (Euclidean, to the centre), both missing while there is no cluster. " +
	"Works on numeric columns, as they are: put a scaler before it. An example with a missing value is placed by the values that it has, and not learned."

var columnsParam = models.Param{Name: "columns", Default: []string(nil), Doc: "the columns to work on; none: every numeric column"}

// limit is the greatest magnitude that is computed with, so that squares stay finite.
const limit = 1e100

// The places of a page: one cluster.
const (
	atWeight = iota // 0: the slot is free
	atTime          // of the last change, in examples
	atLabel         // the cluster that it belongs to, −1: none
	atGrade         // denstream: 1 a potential, 0 an outlier cluster; clustream: mean of the times
	atSpread        // sum of squared distances; clustream: and variance of times after it
	atTimes
	head // the mean stands here, then by column the squared deviations
)

// pool holds clusters in pages, so that snapshots share those that did not change.
type pool struct {
	d       int
	pages   cow.Pages[float64]
	used    int // slots below it may be in use
	now     float64
	dropped uint64
}

func newPool(d, capacity int) pool {
	return pool{d: d, pages: cow.New[float64](capacity, head+2*d)}
}

func (p *pool) mean(i int) []float64 { return p.pages.Page(i)[head : head+p.d] }

// distance is the squared distance to a cluster over the columns that x has.
func (p *pool) distance(i int, x []float64) float64 {
	s := 0.0
	for j, m := range p.mean(i) {
		if d := x[j] - m; d == d {
			s += float64(d * d)
		}
	}
	return s
}

// nearest is the cluster with the nearest mean among those of the grade (−1: any) that belong to a cluster if labelled is set; −1 if there is none.
func (p *pool) nearest(x []float64, grade float64, labelled bool) (at int, squared float64) {
	at, squared = -1, math.Inf(1)
	for i := range p.used {
		page := p.pages.Page(i)
		if page[atWeight] == 0 || grade >= 0 && page[atGrade] != grade || labelled && page[atLabel] < 0 {
			continue
		}
		if s := p.distance(i, x); s < squared {
			at, squared = i, s
		}
	}
	return at, squared
}

// add makes a cluster of one example in a free slot, and returns −1 if there is none.
func (p *pool) add(x []float64) int {
	for i := range p.pages.Len() {
		if i < p.used && p.pages.Page(i)[atWeight] > 0 {
			continue
		}
		page := p.pages.Own(i)
		clear(page)
		page[atWeight], page[atTime], page[atLabel], page[atGrade] = 1, p.now, -1, 0
		copy(page[head:], x)
		p.used = max(p.used, i+1)
		return i
	}
	return -1
}

func (p *pool) free(i int) {
	clear(p.pages.Own(i))
	for p.used > 0 && p.pages.Page(p.used - 1)[atWeight] == 0 {
		p.used--
	}
}

// absorb adds an example to a cluster whose older weight counts fade: Welford's recurrence with fading weights.
func (p *pool) absorb(i int, x []float64, fade float64) {
	page := p.pages.Own(i)
	page[atWeight] = float64(page[atWeight]*fade) + 1
	page[atTime] = p.now
	n, spread := page[atWeight], 0.0
	for j, v := range x {
		m, q := &page[head+j], &page[head+p.d+j]
		d := v - *m
		*m += d / n
		*q = float64(*q*fade) + float64(d*(v-*m))
		spread += *q
	}
	page[atSpread] = spread
}

// label sets the cluster of a slot; pages that do not change stay shared.
func (p *pool) label(i int, label float64) {
	if p.pages.Page(i)[atLabel] != label {
		p.pages.Own(i)[atLabel] = label
	}
}

func (p *pool) share() pool {
	c := *p
	c.pages = p.pages.Share()
	return c
}

func (p *pool) state(s *codec.State) {
	s.Fixed("columns of clusters", p.d)
	s.Fixed("room for clusters", p.pages.Len())
	p.used = s.Len(p.used, 1, p.pages.Len())
	s.Float64(&p.now)
	s.Uint64(&p.dropped)
	good := p.now >= 0 && p.now <= 1<<53
	for i := range p.pages.Len() {
		page := p.pages.Own(i)
		if i >= p.used {
			if s.Loading() {
				clear(page)
			}
			continue
		}
		for j := range page {
			s.Float64(&page[j])
			good = good && page[j]-page[j] == 0
		}
		good = good && page[atWeight] >= 0 && page[atLabel] >= -1 && page[atLabel] <= float64(p.pages.Len())
	}
	if s.Loading() && !good {
		s.Fail("a cluster with a number out of range")
	}
}

// grouping is one algorithm over a pool.
type grouping interface {
	clusters() *pool
	insert(x []float64)   // all values are there; now counts examples
	extra(s *codec.State) // what it keeps beside the pool
	byLabel() bool        // the answer is the label of a slot, not the slot
}

// Transformer appends the cluster of a row and the distance to it.
type Transformer struct {
	models.LabelFree
	columns []int
	schema  *features.Schema
	in      int // columns of the incoming rows
	g       grouping
	x       []float64
}

func newTransformer(name string, a models.Args, env models.Env, make func(d int) grouping) (models.Transformer, error) {
	marks, err := models.SelectColumns(env, a.Texts("columns"), true)
	if err != nil {
		return nil, err
	}
	t := &Transformer{in: len(env.Schema.Columns), schema: &features.Schema{}}
	for i, m := range marks {
		if m {
			t.columns = append(t.columns, i)
		}
	}
	t.schema.Columns = append(append(t.schema.Columns, env.Schema.Columns...), features.Column{Name: name + "_cluster", Kind: features.Categorical}, features.Column{Name: name + "_distance"})
	t.g, t.x = make(len(t.columns)), []float64{}
	return t, nil
}

// Transform writes a dense row with two columns more.
func (t *Transformer) Transform(dst models.Row, e *models.Example) models.Row {
	v := dst.Value[:0]
	for i := range t.in {
		v = append(v, e.At(i))
	}
	label, distance := t.place(e)
	return models.Row{Value: append(v, label, distance)}
}

// place finds the nearest cluster without scratch: a snapshot may be asked by many at once.
func (t *Transformer) place(e *models.Example) (label, distance float64) {
	p, best, at := t.g.clusters(), math.Inf(1), -1
	for i := range p.used {
		page := p.pages.Page(i)
		if page[atWeight] == 0 || t.g.byLabel() && page[atLabel] < 0 {
			continue
		}
		s := 0.0
		for j, c := range t.columns {
			if d := max(-limit, min(limit, e.At(c))) - page[head+j]; d == d {
				s += float64(d * d)
			}
		}
		if s < best {
			best, at = s, i
		}
	}
	if at < 0 {
		return math.NaN(), math.NaN()
	}
	label = float64(at)
	if t.g.byLabel() {
		label = p.pages.Page(at)[atLabel]
	}
	return label, math.Sqrt(best)
}

// Observe takes the row in, unless a value is missing.
func (t *Transformer) Observe(e *models.Example) {
	p := t.g.clusters()
	p.now++
	t.x = t.x[:0]
	for _, c := range t.columns {
		x := e.At(c)
		if x != x {
			return
		}
		t.x = append(t.x, max(-limit, min(limit, x)))
	}
	t.g.insert(t.x)
}

// Clusters is the number of clusters kept, micro-clusters where the algorithm has such.
func (t *Transformer) Clusters() (n int) {
	p := t.g.clusters()
	for i := range p.used {
		if p.pages.Page(i)[atWeight] > 0 {
			n++
		}
	}
	return n
}

// clustersEvicted is the name of what is counted.
const clustersEvicted = "clusters_evicted"

var evictedBound = []models.Bound{{What: clustersEvicted, Doc: "micro-clusters that were merged or went for want of room"}}

// Dropped adds how many clusters were merged or dropped for want of room; k_means keeps those that it has.
func (t *Transformer) Dropped(d *models.Drops) {
	if _, fixed := t.g.(*kMeans); !fixed {
		d.Add(clustersEvicted, t.g.clusters().dropped)
	}
}

// State visits the clusters.
func (t *Transformer) State(s *codec.State) {
	t.g.clusters().state(s)
	t.g.extra(s)
}

// Schema is that of the incoming rows and two columns more.
func (t *Transformer) Schema() *features.Schema { return t.schema }

// frozen is the grouping of a snapshot.
type frozen struct {
	pool pool
	by   bool
}

func (f *frozen) clusters() *pool    { return &f.pool }
func (f *frozen) byLabel() bool      { return f.by }
func (f *frozen) insert([]float64)   {}
func (f *frozen) extra(*codec.State) {}

// Snapshot shares the clusters. Cost: the table of pages.
func (t *Transformer) Snapshot() models.Transformer {
	c := *t
	c.g, c.x = &frozen{t.g.clusters().share(), t.g.byLabel()}, nil
	return &c
}
