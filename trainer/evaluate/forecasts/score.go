package forecasts

import (
	"fmt"
	"math"
	"strconv"

	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/metric"
	"github.com/freshet-ml/freshet/trainer/evaluate"
)

// mean is a sum with its number.
type mean struct{ sum, n float64 }

func (m *mean) add(x float64) { m.sum += x; m.n++ }
func (m *mean) join(o mean)   { m.sum += o.sum; m.n += o.n }
func (m mean) value() float64 {
	if m.n == 0 {
		return math.NaN()
	}
	return m.sum / m.n
}

// errorsOf are the means over steps: of all steps of a set of series, or of one number of steps ahead.
type errorsOf struct {
	abs, square, relative mean // relative is |e|/(|y|+|ŷ|)
	scaled, interval      mean // by the series' scale
	crps                  mean
	in95, in80            mean
}

func (e *errorsOf) join(o *errorsOf) {
	e.abs.join(o.abs)
	e.square.join(o.square)
	e.relative.join(o.relative)
	e.scaled.join(o.scaled)
	e.interval.join(o.interval)
	e.crps.join(o.crps)
	e.in95.join(o.in95)
	e.in80.join(o.in80)
}

// add scores one step. q are the quantiles of l, or nil; scale is NaN where the series has none.
func (e *errorsOf) add(y, answer float64, q []float64, l *levels, scale float64) {
	d := math.Abs(y - answer)
	e.abs.add(d)
	e.square.add(d * d)
	relative := 0.0
	if size := math.Abs(y) + math.Abs(answer); size > 0 {
		relative = d / size
	}
	e.relative.add(relative)
	scaled := scale > 0
	if scaled {
		e.scaled.add(d / scale)
	}
	if q == nil {
		return
	}
	total := 0.0
	for _, i := range l.grid {
		total += metric.Pinball(y, q[i], l.all[i])
	}
	e.crps.add(2 * total / crpsLevels)
	low, high := q[l.interval[0]], q[l.interval[3]]
	e.in95.add(inside(y, low, high))
	e.in80.add(inside(y, q[l.interval[1]], q[l.interval[2]]))
	if scaled {
		const alpha = 0.05
		e.interval.add((high - low + 2/alpha*(math.Max(0, low-y)+math.Max(0, y-high))) / scale)
	}
}

func inside(y, low, high float64) float64 {
	if low <= y && y <= high {
		return 1
	}
	return 0
}

// scores are the sums of one model over a set of series. Errors in units of the target, the ranked probability score and coverage are means over steps; the measures of M4
// that have no unit are means over series.
type scores struct {
	levels  *levels
	all     errorsOf
	steps   []errorsOf // by steps ahead
	pinball []mean     // by reported level
	smape   mean       // by series
	mase    mean
	msis    mean
	invalid int64 // steps whose answer was not finite
}

func newScores(l *levels, horizon int) *scores {
	return &scores{levels: l, steps: make([]errorsOf, horizon), pinball: make([]mean, len(l.reported))}
}

func (s *scores) join(o *scores) {
	s.all.join(&o.all)
	for i := range s.steps {
		s.steps[i].join(&o.steps[i])
	}
	for i := range s.pinball {
		s.pinball[i].join(o.pinball[i])
	}
	s.smape.join(o.smape)
	s.mase.join(o.mase)
	s.msis.join(o.msis)
	s.invalid += o.invalid
}

// forecast scores the steps of one forecast whose values are known, and adds them to the sums of its series too.
func (s *scores) forecast(one *errorsOf, y []float64, o *models.Outlook, scale float64) (this errorsOf) {
	n := len(o.Levels)
	for i, v := range y {
		if math.IsNaN(v) {
			continue
		}
		answer := o.Mean[i]
		if math.IsNaN(answer) || math.IsInf(answer, 0) {
			s.invalid++
			continue
		}
		var q []float64
		if row := o.Quantiles[i*n : (i+1)*n]; finiteAll(row) {
			q = row
			for j, at := range s.levels.reported {
				s.pinball[j].add(metric.Pinball(v, q[at], s.levels.all[at]))
			}
		}
		this.add(v, answer, q, s.levels, scale)
		s.steps[i].add(v, answer, q, s.levels, scale)
	}
	one.join(&this)
	return this
}

func finiteAll(x []float64) bool {
	for _, v := range x {
		if v-v != 0 {
			return false
		}
	}
	return true
}

// series ends a series: its measures count once.
func (s *scores) series(one *errorsOf) {
	if one.abs.n == 0 {
		return
	}
	s.all.join(one)
	s.smape.add(200 * one.relative.value())
	if one.scaled.n > 0 {
		s.mase.add(one.scaled.value())
	}
	if one.interval.n > 0 {
		s.msis.add(one.interval.value())
	}
}

// metrics are those of all steps; naive2 are the sums of the reference of OWA.
func (s *scores) metrics(naive2 *scores) evaluate.Metrics {
	owa := math.NaN()
	if naive2 != nil {
		owa = metric.OWA(s.smape.value(), s.mase.value(), naive2.smape.value(), naive2.mase.value())
	}
	out := evaluate.Metrics{{Name: "mae", Value: s.all.abs.value()}, {Name: "rmse", Value: math.Sqrt(s.all.square.value())}, {Name: "smape", Value: s.smape.value()},
		{Name: "mase", Value: s.mase.value()}, {Name: "owa", Value: owa}, {Name: "msis", Value: s.msis.value()}, {Name: "crps", Value: s.all.crps.value()}}
	var pinball mean
	for _, p := range s.pinball {
		pinball.join(p)
	}
	out = append(out, metric.Named{Name: "pinball", Value: pinball.value()})
	for i, p := range s.pinball {
		level := strconv.FormatFloat(s.levels.all[s.levels.reported[i]], 'g', 6, 64)
		out = append(out, metric.Named{Name: fmt.Sprintf("pinball_%s", level), Value: p.value()})
	}
	return append(out, metric.Named{Name: "coverage_95", Value: s.all.in95.value()}, metric.Named{Name: "coverage_80", Value: s.all.in80.value()})
}

// stepMetrics are those of a number of steps ahead: means over all forecasts that reach so far.
func (s *scores) stepMetrics(ahead int) evaluate.Metrics {
	e := &s.steps[ahead-1]
	return evaluate.Metrics{{Name: "mae", Value: e.abs.value()}, {Name: "rmse", Value: math.Sqrt(e.square.value())}, {Name: "smape", Value: 200 * e.relative.value()},
		{Name: "mase", Value: e.scaled.value()}, {Name: "msis", Value: e.interval.value()}, {Name: "crps", Value: e.crps.value()},
		{Name: "coverage_95", Value: e.in95.value()}, {Name: "coverage_80", Value: e.in80.value()}}
}

// seriesMetrics are those of one series.
func seriesMetrics(e *errorsOf) evaluate.Metrics {
	return evaluate.Metrics{{Name: "mae", Value: e.abs.value()}, {Name: "rmse", Value: math.Sqrt(e.square.value())}, {Name: "smape", Value: 200 * e.relative.value()},
		{Name: "mase", Value: e.scaled.value()}, {Name: "msis", Value: e.interval.value()}, {Name: "crps", Value: e.crps.value()},
		{Name: "coverage_95", Value: e.in95.value()}, {Name: "coverage_80", Value: e.in80.value()}}
}
