// Package bayes holds the naive Bayes classifiers: they take the columns as independent within a class, so learning
// is counting. In the flow they are models: models/catalog lists Components, models/fold hands them the examples.
// They draw no random numbers, and their memory is fixed by the schema.
package bayes

import (
	"fmt"
	"math"

	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
)

// Components lists the models of this package for the catalogue.
var Components = []models.Component{
	GaussianComponent,
	BernoulliComponent,
	MultinomialComponent,
	ComplementComponent,
	NaiveComponent,
}

var classification = []models.Task{models.Binary, models.Multiclass}

var alphaParam = models.Param{Name: "alpha", Default: 1.0, Range: models.AboveTo(0, 1e6), Unit: "examples", Doc: "what is added to every count (Laplace, Lidstone)"}
var maxCategoriesParam = models.Param{Name: "max_categories", Default: 64, Range: models.Between(2, 4096),
	Doc: "values of a categorical column that are told apart; those that first occur later share the last place"}

// limit is the greatest magnitude that is computed with, so that squares stay finite.
const limit = 1e100

// maxWeight is the greatest weight of an example: sums of such stay finite.
const maxWeight = 1e100

func bounded(x float64) float64 { return max(-limit, min(limit, x)) }

// prepare checks the task and returns the number of classes.
func prepare(env models.Env) (int, error) {
	switch {
	case env.Task == models.Binary:
		return 2, nil
	case env.Task == models.Multiclass && env.Classes >= 2:
		return env.Classes, nil
	}
	return 0, fmt.Errorf("naive Bayes: a classification with two classes or more is wanted, not %s with %d", env.Task, env.Classes)
}

// usable returns the class of an example that can be learned, and false for one that cannot: no weight, or no class.
func usable(e *models.Example, classes int) (int, bool) {
	y := int(e.Y)
	return y, e.Weight > 0 && e.Weight <= maxWeight && e.Y >= 0 && y < classes
}

// appendAnswer turns the log-votes that stand at dst[from:] into probabilities, and for Binary leaves only that of class 1.
func appendAnswer(dst []float64, from int, task models.Task) []float64 {
	votes := dst[from:]
	if task == models.Binary {
		p := 0.5
		if d := votes[0] - votes[1]; d == d { // not −∞ − −∞
			p = 1 / (1 + math.Exp(d))
		}
		votes[0] = p
		return dst[:from+1]
	}
	top := math.Inf(-1)
	for _, v := range votes {
		top = max(top, v)
	}
	if math.IsInf(top, -1) {
		for c := range votes {
			votes[c] = 1 / float64(len(votes))
		}
		return dst
	}
	total := 0.0
	for c, v := range votes {
		votes[c] = math.Exp(v - top)
		total += votes[c]
	}
	for c := range votes {
		votes[c] /= total
	}
	return dst
}

// nonNegative visits numbers that must be finite and at least 0.
func nonNegative(s *codec.State, name string, v []float64) {
	s.Fixed(name, len(v))
	for i := range v {
		s.Float64(&v[i])
		if s.Loading() && !(v[i] >= 0 && v[i] <= math.MaxFloat64) {
			s.Fail("%s: %v", name, v[i])
			v[i] = 0
		}
	}
}
