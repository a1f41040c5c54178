package ensemble

import (
	"math"

	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/tree"
)

// forestParams are the parameters that the forests have in common, apart from those whose defaults differ.
func forestParams(trees int, subspace string, warning, drift float64) []models.Param {
	return append([]models.Param{
		{Name: "trees", Default: trees, Range: models.Between(1, 1000), Doc: "number of trees"},
		{Name: "weight", Default: 6.0, Range: models.AboveTo(0, 100), Doc: "mean weight of an example: it is drawn for each tree from a Poisson distribution"},
		{Name: "subspace", Default: 0.6, Range: models.AboveTo(0, 1), Doc: subspace},
		{Name: "warning", Default: warning, Range: models.Inside(0, 1), Doc: "δ of the ADWIN on a tree's errors that has a tree planted behind it"},
		{Name: "drift", Default: drift, Range: models.Inside(0, 1), Doc: "δ of the ADWIN on a tree's errors that has it replaced"},
		{Name: "grace_period", Default: 50.0, Range: models.AtLeast(1), Unit: "weight of examples", Doc: "what a leaf sees between two attempts to split"},
		{Name: "delta", Default: 0.01, Range: models.Inside(0, 1), Doc: "one minus the confidence that the best split is the best"},
		{Name: "tau", Default: 0.05, Range: models.Between(0, 1), Doc: "Hoeffding bound below which two splits count as tied and the better one is taken"},
		{Name: "max_bytes", Default: 256 << 20, Range: models.Between(1<<16, 1<<40), Unit: "bytes", Doc: "memory of all trees and of those behind them, snapshots included, in equal shares: see the tree's max_bytes"},
	}, tree.SplitterParams()...)
}

const forestMissing = "A missing or unknown value follows the branch that most examples took when the node was split, and is left out of the statistics of a leaf. "

// AdaptiveRandomForest is the catalogue entry of the adaptive random forest.
var AdaptiveRandomForest = models.Component{
	Name: "adaptive_random_forest", Kind: models.ModelKind, Fold: 3, Bounds: tree.Bounds(),
	Tasks:  []models.Task{models.Binary, models.Multiclass, models.Regression},
	Params: forestParams(10, "share of the columns that a leaf watches, at least two, drawn for each leaf", 0.01, 0.001),
	Doc: "Adaptive random forest: Hoeffding trees whose leaves watch random columns learn each example with random weights. Two drift detectors watch the errors of every tree: the first has a tree planted behind it, the second has that one take its place. " +
		"The answer is the mean of the trees' probabilities, weighted by their accuracy since they stand in their place. A regression always splits by histograms. " + forestMissing,
	Cost:   "O(trees × (depth + watched columns × classes)); on several processors from 48 trees on, with the same bits",
	Memory: "O(leaves × watched columns × classes), bounded by max_bytes; 10 KiB per tree for the detectors",
	Source: "Gomes et al. 2017, Adaptive random forests for evolving data stream classification, algorithms 1 and 2; regression: Gomes et al. 2018, Adaptive random forests for data stream regression",
	NewModel: func(a models.Args, env models.Env) (models.Learner, error) {
		if env.Task == models.Regression {
			return newRegressionForest(a, env), nil
		}
		return newTreeForest(a, env, false), nil
	},
}

// StreamingRandomPatches is the catalogue entry of streaming random patches.
var StreamingRandomPatches = models.Component{
	Name: "streaming_random_patches", Kind: models.ModelKind, Tasks: classification, Fold: 3, Bounds: tree.Bounds(),
	Params: forestParams(10, "share of the columns that a tree sees, at least two, drawn for each tree; the first trees see different ones as far as there are", 1e-4, 1e-5),
	Doc: "Streaming random patches: Hoeffding trees, each on random columns of its own, learn each example with random weights. Drift is met as in adaptive_random_forest, a new tree sees new columns. " +
		"The answer is the mean of the trees' probabilities, weighted by their accuracy since they stand in their place. " + forestMissing,
	Cost:     "O(trees × (depth + seen columns × classes)); on several processors from 48 trees on, with the same bits",
	Memory:   "O(leaves × seen columns × classes), bounded by max_bytes; 10 KiB per tree for the detectors",
	Source:   "Gomes, Read & Bifet 2019, Streaming random patches for evolving data stream classification, algorithm 1",
	NewModel: func(a models.Args, env models.Env) (models.Learner, error) { return newTreeForest(a, env, true), nil },
}

// newRegressionForest makes a forest of regression trees.
func newRegressionForest(a models.Args, env models.Env) *forest {
	cfg := tree.DefaultRegressConfig()
	trees := a.Int("trees")
	cfg.GracePeriod, cfg.Delta, cfg.Tau = a.Float("grace_period"), a.Float("delta"), a.Float("tau")
	cfg.MaxBytes = max(1, a.Int("max_bytes")/(2*trees))
	cfg.Subspace = max(2, int(math.Round(a.Float("subspace")*float64(len(env.Schema.Columns)))))
	return newForest(env, forestConfig{
		trees: trees, mean: a.Float("weight"), warning: a.Float("warning"), drift: a.Float("drift"),
		fresh: func(seed uint64) models.Learner {
			c := cfg
			c.Seed = seed
			return tree.NewRegressor(env, c)
		},
	})
}

// newTreeForest makes a forest of classification trees.
func newTreeForest(a models.Args, env models.Env, patches bool) *forest {
	cfg := tree.DefaultConfig()
	trees, columns := a.Int("trees"), len(env.Schema.Columns)
	cfg.GracePeriod, cfg.Delta, cfg.Tau = a.Float("grace_period"), a.Float("delta"), a.Float("tau")
	cfg.MaxBytes = max(1, a.Int("max_bytes")/(2*trees))
	cfg.Bins = tree.BinsOf(a)
	cfg.Subspace, cfg.PerTree = max(2, int(math.Round(a.Float("subspace")*float64(columns)))), patches
	patch := 0
	if patches {
		patch = cfg.Subspace
	}
	return newForest(env, forestConfig{
		trees: trees, columns: patch, width: columns, mean: a.Float("weight"), warning: a.Float("warning"), drift: a.Float("drift"),
		fresh: func(seed uint64) models.Learner {
			c := cfg
			c.Seed = seed
			return tree.New(env, c)
		},
	})
}
