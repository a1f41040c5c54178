package evaluate

import (
	"fmt"
	"time"

	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/metric"
)

// maxPoints bounds the points of a curve.
const maxPoints = 100_000

// curve takes a model's metrics every so many labels.
type curve struct {
	every  int64
	env    models.Env
	recent scorer
	fresh  bool // recent begins anew after each point
	points []curvePoint
}

type scorer interface {
	Add(t int64, y float64, answer []float64, weight float64)
	Values() []metric.Named
}

type curvePoint struct {
	labels int64
	time   int64
	all    Metrics
	recent Metrics
}

// timeless is a set as a scorer.
type timeless struct{ *metric.Set }

func (s timeless) Add(_ int64, y float64, answer []float64, weight float64) {
	s.Set.Add(y, answer, weight)
}

func newCurve(o *Options, env models.Env, rows int64) (*curve, error) {
	if rows/o.Every > maxPoints {
		return nil, fmt.Errorf("every: a point each %d of %d rows makes more than %d: take fewer", o.Every, rows, maxPoints)
	}
	c := &curve{every: o.Every, env: env}
	switch r := o.Recent; {
	case r.Events > 0:
		c.recent = metric.NewRecent(env.Task, env.Classes, r.Events, 0)
	case r.Duration > 0:
		c.recent = metric.NewRecent(env.Task, env.Classes, 0, r.Duration)
	case r.Fading > 0:
		c.recent = metric.NewFading(env.Task, env.Classes, r.Fading)
	default:
		c.fresh = true
		c.recent = timeless{metric.New(env.Task, env.Classes)}
	}
	return c, nil
}

func (c *curve) add(p *pending, answer []float64, all *metric.Set, labels int64) {
	c.recent.Add(p.example.Time, p.y, answer, p.example.Weight)
	if labels%c.every != 0 {
		return
	}
	c.points = append(c.points, curvePoint{labels, p.example.Time, all.Values(), c.recent.Values()})
	if c.fresh {
		c.recent = timeless{metric.New(c.env.Task, c.env.Classes)}
	}
}

// CurvePoint is the metrics of all models after a number of labels.
type CurvePoint struct {
	Task   string         `json:"-"`
	Labels int64          `json:"labels"`
	Time   string         `json:"time,omitempty"` // event time, where the data has one
	Models []CurveMetrics `json:"models"`         // in the order of the report, baselines last
}

// CurveMetrics are one model's metrics at a point: over all labels so far, and over recent ones.
type CurveMetrics struct {
	Model  string  `json:"model"`
	All    Metrics `json:"metrics"`
	Recent Metrics `json:"recent"`
}

func joinCurves(runners []*runner) []CurvePoint {
	var out []CurvePoint
	for i := range runners[0].curve.points {
		out = append(out, *joinPoint(runners, i))
	}
	return out
}

// joinPoint is the i-th point of all models.
func joinPoint(runners []*runner, i int) *CurvePoint {
	p := &runners[0].curve.points[i]
	joined := &CurvePoint{Task: runners[0].curve.env.Task.String(), Labels: p.labels}
	if p.time != 0 {
		joined.Time = time.UnixMicro(p.time).UTC().Format(time.RFC3339)
	}
	for _, m := range runners {
		q := &m.curve.points[i]
		joined.Models = append(joined.Models, CurveMetrics{m.name, q.all, q.recent})
	}
	return joined
}
