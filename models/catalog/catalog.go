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
	[]models.Component{ensemble.Auto(experts...)},
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
	drift.MeasureComponents,
))

// WithRegressors lists the forecasters that use the numbers that come with each value.
func WithRegressors() []string {
	var names []string
	for i := range All {
		if All[i].Regressors {
			names = append(names, All[i].Name)
		}
	}
	return names
}

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
