package cluster

import (
	"math"

	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/random"
)

// CluStreamComponent is the catalogue entry of CluStream.
var CluStreamComponent = models.Component{
	Name: "clustream", Kind: models.TransformerKind, Fold: 1,
	Doc: "CluStream: many micro-clusters, of which the stale ones go and near ones merge; k-means over them, taken anew after every `period` examples, says the cluster. " + rule,
	Params: []models.Param{columnsParam,
		{Name: "k", Default: 5, Range: models.Between(1, 1000), Doc: "clusters"},
		{Name: "micro_clusters", Default: 100, Range: models.Between(2, 2000), Doc: "micro-clusters; ten for each cluster are usual"},
		{Name: "boundary", Default: 2.0, Range: models.Above(0), Unit: "deviations", Doc: "an example within so many deviations of a micro-cluster belongs to it"},
		{Name: "horizon", Default: 1000, Range: models.Between(1, 1<<40), Unit: "examples", Doc: "a micro-cluster whose examples are older may go"},
		{Name: "period", Default: 100, Range: models.Between(1, 1<<30), Unit: "examples", Doc: "between two runs of k-means"}},
	Cost: "O(micro-clusters · columns); O(micro-clusters² · columns) where two merge", Memory: "micro-clusters · (48 + 16 · columns) bytes", Source: "Aggarwal et al. 2003",
	Bounds: evictedBound,
	NewTransformer: func(a models.Args, env models.Env) (models.Transformer, error) {
		return newTransformer("clustream", a, env, func(d int) grouping {
			n, k := a.Int("micro_clusters"), a.Int("k")
			return &cluStream{pool: newPool(d, n), k: k, boundary: a.Float("boundary"), horizon: float64(a.Int("horizon")), period: a.Int("period"),
				rng: random.New(env.Seed, 0x636c75), centres: make([]float64, k*d), sums: make([]float64, k*d), weights: make([]float64, k), nearest: make([]float64, n)}
		})
	},
}

type cluStream struct {
	pool              pool
	k, period         int
	boundary, horizon float64
	rng               random.Source
	centres, sums     []float64 // scratch of k-means
	weights, nearest  []float64
}

func (m *cluStream) clusters() *pool      { return &m.pool }
func (m *cluStream) byLabel() bool        { return true }
func (m *cluStream) extra(s *codec.State) { m.rng.State(s) }

func (m *cluStream) insert(x []float64) {
	p := &m.pool
	at, squared := p.nearest(x, -1, false)
	if at >= 0 && squared <= m.reach(at) {
		p.absorb(at, x, 1)
	} else {
		if at = p.add(x); at < 0 {
			m.makeRoom()
			at = p.add(x)
		}
		p.pages.Own(at)[atGrade] = p.now
	}
	page := p.pages.Own(at)
	d := p.now - page[atGrade] // mean and variance of the times
	page[atGrade] += d / page[atWeight]
	page[atTimes] += float64(d * (p.now - page[atGrade]))
	if int64(p.now)%int64(m.period) == 0 {
		m.recluster()
	}
}

// reach is the squared distance up to which an example belongs to a micro-cluster: of a single example, that to the nearest other.
func (m *cluStream) reach(at int) float64 {
	page := m.pool.pages.Page(at)
	if page[atWeight] > 1 && page[atSpread] > 0 {
		return m.boundary * m.boundary * page[atSpread] / page[atWeight]
	}
	best := math.Inf(1)
	for i := range m.pool.used {
		if i != at && m.pool.pages.Page(i)[atWeight] > 0 {
			best = min(best, m.pool.distance(i, m.pool.mean(at)))
		}
	}
	if math.IsInf(best, 1) {
		return 0
	}
	return best
}

// makeRoom frees the micro-cluster with the oldest examples if they are stale, or merges the two that are nearest.
func (m *cluStream) makeRoom() {
	p := &m.pool
	oldest, stamp := -1, math.Inf(1)
	for i := range p.used {
		page := p.pages.Page(i)
		if t := page[atGrade] + math.Sqrt(page[atTimes]/page[atWeight]); page[atWeight] > 0 && t < stamp {
			oldest, stamp = i, t
		}
	}
	p.dropped++
	if stamp < p.now-m.horizon {
		p.free(oldest)
		return
	}
	a, b, best := 0, 1, math.Inf(1)
	for i := range p.used {
		for j := i + 1; j < p.used; j++ {
			if s := p.distance(j, p.mean(i)); s < best {
				a, b, best = i, j, s
			}
		}
	}
	m.merge(a, b)
}

// merge adds micro-cluster b to a (Chan et al. 1979).
func (m *cluStream) merge(a, b int) {
	p := &m.pool
	x, y := p.pages.Own(a), p.pages.Page(b)
	n := x[atWeight] + y[atWeight]
	share := y[atWeight] / n
	join := func(mean, squares int) {
		d := y[mean] - x[mean]
		x[mean] += float64(d * share)
		x[squares] += y[squares] + float64(float64(d*d)*share*x[atWeight])
	}
	join(atGrade, atTimes)
	x[atSpread] = 0
	for j := range p.d {
		join(head+j, head+p.d+j)
		x[atSpread] += x[head+p.d+j]
	}
	x[atWeight], x[atTime] = n, max(x[atTime], y[atTime])
	p.free(b)
}

// recluster runs weighted k-means over the micro-clusters: seeds by k-means++ (Arthur & Vassilvitskii 2007), then ten rounds of Lloyd's.
func (m *cluStream) recluster() {
	p, d := &m.pool, m.pool.d
	for c := range m.k {
		copy(m.centres[c*d:(c+1)*d], p.mean(m.seed(c)))
	}
	for range 10 {
		clear(m.sums)
		clear(m.weights)
		for i := range p.used {
			page := p.pages.Page(i)
			if page[atWeight] == 0 {
				continue
			}
			c, _ := m.closest(i, m.k)
			m.weights[c] += page[atWeight]
			for j, v := range p.mean(i) {
				m.sums[c*d+j] += float64(v * page[atWeight])
			}
			p.label(i, float64(c))
		}
		for c, w := range m.weights {
			for j := range d {
				if w > 0 {
					m.centres[c*d+j] = m.sums[c*d+j] / w
				}
			}
		}
	}
}

// seed draws a micro-cluster by its weight times its squared distance to the seeds so far.
func (m *cluStream) seed(c int) int {
	p, total := &m.pool, 0.0
	for i := range p.used {
		w := p.pages.Page(i)[atWeight]
		if c > 0 {
			_, s := m.closest(i, c)
			w *= min(s, 1e150)
		}
		m.nearest[i] = w
		total += w
	}
	r := m.rng.Unit() * total
	last := 0
	for i := range p.used {
		if m.nearest[i] > 0 {
			last = i
			if r < m.nearest[i] {
				return i
			}
		}
		r -= m.nearest[i]
	}
	return last
}

// closest is the nearest of the first k centres.
func (m *cluStream) closest(i, k int) (at int, best float64) {
	d := m.pool.d
	best = math.Inf(1)
	for c := range k {
		if s := m.pool.distance(i, m.centres[c*d:(c+1)*d]); s < best {
			at, best = c, s
		}
	}
	return at, best
}
