package cluster

import (
	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
)

// KMeansComponent is the catalogue entry of online k-means.
var KMeansComponent = models.Component{
	Name: "k_means", Kind: models.TransformerKind, Fold: 1,
	Doc: "Online k-means: the first k different examples are the centres, and each later one moves the nearest centre by 1/n of the distance, at least by `rate` of it. " + rule,
	Params: []models.Param{columnsParam,
		{Name: "k", Default: 5, Range: models.Between(1, 10000), Doc: "clusters"},
		{Name: "rate", Default: 0.001, Range: models.Between(0, 1), Doc: "the least share of the way; 0 never forgets"}},
	Cost: "O(k · columns)", Memory: "k · (48 + 16 · columns) bytes", Source: "MacQueen 1967",
	NewTransformer: func(a models.Args, env models.Env) (models.Transformer, error) {
		return newTransformer("k_means", a, env, func(d int) grouping {
			return &kMeans{pool: newPool(d, a.Int("k")), most: 1 / max(a.Float("rate"), 1e-15)}
		})
	},
}

type kMeans struct {
	pool pool
	most float64 // weight of a centre that no longer slows down
}

func (m *kMeans) clusters() *pool    { return &m.pool }
func (m *kMeans) byLabel() bool      { return false }
func (m *kMeans) extra(*codec.State) {}

func (m *kMeans) insert(x []float64) {
	at, squared := m.pool.nearest(x, -1, false)
	if squared > 0 && m.pool.used < m.pool.pages.Len() || at < 0 {
		m.pool.add(x)
		return
	}
	fade := 1.0
	if w := m.pool.pages.Page(at)[atWeight]; w > m.most-1 {
		fade = (m.most - 1) / w
	}
	m.pool.absorb(at, x, fade)
}
