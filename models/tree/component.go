// Package tree holds decision trees that grow one event at a time.
//
// They stand in the flow as models: models/catalog lists Components, models/fold hands them the examples of the log. A
// tree is bounded in memory, all of it (memory.go); what random choice there is (the columns that a leaf of an ensemble's member watches) comes from PCG streams of
// the seed, so equal logs give equal bits.
//
// All trees stand on one body (body.go) and arena: nodes lie in one slice, 32 bytes each, and what learning keeps beside a node in two more; the
// statistics of a leaf are one flat block of numbers, which another leaf gets when they are given up (stock.go). The Hoeffding trees share more: growing, and for those that follow drift alternate.go. Learning works in place on memory of its own. Publish copies the leaves that have learned
// since the last snapshot into persistent lists of chunks, so it costs what changed.
//
// Ensembles are built of Hoeffding: see there.
package tree

import (
	"github.com/freshet-ml/freshet/models"
)

// Components lists the models of this package for the catalogue.
var Components = []models.Component{HoeffdingTree, HoeffdingAdaptiveTree, ExtremelyFastDecisionTree, HoeffdingTreeRegressor, HoeffdingAdaptiveTreeRegressor, StochasticGradientTree}

// How numeric columns are split.
const (
	splitterGaussian  = "gaussian"
	splitterHistogram = "histogram"
)

// Leaf predictions.
const (
	leafNBA = "nba" // naive Bayes where it was right at least as often as the majority class
	leafNB  = "nb"  // naive Bayes
	leafMC  = "mc"  // class frequencies
)

// HoeffdingTree is the catalogue entry of the Hoeffding tree classifier.
var HoeffdingTree = models.Component{
	Name:   "hoeffding_tree",
	Kind:   models.ModelKind,
	Tasks:  []models.Task{models.Binary, models.Multiclass},
	Params: classParams(200.0),
	Doc: "Hoeffding tree (very fast decision tree): splits a leaf when the Hoeffding bound says that the best split is the best. " +
		"Numeric columns are split in two at a threshold, categorical ones into one branch per value. " +
		"A missing or unknown value follows the branch that most examples took when the node was split, and is left out of the statistics of a leaf.",
	Cost:   "O(depth + columns · classes) per event",
	Memory: "48 bytes per leaf, numeric column and class, with histograms 8 · (bins + 1) · (classes + 2) more per leaf and numeric column; 8 per value of a categorical column; bounded by max_bytes and max_leaves",
	Source: "Domingos & Hulten 2000; adaptive naive Bayes leaves: Holmes et al. 2005; Gaussian observers: Pfahringer et al. 2008; histograms: Ben-Haim & Tom-Tov 2010",
	Bounds: Bounds(),
	Fold:   3,
	NewModel: func(a models.Args, env models.Env) (models.Learner, error) {
		return New(env, classConfig(a)), nil
	},
}

// classParams are the parameters of all classification trees.
func classParams(grace float64) []models.Param {
	return append([]models.Param{
		{Name: "grace_period", Default: grace, Range: models.AtLeast(1), Unit: "weight of examples", Doc: "what a leaf sees between two attempts to split"},
		{Name: "delta", Default: 1e-7, Range: models.Inside(0, 1), Doc: "one minus the confidence that the best split is the best"},
		{Name: "tau", Default: 0.05, Range: models.Between(0, 1), Doc: "Hoeffding bound below which two splits count as tied and the better one is taken"},
		{Name: "leaf_prediction", Default: leafNBA, Choices: []string{leafNBA, leafNB, leafMC}, Doc: "what a leaf answers: naive Bayes or the class frequencies, whichever was right more often so far (nba), always naive Bayes (nb), always frequencies (mc)"},
		{Name: "max_leaves", Default: 16384, Range: models.Between(1, 1<<20), Doc: "the tree stops growing at this number of leaves"},
		{Name: "max_bytes", Default: 32 << 20, Range: models.Between(1<<10, 1<<40), Unit: "bytes", Doc: "memory of the tree and its snapshot: at most half for nodes, then it stops growing; the rest for the statistics in leaves, of which those with the fewest errors to gain lose theirs; one leaf always keeps them"},
		{Name: "max_categories", Default: 64, Range: models.Between(2, 4096), Doc: "values of a categorical column that are told apart; those that first occur later share the last place"},
	}, SplitterParams()...)
}

// SplitterParams are the parameters that say how classification trees, and the ensembles that are built of them, split numeric columns.
func SplitterParams() []models.Param {
	return []models.Param{
		{Name: "splitter", Default: splitterGaussian, Choices: []string{splitterGaussian, splitterHistogram}, Later: true,
			Doc: "by what a leaf judges splits of a numeric column: a normal distribution for each class at ten thresholds, or a histogram of the classes, exact between its bins, which finds what no normal distribution shows and takes more memory; naive Bayes leaves answer by normal distributions with both"},
		{Name: "bins", Default: 64, Range: models.Between(4, 1024), Later: true, Doc: "with `splitter: histogram`: bins of a numeric column in a leaf"},
	}
}

// BinsOf is the Config.Bins that the parameters SplitterParams say.
func BinsOf(a models.Args) int {
	if a.Text("splitter") == splitterHistogram {
		return a.Int("bins")
	}
	return 0
}

func classConfig(a models.Args) Config {
	return Config{
		GracePeriod: a.Float("grace_period"), Delta: a.Float("delta"), Tau: a.Float("tau"), Leaf: a.Text("leaf_prediction"),
		MaxLeaves: a.Int("max_leaves"), MaxBytes: a.Int("max_bytes"), MaxCategories: a.Int("max_categories"), Bins: BinsOf(a),
	}
}
