package optim

import "github.com/freshet-ml/freshet/models"

var (
	rate  = models.Param{Name: "learning_rate", Default: 0.01, Range: models.Above(0), Doc: "length of a step"}
	power = models.Param{Name: "power", Default: 0.0, Range: models.Between(0, 1), Doc: "the rate falls as 1 / (1 + steps)^power; 0: constant, 0.5: inverse scaling"}
)

func withDefault(p models.Param, v float64) models.Param {
	p.Default = v
	return p
}

// Components lists the optimizers for the catalogue.
var Components = []models.Component{
	{Name: "sgd", Kind: models.OptimizerKind, Fold: 1, Cost: "O(entries)", Memory: "none; 8 bytes per column with momentum",
		Doc:    "Plain stochastic gradient descent, constant or with a falling rate, with momentum if asked for.",
		Source: "Robbins and Monro 1951; momentum: Polyak 1964",
		Params: []models.Param{rate, power,
			{Name: "momentum", Default: 0.0, Range: models.Range{Min: 0, Max: 1, OpenMax: true}, Doc: "share of the last step that is taken again"}},
		NewPart: func(a models.Args, env models.Env) (any, error) {
			return NewSGD(Columns(env), Schedule{a.Float("learning_rate"), a.Float("power")}, a.Float("momentum")), nil
		}},
	{Name: "adagrad", Kind: models.OptimizerKind, Fold: 1, Cost: "O(entries)", Memory: "8 bytes per column",
		Doc:    "Every column has its own rate, which falls with the squared gradients it has seen; with a discount it stops falling and follows drift.",
		Source: "Duchi, Hazan and Singer 2011",
		Params: []models.Param{withDefault(rate, 0.05),
			{Name: "discount", Default: 1.0, Range: models.AboveTo(0, 1), Doc: "factor on the summed squares at every step; 1 never forgets"},
			{Name: "epsilon", Default: 1e-8, Range: models.Above(0), Doc: "added to the root"}},
		NewPart: func(a models.Args, env models.Env) (any, error) {
			return NewAdaGrad(Columns(env), a.Float("learning_rate"), a.Float("discount"), a.Float("epsilon")), nil
		}},
	{Name: "adam", Kind: models.OptimizerKind, Fold: 1, Cost: "O(entries)", Memory: "16 bytes per column",
		Doc:    "Means of gradients and of their squares; quick on badly scaled inputs.",
		Source: "Kingma and Ba 2015, algorithm 1",
		Params: []models.Param{withDefault(rate, 0.001), power,
			{Name: "beta_1", Default: 0.9, Range: models.Range{Min: 0, Max: 1, OpenMax: true}, Doc: "discount of the mean"},
			{Name: "beta_2", Default: 0.999, Range: models.Range{Min: 0, Max: 1, OpenMax: true}, Doc: "discount of the squares"},
			{Name: "epsilon", Default: 1e-8, Range: models.Above(0), Doc: "added to the root"}},
		NewPart: func(a models.Args, env models.Env) (any, error) {
			s := Schedule{a.Float("learning_rate"), a.Float("power")}
			return NewAdam(Columns(env), s, a.Float("beta_1"), a.Float("beta_2"), a.Float("epsilon")), nil
		}},
	{Name: "coin", Kind: models.OptimizerKind, Fold: 1, Cost: "O(entries)", Memory: "32 bytes per column",
		Doc:    "Parameter-free: each column bets what it has won on the sign of its next gradient. There is no learning rate.",
		Source: "Orabona and Tommasi 2017, algorithm 2 (COCOB)",
		Params: []models.Param{{Name: "alpha", Default: 100.0, Range: models.AtLeast(1), Doc: "limits the first bets"}},
		NewPart: func(a models.Args, env models.Env) (any, error) {
			return NewCoin(Columns(env), a.Float("alpha")), nil
		}},
}
