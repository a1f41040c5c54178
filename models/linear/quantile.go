package linear

import (
	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/loss"
	"github.com/freshet-ml/freshet/models/optim"
)

// QuantileComponent is the catalogue entry of quantile regression: NewRegression with loss.Quantile.
var QuantileComponent = models.Component{
	Name: "quantile_regression", Kind: models.ModelKind, Tasks: []models.Task{models.Regression}, Fold: 1, NumbersOnly: true,
	Params: []models.Param{
		{Name: "quantile", Default: 0.5, Range: models.Inside(0, 1), Doc: "share of the labels that shall lie below the answer"},
		{Name: "optimizer", Default: models.Named("adagrad"), Part: models.OptimizerKind, Doc: "how gradients become steps"},
		{Name: "l2", Default: 0.0, Range: models.AtLeast(0), Doc: "penalty l2/2·w² on the weights of the columns that an example holds"},
	},
	Cost: "O(entries of the row)", Memory: "8 bytes per column and the optimizer's", Source: "Koenker and Bassett 1978, by gradient steps",
	Doc: "Linear regression for a quantile of the label instead of its mean: two of them, such as 0.05 and 0.95, make a band." + guardDoc,
	NewModel: func(a models.Args, env models.Env) (models.Learner, error) {
		opt, err := optim.Build(a, "optimizer", env)
		if err != nil {
			return nil, err
		}
		return NewRegression(len(env.Schema.Columns), loss.Quantile{Alpha: a.Float("quantile")}, opt, Options{L2: a.Float("l2")}), nil
	},
}
