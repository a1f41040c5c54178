// Package boost holds gradient boosting one example at a time.
//
// It stands in the flow as a model: models/catalog lists Components, models/fold hands it the examples of the log.
package boost

import "github.com/freshet-ml/freshet/models"

// Components lists the models of this package for the catalogue.
var Components = []models.Component{GradientBoostedTrees}

// GradientBoostedTrees is the catalogue entry of the streaming gradient boosted trees.
var GradientBoostedTrees = models.Component{
	Name:   "gradient_boosted_trees",
	Kind:   models.ModelKind,
	Tasks:  []models.Task{models.Binary, models.Multiclass, models.Regression},
	Bounds: []models.Bound{{What: leavesDeactivated, Doc: "leaves that got no statistics because of max_bytes"}, {What: leavesMerged, Doc: "pairs of leaves that made room for a split at max_leaves"}},
	Fold:   2,
	Params: []models.Param{
		{Name: "trees", Default: 100, Range: models.Between(1, 2000), Doc: "rounds of boosting; one tree each, several classes one each"},
		{Name: "learning_rate", Default: 0.1, Range: models.AboveTo(0, 1), Doc: "part of a tree's answer that counts"},
		{Name: "subspace", Default: 0.75, Range: models.AboveTo(0, 1), Doc: "part of the columns that a tree may split on, drawn once; among the trees of one window every column is drawn equally often"},
		{Name: "grace_period", Default: 25.0, Range: models.AtLeast(1), Unit: "weight of examples", Doc: "what a leaf sees between two attempts to split"},
		{Name: "delta", Default: 0.5, Range: models.Inside(0, 1), Doc: "chance at which noise alone may split a leaf at an attempt"},
		{Name: "max_leaves", Default: 64, Range: models.Between(2, 4096), Doc: "leaves of a tree; at this number a split needs a pair of leaves that is worth less, which are merged"},
		{Name: "bins", Default: 64, Range: models.Between(4, 256), Doc: "values of a column that are told apart: intervals that follow its distribution, or categories, of which those that first occur later share the last place"},
		{Name: "l2", Default: 1.0, Range: models.AtLeast(1e-6), Doc: "second derivatives that the parent's answer counts for in a new leaf"},
		{Name: "shortest_window", Default: 10.0, Range: models.AtLeast(2), Unit: "examples", Doc: "what the answers of every fifth tree remember: they fade by 1/shortest_window at each example; the four after it remember more, up to window"},
		{Name: "window", Default: 1000.0, Range: models.AtLeast(10), Unit: "examples", Doc: "longest memory of the answers; the statistics of a leaf are halved when they hold more"},
		{Name: "max_bytes", Default: 64 << 20, Range: models.Between(1<<10, 1<<40), Unit: "bytes", Doc: "memory of the statistics in leaves; leaves that came later keep none and do not split"},
		{Name: "calibrate", Default: true, Doc: "classification: bend the probabilities online so that they are true on average"},
	},
	Doc: "Streaming gradient boosted trees: every tree learns, from one example after the other, the gradient of the log-loss (regression: of the squared error of standardised labels) that the trees before it leave. " +
		"A leaf answers with the Newton step Σg/Σh, which starts at its parent's and fades; it splits when the gain is more than noise. Columns are cut into bins that all trees share. " +
		"Numbers need no scaling, categories no encoding: a split takes one of them. Missing values go to the side where they gain more, or to the heavier one where none were seen. " +
		"Probabilities are calibrated online by the scores that were given at the predict record. Numbers stay between the least and the greatest label so far.",
	Cost:   "O(trees × (depth + columns)); with several classes, that for each",
	Memory: "8 bytes × columns of a tree × bins for each leaf, at most max_bytes; 60 bytes per leaf",
	Source: "Gunasekara, Pfahringer, Gomes and Bifet 2024, Gradient boosted trees for evolving data streams; leaf answers and gains: Chen and Guestrin 2016, section 2.2",
	NewModel: func(a models.Args, env models.Env) (models.Learner, error) {
		return New(env, Config{
			Trees: a.Int("trees"), LearningRate: a.Float("learning_rate"), Subspace: a.Float("subspace"), GracePeriod: a.Float("grace_period"),
			Delta: a.Float("delta"), MaxLeaves: a.Int("max_leaves"), Bins: a.Int("bins"), L2: a.Float("l2"), Shortest: a.Float("shortest_window"), Window: a.Float("window"),
			MaxBytes: a.Int("max_bytes"), Calibrate: a.Bool("calibrate"),
		})
	},
}
