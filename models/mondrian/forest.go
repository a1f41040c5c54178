package mondrian

import (
	"math"
	"math/rand/v2"
	"sync"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/models"
)

// Config are the parameters of the forest, as MondrianForest documents them.
type Config struct {
	Trees     int
	Step      float64
	Dirichlet float64
	SplitPure bool
	MaxNodes  int
}

// DefaultConfig is what the catalogue's defaults are.
func DefaultConfig() Config {
	return Config{Trees: 10, Step: 1, Dirichlet: 0.5, SplitPure: true, MaxNodes: 4096}
}

const (
	maxInput  = 1e140
	maxLoss   = 20
	maxWeight = 1e6
	minWeight = 1e-12
	errorKeep = 0.999 // what the forest's squared error keeps at an example
)

// Forest is an aggregated Mondrian forest. It implements models.Learner and models.Publisher.
//
// Snapshots share pages of 16 nodes; after Publish a page is copied the first time that learning touches it, so a snapshot costs its tables of
// pages and the examples that follow the pages on their paths.
type Forest struct {
	reader
	cfg       Config
	trees     []tree
	scale     []float64 // by column: one over the width of a uniform distribution of its deviation
	moments   []moment
	events    uint64
	epoch     uint64
	errorSum  float64
	errorN    float64
	precision float64 // one over twice the squared error
	x         []float64
}

// moment is a running mean and sum of squared deviations (Welford).
type moment struct{ n, mean, m2 float64 }

func (m *moment) add(x, w float64) {
	m.n += w
	d := x - m.mean
	m.mean += d * (w / m.n)
	m.m2 += float64(w * float64(d*(x-m.mean)))
}

// reader is what an answer needs of the forest.
type reader struct {
	task      models.Task
	classes   int // 0: regression
	width     int
	dirichlet float64
	nominal   []bool
}

// New returns a forest of empty trees.
func New(env models.Env, cfg Config) *Forest {
	f := &Forest{cfg: cfg, epoch: 1, precision: 1}
	f.task, f.width, f.dirichlet = env.Task, len(env.Schema.Columns), cfg.Dirichlet
	switch env.Task {
	case models.Binary:
		f.classes = 2
	case models.Multiclass:
		f.classes = env.Classes
	}
	f.nominal = make([]bool, f.width)
	for i, c := range env.Schema.Columns {
		f.nominal[i] = c.Kind == features.Categorical
	}
	f.scale, f.moments, f.x = make([]float64, f.width), make([]moment, f.width), make([]float64, f.width)
	f.trees = make([]tree, cfg.Trees)
	for i := range f.trees {
		t := &f.trees[i]
		t.pcg = rand.NewPCG(env.Seed, 0x616d_6600+uint64(i))
		t.rng = rand.New(t.pcg)
		t.root, t.salt, t.reach = none, t.pcg.Uint64(), make([]float64, f.width)
	}
	return f
}

// row writes the values by column as a tree sees them: a category is a place in [0, 1) that the tree's salt draws.
func (r *reader) row(dst []float64, e *models.Example, salt uint64) {
	dense := e.Index == nil && len(e.Value) >= r.width
	for j := range dst {
		var z float64
		if dense {
			z = e.Value[j]
		} else {
			z = e.At(j)
		}
		switch {
		case z != z:
		case r.nominal[j]:
			h := (math.Float64bits(z) ^ salt) * 0x9e3779b97f4a7c15
			h = (h ^ h>>32) * 0xd6e8feb86659fd93
			z = float64((h^h>>32)>>11) / (1 << 53)
		default:
			z = max(-maxInput, min(maxInput, z))
		}
		dst[j] = z
	}
}

// answer appends the mean of the trees' answers; x is scratch.
func (r *reader) answer(dst []float64, views func(int) *view, trees int, e *models.Example, x []float64) []float64 {
	start, k := len(dst), max(1, r.classes)
	for range 2 * k { // the answer, then one tree's as scratch
		dst = append(dst, 0)
	}
	out, one := dst[start:start+k], dst[start+k:]
	for i := range trees {
		v := views(i)
		if i == 0 || r.salted() {
			r.row(x, e, v.salt)
		}
		r.tree(one, v, x)
		for c, p := range one {
			out[c] += p
		}
	}
	for c := range out {
		out[c] /= float64(trees)
	}
	if r.task == models.Binary {
		out[0] = out[1]
		return dst[:start+1]
	}
	return dst[:start+k]
}

func (r *reader) salted() bool {
	for _, n := range r.nominal {
		if n {
			return true
		}
	}
	return false
}

// tree writes the answer of one tree: from the leaf of the row up to the root, each node's answer with half of its part in the weight of
// the prunings below it (algorithm 4).
func (r *reader) tree(out []float64, v *view, x []float64) {
	if v.root == none {
		for c := range out {
			out[c] = 0
			if r.classes > 0 {
				out[c] = 1 / float64(r.classes)
			}
		}
		return
	}
	at := v.root
	n := v.at(at)
	for n.left >= 0 {
		at = v.child(n, x)
		n = v.at(at)
	}
	r.says(out, v, at, n, 1)
	for at = n.parent; at != none; at = n.parent {
		n = v.at(at)
		r.says(out, v, at, n, 0.5*math.Exp(n.weight-n.total))
	}
}

// says mixes the answer of a node into out with the part w.
func (r *reader) says(out []float64, v *view, at int32, n *node, w float64) {
	if r.classes == 0 {
		out[0] += float64(w * (n.mean - out[0]))
		return
	}
	total := n.n + float64(r.dirichlet*float64(r.classes))
	for c, count := range v.counts(at, r.classes) {
		out[c] += float64(w * ((count+r.dirichlet)/total - out[c]))
	}
}

// Predict appends P(Y = 1), one probability for each class, or the value.
func (f *Forest) Predict(dst []float64, e *models.Example) []float64 {
	return f.answer(dst, func(i int) *view { return &f.trees[i].view }, len(f.trees), e, f.x)
}

// Observe does nothing: scales follow the examples with labels.
func (f *Forest) Observe(*models.Example) {}

// Learn lets every tree learn the example. One with a label out of range changes nothing.
func (f *Forest) Learn(e *models.Example, _ []float64) {
	if !(e.Weight > 0) || math.IsNaN(e.Y) || math.IsInf(e.Y, 0) || f.classes > 0 && !(e.Y >= 0 && e.Y < float64(f.classes)) {
		return
	}
	w, y := max(minWeight, min(maxWeight, e.Weight)), e.Y
	if f.classes == 0 {
		y = max(-maxInput, min(maxInput, y))
		if f.events > 0 {
			f.judge(e, y, w)
		}
	}
	f.events++
	f.row(f.x, e, 0)
	for j, z := range f.x {
		if f.nominal[j] {
			f.scale[j] = 1
		} else if z == z {
			m := &f.moments[j]
			m.add(z, 1)
			if f.scale[j] = 0; m.m2 > 0 {
				f.scale[j] = 1 / math.Sqrt(12*(m.m2/m.n))
			}
		}
	}
	for i := range f.trees {
		t := &f.trees[i]
		if i == 0 || f.salted() {
			f.row(f.x, e, t.salt)
		}
		f.learn(t, f.x, y, w)
	}
}

// judge takes the forest's squared error, in whose units losses count.
func (f *Forest) judge(e *models.Example, y, w float64) {
	var buf [4]float64
	d := y - f.Predict(buf[:0], e)[0]
	w = min(w, 100)
	f.errorSum = float64(errorKeep*f.errorSum) + float64(w*float64(d*d))
	f.errorN = float64(errorKeep*f.errorN) + w
	f.precision = 0
	if f.errorSum > 0 {
		f.precision = min(1e300, f.errorN/(2*f.errorSum))
	}
}

// Nodes returns the number of nodes in use.
func (f *Forest) Nodes() int {
	n := 0
	for i := range f.trees {
		n += f.trees[i].used - len(f.trees[i].free)
	}
	return n
}

// leavesForgotten is the name of what is counted.
const leavesForgotten = "leaves_forgotten"

// Dropped adds how many leaves were forgotten because of max_nodes.
func (f *Forest) Dropped(d *models.Drops) {
	n := uint64(0)
	for i := range f.trees {
		n += f.trees[i].gone
	}
	d.Add(leavesForgotten, n)
}

// Publish returns an immutable snapshot.
func (f *Forest) Publish() models.Predictor {
	s := &snapshot{reader: f.reader, views: make([]view, len(f.trees))}
	for i := range f.trees {
		s.views[i] = f.trees[i].view
		s.views[i].pages = append([]*page(nil), s.views[i].pages...)
	}
	s.rows.New = func() any { x := make([]float64, s.width); return &x }
	f.epoch++
	return s
}

type snapshot struct {
	reader
	views []view
	rows  sync.Pool
}

// Predict answers as the forest did when it was published.
func (s *snapshot) Predict(dst []float64, e *models.Example) []float64 {
	x := s.rows.Get().(*[]float64)
	dst = s.answer(dst, func(i int) *view { return &s.views[i] }, len(s.views), e, *x)
	s.rows.Put(x)
	return dst
}
