// Package label holds models around a model that change what it learns from: labels of a regression in another scale, examples
// weighted by class. In the flow they are the last stage of a pipeline, with the real model inside.
package label

import (
	"math"

	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
)

// Components lists the models for the catalogue.
var Components = []models.Component{TransformComponent, WeightsComponent}

// TransformComponent is the catalogue entry of Transform.
var TransformComponent = models.Component{
	Name: "target_transform", Kind: models.ModelKind, Tasks: []models.Task{models.Regression}, Fold: 1,
	Params: []models.Param{
		{Name: "model", Default: models.Named("auto"), Part: models.ModelKind, Doc: "the model, or a pipeline that ends with one"},
		{Name: "by", Default: "scale", Choices: []string{"scale", "log"}, Doc: "scale: labels less their mean over their standard deviation, so far; log: log(1 + |y|) with the sign of y"},
	},
	Cost: "O(1) and the model's", Memory: "24 bytes and the model's", Source: "scale: Welford 1962",
	Doc: "Lets a model learn labels in another scale and turns its answers back. log makes errors relative, for labels over many magnitudes; the answer is then nearer to the median than to the mean. " +
		"Missing values are the model's matter.",
	NewModel: func(a models.Args, env models.Env) (models.Learner, error) {
		m, err := a.Model("model", env)
		if err != nil {
			return nil, err
		}
		return NewTransform(m, a.Text("by") == "log"), nil
	},
}

// Transform lets a model learn transformed labels.
type Transform struct {
	scale
	inner models.Learner
	x     models.Example
}

// scale is the way there and back.
type scale struct {
	log         bool
	n, mean, m2 float64 // of the labels so far (Welford), for the scale
}

const (
	maxLabel = 1e100 // greater labels are taken as this, so that squares stay finite
	maxLog   = 690   // greater logarithms are taken as this
)

func (t *scale) sd() float64 {
	if t.n < 2 || t.m2 <= 0 {
		return 0
	}
	return math.Sqrt(t.m2 / t.n)
}

func (t *scale) there(y float64) float64 {
	if t.log {
		return math.Copysign(math.Log1p(math.Abs(y)), y)
	}
	if sd := t.sd(); sd > 0 {
		return (max(-maxLabel, min(maxLabel, y)) - t.mean) / sd
	}
	return 0
}

func (t *scale) back(z float64) float64 {
	if t.log {
		return math.Copysign(math.Expm1(min(math.Abs(z), maxLog)), z)
	}
	return t.mean + float64(t.sd()*max(-maxLabel, min(maxLabel, z)))
}

// NewTransform returns the model around inner, which it owns: by logarithm, or by standardising. It is a Publisher if inner is one.
func NewTransform(inner models.Learner, log bool) models.Learner {
	t := &Transform{scale: scale{log: log}, inner: inner}
	if _, ok := inner.(models.Publisher); ok {
		return &publishingTransform{t}
	}
	return t
}

// Predict appends the answer, then all that the inner model appends.
func (t *Transform) Predict(dst []float64, e *models.Example) []float64 {
	at := len(dst)
	dst = t.inner.Predict(append(dst, 0), e)
	dst[at] = t.back(dst[at+1])
	return dst
}

// Observe lets the inner model observe.
func (t *Transform) Observe(e *models.Example) { t.inner.Observe(e) }

// Learn takes the label into the scale, then lets the inner model learn it transformed.
func (t *Transform) Learn(e *models.Example, past []float64) {
	if e.Weight == 0 {
		return
	}
	if !t.log {
		y := max(-maxLabel, min(maxLabel, e.Y))
		t.n++
		d := y - t.mean
		t.mean += d / t.n
		t.m2 += float64(d * (y - t.mean))
	}
	t.x = *e
	t.x.Y = t.there(e.Y)
	if len(past) > 1 {
		past = past[1:]
	} else {
		past = nil
	}
	t.inner.Learn(&t.x, past)
}

// State visits the scale and the inner model.
func (t *Transform) State(s *codec.State) {
	s.Float64(&t.n)
	s.Float64(&t.mean)
	s.Float64(&t.m2)
	if !(t.n >= 0 && t.m2 >= 0 && math.Abs(t.mean) <= maxLabel) {
		s.Fail("target_transform: %v labels, mean %v, squares %v", t.n, t.mean, t.m2)
		t.n, t.mean, t.m2 = 0, 0, 0
	}
	t.inner.State(s)
}

// Dropped adds the counts of the model inside.
func (t *Transform) Dropped(d *models.Drops) { d.Of(t.inner) }

type publishingTransform struct{ *Transform }

// Publish snapshots the inner model.
func (t *publishingTransform) Publish() models.Predictor {
	return &frozenTransform{t.scale, t.inner.(models.Publisher).Publish()}
}

type frozenTransform struct {
	scale
	inner models.Predictor
}

func (t *frozenTransform) Predict(dst []float64, e *models.Example) []float64 {
	at := len(dst)
	dst = t.inner.Predict(append(dst, 0), e)
	dst[at] = t.back(dst[at+1])
	return dst
}
