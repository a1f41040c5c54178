package forecast

import (
	"math"

	"github.com/freshet-ml/freshet/models"
)

// Forecast answers with the weighted mean of the members that were best at each distance, and the quantiles of the bank's errors there.
func (s *bankSeries) Forecast(o *models.Outlook, x [][]float64) {
	o.Health = s.healthNow()
	if s.observed == 0 {
		setUnknown(o)
		return
	}
	phase := s.step + o.Skip%s.b.wrap
	distance := s.gap + min(o.Skip, bankGap)
	if s.x != nil {
		s.x.effect = [2]float64{}
	}
	s.setNear(distance + 1)
	s.members(s.near, phase+1)
	for g := range s.picks {
		s.scores.pick(&s.picks[g], g, s.answer)
	}
	view := linearView
	if s.spread.proportional(s.noLog) {
		view = logView
	}
	grown := s.grown()
	sizes := s.spread.sizes(view, s.doubt(view), &grown)
	for i := range o.Mean {
		h := distance + int64(i) + 1
		if s.x != nil {
			s.x.expect(s, phase+int64(i)+1, x[i])
		}
		mean := s.combined(&s.picks[s.b.group(h)], h, phase+int64(i)+1)
		if h == 1 {
			mean = s.within(mean + s.echo.next(phase+1))
		}
		o.Mean[i] = mean
		s.spread.quantiles(o, i, view, s.spread.size(&sizes, h))
	}
}

// grown is how many times the size of one-step errors those at each distance are, if the picked members are right.
func (s *bankSeries) grown() (out spreadSizes) {
	filters := len(s.b.filters)
	smoothers := 2 * filters * len(s.b.trunks)
	for k := range s.b.leads {
		p, sum, total := &s.picks[s.b.groups[k]], 0.0, 0.0
		for i, m := range p.member[:p.n] {
			lead := s.b.leads[k]
			growth := float64(lead)
			switch n := int(m) - smoothers; {
			case n < 0:
				growth = s.b.growths[k][int(m)%filters]
			case n > len(s.b.env.Seasons):
				growth = s.airlines[n-1-len(s.b.env.Seasons)].growth(lead)
			case n > 0:
				growth = float64((lead-1)/int64(s.b.env.Seasons[n-1]) + 1)
			}
			sum, total = sum+float64(p.weight[i]*growth), total+p.weight[i]
		}
		out[k] = 1
		if total > 0 {
			out[k] = math.Sqrt(sum / total)
		}
	}
	return out
}

// combined is the mean of the picked members at a distance.
func (s *bankSeries) combined(p *pick, h, step int64) float64 {
	s.setNear(h)
	for _, i := range p.member[:p.n] {
		s.answer[i] = s.member(int(i), step)
	}
	return p.combine(s.answer, s.newest)
}

// member is the forecast of one member for a step that near reaches.
func (s *bankSeries) member(i int, step int64) float64 {
	nf, nt := len(s.b.filters), len(s.b.trunks)
	v := i / (nf * nt)
	switch n := i - 2*nf*nt; {
	case n == 0:
		return s.newest
	case n > len(s.b.env.Seasons):
		return s.airline(n-1-len(s.b.env.Seasons), step)
	case n > 0:
		return s.before(step, int64(s.b.env.Seasons[n-1]))
	}
	k := &s.trunks[v][i/nf%nt]
	return s.value(v, k.filters[i%nf].at(&s.near[i%nf])+(k.season(step)+s.effect(v)))
}

// doubt is the size of errors in a view where none was seen yet: that of the values.
func (s *bankSeries) doubt(v int) float64 {
	if v == logView {
		return 1
	}
	if d := max(math.Abs(s.newest), s.high-s.low); d > 0 {
		return d
	}
	return 1
}

// healthNow is cold until every season was seen and a few forecasts could be compared.
func (s *bankSeries) healthNow() models.Health {
	h := s.health
	h.Observed = s.observed
	started := s.trunks[linearView]
	switch {
	case s.observed == 0:
		h.Status = models.HealthUnknown
	case s.errors < 5 || !started[len(started)-1].started:
		h.Status = models.HealthCold
	case s.shifted > 0:
		h.Status = models.HealthShifted
	default:
		h.Status = models.HealthGood
	}
	return h
}

// Level is that of the smoother which drives the tables of all seasons, of those that have started.
func (s *bankSeries) Level() float64 {
	trunks := s.trunks[linearView]
	for i := len(trunks) - 1; i >= 0; i-- {
		if trunks[i].started {
			return trunks[i].filters[bankDriver].level
		}
	}
	return math.NaN()
}

// Residual is the last one-step error of the bank, and the deviation that a normal distribution with its mean size has.
func (s *bankSeries) Residual() (value, deviation float64) {
	if s.errors == 0 {
		return math.NaN(), math.NaN()
	}
	return s.residual, s.spread.scale[0][linearView] * math.Sqrt(math.Pi/2)
}
