package serving

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/forecast"
	freshetv1 "github.com/freshet-ml/freshet/proto/freshet/v1"
)

// maxLevels bounds the quantiles of a call.
const maxLevels = 99

// Forecast answers for the steps ahead of one series, from the state that its feature unit has committed: every server gives the same answer.
func (s *Server) Forecast(ctx context.Context, req *freshetv1.ForecastRequest) (*freshetv1.ForecastResponse, error) {
	begin := time.Now()
	resp, err := s.forecast(ctx, req)
	err = toStatus(s.logged(err, "forecast"))
	if m, ok := s.index.models[req.GetModel()]; ok {
		m.metrics.done(1, status.Code(err), time.Since(begin))
	}
	return resp, err
}

func (s *Server) forecast(ctx context.Context, req *freshetv1.ForecastRequest) (*freshetv1.ForecastResponse, error) {
	m, err := s.index.model(req.GetModel())
	if err != nil {
		return nil, err
	}
	if m.Task != models.Forecast {
		return nil, invalid("NO_FORECAST", fmt.Sprintf("model %s is of the task %s, and has no series", m.Name, m.Task), "forecasts: "+s.forecastHint())
	}
	levels, err := m.asksFor(req)
	if err != nil {
		return nil, err
	}
	future, err := m.future(req)
	if err != nil {
		return nil, err
	}
	asked, err := s.asked(nil, req.GetAsOf())
	if err != nil {
		return nil, err
	}
	c := s.calls.Get().(*call)
	defer s.calls.Put(c)
	defer c.release()
	c.reset(nil, nil)
	key, err := s.seriesKey(c, m, req.GetKey())
	if err != nil {
		return nil, err
	}
	if err := s.predictor.read(ctx, c, req.GetAllowStale() || s.config.AllowStale); err != nil {
		return nil, err
	}
	if err := s.predictor.time(c, asked); err != nil {
		return nil, err
	}
	st := s.predictor.state(c, key)
	if st == nil {
		return nil, notFound("UNKNOWN_KEY", fmt.Sprintf("model %s has no series of %s", m.Name, keyText(m, s.catalog.Entities[m.Forecast.Entity].Key, req.GetKey())),
			"a series begins with its first event; one that was idle for longer than keep is forgotten")
	}
	return s.outlook(m, st, c, levels, int(req.GetHorizon()), future)
}

func (s *Server) forecastHint() string {
	var names []string
	for _, name := range s.index.names {
		if s.index.models[name].Task == models.Forecast {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return "none in this project"
	}
	return list(names)
}

// asksFor checks horizon and quantiles, and returns the levels to answer.
func (m *served) asksFor(req *freshetv1.ForecastRequest) ([]float64, error) {
	limit := fmt.Sprintf("model %s forecasts 1 to %d steps", m.Name, m.Forecast.Horizon)
	switch h := req.GetHorizon(); {
	case h == 0:
		return nil, invalid("HORIZON", "no horizon: say how many steps are forecast", limit)
	case int64(h) > int64(m.Forecast.Horizon):
		return nil, invalid("HORIZON", fmt.Sprintf("horizon %d is beyond that of the model", h), limit+"; raise its horizon in the project file")
	}
	levels := req.GetQuantiles()
	switch {
	case len(levels) == 0:
		return m.Forecast.Levels, nil
	case len(levels) > maxLevels:
		return nil, invalid("LEVELS", fmt.Sprintf("%d quantiles", len(levels)), fmt.Sprintf("at most %d", maxLevels))
	}
	if err := forecast.CheckLevels(levels); err != nil {
		what, mend, _ := strings.Cut(err.Error(), ": ")
		return nil, invalid("LEVELS", what, mend)
	}
	return levels, nil
}

// future returns the regressors of the steps asked for, in the order of the model.
func (m *served) future(req *freshetv1.ForecastRequest) ([][]float64, error) {
	names := m.Forecast.Regressors
	given := req.GetFuture()
	switch {
	case len(names) == 0 && len(given) > 0:
		return nil, invalid("REGRESSORS", fmt.Sprintf("model %s has no regressors", m.Name), "leave future out")
	case len(names) == 0:
		return nil, nil
	case len(given) != int(req.GetHorizon()):
		return nil, invalid("REGRESSORS", fmt.Sprintf("future regressors of %d steps, %d are asked for", len(given), req.GetHorizon()),
			"give "+list(names)+" for each step, in the order of time")
	}
	rows := make([][]float64, len(given))
	for i, step := range given {
		rows[i] = make([]float64, len(names))
		for j, name := range names {
			x, ok := step.GetRegressors()[name]
			if !ok {
				return nil, invalid("REGRESSORS", fmt.Sprintf("step %d: the regressor %s is missing", i+1, name), "give "+list(names)+" for each step")
			}
			if x-x != 0 {
				return nil, invalid("NOT_FINITE", fmt.Sprintf("step %d: the regressor %s is not a finite number", i+1, name), "send a number")
			}
			rows[i][j] = x
		}
		for name := range step.GetRegressors() {
			if !slices.Contains(names, name) {
				return nil, invalid("REGRESSORS", fmt.Sprintf("step %d: model %s has no regressor %s", i+1, m.Name, clip(name)), "it has "+list(names))
			}
		}
	}
	return rows, nil
}

// seriesKey adds the key of the series and returns its index.
func (s *Server) seriesKey(c *call, m *served, given map[string]*freshetv1.Value) (int, error) {
	e := &s.catalog.Entities[m.Forecast.Entity]
	var names, unknown []string
	for _, f := range e.Key {
		names = append(names, f.Name)
	}
	for name := range given {
		if !slices.Contains(names, name) {
			unknown = append(unknown, clip(name))
		}
	}
	if len(unknown) > 0 {
		slices.Sort(unknown)
		return 0, invalid("UNKNOWN_FIELD", fmt.Sprintf("%s is no key field of model %s", list(unknown), m.Name), "its key is "+list(names))
	}
	var fault error
	key := c.key(m.Forecast.Entity, e.Reader, func(name string) (features.Value, bool) {
		f := e.Key[slices.Index(names, name)]
		f.Nullable = false
		v, ok := given[name]
		if !ok {
			fault = invalid("KEY_MISSING", fmt.Sprintf("key field %s of model %s is missing", name, m.Name), "its key is "+list(names))
			return features.Value{}, false
		}
		x, err := convert(&f, v)
		if err == nil {
			err = checkKey(&f, x)
		}
		fault = err
		return x, err == nil
	})
	return key, fault
}

// keyText names a series in a message.
func keyText(m *served, key []features.Field, given map[string]*freshetv1.Value) string {
	var parts []string
	for i := range key {
		f := key[i]
		if x, err := convert(&f, given[f.Name]); err == nil {
			parts = append(parts, f.Name+"="+clip(x.String()))
		}
	}
	return strings.Join(parts, ", ")
}

// outlook asks the series of a state.
func (s *Server) outlook(m *served, st *EntityState, c *call, levels []float64, horizon int, future [][]float64) (*freshetv1.ForecastResponse, error) {
	model, state, ok := s.catalog.Entities[m.Forecast.Entity].Reader.KeyedState(&st.State, m.Forecast.Feature)
	k, is := model.(*forecast.Keyed)
	if !ok || !is {
		return nil, fmt.Errorf("model %s: entity type %d has no forecaster %s", m.Name, m.Forecast.Entity, m.Forecast.Feature)
	}
	o := models.NewOutlook(horizon, levels)
	place, err := k.Forecast(o, state, c.now, future)
	if err != nil {
		return nil, fmt.Errorf("model %s: %w", m.Name, err)
	}
	step := k.Config().Step
	resp := &freshetv1.ForecastResponse{Model: m.Name, Levels: levels, Health: seriesHealth(&o.Health, place.Late), NewestEvent: timestamp(place.Newest),
		AsOf: timestamp(c.now), Head: timestamp(st.Head), Step: durationpb.New(time.Duration(step) * time.Microsecond), Stale: c.stale}
	if place.Newest != features.NoTime {
		resp.Age = durationpb.New(time.Duration(c.now-place.Newest) * time.Microsecond)
	}
	if o.Health.Status == models.HealthUnknown {
		return resp, nil
	}
	for i, mean := range o.Mean {
		n := len(levels)
		resp.Steps = append(resp.Steps, &freshetv1.ForecastStep{Start: timestamp(place.First + int64(i)*step), Mean: mean, Quantiles: o.Quantiles[i*n : (i+1)*n : (i+1)*n]})
	}
	return resp, nil
}

func seriesHealth(h *models.Health, late uint64) *freshetv1.SeriesHealth {
	return &freshetv1.SeriesHealth{Status: freshetv1.SeriesHealth_Status(h.Status), Observed: uint64(h.Observed), Refused: uint64(h.Refused), Late: late,
		Anomalies: uint64(h.Anomalies), Shifts: uint64(h.Shifts), Restarts: uint64(h.Restarts), Siblings: uint64(h.Siblings)}
}
