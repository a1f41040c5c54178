package cluster

import (
	"math"

	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
)

var halfLifeParam = models.Param{Name: "half_life", Default: 1000.0, Range: models.Above(0), Unit: "examples", Doc: "after so many, an example counts half"}
var roomParam = models.Param{Name: "max_clusters", Default: 200, Range: models.Between(2, 2000), Doc: "micro-clusters; when a new one finds no room, the lightest goes"}
var periodParam = models.Param{Name: "period", Default: 100, Range: models.Between(1, 1<<30), Unit: "examples", Doc: "between two times that micro-clusters are pruned and joined"}

// DenStreamComponent is the catalogue entry of DenStream.
var DenStreamComponent = models.Component{
	Name: "denstream", Kind: models.TransformerKind, Fold: 1,
	Doc: "DenStream: micro-clusters of a radius up to `epsilon` whose weights fade; those that gather enough weight are potential ones, and potential ones nearer than twice epsilon are one cluster. " + rule,
	Params: []models.Param{columnsParam,
		{Name: "epsilon", Default: 0.5, Range: models.Above(0), Doc: "greatest radius of a micro-cluster, in the unit of the columns; the default suits standardised ones"},
		{Name: "mu", Default: 10.0, Range: models.Above(1), Unit: "examples", Doc: "weight of a core micro-cluster"},
		{Name: "beta", Default: 0.2, Range: models.AboveTo(0, 1), Doc: "a micro-cluster above beta · mu is a potential one"},
		halfLifeParam, roomParam, periodParam},
	Cost: "O(micro-clusters · columns); O(micro-clusters² · columns) after each period", Memory: "micro-clusters · (48 + 16 · columns) bytes", Source: "Cao et al. 2006",
	Bounds: evictedBound,
	NewTransformer: func(a models.Args, env models.Env) (models.Transformer, error) {
		return newTransformer("denstream", a, env, func(d int) grouping {
			return &denStream{density: newDensity(d, a), epsilon: a.Float("epsilon"), enough: a.Float("beta") * a.Float("mu")}
		})
	},
}

// DBStreamComponent is the catalogue entry of DBSTREAM.
var DBStreamComponent = models.Component{
	Name: "dbstream", Kind: models.TransformerKind, Fold: 1,
	Doc: "DBSTREAM: micro-clusters of a fixed `radius` whose weights fade, and for each two of them the weight of the examples that lie in both: those that share enough are one cluster. " + rule,
	Params: []models.Param{columnsParam,
		{Name: "radius", Default: 0.5, Range: models.Above(0), Doc: "of a micro-cluster, in the unit of the columns; the default suits standardised ones"},
		{Name: "min_weight", Default: 3.0, Range: models.AtLeast(0), Unit: "examples", Doc: "lighter micro-clusters belong to no cluster"},
		{Name: "share", Default: 0.1, Range: models.Inside(0, 1), Doc: "two micro-clusters are joined when the examples in both are such a share of their mean weight"},
		halfLifeParam, roomParam, periodParam},
	Cost: "O(micro-clusters · columns); O(micro-clusters²) after each period", Memory: "micro-clusters · (48 + 16 · columns + 8 · micro-clusters) bytes", Source: "Hahsler & Bolaños 2016",
	Bounds: evictedBound,
	NewTransformer: func(a models.Args, env models.Env) (models.Transformer, error) {
		return newTransformer("dbstream", a, env, func(d int) grouping {
			n := a.Int("max_clusters")
			return &dbStream{density: newDensity(d, a), radius: a.Float("radius"), least: a.Float("min_weight"), share: a.Float("share"),
				both: make([]float64, n*n), touched: make([]int, 0, n)}
		})
	},
}

// density is what both algorithms share: weights that fade, and connected components of micro-clusters.
type density struct {
	pool   pool
	lambda float64 // fading: 2^(−lambda · examples)
	period int
	stack  []int
}

func newDensity(d int, a models.Args) density {
	n := a.Int("max_clusters")
	return density{pool: newPool(d, n), lambda: 1 / a.Float("half_life"), period: a.Int("period"), stack: make([]int, 0, n)}
}

func (m *density) clusters() *pool { return &m.pool }
func (m *density) byLabel() bool   { return true }

// fade is the factor on the weight of a slot since it last changed.
func (m *density) fade(i int) float64 {
	return math.Exp2(-m.lambda * (m.pool.now - m.pool.pages.Page(i)[atTime]))
}

func (m *density) weight(i int) float64 { return m.pool.pages.Page(i)[atWeight] * m.fade(i) }

// place adds a micro-cluster, in place of the lightest if there is no room.
func (m *density) place(x []float64) int {
	at := m.pool.add(x)
	if at < 0 {
		lightest := 0
		for i := range m.pool.used {
			if m.weight(i) < m.weight(lightest) {
				lightest = i
			}
		}
		m.pool.dropped++
		m.pool.free(lightest)
		at = m.pool.add(x)
	}
	return at
}

// join labels connected components, in the order of slots; core says which slots take part, near which two belong together.
func (m *density) join(core func(i int) bool, near func(i, j int) bool) {
	const open = -2
	p, next := &m.pool, 0.0
	for i := range p.used {
		if p.pages.Page(i)[atWeight] > 0 {
			l := -1.0
			if core(i) {
				l = open
			}
			p.label(i, l)
		}
	}
	for i := range p.used {
		if p.pages.Page(i)[atLabel] != open || p.pages.Page(i)[atWeight] == 0 {
			continue
		}
		p.label(i, next)
		m.stack = append(m.stack[:0], i)
		for len(m.stack) > 0 {
			a := m.stack[len(m.stack)-1]
			m.stack = m.stack[:len(m.stack)-1]
			for b := range p.used {
				if p.pages.Page(b)[atWeight] > 0 && p.pages.Page(b)[atLabel] == open && near(a, b) {
					p.label(b, next)
					m.stack = append(m.stack, b)
				}
			}
		}
		next++
	}
}

type denStream struct {
	density
	epsilon, enough float64
}

func (m *denStream) extra(*codec.State) {}

func (m *denStream) insert(x []float64) {
	p := &m.pool
	if !m.absorb(x, 1) && !m.absorb(x, 0) {
		m.place(x)
	}
	if int64(p.now)%int64(m.period) == 0 {
		m.prune()
	}
}

// absorb puts x into the nearest micro-cluster of the grade if its radius stays within epsilon; one that is heavy enough becomes potential.
func (m *denStream) absorb(x []float64, grade float64) bool {
	p := &m.pool
	at, squared := p.nearest(x, grade, false)
	if at < 0 {
		return false
	}
	fade, page := m.fade(at), p.pages.Page(at)
	w := page[atWeight] * fade
	spread := page[atSpread]*fade + squared*w/(w+1) // Chan: what one more example adds
	if spread/(w+1) > m.epsilon*m.epsilon {
		return false
	}
	p.absorb(at, x, fade)
	if page := p.pages.Own(at); page[atWeight] > m.enough {
		page[atGrade] = 1
	}
	return true
}

// prune drops potential micro-clusters that became too light, and outliers of which less than an example is left after two periods; then it joins.
func (m *denStream) prune() {
	p := &m.pool
	old := math.Exp2(-2 * m.lambda * float64(m.period))
	for i := p.used - 1; i >= 0; i-- {
		page := p.pages.Page(i)
		if w := m.weight(i); page[atWeight] > 0 && (page[atGrade] == 1 && w < m.enough || page[atGrade] == 0 && w < old) {
			p.free(i)
		}
	}
	reach := 4 * m.epsilon * m.epsilon
	m.join(func(i int) bool { return p.pages.Page(i)[atGrade] == 1 }, func(i, j int) bool { return p.distance(j, p.mean(i)) <= reach })
}

type dbStream struct {
	density
	radius, least, share float64
	both                 []float64 // by two slots, the smaller first: weight of the examples in both
	touched              []int
}

// at is the weight of the examples in both of two slots.
func (m *dbStream) at(i, j int) *float64 {
	return &m.both[min(i, j)*m.pool.pages.Len()+max(i, j)]
}

func (m *dbStream) insert(x []float64) {
	p := &m.pool
	m.touched = m.touched[:0]
	for i := range p.used {
		if p.pages.Page(i)[atWeight] > 0 && p.distance(i, x) <= m.radius*m.radius {
			m.touched = append(m.touched, i)
		}
	}
	if len(m.touched) == 0 {
		i := m.place(x)
		for j := range p.pages.Len() {
			*m.at(i, j) = 0
		}
	}
	for k, i := range m.touched {
		page := p.pages.Own(i)
		page[atWeight] = float64(page[atWeight]*m.fade(i)) + 1
		page[atTime] = p.now
		for _, j := range m.touched[:k] {
			*m.at(i, j)++
		}
	}
	m.move(x)
	if int64(p.now)%int64(m.period) == 0 {
		m.prune()
	}
}

// move draws the micro-clusters towards x, by a normal neighbourhood of a third of the radius, unless two would come nearer than the radius.
func (m *dbStream) move(x []float64) {
	p := &m.pool
	for k, i := range m.touched {
		h := math.Exp(-p.distance(i, x) / (2 * m.radius * m.radius / 9))
		mean := p.pages.Own(i)[head : head+p.d]
		for j, v := range x {
			mean[j] += float64(h * (v - mean[j]))
		}
		for _, other := range m.touched[:k] {
			if h > 0 && h < 1 && p.distance(other, mean) < m.radius*m.radius {
				for j, v := range x { // back
					mean[j] = (mean[j] - float64(h*v)) / (1 - h)
				}
				break
			}
		}
	}
}

// prune lets shared weights fade, drops micro-clusters of which less than an example is left after two periods, and joins.
func (m *dbStream) prune() {
	p := &m.pool
	fade := math.Exp2(-m.lambda * float64(m.period))
	for i := p.used - 1; i >= 0; i-- {
		if p.pages.Page(i)[atWeight] > 0 && m.weight(i) < fade*fade {
			p.free(i)
		}
	}
	for k := range m.both {
		m.both[k] *= fade
	}
	m.join(func(i int) bool { return m.weight(i) >= m.least },
		func(i, j int) bool { return *m.at(i, j) >= m.share*(m.weight(i)+m.weight(j))/2 })
}

// extra visits the shared weights of micro-clusters in use.
func (m *dbStream) extra(s *codec.State) {
	if s.Loading() {
		clear(m.both)
	}
	good := true
	for i := range m.pool.used {
		for j := i + 1; j < m.pool.used; j++ {
			v := m.at(i, j)
			s.Float64(v)
			good = good && *v >= 0 && *v <= math.MaxFloat64
		}
	}
	if s.Loading() && !good {
		s.Fail("dbstream: a shared weight out of range")
	}
}
