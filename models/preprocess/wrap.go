package preprocess

import (
	"math"

	"github.com/freshet-ml/freshet/models"
)

// modelParam is the model that a wrapper works on.
var modelParam = models.Param{Name: "model", Default: models.Named("hoeffding_tree"), Part: models.ModelKind, Doc: "the model, which may be a pipeline"}

// classesOf is the number of classes of an environment.
func classesOf(env models.Env) int {
	if env.Task == models.Multiclass {
		return env.Classes
	}
	return 2
}

// classAt returns the label as a class, and false if it is none.
func classAt(y float64, classes int) (int, bool) {
	k := int(y)
	return k, y >= 0 && k < classes && float64(k) == y
}

// adjust turns the answer of a model into that of its wrapper, in place: one probability of class 1 for a binary task, else one for each class.
type adjust interface{ adjust(answer []float64) }

// adjusted appends what a makes of the first n numbers of the model's answer, then that answer: the wrapper gets it back as past.
func adjusted(dst []float64, n int, e *models.Example, m models.Predictor, a adjust) []float64 {
	start := len(dst)
	for range n {
		dst = append(dst, 0)
	}
	dst = m.Predict(dst, e)
	copy(dst[start:start+n], dst[start+n:])
	a.adjust(dst[start : start+n])
	return dst
}

// inner is the model's part of the wrapper's earlier answer.
func inner(past []float64, n int) []float64 {
	if len(past) < 2*n {
		return nil
	}
	return past[n:]
}

// frozen is an immutable wrapper.
type frozen struct {
	n     int
	model models.Predictor
	by    adjust
}

// Predict appends the adjusted answer.
func (f *frozen) Predict(dst []float64, e *models.Example) []float64 {
	return adjusted(dst, f.n, e, f.model, f.by)
}

// reweigh multiplies the probabilities by factors of their classes and makes them sum to 1.
type reweigh struct{ factor []float64 }

func (r reweigh) adjust(p []float64) {
	if len(p) == 1 {
		a, b := p[0]*r.factor[1], (1-p[0])*r.factor[0]
		if a+b > 0 {
			p[0] = a / (a + b)
		}
		return
	}
	sum := 0.0
	for c := range p {
		sum += float64(p[c] * r.factor[c])
	}
	if !(sum > 0) {
		return
	}
	for c := range p {
		p[c] = p[c] * r.factor[c] / sum
	}
}

// logLoss is −log of the probability that an answer gives to class k, at most 35.
func logLoss(answer []float64, k int) float64 {
	p := answer[0]
	if len(answer) > 1 {
		p = answer[k]
	} else if k == 0 {
		p = 1 - p
	}
	return -math.Log(max(p, 1e-15))
}
