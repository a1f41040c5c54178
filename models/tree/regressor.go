package tree

import (
	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
)

// HoeffdingTreeRegressor is the catalogue entry of the Hoeffding tree for regression.
var HoeffdingTreeRegressor = models.Component{
	Name:   "hoeffding_tree_regressor",
	Kind:   models.ModelKind,
	Tasks:  []models.Task{models.Regression},
	Params: regressParams(),
	Doc: "Regression tree that splits a leaf when the Hoeffding bound says that no other split reduces the variance of the labels as much (FIMT-DD without its change detection; hoeffding_adaptive_tree_regressor has one). " +
		"Leaves answer with their mean, with a linear model of the numeric columns (on values scaled by mean and deviation, inherited at a split), or with whichever had the smaller recent error; linear answers stay between the least and the greatest label seen. " +
		"A missing or unknown value follows the branch that most examples took when the node was split, is left out of the statistics of a leaf, and counts as the column's mean in its linear model. Labels beyond ±1e140 count as that.",
	Cost:   "O(depth + columns) per event",
	Memory: "1 KiB per leaf and numeric column (e_bst: up to 48 KiB); 16 bytes per value of a categorical column; bounded by max_bytes and max_leaves",
	Source: "Ikonomovska, Gama & Džeroski 2011 (FIMT-DD); quantised observers: Mastelini & de Carvalho 2021",
	Bounds: append(Bounds(), mergedBound),
	Fold:   2,
	NewModel: func(a models.Args, env models.Env) (models.Learner, error) {
		return NewRegressor(env, regressConfig(a)), nil
	},
}

// regressParams are the parameters of all regression trees.
func regressParams() []models.Param {
	return []models.Param{
		{Name: "grace_period", Default: 200.0, Range: models.AtLeast(1), Unit: "weight of examples", Doc: "what a leaf sees between two attempts to split"},
		{Name: "delta", Default: 1e-7, Range: models.Inside(0, 1), Doc: "one minus the confidence that the best split is the best"},
		{Name: "tau", Default: 0.05, Range: models.Between(0, 1), Doc: "Hoeffding bound below which two splits count as tied and the better one is taken"},
		{Name: "leaf_prediction", Default: leafAdaptive, Choices: []string{leafAdaptive, leafLinear, leafMean}, Doc: "what a leaf answers: its mean, its linear model, or the one with the smaller recent error (adaptive)"},
		{Name: "splitter", Default: splitQuantised, Choices: []string{splitQuantised, splitTree}, Doc: "how a leaf keeps a numeric column: 64 bins that find their scale, or a search tree of up to 1,024 values"},
		{Name: "learning_rate", Default: 0.1, Range: models.AboveTo(0, 1), Doc: "first step length of the linear models; it falls with 1/(1 + weight/1000)"},
		{Name: "max_leaves", Default: 16384, Range: models.Between(1, 1<<20), Doc: "the tree stops growing at this number of leaves"},
		{Name: "max_bytes", Default: 32 << 20, Range: models.Between(1<<10, 1<<40), Unit: "bytes", Doc: "memory of the tree and its snapshot: at most half for nodes, then it stops growing; the rest for the statistics in leaves, of which those with the least error to gain lose theirs; one leaf always keeps them"},
		{Name: "max_categories", Default: 64, Range: models.Between(2, 4096), Doc: "values of a categorical column that are told apart; those that first occur later share the last place"},
	}
}

func regressConfig(a models.Args) RegressConfig {
	return RegressConfig{
		GracePeriod: a.Float("grace_period"), Delta: a.Float("delta"), Tau: a.Float("tau"), Leaf: a.Text("leaf_prediction"),
		Splitter: a.Text("splitter"), Rate: a.Float("learning_rate"),
		MaxLeaves: a.Int("max_leaves"), MaxBytes: a.Int("max_bytes"), MaxCategories: a.Int("max_categories"),
	}
}

// Regressor is a Hoeffding tree for regression. It implements models.Learner and models.Publisher.
type Regressor struct{ regTree }

// NewRegressor returns an empty tree. It panics for a task that is no regression.
func NewRegressor(env models.Env, cfg RegressConfig) *Regressor {
	return &Regressor{newRegTree(env, cfg)}
}

// Learn sorts the example into its leaf and splits the leaf when that is due. Examples with a weight that is not positive and
// finite change nothing.
func (r *Regressor) Learn(e *models.Example, _ []float64) {
	y, ok := r.usable(e)
	if !ok {
		return
	}
	row, places := r.read(e, y)
	r.train(r.leaf(&r.layout, r.root, row), row, places, y, e.Weight)
}

// State visits scale and dictionaries, then the nodes in preorder.
func (r *Regressor) State(c *codec.State) {
	c.Fixed("hoeffding_tree_regressor version", 1)
	r.visit(c)
}

// visit visits a whole regression tree.
func (t *regTree) visit(c *codec.State) {
	c.Fixed("columns", t.width)
	c.Fixed("categorical columns", len(t.nominal))
	c.Uint64(&t.dropped.leaves)
	c.Uint64(&t.dropped.splits)
	c.Uint64(&t.dropped.values)
	if t.random() {
		c.Uint64(&t.cfg.Seed)
		c.Uint64(&t.draws)
	}
	t.scaling.visit(c)
	if c.Loading() {
		t.uproot()
	}
	t.visitDicts(c)
	t.visitNodes(c, t.cfg.MaxLeaves, false, func(at int32, kind byte) {
		if kind&kindBits == leafKind {
			t.visitLeaf(c, &t.cells[at], kind&activeFlag != 0)
		}
	})
	if c.Loading() && (c.Err() != nil || t.leaves > t.cfg.MaxLeaves) {
		c.Fail("%d leaves", t.leaves)
		t.plant()
	}
}

func (t *regTree) visitLeaf(c *codec.State, l *regCell, active bool) {
	if t.random() {
		c.Uint64(&l.draw)
	}
	if c.Loading() {
		l.linear = t.lines.take(1+len(t.numeric), t.ample)
		if active {
			t.enliven(l)
		}
	}
	for _, v := range []*float64{&l.weight, &l.mean, &l.seen, &l.tried, &l.reference, &l.meanError, &l.linearError} {
		c.Float64(v)
		if c.Loading() && *v-*v != 0 {
			c.Fail("a leaf holds %g", *v)
		}
	}
	for i := range l.linear {
		c.Float64(&l.linear[i])
		if c.Loading() && l.linear[i]-l.linear[i] != 0 {
			c.Fail("a linear model holds %g", l.linear[i])
		}
	}
	if !active || c.Err() != nil {
		return
	}
	for i := range l.trees {
		l.trees[i].visit(c)
	}
	bins := l.bins
	for _, column := range t.numeric {
		if l.bins == nil || !l.watches(column) {
			continue
		}
		for i := range binsLen {
			c.Float64(&bins[i])
		}
		bins = bins[binsLen:]
	}
	if c.Loading() {
		checkBins(c, l.bins)
	}
	for k := range l.tables {
		c.Float64s(&l.tables[k])
		if n := len(l.tables[k]); c.Loading() && (n%2 != 0 || n > 2*t.cfg.MaxCategories) {
			c.Fail("table of %d numbers", n)
			l.tables[k] = nil
		}
	}
}

// checkBins refuses a scale that would not end when it is widened.
func checkBins(c *codec.State, bins []float64) {
	for ; len(bins) > 0; bins = bins[binsLen:] {
		low, width := bins[0], bins[1]
		if low != low && width == 0 || low >= -1e200 && low <= 1e200 && (width == 0 || width >= 1e-300 && width < 1e200 && width > 1e-14*max(low, -low)) {
			continue
		}
		c.Fail("bins from %g with width %g", low, width)
		return
	}
}

// regSnapshot is an immutable regression tree.
type regSnapshot struct {
	frozenTree
	leafModel string
	scale     *scaled
}

// Publish returns an immutable snapshot. Cost: the leaves that have learned since the last one, and 1/32 byte for each
// node; O(1) if nothing was learned.
func (t *regTree) Publish() models.Predictor {
	if t.still() && t.lent {
		return t.frozen
	}
	t.follow()
	t.frozen, t.lent = &regSnapshot{freeze(&t.body, t.freezeLeaf), t.cfg.Leaf, t.now}, true
	return t.frozen
}

// freezeLeaf gives what a leaf answers from: see regAnswer.
func (t *regTree) freezeLeaf(at int32) []float64 {
	c := &t.cells[at]
	switch {
	case t.nodes[at].column >= 0 || c.linear == nil:
		return nil
	case t.cfg.Leaf == leafMean:
		return []float64{c.mean, c.meanError, c.linearError}
	}
	return append(append(make([]float64, 0, 3+len(c.linear)), c.mean, c.meanError, c.linearError), c.linear...)
}

// Predict answers as the tree did when it was published.
func (s *regSnapshot) Predict(dst []float64, e *models.Example) []float64 {
	row, memory := s.borrow(e)
	_, x := s.leaf(row)
	leaf := regAnswer{mean: x[0], meanError: x[1], linearError: x[2], linear: x[3:]}
	dst = append(dst, leaf.answer(s.leafModel, s.layout, s.scale, row))
	s.giveBack(memory)
	return dst
}
