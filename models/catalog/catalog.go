// Package catalog lists every component that a spec can name, in one place. In the flow it stands
// between the project file and the models: a spec comes in, a learner goes out.
package catalog

import (
	"fmt"
	"slices"

	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/anomaly"
	"github.com/freshet-ml/freshet/models/bandit"
	"github.com/freshet-ml/freshet/models/baseline"
	"github.com/freshet-ml/freshet/models/bayes"
	"github.com/freshet-ml/freshet/models/boost"
	"github.com/freshet-ml/freshet/models/cluster"
	"github.com/freshet-ml/freshet/models/drift"
	"github.com/freshet-ml/freshet/models/ensemble"
	"github.com/freshet-ml/freshet/models/factor"
	"github.com/freshet-ml/freshet/models/forecast"
	"github.com/freshet-ml/freshet/models/label"
	"github.com/freshet-ml/freshet/models/linear"
	"github.com/freshet-ml/freshet/models/loss"
	"github.com/freshet-ml/freshet/models/mixture"
	"github.com/freshet-ml/freshet/models/mondrian"
	"github.com/freshet-ml/freshet/models/neighbors"
	"github.com/freshet-ml/freshet/models/neural"
	"github.com/freshet-ml/freshet/models/optim"
	"github.com/freshet-ml/freshet/models/preprocess"
	"github.com/freshet-ml/freshet/models/tree"
)

// All is the catalogue. A new component is one more line.
var All = models.Registry(slices.Concat(
	preprocess.Components,
	baseline.Components,
	bayes.Components,
	neighbors.Components,
	anomaly.Components,
	cluster.Components,
	bandit.Components,
	[]models.Component{ensemble.Auto(treeExpert)},
	linear.Components,
	label.Components,
	factor.Components,
	forecast.Components,
	tree.Components,
	boost.Components,
	mondrian.Components,
	neural.Components,
	mixture.Components,
	ensemble.Components,
	optim.Components,
	loss.Components,
	drift.Components,
))

// expertBytes bounds the statistics of the tree in auto: a mixture has several experts, and a tree that has
// seen a season gains little from more.
const expertBytes = 512 << 10

// treeExpert is the tree among the experts of auto; it answers with classes only.
var treeExpert = ensemble.Expert{Name: "tree", New: func(env models.Env) (models.Learner, error) {
	if env.Task == models.Regression {
		return nil, nil
	}
	p, err := models.Registry(tree.Components).Resolve(models.Spec{Stages: []models.Stage{{Name: tree.HoeffdingTree.Name, Params: map[string]any{"max_bytes": expertBytes}}}}, env.Task)
	if err != nil {
		return nil, err
	}
	return p.Build(env)
}}

// Resolve checks a spec, fills in the defaults, and gives the plan that builds it and its fingerprint.
// The error, if any, is models.SpecErrors.
func Resolve(spec models.Spec, task models.Task) (*models.Plan, error) {
	return All.Resolve(spec, task)
}

// Build makes the learner of a spec for env.
func Build(spec models.Spec, env models.Env) (models.Learner, error) {
	p, err := Resolve(spec, env.Task)
	if err != nil {
		return nil, err
	}
	l, err := p.Build(env)
	if err != nil {
		return nil, fmt.Errorf("build model: %w", err)
	}
	return l, nil
}
