package forecasts

import (
	"fmt"
	"math"
	"strings"
	"sync/atomic"
	"time"

	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/catalog"
	"github.com/freshet-ml/freshet/models/forecast"
)

// member is a model or a baseline; workers share it.
type member struct {
	name     string
	start    func() models.Series
	baseline bool
	identity [32]byte     // of the plan; zero for baselines
	spent    atomic.Int64 // on calls for the clock's sake, ns
}

// build makes the members: the models, then the baselines.
func (r *run) build() error {
	env := models.ForecastEnv{Seasons: r.o.seasons(), Horizon: r.o.Horizon, Regressors: len(r.o.Regressors), Seed: r.o.Seed}
	var without []string
	add := func(name string, spec models.Spec) error {
		plan, err := catalog.Resolve(spec, models.Forecast)
		if err != nil {
			return fmt.Errorf("model %s: %w", name, err)
		}
		f, err := plan.Forecaster(env)
		if err != nil {
			return fmt.Errorf("model %s: %w", name, err)
		}
		if c := catalog.All.Find(spec.Stages[len(spec.Stages)-1].Name); c == nil || !c.Regressors {
			without = append(without, name)
		}
		r.members = append(r.members, &member{name: name, start: f.Start, identity: plan.Fingerprint()})
		return nil
	}
	if err := add(r.o.modelName(), r.o.Spec); err != nil {
		return err
	}
	for _, c := range r.o.Others {
		if err := add(c.Model, c.Spec); err != nil {
			return err
		}
	}
	r.models = len(r.members)
	if err := r.leftAside(without); err != nil {
		return err
	}
	r.baseline("naive", forecast.NewNaive(models.ForecastEnv{Horizon: r.o.Horizon}).Start)
	for i, m := range r.o.Seasons {
		name := "seasonal_naive"
		if i > 0 {
			name = fmt.Sprintf("seasonal_naive_%d", m)
		}
		r.baseline(name, forecast.NewNaive(models.ForecastEnv{Seasons: []int{m}, Horizon: r.o.Horizon}).Start)
	}
	r.naive2 = -1
	switch {
	case r.o.Load != "":
		r.notes = append(r.notes, "baselines and scales begin with this file, not with the loaded states; without owa, whose reference needs the whole history")
	case naive2Cost(r.data, r.o) > naive2Work:
		r.notes = append(r.notes, "without owa: its reference naive2 would look at all values again at each of so many origins")
	default:
		r.naive2 = len(r.members)
		season := r.o.scale()
		r.baseline("naive2", func() models.Series { return &naive2{season: season} })
	}
	return nil
}

// leftAside says which models use no regressors, where there are some. Where none does, the regressors are an error.
func (r *run) leftAside(without []string) error {
	switch {
	case len(r.o.Regressors) == 0 || len(without) == 0:
		return nil
	case len(without) == r.models:
		return fmt.Errorf("regressors: %s uses none: leave them out, or take %s", strings.Join(without, ", "), strings.Join(catalog.WithRegressors(), ", "))
	}
	r.notes = append(r.notes, strings.Join(without, ", ")+" without the regressors, which it does not use")
	return nil
}

func (r *run) baseline(name string, start func() models.Series) {
	r.members = append(r.members, &member{name: name, start: start, baseline: true})
}

func (o *Options) modelName() string {
	if o.Model != "" {
		return o.Model
	}
	if n := len(o.Spec.Stages); n > 0 {
		return o.Spec.Stages[n-1].Name
	}
	return ""
}

// tally is what one model took, in processor time.
type tally struct {
	learned, asked         int64 // values and forecasts that were timed
	learnTime, predictTime time.Duration
}

func (t *tally) join(o *tally) {
	t.learned += o.learned
	t.asked += o.asked
	t.learnTime += o.learnTime
	t.predictTime += o.predictTime
}

func (t *tally) means() (learn, predict float64) {
	return float64(t.learnTime) / math.Max(float64(t.learned), 1), float64(t.predictTime) / math.Max(float64(t.asked), 1)
}

// lane is a member on its way through one series.
type lane struct {
	series models.Series
	at     int64 // step that it has come to
}

// learn takes in the points from lo up to hi.
func (l *lane) learn(s *series, width, lo, hi int) {
	for i := lo; i < hi; i++ {
		p := &s.points[i]
		l.series.Advance(p.t - l.at)
		l.at = p.t
		if !math.IsNaN(p.y) {
			l.series.Observe(p.y, s.x[i*width:(i+1)*width])
		}
	}
}

// asking asks one series for forecasts; it belongs to a worker.
type asking struct {
	width  int
	future [][]float64
}

// ask writes the forecast after an origin.
func (a *asking) ask(l *lane, o *models.Outlook, s *series, at origin) {
	var x [][]float64
	if a.width > 0 {
		from := s.at(at.point)
		for p := at.point + 1; p < len(s.points) && s.points[p].t-from <= int64(at.steps); p++ {
			a.future[s.points[p].t-from-1] = s.x[p*a.width : (p+1)*a.width]
		}
		x = a.future[:at.steps]
	}
	o.Skip = 0
	l.series.Forecast(o, x)
}

// checkRegressors wants a number for every step that is forecast.
func (d *data) checkRegressors(o *Options) error {
	width := len(d.regressors)
	if width == 0 {
		return nil
	}
	name := o.Path
	if o.Test != "" {
		name = o.Test
	}
	for _, s := range d.series {
		for _, at := range o.origins(s) {
			next := s.at(at.point) + 1
			for p := at.point + 1; p < len(s.points) && next <= s.at(at.point)+int64(at.steps); p++ {
				if s.points[p].t != next {
					return fmt.Errorf("%s: key %q: there is no row for %s, and forecasts need the regressors of every step: add the row, with an empty %s if that is missing",
						name, s.key, d.grid.text(next, s.base), o.Target)
				}
				for i, x := range s.x[p*width : (p+1)*width] {
					if math.IsNaN(x) {
						return fmt.Errorf("%s:%d: key %q: the regressor %s has no number, and forecasts need the regressors of every step: fill it",
							name, s.points[p].line, s.key, d.regressors[i])
					}
				}
				next++
			}
		}
	}
	return nil
}
