// Package mondrian holds the aggregated Mondrian forest.
//
// It stands in the flow as a model: models/catalog lists Components, models/fold hands it the examples of the log.
package mondrian

import "github.com/freshet-ml/freshet/models"

// Components lists the models of this package for the catalogue.
var Components = []models.Component{MondrianForest}

// MondrianForest is the catalogue entry of the aggregated Mondrian forest.
var MondrianForest = models.Component{
	Name:   "mondrian_forest",
	Kind:   models.ModelKind,
	Tasks:  []models.Task{models.Binary, models.Multiclass, models.Regression},
	Bounds: []models.Bound{{What: leavesForgotten, Doc: "leaves that were forgotten, the least useful first, since a tree had max_nodes"}},
	Fold:   1,
	Params: []models.Param{
		{Name: "trees", Default: 10, Range: models.Between(1, 1000), Doc: "trees, whose answers are averaged"},
		{Name: "step", Default: 1.0, Range: models.Above(0), Doc: "rate of the aggregation: how much of a loss counts against a node's weight"},
		{Name: "dirichlet", Default: 0.5, Range: models.Above(0), Unit: "examples", Doc: "classification: what each class has in every node before the first example"},
		{Name: "split_pure", Default: true, Doc: "classification: split nodes, too, that have seen one class only"},
		{Name: "max_nodes", Default: 4096, Range: models.Between(3, 1<<24), Doc: "nodes of a tree; at this number the leaf that was reached longest ago goes, and the split above it"},
	},
	Doc: "Aggregated Mondrian forest: trees that split where a new example lies outside the box of those before it, at random, and whose answer is the exact average of the answers of all their prunings, weighted by how well these predicted. " +
		"Columns are brought to one scale by their running deviation, so numbers need no scaling; a category gets a place on the line that each tree draws anew. " +
		"A missing value widens no box and takes the side that more examples took. Labels of a regression may have any unit: losses count in units of the forest's own squared error.",
	Cost:   "O(trees × depth × columns)",
	Memory: "80 bytes, 16 per column and 8 per class for each node, at most trees × max_nodes nodes",
	Source: "Mourtada, Gaïffas and Scornet 2021, AMF: aggregated Mondrian forests for online learning, algorithms 1 to 4",
	NewModel: func(a models.Args, env models.Env) (models.Learner, error) {
		return New(env, Config{Trees: a.Int("trees"), Step: a.Float("step"), Dirichlet: a.Float("dirichlet"), SplitPure: a.Bool("split_pure"), MaxNodes: a.Int("max_nodes")}), nil
	},
}
