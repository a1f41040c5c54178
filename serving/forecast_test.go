package serving_test

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/features/unit"
	"github.com/freshet-ml/freshet/features/vector"
	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/catalog"
	"github.com/freshet-ml/freshet/models/forecast"
	freshetv1 "github.com/freshet-ml/freshet/proto/freshet/v1"
	"github.com/freshet-ml/freshet/serving"
	"github.com/freshet-ml/freshet/serving/client"
)

// withForecast adds to the rig the delays of each airport by hour as a forecast, without and with a regressor.
func withForecast(t testing.TB) (*rig, *forecast.Keyed) {
	r := newRig(t)
	keyed := func(inputs int) *forecast.Keyed {
		plan, err := catalog.Resolve(models.Named("seasonal_naive"), models.Forecast)
		r.ok(err)
		k, err := forecast.NewKeyed(plan.Forecaster, forecast.KeyedConfig{Step: 60 * minute, Seasons: []int{4}, Horizon: 12, Leads: []int{1}, Levels: []float64{.1, .9}, Inputs: inputs})
		r.ok(err)
		return k
	}
	k := keyed(0)
	e := len(r.programs)
	r.programs = append(r.programs, r.program(unit.Entity{Name: "demand", Key: []string{"origin"}, Keep: 1000 * time.Hour, Features: []unit.Feature{
		{Name: "forecast", Agg: "seasonal_naive", Source: departed, Value: "delay", Keyed: unit.Keyed{Model: k}},
		{Name: "known", Agg: "seasonal_naive", Source: departed, Value: "delay", Keyed: unit.Keyed{Model: keyed(1), Inputs: []string{"delay * 2"}}}}}))
	r.catalog.Entities = append(r.catalog.Entities, serving.Entity{Name: "demand", Key: []features.Field{{Name: "origin", Kind: features.String}}, Reader: r.programs[e]})
	spec, err := vector.New(vector.Layout{Trigger: &sources[departed], Entities: []int{e}, Columns: func(i int) []features.Column { return r.programs[i].Columns() }})
	r.ok(err)
	m := serving.Model{Name: "demand", Of: "demand", Task: models.Forecast, On: "departed", Log: "flights.departed.1.log", Vector: spec, Fields: sources[departed].Fields, ID: -1,
		Columns: []int{0, 1, 2}, Forecast: &serving.Forecast{Entity: e, Feature: "forecast", Horizon: 12, Levels: []float64{.1, .9}}}
	known := m
	known.Name, known.Of, known.Columns = "known", "known", []int{3, 4, 5}
	known.Forecast = &serving.Forecast{Entity: e, Feature: "known", Horizon: 12, Levels: []float64{.1, .9}, Regressors: []string{"delay * 2"}}
	r.catalog.Models = append(r.catalog.Models, m, known)
	return r, k
}

func series(origin string, horizon uint32) *freshetv1.ForecastRequest {
	return &freshetv1.ForecastRequest{Model: "demand", Key: map[string]*freshetv1.Value{"origin": client.String(origin)}, Horizon: horizon}
}

// TestForecast: what is answered is what the series says, advanced to the asked time, with how fresh and good it is; HTTP says the same.
func TestForecast(t *testing.T) {
	r, k := withForecast(t)
	var state []byte
	for i := range 10 {
		at := int64(i-10) * 60 * minute
		r.depart(at, "JFK", "N1", float64(10+i%4))
		state, _ = k.Update(state, start.UnixMicro()+at, []float64{float64(10 + i%4)})
	}
	r.depart(-600*minute, "JFK", "N1", 999) // far too late
	r.depart(-30*minute, "LGA", "N2", 5)
	c, web := r.serve(client.Options{})
	for name, ask := range map[string]*timestamppb.Timestamp{"now": nil, "as of tomorrow": timestamppb.New(start.Add(24 * time.Hour))} {
		req := series("JFK", 5)
		req.AsOf = ask
		got, err := c.Forecast(t.Context(), req)
		r.ok(err)
		at := start
		if ask != nil {
			at = ask.AsTime()
		}
		o := models.NewOutlook(5, []float64{.1, .9})
		_, err = k.Forecast(o, state, at.UnixMicro(), nil)
		r.ok(err)
		if len(got.GetSteps()) != 5 || !got.GetAsOf().AsTime().Equal(at) || got.GetStep().AsDuration() != time.Hour {
			t.Fatalf("%s: %v", name, got)
		}
		for i, s := range got.GetSteps() {
			if s.GetMean() != o.Mean[i] || fmt.Sprint(s.GetQuantiles()) != fmt.Sprint(o.Quantiles[2*i:2*i+2]) || !s.GetStart().AsTime().Equal(at.Truncate(time.Hour).Add(time.Duration(i+1)*time.Hour)) {
				t.Errorf("%s, step %d: %v, the series says %g", name, i, s, o.Mean[i])
			}
		}
		h := got.GetHealth()
		if h.GetStatus() != freshetv1.SeriesHealth_GOOD || h.GetObserved() != 10 || h.GetLate() != 1 {
			t.Errorf("%s: health %v", name, h)
		}
		if newest := start.Add(-time.Hour); !got.GetNewestEvent().AsTime().Equal(newest) || got.GetAge().AsDuration() != at.Sub(newest) || !got.GetHead().AsTime().Equal(start.Add(-30*time.Minute)) {
			t.Errorf("%s: newest %v, age %v, head %v", name, got.GetNewestEvent().AsTime(), got.GetAge().AsDuration(), got.GetHead().AsTime())
		}
	}
	req := series("LGA", 2)
	req.Quantiles = []float64{.5}
	got, err := c.Forecast(t.Context(), req)
	r.ok(err)
	if got.GetHealth().GetStatus() != freshetv1.SeriesHealth_COLD || fmt.Sprint(got.GetLevels()) != "[0.5]" || got.GetSteps()[0].GetMean() != 5 {
		t.Errorf("a new series: %v", got)
	}
	resp, err := http.Post(web+"/v1/forecast", "application/json", strings.NewReader(`{"model": "known", "key": {"origin": "LGA"}, "horizon": 1, "future": [{"regressors": {"delay * 2": 7}}]}`))
	r.ok(err)
	defer resp.Body.Close()
	var body struct {
		Steps  []struct{ Mean float64 }
		Health struct {
			Status   string
			Observed int
		}
	}
	r.ok(json.NewDecoder(resp.Body).Decode(&body))
	if resp.StatusCode != 200 || len(body.Steps) != 1 || body.Steps[0].Mean != 5 || body.Health.Status != "COLD" || body.Health.Observed != 1 {
		t.Errorf("HTTP %d: %+v", resp.StatusCode, body)
	}
}

// TestForecastCountsWhatCameTooLate: late values are left out and told.
func TestForecastCountsWhatCameTooLate(t *testing.T) {
	r, _ := withForecast(t)
	for _, at := range []int64{-120, -60, -500, -400} {
		r.depart(at*minute, "JFK", "N1", 3)
	}
	c, _ := r.serve(client.Options{})
	got, err := c.Forecast(t.Context(), series("JFK", 1))
	r.ok(err)
	if got.GetHealth().GetLate() != 2 || got.GetHealth().GetObserved() != 2 {
		t.Errorf("%v", got.GetHealth())
	}
}

func TestForecastRefusals(t *testing.T) {
	r, _ := withForecast(t)
	r.depart(-30*minute, "JFK", "N1", 5)
	r.depart(-2000*60*minute, "OLD", "N1", 5)
	c, _ := r.serve(client.Options{})
	change := func(f func(*freshetv1.ForecastRequest)) *freshetv1.ForecastRequest {
		req := series("JFK", 2)
		f(req)
		return req
	}
	known := func(steps ...map[string]float64) *freshetv1.ForecastRequest {
		req := series("JFK", 2)
		req.Model = "known"
		for _, s := range steps {
			req.Future = append(req.Future, &freshetv1.FutureStep{Regressors: s})
		}
		return req
	}
	one := map[string]float64{"delay * 2": 1}
	for want, x := range map[string]struct {
		code codes.Code
		req  *freshetv1.ForecastRequest
	}{
		"no horizon":                       {codes.InvalidArgument, change(func(q *freshetv1.ForecastRequest) { q.Horizon = 0 })},
		"horizon 13 is beyond":             {codes.InvalidArgument, change(func(q *freshetv1.ForecastRequest) { q.Horizon = 13 })},
		"no model \"deman\"":               {codes.NotFound, change(func(q *freshetv1.ForecastRequest) { q.Model = "deman" })},
		"no model named":                   {codes.InvalidArgument, change(func(q *freshetv1.ForecastRequest) { q.Model = "" })},
		"is of the task binary":            {codes.InvalidArgument, change(func(q *freshetv1.ForecastRequest) { q.Model = "late" })},
		"levels [0.9 0.1]":                 {codes.InvalidArgument, change(func(q *freshetv1.ForecastRequest) { q.Quantiles = []float64{.9, .1} })},
		"levels [0.5 1]":                   {codes.InvalidArgument, change(func(q *freshetv1.ForecastRequest) { q.Quantiles = []float64{.5, 1} })},
		"100 quantiles":                    {codes.InvalidArgument, change(func(q *freshetv1.ForecastRequest) { q.Quantiles = make([]float64, 100) })},
		"no series of origin=XXX":          {codes.NotFound, series("XXX", 1)},
		"no series of origin=OLD":          {codes.NotFound, series("OLD", 1)},
		"key field origin of model demand": {codes.InvalidArgument, change(func(q *freshetv1.ForecastRequest) { q.Key = nil })},
		"tail is no key field":             {codes.InvalidArgument, change(func(q *freshetv1.ForecastRequest) { q.Key["tail"] = client.String("N1") })},
		"field origin is declared string":  {codes.InvalidArgument, change(func(q *freshetv1.ForecastRequest) { q.Key["origin"] = client.Int(1) })},
		"field origin is null":             {codes.InvalidArgument, change(func(q *freshetv1.ForecastRequest) { q.Key["origin"] = client.Null() })},
		"has 2000 bytes":                   {codes.InvalidArgument, series(strings.Repeat("x", 2000), 1)},
		"as_of is earlier":                 {codes.InvalidArgument, change(func(q *freshetv1.ForecastRequest) { q.AsOf = timestamppb.New(start.Add(-time.Hour)) })},
		"as_of is out of range":            {codes.InvalidArgument, change(func(q *freshetv1.ForecastRequest) { q.AsOf = &timestamppb.Timestamp{Seconds: math.MaxInt64} })},
		"model demand has no regressors":   {codes.InvalidArgument, change(func(q *freshetv1.ForecastRequest) { q.Future = []*freshetv1.FutureStep{{}} })},
		"regressors of 0 steps, 2":         {codes.InvalidArgument, known()},
		"regressors of 1 steps, 2":         {codes.InvalidArgument, known(one)},
		"step 2: the regressor":            {codes.InvalidArgument, known(one, map[string]float64{})},
		"not a finite number":              {codes.InvalidArgument, known(map[string]float64{"delay * 2": math.NaN()}, one)},
		"step 1: model known has no":       {codes.InvalidArgument, known(map[string]float64{"delay * 2": 1, "price": 2}, one)},
	} {
		_, err := c.Forecast(t.Context(), x.req)
		if s := status.Convert(err); s.Code() != x.code || !strings.Contains(s.Message(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
	r.states.rebuilding = true
	if _, err := c.Forecast(t.Context(), series("JFK", 1)); status.Code(err) != codes.Unavailable {
		t.Errorf("while series are rebuilt: %v", err)
	}
	stale := series("JFK", 1)
	stale.AllowStale = true
	if got, err := c.Forecast(t.Context(), stale); err != nil || !got.GetStale() {
		t.Errorf("stale is allowed: %v, %v", got, err)
	}
	r.states.err = errAway
	if _, err := c.Forecast(t.Context(), stale); status.Code(err) != codes.Unavailable || strings.Contains(err.Error(), "away") {
		t.Errorf("without store: %v", err)
	}
}
