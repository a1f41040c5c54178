package catalog

import (
	"slices"

	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/boost"
	"github.com/freshet-ml/freshet/models/ensemble"
	"github.com/freshet-ml/freshet/models/mondrian"
	"github.com/freshet-ml/freshet/models/neighbors"
	"github.com/freshet-ml/freshet/models/tree"
)

// The bounds of the experts of auto: a mixture has several, and one that has seen a season gains little from more.
const (
	treeBytes    = 1 << 20
	boostedBytes = 8 << 20
	forestBytes  = 32 << 20
)

var classes = []models.Task{models.Binary, models.Multiclass}

// experts are those of auto beside the linear ones. Boosting by few trees finds its feet sooner, where labels are classes; numbers gain from many. Few trees take longer
// steps: what T trees that each take the part ν of the rest leave is (1−ν)^T, 4 % of 30 trees at 0.1 and 0.1 % at 0.2 (Friedman 2001, Greedy function approximation,
// section 5, has the trade between the two). Chosen on random trees, moving and still clusters, hyperplanes, Agrawal's functions with a change, SEA, waves, LED and mixed concepts.
var experts = []ensemble.Expert{
	expert("tree", false, tree.Components, "hoeffding_tree", classes, map[string]any{"max_bytes": treeBytes}),
	expert("boosted", true, boost.Components, "gradient_boosted_trees", classes, map[string]any{"trees": 30, "learning_rate": 0.2, "max_bytes": boostedBytes}),
	expert("boosted", true, boost.Components, "gradient_boosted_trees", []models.Task{models.Regression}, map[string]any{"trees": 100, "max_bytes": boostedBytes}),
	expert("forest", true, ensemble.Components, "adaptive_random_forest", append(slices.Clone(classes), models.Regression), map[string]any{"max_bytes": forestBytes}),
	expert("mondrian", true, mondrian.Components, "mondrian_forest", classes, map[string]any{"trees": 5, "max_nodes": 2048}),
	expert("neighbors", true, neighbors.Components, "k_nearest_neighbors", classes, nil),
}

// expert is a model of a catalogue with these parameters, for these tasks.
func expert(name string, dear bool, of []models.Component, model string, tasks []models.Task, params map[string]any) ensemble.Expert {
	return ensemble.Expert{Name: name, Dear: dear, Bounds: models.Registry(of).Find(model).Bounds, New: func(env models.Env) (models.Learner, error) {
		if !slices.Contains(tasks, env.Task) {
			return nil, nil
		}
		p, err := models.Registry(of).Resolve(models.Spec{Stages: []models.Stage{{Name: model, Params: params}}}, env.Task)
		if err != nil {
			return nil, err
		}
		return p.Build(env)
	}}
}
