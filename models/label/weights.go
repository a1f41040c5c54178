package label

import (
	"fmt"
	"math"
	"strconv"

	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
)

// WeightsComponent is the catalogue entry of Weights.
var WeightsComponent = models.Component{
	Name: "class_weights", Kind: models.ModelKind, Tasks: []models.Task{models.Binary, models.Multiclass}, Fold: 1,
	Params: []models.Param{
		{Name: "model", Default: models.Named("auto"), Part: models.ModelKind, Doc: "the model, or a pipeline that ends with one"},
		{Name: "weights", Default: []string(nil), Doc: "one number ≥ 0 for each class, in order (binary: of 0, then of 1); none: balanced"},
	},
	Cost: "O(1) and the model's", Memory: "8 bytes per class and the model's", Source: "definition",
	Doc: "Multiplies the weight of every example by that of its class. Balanced: labels so far / (classes × labels of that class so far), so that every class counts alike. " +
		"The probabilities are then those of a stream with such classes, not of this one. Missing values are the model's matter.",
	NewModel: func(a models.Args, env models.Env) (models.Learner, error) {
		w, err := parseWeights(a.Texts("weights"), env.Classes)
		if err != nil {
			return nil, err
		}
		m, err := a.Model("model", env)
		if err != nil {
			return nil, err
		}
		return NewWeights(m, env.Classes, w), nil
	},
}

func parseWeights(texts []string, classes int) ([]float64, error) {
	if len(texts) == 0 {
		return nil, nil
	}
	if len(texts) != classes {
		return nil, models.SpecErrors{{Path: "weights", Reason: fmt.Sprintf("%d weights for %d classes", len(texts), classes), Mend: "one for each class, in order"}}
	}
	w := make([]float64, classes)
	for i, s := range texts {
		x, err := strconv.ParseFloat(s, 64)
		if err != nil || !(x >= 0) || math.IsInf(x, 0) {
			return nil, models.SpecErrors{{Path: fmt.Sprintf("weights[%d]", i), Reason: strconv.Quote(s) + " is no weight", Mend: "a number ≥ 0"}}
		}
		w[i] = x
	}
	return w, nil
}

// Weights weighs examples by class.
type Weights struct {
	inner  models.Learner
	fixed  []float64 // nil: balanced
	counts []float64
	total  float64
	x      models.Example
}

// NewWeights returns the model around inner, which it owns. weights has one number ≥ 0 for each class, or is nil for balanced ones. It
// is a Publisher if inner is one.
func NewWeights(inner models.Learner, classes int, weights []float64) models.Learner {
	w := &Weights{inner: inner, fixed: weights, counts: make([]float64, max(2, classes))}
	if _, ok := inner.(models.Publisher); ok {
		return &publishingWeights{w}
	}
	return w
}

// Predict is the inner model's.
func (w *Weights) Predict(dst []float64, e *models.Example) []float64 { return w.inner.Predict(dst, e) }

// Observe is the inner model's.
func (w *Weights) Observe(e *models.Example) { w.inner.Observe(e) }

// Learn lets the inner model learn the example with another weight. A label that is no class is left out.
func (w *Weights) Learn(e *models.Example, past []float64) {
	y := int(e.Y)
	if e.Weight == 0 || y < 0 || y >= len(w.counts) {
		return
	}
	w.counts[y] += e.Weight
	w.total += e.Weight
	w.x = *e
	if w.fixed != nil {
		w.x.Weight *= w.fixed[y]
	} else {
		w.x.Weight *= w.total / (float64(len(w.counts)) * w.counts[y])
	}
	if w.x.Weight > 0 {
		w.inner.Learn(&w.x, past)
	}
}

// State visits the counts and the inner model.
func (w *Weights) State(s *codec.State) {
	s.Fixed("number of classes", len(w.counts))
	w.total = 0
	for k := range w.counts {
		s.Float64(&w.counts[k])
		if c := w.counts[k]; !(c >= 0) || math.IsInf(c, 0) {
			s.Fail("class_weights: count %v", c)
			w.counts[k] = 0
		}
		w.total += w.counts[k]
	}
	w.inner.State(s)
}

// Dropped adds the counts of the model inside.
func (w *Weights) Dropped(d *models.Drops) { d.Of(w.inner) }

type publishingWeights struct{ *Weights }

// Publish snapshots the inner model.
func (w *publishingWeights) Publish() models.Predictor { return w.inner.(models.Publisher).Publish() }
