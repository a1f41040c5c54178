package optim

import "github.com/freshet-ml/freshet/models"

var (
	rate    = models.Param{Name: "learning_rate", Default: 0.01, Range: models.Above(0), Doc: "length of a step"}
	epsilon = models.Param{Name: "epsilon", Default: 1e-8, Range: models.Above(0), Doc: "added to the root"}
	beta1   = models.Param{Name: "beta_1", Default: 0.9, Range: models.Range{Min: 0, Max: 1, OpenMax: true}, Doc: "discount of the mean"}
	beta2   = models.Param{Name: "beta_2", Default: 0.999, Range: models.Range{Min: 0, Max: 1, OpenMax: true}, Doc: "discount of the squares"}
	share   = models.Param{Name: "momentum", Default: 0.9, Range: models.Range{Min: 0, Max: 1, OpenMax: true}, Doc: "share of the velocity that stays"}
)

func withDefault(p models.Param, v float64) models.Param {
	p.Default = v
	return p
}

// scheduled makes the constructor of an optimizer with learning_rate and schedule.
func scheduled(build func(a models.Args, n int, s Schedule) Optimizer) func(models.Args, models.Env) (any, error) {
	return func(a models.Args, env models.Env) (any, error) {
		s, err := schedule(a, env)
		if err != nil {
			return nil, err
		}
		return build(a, Columns(env), s), nil
	}
}

// Components lists the optimizers and schedules for the catalogue.
var Components = append([]models.Component{
	{Name: "sgd", Kind: models.OptimizerKind, Fold: 2, Cost: "O(entries)", Memory: "none",
		Doc:    "Plain stochastic gradient descent.",
		Source: "Robbins and Monro 1951",
		Params: []models.Param{rate, scheduleParam},
		NewPart: scheduled(func(_ models.Args, _ int, s Schedule) Optimizer {
			return NewSGD(s)
		})},
	{Name: "momentum", Kind: models.OptimizerKind, Fold: 1, Cost: "O(entries)", Memory: "8 bytes per column",
		Doc:    "Gradient descent with a velocity, which averages gradients: ten of its steps are one of sgd's at the default.",
		Source: "Polyak 1964",
		Params: []models.Param{withDefault(rate, 0.001), scheduleParam, share},
		NewPart: scheduled(func(a models.Args, n int, s Schedule) Optimizer {
			return NewMomentum(n, s, a.Float("momentum"), false)
		})},
	{Name: "nesterov", Kind: models.OptimizerKind, Fold: 1, Cost: "O(entries)", Memory: "8 bytes per column",
		Doc:    "Gradient descent with a velocity that looks ahead.",
		Source: "Nesterov 1983 in the form of Sutskever et al. 2013, §2",
		Params: []models.Param{withDefault(rate, 0.001), scheduleParam, share},
		NewPart: scheduled(func(a models.Args, n int, s Schedule) Optimizer {
			return NewMomentum(n, s, a.Float("momentum"), true)
		})},
	{Name: "adagrad", Kind: models.OptimizerKind, Fold: 1, Cost: "O(entries)", Memory: "8 bytes per column",
		Doc:    "Every column has its own rate, which falls with the squared gradients it has seen; with a discount it stops falling and follows drift.",
		Source: "Duchi, Hazan and Singer 2011",
		Params: []models.Param{withDefault(rate, 0.05),
			{Name: "discount", Default: 1.0, Range: models.AboveTo(0, 1), Doc: "factor on the summed squares at every step; 1 never forgets"}, epsilon},
		NewPart: func(a models.Args, env models.Env) (any, error) {
			return NewAdaGrad(Columns(env), a.Float("learning_rate"), a.Float("discount"), a.Float("epsilon")), nil
		}},
	{Name: "adadelta", Kind: models.OptimizerKind, Fold: 1, Cost: "O(entries)", Memory: "16 bytes per column",
		Doc:    "The lengths of past steps over those of gradients give the rate. It starts slowly.",
		Source: "Zeiler 2012, algorithm 1",
		Params: []models.Param{
			{Name: "discount", Default: 0.95, Range: models.Range{Min: 0, Max: 1, OpenMax: true}, Doc: "of the means of squares"},
			{Name: "epsilon", Default: 1e-6, Range: models.Above(0), Doc: "added under the roots; its root is the length of the first steps"}},
		NewPart: func(a models.Args, env models.Env) (any, error) {
			return NewAdaDelta(Columns(env), a.Float("discount"), a.Float("epsilon")), nil
		}},
	{Name: "rmsprop", Kind: models.OptimizerKind, Fold: 1, Cost: "O(entries)", Memory: "8 bytes per column",
		Doc:    "Divides by the root of a discounted mean of squared gradients.",
		Source: "Tieleman and Hinton 2012, lecture 6.5",
		Params: []models.Param{withDefault(rate, 0.01), scheduleParam,
			{Name: "discount", Default: 0.9, Range: models.Range{Min: 0, Max: 1, OpenMax: true}, Doc: "of the mean"}, epsilon},
		NewPart: scheduled(func(a models.Args, n int, s Schedule) Optimizer {
			return NewRMSProp(n, s, a.Float("discount"), a.Float("epsilon"))
		})},
	{Name: "adam", Kind: models.OptimizerKind, Fold: 2, Cost: "O(entries)", Memory: "16 bytes per column",
		Doc:    "Means of gradients and of their squares; quick on badly scaled inputs.",
		Source: "Kingma and Ba 2015, algorithm 1",
		Params: []models.Param{withDefault(rate, 0.001), scheduleParam, beta1, beta2, epsilon},
		NewPart: scheduled(func(a models.Args, n int, s Schedule) Optimizer {
			return NewAdam(n, s, a.Float("beta_1"), a.Float("beta_2"), a.Float("epsilon"))
		})},
	{Name: "amsgrad", Kind: models.OptimizerKind, Fold: 1, Cost: "O(entries)", Memory: "24 bytes per column",
		Doc:    "Adam whose rates never grow again.",
		Source: "Reddi, Kale and Kumar 2018, algorithm 2",
		Params: []models.Param{withDefault(rate, 0.001), scheduleParam, beta1, beta2, epsilon},
		NewPart: scheduled(func(a models.Args, n int, s Schedule) Optimizer {
			return NewAMSGrad(n, s, a.Float("beta_1"), a.Float("beta_2"), a.Float("epsilon"))
		})},
	{Name: "nadam", Kind: models.OptimizerKind, Fold: 1, Cost: "O(entries)", Memory: "16 bytes per column",
		Doc:    "Adam that looks ahead like Nesterov's method.",
		Source: "Dozat 2016, algorithm 2 with constant β₁",
		Params: []models.Param{withDefault(rate, 0.002), scheduleParam, beta1, beta2, epsilon},
		NewPart: scheduled(func(a models.Args, n int, s Schedule) Optimizer {
			return NewNadam(n, s, a.Float("beta_1"), a.Float("beta_2"), a.Float("epsilon"))
		})},
	{Name: "ftrl", Kind: models.OptimizerKind, Fold: 1, Cost: "O(entries)", Memory: "16 bytes per column",
		Doc:    "Follow the regularised leader, proximal: exact zeros with l1, for sparse rows of many columns.",
		Source: "McMahan et al. 2013, algorithm 1",
		Params: []models.Param{
			{Name: "alpha", Default: 0.05, Range: models.Above(0), Doc: "rate alpha / (beta + √Σg²)"},
			{Name: "beta", Default: 1.0, Range: models.AtLeast(0), Doc: "keeps the first steps short"},
			{Name: "l1", Default: 0.0, Range: models.AtLeast(0), Doc: "weights whose summed gradients stay within it are exactly 0"},
			{Name: "l2", Default: 1.0, Range: models.AtLeast(0), Doc: "draws weights to 0"}},
		NewPart: func(a models.Args, env models.Env) (any, error) {
			return NewFTRL(Columns(env), a.Float("alpha"), a.Float("beta"), a.Float("l1"), a.Float("l2")), nil
		}},
	{Name: "normalized_adaptive_gradient", Kind: models.OptimizerKind, Fold: 1, Cost: "O(entries)", Memory: "16 bytes per column",
		Doc: "Normalised, adaptive, invariant: needs no scaler before it, because each column's rate knows its greatest input so far, and no update passes the label. " +
			"What Vowpal Wabbit does by default.",
		Source: "Ross, Mineiro and Langford 2013, algorithm 2; Karampatziakis and Langford 2011",
		Params: []models.Param{withDefault(rate, 0.5)},
		NewPart: func(a models.Args, env models.Env) (any, error) {
			return NewNormalized(Columns(env), a.Float("learning_rate")), nil
		}},
	{Name: "coin", Kind: models.OptimizerKind, Fold: 1, Cost: "O(entries)", Memory: "32 bytes per column",
		Doc:    "Parameter-free: each column bets what it has won on the sign of its next gradient. There is no learning rate.",
		Source: "Orabona and Tommasi 2017, algorithm 2 (COCOB)",
		Params: []models.Param{{Name: "alpha", Default: 100.0, Range: models.AtLeast(1), Doc: "limits the first bets"}},
		NewPart: func(a models.Args, env models.Env) (any, error) {
			return NewCoin(Columns(env), a.Float("alpha")), nil
		}},
}, Schedules...)
