package project

import (
	"github.com/freshet-ml/freshet/features/agg"
	"github.com/freshet-ml/freshet/models/catalog"
)

// forecasting are the settings of features that are forecasters.
var forecasting = []string{"step", "season", "horizon", "levels", "columns", "aggregate", "lateness", "calendar", "holidays", "regressors", "with"}

// aggregations are what a feature can be: the aggregations, then the forecasters, which are described in the same words.
var aggregations = func() []*agg.Spec {
	var list []*agg.Spec
	for i := range agg.Catalog {
		list = append(list, &agg.Catalog[i])
	}
	for i := range catalog.All {
		if c := &catalog.All[i]; c.NewForecaster != nil {
			list = append(list, &agg.Spec{Name: c.Name, Doc: c.Doc, Value: agg.MustValue, Uses: forecasting, Always: true, Cost: c.Cost, Memory: c.Memory, Source: c.Source, Version: c.Fold})
		}
	}
	return list
}()

// find returns the aggregation or forecaster of that name, or nil.
func find(name string) *agg.Spec {
	for _, s := range aggregations {
		if s.Name == name {
			return s
		}
	}
	return nil
}

// aggregationNames lists the names of aggregations and forecasters.
func aggregationNames() []string {
	names := make([]string, len(aggregations))
	for i, s := range aggregations {
		names[i] = s.Name
	}
	return names
}

func known(name string) bool { return find(name) != nil }

// forecasts reports whether the feature is a forecaster: its state is that of a keyed model.
func (f *Feature) forecasts() bool {
	spec := find(f.Agg)
	return spec != nil && contains(spec.Uses, "horizon")
}

// setting says which aggregations a setting of a feature belongs to.
type setting struct {
	key   string
	fits  func(*agg.Spec) bool
	whose string // for messages
}

var settings = append([]setting{
	{"over", func(s *agg.Spec) bool { return s.Windows }, "aggregations over windows"},
	{"exact", func(s *agg.Spec) bool { return s.Windows }, "aggregations over windows"},
	{"value", func(s *agg.Spec) bool { return s.Value != agg.NoValue }, "aggregations of values"},
	{"per", func(s *agg.Spec) bool { return s.Per }, "ratio"},
	{"at", func(s *agg.Spec) bool { return !s.Set && s.New != nil }, "aggregations over events: open has due, and forecasters take the event time"},
	{"due", func(s *agg.Spec) bool { return s.Set }, "open and open_age"},
	{"until", func(s *agg.Spec) bool { return s.Set }, "open and open_age"},
	{"by", func(s *agg.Spec) bool { return s.Set }, "open and open_age"},
	{"keep", func(s *agg.Spec) bool { return s.Set }, "open and open_age"},
	{"k", uses("k"), "last_k, first_k and lag"},
	{"half_life", uses("half_life"), "decayed aggregations"},
	{"weight", uses("weight"), "decayed_mean"},
	{"cap", uses("cap"), "distinct"},
}, forecastSettings()...)

func forecastSettings() (list []setting) {
	for _, key := range forecasting {
		list = append(list, setting{key, uses(key), "forecasters"})
	}
	return list
}

func uses(parameter string) func(*agg.Spec) bool {
	return func(s *agg.Spec) bool { return contains(s.Uses, parameter) }
}

// needs says how to give the parameters without which an aggregation means nothing.
var needs = map[string]string{"k": "say how many, such as k: 3", "half_life": "give half_life: 7d"}
