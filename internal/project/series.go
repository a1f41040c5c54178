package project

import (
	"fmt"
	"slices"
	"strings"

	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/catalog"
)

// Names of the forecasters of a model within its entity type.
const (
	champion = "forecast"       // of the model itself; its challengers have their own names
	baseline = "seasonal_naive" // that runs beside every model

	startGroup = "group" // of a new series: from its group
)

// forecasters are what auto stands for with task: forecast: the first that the catalogue has.
var forecasters = []string{"forecaster_bank", "seasonal_naive"}

// defaultLevels are the quantiles that forecasts are answered, logged and scored with.
var defaultLevels = []float64{0.025, 0.1, 0.5, 0.9, 0.975}

// finishForecast fills in what a model of the task forecast does not say.
func (m *Model) finishForecast(d *decoder, path string) {
	if m.Start == "" {
		m.Start = startGroup
	}
	if len(m.Levels) == 0 {
		m.Levels = slices.Clone(defaultLevels)
	}
	if m.Label == nil {
		m.Label = &Label{From: m.On, By: "key", Value: m.Target, Missing: "drop"}
	}
	l := m.Label
	if l.By == "" {
		l.By = "key"
	}
	if l.Value == "" && l.From == m.On {
		l.Value = m.Target
	}
	if l.Ahead == 0 {
		l.Ahead = m.Step
	}
	if _, ok := d.keys[path+".label.wait"]; !ok {
		l.Wait = l.Ahead + m.Step
		if m.aggregates() {
			l.Wait += m.Step + m.Lateness
		}
	}
	m.Use = []string{m.Name + "." + champion}
	for i := range m.Challengers {
		m.Challengers[i].Use = []string{m.Name + "." + m.Challengers[i].Name}
	}
}

// aggregates reports whether a step has one value that all its events come to.
func (m *Model) aggregates() bool { return m.Aggregate != "" && m.Aggregate != "none" }

// lead is how many steps ahead the logged answers of the model are.
func (m *Model) lead() int {
	if m.Step <= 0 || m.Label == nil {
		return 1
	}
	return max(1, min(int(m.Label.Ahead/m.Step), m.Horizon))
}

// series returns the entity type whose states are the series of the model: a forecaster for the model, each challenger, and the baseline.
func (m *Model) series(d *decoder) Entity {
	e := Entity{Name: m.Name, Key: m.Key, Keep: m.Keep, Buckets: m.Buckets}
	if f, ok := m.forecaster(champion, m.Pipeline); ok {
		e.Features = append(e.Features, f)
	}
	for i := range m.Challengers {
		if f, ok := m.forecaster(m.Challengers[i].Name, m.Challengers[i].Pipeline); ok {
			e.Features = append(e.Features, f)
		}
	}
	if f, ok := m.forecaster(baseline, baseline); ok {
		e.Features = append(e.Features, f)
	}
	slices.SortStableFunc(e.Features, func(a, b Feature) int { return strings.Compare(a.Name, b.Name) })
	return e
}

// forecaster returns the feature that a pipeline of one forecaster stands for.
func (m *Model) forecaster(name string, pipeline any) (Feature, bool) {
	spec, err := models.ParseSpec(pipeline)
	if err != nil || len(spec.Stages) != 1 {
		return Feature{}, false
	}
	st := spec.Stages[0]
	if st.Name == "auto" && len(st.Params) == 0 {
		for _, f := range slices.Backward(forecasters) {
			if catalog.All.Find(f) != nil {
				st.Name = f
			}
		}
	}
	f := Feature{Name: name, Agg: st.Name, With: st.Params, Source: m.On, Value: m.Target, Step: m.Step, Season: m.Season, Horizon: m.Horizon, Levels: m.Levels,
		Aggregate: m.Aggregate, Lateness: m.Lateness, Calendar: m.Calendar, Holidays: m.Holidays, Regressors: m.Regressors, leads: []int{m.lead()}}
	if m.Start == startGroup && name != baseline { // the baseline stays what its name says
		f.grouped, f.group = true, m.Group
	}
	if !usesRegressors(f.Agg) { // compared without them; Forecast asks for none
		f.Calendar, f.Holidays, f.Regressors = nil, nil, nil
	}
	return f, f.forecasts()
}

// usesRegressors reports whether a forecaster of the catalogue uses what comes with each value.
func usesRegressors(name string) bool {
	c := catalog.All.Find(name)
	return c != nil && c.Regressors
}

// regressorKeys are the settings that give a forecaster regressors.
var regressorKeys = []string{"regressors", "calendar", "holidays"}

// leftAside reports settings of regressors, at path, that the forecaster does not use.
func (c *checker) leftAside(forecaster, path string) {
	for _, key := range regressorKeys {
		if c.given(path + "." + key) {
			c.badKey(path+"."+key, forecaster+" uses no regressors", "remove it, or take "+strings.Join(catalog.WithRegressors(), ", ")+" instead", "")
		}
	}
}

// Forecaster returns the feature of the model's entity type that answers for the model, or for its challenger or baseline of that name; nil if there is none. Lead is how many
// steps ahead its columns are.
func (p *Project) Forecaster(m *Model, name string) (f *Feature, lead int) {
	e := p.Entity(m.Name)
	if e == nil || m.Task != models.Forecast {
		return nil, 0
	}
	if name == m.Name || name == "" {
		name = champion
	}
	for i := range e.Features {
		if e.Features[i].Name == name {
			return &e.Features[i], m.lead()
		}
	}
	return nil, 0
}

// Canonical is the canonical text of a forecaster.
func (f *Feature) Canonical() string {
	k, err := f.keyed()
	if err != nil {
		return f.Agg
	}
	return k.Text
}

// forecastKeys are the keys of a model that only task: forecast has.
var forecastKeys = []string{"target", "step", "season", "horizon", "levels", "aggregate", "lateness", "calendar", "holidays", "regressors", "start", "group", "keep", "buckets"}

// notForecast reports settings of forecasts on a model of another task.
func (c *checker) notForecast(m *Model, path string) {
	for _, key := range forecastKeys {
		if m.Task != 0 && c.given(path+"."+key) {
			c.badKey(path+"."+key, key+" is for task: forecast", "remove it", "")
		}
	}
}

// forecastModel checks a model of the task forecast.
func (c *checker) forecastModel(m *Model, fields []Field, path string) {
	if m.On == Request {
		c.bad(path+".on", "a forecast needs a source whose events are the values of its series", "name the source; Forecast asks whenever you like", "")
		return
	}
	for _, key := range []string{"use", "classes", "weights"} {
		if c.given(path + "." + key) {
			c.badKey(path+"."+key, key+" is not for task: forecast, which reads its target and regressors", "remove it", "")
		}
	}
	c.id(m, fields, path)
	if len(m.Key) == 0 && !c.d.broken[path] {
		c.badKey(path, "key is missing", "name the field or fields that tell the series apart, such as key: [store, product]", "")
	}
	if m.Target == "" && !c.given(path+".target") && !c.d.broken[path] {
		c.badKey(path, "target is missing", "say what is forecast: a field of "+m.On+", or an expression", "")
	}
	if m.Step <= 0 && !c.d.broken[path] {
		c.badKey(path, "step is missing", "give the length of a step, such as step: 1d", "")
	}
	if m.Horizon < 1 && !c.d.broken[path] {
		c.badKey(path, "horizon is missing", "say how many steps ahead may be asked for at most, such as horizon: 14", "")
	}
	s := c.p.Input(m.On)
	if s == nil || m.Step <= 0 || m.Horizon < 1 {
		return
	}
	if m.Target != "" {
		c.number(m.Target, s, path+".target")
	}
	c.seriesOf(m, m.Pipeline, champion, s, path)
	uses := c.seriesUse(m, m.Pipeline)
	for i := range m.Challengers {
		ch := &m.Challengers[i]
		at := path + ".challengers." + ch.Name
		if ch.Name == champion || ch.Name == baseline || ch.Name == m.Name {
			c.badKey(at, fmt.Sprintf("a challenger of a forecast cannot be called %q", ch.Name), "choose another", "")
			continue
		}
		if c.given(at + ".use") {
			c.badKey(at+".use", "use is not for task: forecast", "remove it", "")
		}
		c.seriesOf(m, ch.Pipeline, ch.Name, s, at)
		uses = uses || c.seriesUse(m, ch.Pipeline)
	}
	if f, ok := m.forecaster(champion, m.Pipeline); ok && !uses {
		c.leftAside(f.Agg, path)
	}
	c.challengerNames(m, path)
	c.forecastGroup(m, fields, path)
	c.forecastLabel(m, fields, path)
}

// forecastGroup checks the fields that tell groups apart.
func (c *checker) forecastGroup(m *Model, fields []Field, path string) {
	if len(m.Group) > 0 && m.Start == "cold" {
		c.badKey(path+".group", "start: cold needs no group", "remove it, or set start: "+startGroup, "")
		return
	}
	for i, name := range m.Group {
		c.triggerField(m, fields, name, fmt.Sprintf("%s.group[%d]", path, i))
	}
	if len(m.Key) > 0 && len(m.Group) > 0 && slices.Equal(slices.Sorted(slices.Values(m.Key)), slices.Sorted(slices.Values(m.Group))) {
		c.badKey(path+".group", "the group is the key: each series would be a group of its own", "name fewer fields, or set start: cold", "")
	}
}

// seriesUse reports whether a pipeline uses regressors, or cannot be judged.
func (*checker) seriesUse(m *Model, pipeline any) bool {
	f, ok := m.forecaster(champion, pipeline)
	return !ok || usesRegressors(f.Agg)
}

// seriesOf checks one forecaster of a model, its settings only where the model itself is meant.
func (c *checker) seriesOf(m *Model, pipeline any, name string, s *Source, path string) {
	at := path + ".pipeline"
	spec, err := models.ParseSpec(pipeline)
	if err != nil || len(spec.Stages) != 1 {
		if err != nil {
			c.pipeline(pipeline, m.Task, at)
			return
		}
		c.bad(at, "a forecaster stands alone in its pipeline", "give one name with its parameters, such as [{ets: {}}]", "")
		return
	}
	f, ok := m.forecaster(name, pipeline)
	if !ok {
		c.pipeline(pipeline, m.Task, at)
		return
	}
	if _, err := catalog.Resolve(models.Spec{Stages: []models.Stage{{Name: f.Agg, Params: f.With}}}, m.Task); err != nil {
		c.pipeline(pipeline, m.Task, at)
		return
	}
	if name == champion {
		c.forecaster(&f, s, path)
	}
}

// forecastLabel checks that the label is the key's later value.
func (c *checker) forecastLabel(m *Model, fields []Field, path string) {
	l, at := m.Label, path+".label"
	if l.From == Feedback {
		c.bad(at+".from", "the label of a forecast is the key's later value, which an event brings", "name the source of the values", "")
		return
	}
	if l.By != "key" {
		c.bad(at+".by", fmt.Sprintf("by: %s: the label of a forecast is the key's later value", l.By), "write by: key", "")
	}
	if l.Missing == "negative" {
		c.bad(at+".missing", "negative is for task: binary", "use drop", "")
	}
	switch {
	case l.Ahead%m.Step != 0:
		c.bad(at+".ahead", FormatDuration(l.Ahead)+" is no whole number of steps of "+FormatDuration(m.Step), "give a multiple, such as "+FormatDuration(m.Step), "")
	case int64(l.Ahead/m.Step) > int64(m.Horizon):
		c.bad(at+".ahead", fmt.Sprintf("%s is %d steps ahead, and the horizon is %d", FormatDuration(l.Ahead), l.Ahead/m.Step, m.Horizon), "raise horizon, or ask for less", "")
	case m.aggregates() && l.Wait < l.Ahead+m.Step+m.Lateness:
		c.bad(at+".wait", fmt.Sprintf("the %s of a step %s ahead is waited for %s", m.Aggregate, FormatDuration(l.Ahead), FormatDuration(l.Wait)), "leave wait out, or give ahead, a step and lateness", "")
	case m.aggregates() && l.CorrectFor > 0:
		c.bad(at+".correct_for", "with aggregate a label is final: it waits for the late values of its step", "remove it, or raise lateness", "")
	case l.Wait < l.Ahead:
		c.bad(at+".wait", fmt.Sprintf("a label %s ahead is waited for %s", FormatDuration(l.Ahead), FormatDuration(l.Wait)), "leave wait out, or give ahead and a step more", "")
	}
	s := c.source1(l.From, at+".from")
	if s == nil {
		return
	}
	for _, k := range m.Key {
		of, by := (&Source{Fields: fields}).Field(k), s.Field(k)
		switch {
		case by == nil && len(s.Fields) > 0:
			c.bad(at+".from", fmt.Sprintf("%s has no field %q, the key of the model", s.Name, k), "declare it there", "")
		case by != nil && of != nil && by.Kind != of.Kind:
			c.bad(at+".from", fmt.Sprintf("the key %s is %s in %s and %s in %s", k, of.Kind, m.On, by.Kind, s.Name), "declare it alike in both", "")
		}
	}
	c.labelValue(m, s, at)
}
