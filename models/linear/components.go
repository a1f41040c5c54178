package linear

import (
	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/loss"
	"github.com/freshet-ml/freshet/models/optim"
)

func params(lossName string) []models.Param {
	ps := []models.Param{{Name: "optimizer", Default: models.Named("sgd"), Part: models.OptimizerKind, Doc: "how gradients become steps"}}
	return append(ps,
		models.Param{Name: "loss", Default: models.Named(lossName), Part: models.LossKind, Doc: "what is minimised"},
		models.Param{Name: "l2", Default: 0.0, Range: models.AtLeast(0), Doc: "penalty l2/2·w² on the weights of the columns that an example holds"},
		models.Param{Name: "intercept", Default: true, Doc: "learn an intercept"},
		models.Param{Name: "average", Default: false, Doc: "answer with the mean of all weights so far (Polyak and Juditsky 1992)"},
		models.Param{Name: "intercept_learning_rate", Default: 0.01, Range: models.AtLeast(0),
			Doc: "rate of the intercept's own plain steps; 0: the optimizer learns it like a column of ones"})
}

func options(a models.Args) Options {
	return Options{L2: a.Float("l2"), NoIntercept: !a.Bool("intercept"), InterceptRate: a.Float("intercept_learning_rate"), Average: a.Bool("average")}
}

func parts(a models.Args, env models.Env) (loss.Loss, optim.Optimizer, error) {
	opt, err := optim.Build(a, "optimizer", env)
	if err != nil {
		return nil, nil, err
	}
	l, err := a.Part("loss", env)
	if err != nil {
		return nil, nil, err
	}
	return l.(loss.Loss), opt, nil
}

const guardDoc = " A missing value counts as 0. No step moves the answer on its own example past the label, so unscaled inputs do not diverge."

// Components lists the models for the catalogue.
var Components = append([]models.Component{
	{Name: "linear_regression", Kind: models.ModelKind, Tasks: []models.Task{models.Regression}, Fold: 2, NumbersOnly: true,
		Params: params("squared"), Cost: "O(entries of the row)", Memory: "8 bytes per column and the optimizer's",
		Doc: "Linear regression by gradient steps, any loss with any optimizer." + guardDoc,
		NewModel: func(a models.Args, env models.Env) (models.Learner, error) {
			l, opt, err := parts(a, env)
			if err != nil {
				return nil, err
			}
			return NewRegression(len(env.Schema.Columns), l, opt, options(a)), nil
		}},
	{Name: "logistic_regression", Kind: models.ModelKind, Tasks: []models.Task{models.Binary}, Fold: 2, NumbersOnly: true,
		Params: params("logistic"), Cost: "O(entries of the row)", Memory: "8 bytes per column and the optimizer's",
		Doc: "Binary logistic regression by gradient steps, any binary loss with any optimizer." + guardDoc,
		NewModel: func(a models.Args, env models.Env) (models.Learner, error) {
			l, opt, err := parts(a, env)
			if err != nil {
				return nil, err
			}
			return NewLogistic(len(env.Schema.Columns), l, opt, options(a)), nil
		}},
	{Name: "softmax_regression", Kind: models.ModelKind, Tasks: []models.Task{models.Multiclass}, Fold: 2, NumbersOnly: true,
		Params: params("cross_entropy"), Cost: "O(classes × entries of the row)", Memory: "8 bytes per class and column and the optimizer's",
		Doc: "Multinomial logistic regression by gradient steps." + guardDoc,
		NewModel: func(a models.Args, env models.Env) (models.Learner, error) {
			l, err := a.Part("loss", env)
			if err != nil {
				return nil, err
			}
			o := options(a)
			o.Loss = l.(loss.Multi)
			return NewSoftmax(len(env.Schema.Columns), env.Classes, func() (optim.Optimizer, error) { return optim.Build(a, "optimizer", env) }, o)
		}},
}, PassiveAggressiveComponent, PerceptronComponent, QuantileComponent, BayesianComponent)
