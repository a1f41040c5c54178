package neural

import (
	"math"
	"slices"

	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/loss"
)

// output says what the scores of a net mean. It is immutable.
type output interface {
	// width is the number of scores.
	width() int
	// fits reports whether y is a label.
	fits(y float64) bool
	// slopes writes the derivatives of the loss by the scores into dst and returns the loss.
	slopes(dst, scores []float64, y float64, target *moments) float64
	// answer appends the answer, and for itself what else the net says.
	answer(dst, scores []float64, target *moments) []float64
}

// measures reports whether an output is of a number, whose moments the net keeps.
func measures(o output) bool {
	switch o := o.(type) {
	case number, gaussian, quantiles:
		return true
	case hedged:
		return measures(o.each)
	}
	return false
}

// lossNames are what users may choose; auto is logistic, cross_entropy or squared, by the task.
var lossNames = []string{"auto", "focal", "squared", "huber", "absolute", "gaussian", "quantiles"}

// lossesOf lists the losses that a task can have, the default first.
func lossesOf(task models.Task) []string {
	if task == models.Regression {
		return []string{"squared", "huber", "absolute", "gaussian", "quantiles"}
	}
	return []string{"auto", "focal"}
}

// outputOptions are what users may say of an output.
type outputOptions struct {
	Loss         string
	Quantiles    []float64
	NegativeRate float64 // share of the negative examples that were kept, in (0, 1]
}

func newOutput(env models.Env, o outputOptions) (output, error) {
	allowed := lossesOf(env.Task)
	if o.Loss != "auto" && !slices.Contains(allowed, o.Loss) {
		return nil, models.SpecErrors{{Path: "loss", Reason: o.Loss + " is no loss of the task " + env.Task.String(), Mend: "one of auto, " + joined(allowed)}}
	}
	switch env.Task {
	case models.Binary:
		var l loss.Loss = loss.Logistic{}
		if o.Loss == "focal" {
			l = loss.Focal{Gamma: 2}
		}
		return binary{l, math.Log(o.NegativeRate)}, nil
	case models.Multiclass:
		var l loss.Multi = loss.CrossEntropy{}
		if o.Loss == "focal" {
			l = loss.Focal{Gamma: 2}
		}
		return multiclass{l, env.Classes}, nil
	}
	switch o.Loss {
	case "huber":
		return number{loss.Huber{Delta: 1}}, nil
	case "absolute":
		return number{loss.Absolute{}}, nil
	case "gaussian":
		return gaussian{}, nil
	case "quantiles":
		return newQuantiles(o.Quantiles)
	}
	return number{loss.Squared{}}, nil
}

func joined(names []string) string {
	text := ""
	for i, n := range names {
		if i > 0 {
			text += ", "
		}
		text += n
	}
	return text
}

// binary is one score, the log-odds of class 1.
type binary struct {
	loss   loss.Loss
	offset float64 // log of the share of negative examples that the net sees
}

func (binary) width() int        { return 1 }
func (binary) fits(float64) bool { return true }

func (o binary) slopes(dst, scores []float64, y float64, _ *moments) float64 {
	if y > 0.5 {
		y = 1
	} else {
		y = 0
	}
	dst[0] = o.loss.Gradient(scores[0], y)
	return o.loss.Value(scores[0], y)
}

// answer: of the negative examples a share r was kept, so the odds that were learned are 1/r times those of the stream (King and Zeng 2001, §4.1).
func (o binary) answer(dst, scores []float64, _ *moments) []float64 {
	return append(dst, loss.Sigmoid(sound(scores[0])+o.offset))
}

// sound returns a score, 0 for one that is not finite.
func sound(x float64) float64 {
	if !finite(x) {
		return 0
	}
	return x
}

// multiclass is one score for each class, through a softmax.
type multiclass struct {
	loss    loss.Multi
	classes int
}

func (o multiclass) width() int { return o.classes }

func (o multiclass) fits(y float64) bool {
	return y >= 0 && y < float64(o.classes)
}

func (o multiclass) slopes(dst, scores []float64, y float64, _ *moments) float64 {
	copy(dst, scores)
	loss.Softmax(dst)
	cost := o.loss.Cost(dst, int(y))
	o.loss.Slopes(dst, dst, int(y))
	return cost
}

func (o multiclass) answer(dst, scores []float64, _ *moments) []float64 {
	at := len(dst)
	for _, s := range scores {
		dst = append(dst, sound(s))
	}
	loss.Softmax(dst[at:])
	return dst
}

// number is one score, the target in deviations from its mean.
type number struct{ loss loss.Loss }

func (number) width() int          { return 1 }
func (number) fits(y float64) bool { return y == y }

func (o number) slopes(dst, scores []float64, y float64, target *moments) float64 {
	y = target.scale(y, clipTarget)
	dst[0] = o.loss.Gradient(scores[0], y)
	return o.loss.Value(scores[0], y)
}

func (number) answer(dst, scores []float64, target *moments) []float64 {
	return append(dst, target.mean+float64(target.deviation*sound(scores[0])))
}

// gaussian is two scores: the mean μ and the logarithm s of what the deviation has above its floor, σ = floor + e^s. The loss is the
// negative log-likelihood without its constant, log σ + (y − μ)²/2σ² (Nix and Weigend 1994). The floor is smooth, so that a deviation never sticks to it.
type gaussian struct{}

const (
	sigmaFloor = 0.01 // of the target's deviation
	sigmaLimit = 20.0 // greatest s
)

func (gaussian) width() int          { return 2 }
func (gaussian) fits(y float64) bool { return y == y }

func (gaussian) slopes(dst, scores []float64, y float64, target *moments) float64 {
	y = target.scale(y, clipTarget)
	grown := math.Exp(min(scores[1], sigmaLimit))
	sigma := sigmaFloor + grown
	z := (y - scores[0]) / sigma
	dst[0] = -z / sigma
	dst[1] = (1 - float64(z*z)) / sigma * grown
	if scores[1] > sigmaLimit {
		dst[1] = 0
	}
	return math.Log(sigma) + float64(0.5*z*z)
}

// answer appends mean and deviation.
func (gaussian) answer(dst, scores []float64, target *moments) []float64 {
	sigma := sigmaFloor + math.Exp(min(sound(scores[1]), sigmaLimit))
	return append(dst, target.mean+float64(target.deviation*sound(scores[0])), float64(target.deviation*sigma))
}

// quantiles is one score for each quantile, each by its pinball loss (Koenker and Bassett 1978).
type quantiles struct {
	losses []loss.Quantile
	middle int // the one nearest to the median
}

func newQuantiles(alphas []float64) (output, error) {
	if len(alphas) == 0 || !slices.IsSorted(alphas) {
		return nil, models.SpecErrors{{Path: "quantiles", Reason: "quantiles must be named, in increasing order"}}
	}
	o := quantiles{}
	for i, a := range alphas {
		o.losses = append(o.losses, loss.Quantile{Alpha: a})
		if math.Abs(a-0.5) < math.Abs(alphas[o.middle]-0.5) {
			o.middle = i
		}
	}
	return o, nil
}

func (o quantiles) width() int        { return len(o.losses) }
func (quantiles) fits(y float64) bool { return y == y }

func (o quantiles) slopes(dst, scores []float64, y float64, target *moments) float64 {
	y = target.scale(y, clipTarget)
	sum := 0.0
	for k, l := range o.losses {
		dst[k] = l.Gradient(scores[k], y)
		sum += l.Value(scores[k], y)
	}
	return sum
}

// answer appends the middle quantile, then all of them, in order: those that cross are sorted (Chernozhukov et al. 2010).
func (o quantiles) answer(dst, scores []float64, target *moments) []float64 {
	at := len(dst)
	dst = append(dst, 0)
	for _, s := range scores {
		dst = append(dst, target.mean+float64(target.deviation*sound(s)))
	}
	slices.Sort(dst[at+1:])
	dst[at] = dst[at+1+o.middle]
	return dst
}
