package forecast

import (
	"math"

	"github.com/freshet-ml/freshet/models"
)

// The views of a series: its values, and their logarithms.
const (
	linearView = 0
	logView    = 1
)

// bankSeries is one series of a Bank.
type bankSeries struct {
	b        *Bank
	step     int64 // the present one, -1 before the first
	gap      int64 // steps since the newest value
	origin   float64
	newest   float64
	low      float64 // slowly narrowing range of the values
	high     float64
	observed int64
	errors   int64 // one-step forecasts that were compared
	noLog    bool  // a value was not above 0
	run      int64 // successive outliers of one side, signed
	shifted  int64 // steps for which the last change of level counts as new
	residual float64
	health   models.Health // its counters

	trunks   [2][]trunk
	airlines [2]airline
	last     []float32 // by step modulo period, less origin; NaN: never seen
	scores   scores
	waiting  []float32 // by distance, origin and member, less origin; the last member is the combination
	emitted  []int64   // by origin modulo the distances: number of the origin
	spread   spread
	echo     echo
	x        *regression // nil without regressors

	answer []float64 // scratch: a forecast of each member, NaN where it has none
	space  []float64 // scratch: the same in its view, without season and regressors
	near   []reach   // scratch: of each filter
	picks  [scoreGroups]pick
}

// trunk is a set of seasonal tables with the smoothers of what they leave.
type trunk struct {
	plan    *trunkPlan
	tables  [][]float32
	filters []filterState
	started bool
	n       float64 // values since the start
	size    float64 // mean size of the driver's errors
}

// filterState is that of one smoother: level, trend and the last error before its autocorrelated part was taken out.
type filterState struct{ level, trend, error float64 }

// Start returns a series of which nothing is known.
func (b *Bank) Start() models.Series {
	s := &bankSeries{b: b, step: -1, residual: math.NaN()}
	tables := make([]float32, 2*b.slots)
	states := make([]filterState, 2*len(b.trunks)*len(b.filters))
	for v := range s.trunks {
		s.airlines[v] = newAirline(b.shortSeason())
		s.trunks[v] = make([]trunk, len(b.trunks))
		for i := range b.trunks {
			k := &s.trunks[v][i]
			k.plan = &b.trunks[i]
			k.filters, states = states[:len(b.filters):len(b.filters)], states[len(b.filters):]
			for _, m := range k.plan.seasons {
				k.tables, tables = append(k.tables, tables[:m:m]), tables[m:]
			}
		}
	}
	s.last = make([]float32, b.period)
	for i := range s.last {
		s.last[i] = float32(math.NaN())
	}
	s.scores = newScores(b)
	s.waiting = make([]float32, (b.members+1)*b.slotsAhead())
	s.emitted = make([]int64, len(b.leads))
	for i := range s.emitted {
		s.emitted[i] = -1
	}
	s.spread = newSpread(b)
	s.echo.errors = make([]float32, b.shortSeason())
	if b.env.Regressors > 0 {
		s.x = newRegression(b)
	}
	both := make([]float64, 2*b.members)
	s.answer, s.space, s.near = both[:b.members], both[b.members:], make([]reach, len(b.filters))
	return s
}

// Advance goes on by steps; every smoother is carried to a later step only when a value comes.
func (s *bankSeries) Advance(steps int64) {
	if steps > 1<<60 {
		steps = steps%s.b.wrap + 1<<59/s.b.wrap*s.b.wrap
	}
	if s.step += steps; s.step > 1<<60 { // what counts is the phase, and that the newest value lies before
		s.step = s.step%s.b.wrap + s.b.wrap*(1<<51/s.b.wrap+1)
		for i := range s.emitted {
			s.emitted[i] = -1
		}
	}
	s.gap = min(s.gap+min(steps, bankGap), bankGap)
	s.shifted = max(0, s.shifted-steps)
}

// bankGap is that which is told from longer ones.
const bankGap = 1 << 50

// Observe takes in y: members are scored and updated, and the forecasts of this origin set aside to be scored.
func (s *bankSeries) Observe(y float64, x []float64) {
	for _, v := range x {
		if math.IsNaN(v) {
			return
		}
	}
	y = max(-bankLimit, min(bankLimit, y))
	if s.observed++; s.observed == 1 {
		s.origin, s.low, s.high, s.gap = y, y, y, 0
	} else {
		if s.x != nil {
			s.x.expect(s, s.step, x)
		}
		s.judge(y)
	}
	s.noLog = s.noLog || y <= 0
	s.learn(y)
	if s.x != nil {
		s.x.learn(s, x)
	}
	s.keep(y)
	s.startTrunks()
	s.gap = 0
	if len(s.b.leads) > 1 && s.step%s.b.stride == 0 {
		s.emit()
	}
}

// judge compares y with what was forecast for it, one step before and at the scored distances.
func (s *bankSeries) judge(y float64) {
	s.setNear(s.gap)
	s.members(s.near, s.step)
	if s.gap == 1 {
		s.scores.pick(&s.picks[0], 0, s.answer)
		plain := s.picks[0].combine(s.answer, s.newest)
		mean := s.within(plain + s.echo.next(s.step))
		s.outlier(y - mean)
		s.residual = y - mean
		if size := s.spread.typical(0); size > 0 {
			s.echo.add(s.step, y-plain, y-mean, size, s.b.cfg.Outlier)
		}
		s.scores.add(0, y, s.answer, s.spread.typical(0))
		s.spread.add(0, y, mean)
		s.errors++
	}
	if s.gap > 1 {
		s.echo.skip(s.step, s.gap)
	}
	if s.gap > 0 && s.step%s.b.stride == 0 {
		s.judgeWaiting(s.adjusted(y))
	}
}

// adjusted is y without what its regressors add: forecasts that wait did not know them.
func (s *bankSeries) adjusted(y float64) float64 {
	switch {
	case s.x == nil:
		return y
	case s.spread.proportional(s.noLog) && y > 0:
		return y * math.Exp(-s.x.effect[logView])
	}
	return y - s.x.effect[linearView]
}

// judgeWaiting scores the forecasts that were made for the present step a stride, two strides … before.
func (s *bankSeries) judgeWaiting(y float64) {
	n := s.step / s.b.stride
	width := s.b.members + 1
	for k := 1; k < len(s.b.leads); k++ {
		from := n - s.b.leads[k]/s.b.stride
		if from < 0 || s.emitted[from%int64(len(s.emitted))] != from {
			continue
		}
		at := s.slot(k, from)
		row := s.waiting[at*width : (at+1)*width]
		for i := range s.answer {
			s.answer[i] = s.origin + float64(row[i])
		}
		s.scores.add(k, y, s.answer, s.spread.typical(k))
		s.spread.add(k, y, s.origin+float64(row[width-1]))
	}
}

// slot is where the forecast of the kth distance from an origin waits; there are as many at a time as the distance has strides.
func (s *bankSeries) slot(k int, origin int64) int {
	return s.b.first[k] + int(origin%(s.b.leads[k]/s.b.stride))
}

// outlier keeps count of one-step errors far outside of their size; four in a row on one side are a change of level.
func (s *bankSeries) outlier(e float64) {
	size := s.spread.typical(0)
	if s.errors < 10 || !(size > 0) || math.Abs(e) <= s.b.cfg.Outlier*size {
		s.run = 0
		return
	}
	s.health.Anomalies++
	switch {
	case e > 0 && s.run >= 0:
		s.run++
	case e < 0 && s.run <= 0:
		s.run--
	case e > 0:
		s.run = 1
	default:
		s.run = -1
	}
	if s.run == 4 || s.run == -4 {
		s.health.Shifts++
		s.shifted = int64(max(s.b.shortSeason(), 10))
	}
}

// setNear notes the reach of each filter over h steps.
func (s *bankSeries) setNear(h int64) {
	for j := range s.near {
		if p := &s.b.filters[j]; h == 1 {
			s.near[j] = reach{p.phi, p.phi, p.rho}
		} else {
			s.near[j] = p.reach(h)
		}
	}
}

// members writes the forecast of every member for the step, which the filters reach by r.
func (s *bankSeries) members(r []reach, step int64) {
	n := 0
	for v := range s.trunks {
		for i := range s.trunks[v] {
			k := &s.trunks[v][i]
			if !k.started || v == logView && s.noLog {
				for range k.filters {
					s.answer[n] = math.NaN()
					n++
				}
				continue
			}
			add := k.season(step) + s.effect(v)
			for j := range k.filters {
				s.space[n] = k.filters[j].at(&r[j])
				s.answer[n] = s.value(v, s.space[n]+add)
				n++
			}
		}
	}
	s.naives(n, step)
	n += 1 + len(s.b.env.Seasons)
	for v := range s.airlines {
		s.answer[n+v] = s.airline(v, step)
	}
}

// airline is the forecast of the member that learns its rates, in a view; NaN: it has not started.
func (s *bankSeries) airline(v int, step int64) float64 {
	a := &s.airlines[v]
	if !a.started || v == logView && s.noLog {
		return math.NaN()
	}
	return s.value(v, a.state.at(step, step-(s.step-s.gap))+s.effect(v))
}

// effect is what the regressors add in a view.
func (s *bankSeries) effect(v int) float64 {
	if s.x == nil {
		return 0
	}
	return s.x.effect[v]
}

// at is the forecast at a distance.
func (f *filterState) at(r *reach) float64 {
	return f.level + float64(r.trend*f.trend) + float64(r.rho*f.error)
}

// season is what the tables say of a step.
func (k *trunk) season(step int64) float64 {
	sum := 0.0
	for _, table := range k.tables {
		sum += float64(table[step%int64(len(table))])
	}
	return sum
}

// value leads from a view to the series, within its range.
func (s *bankSeries) value(v int, z float64) float64 {
	if v == logView {
		z = math.Exp(min(z, 75))
	}
	return s.within(z)
}

// within keeps a forecast near the range of the series.
func (s *bankSeries) within(f float64) float64 {
	w := capWidth * (s.high - s.low)
	return max(s.low-w, min(s.high+w, f))
}

// naives writes the newest value and those one season before.
func (s *bankSeries) naives(n int, step int64) {
	s.answer[n] = s.newest
	for i, m := range s.b.env.Seasons {
		s.answer[n+1+i] = s.before(step, int64(m))
	}
}

// before is the value of the newest step before or at that of the newest value which has the phase of step; NaN: none.
func (s *bankSeries) before(step, m int64) float64 {
	newest := s.step - s.gap
	at := step
	if at > newest {
		at = newest - (m-(step-newest)%m)%m
	}
	if at < 0 {
		return math.NaN()
	}
	return s.origin + float64(s.last[at%int64(len(s.last))])
}

// learn updates every smoother with y; answer and space hold their forecasts.
func (s *bankSeries) learn(y float64) {
	if s.observed == 1 {
		return
	}
	z := [2]float64{y, math.NaN()}
	if !s.noLog {
		z[logView] = math.Log(y)
	}
	n := 0
	for v := range s.trunks {
		lost := v == logView && s.noLog
		for i := range s.trunks[v] {
			k := &s.trunks[v][i]
			if k.started && !lost {
				e := s.learnTrunk(k, s.space[n:n+len(k.filters)], z[v]-s.effect(v))
				if s.x != nil {
					s.x.error[v] = e
				}
			}
			n += len(k.filters)
		}
		if a := &s.airlines[v]; a.started && !lost && s.gap > 0 {
			a.learn(z[v]-s.effect(v), s.step, s.gap, s.limit())
		}
	}
}

// limit is beyond how many times their mean size errors are damped: those over a gap are greater, and a change of level is none.
func (s *bankSeries) limit() float64 {
	if s.run <= -4 || s.run >= 4 || s.gap > lasting {
		return math.Inf(1)
	}
	return s.b.cfg.Outlier * math.Sqrt(max(1, float64(s.gap)))
}

// learnTrunk updates a trunk with the value z of its view and returns the error of the filter whose errors are whitest.
func (s *bankSeries) learnTrunk(k *trunk, forecasts []float64, z float64) float64 {
	d := z - k.season(s.step)
	limit := math.Inf(1)
	if k.n > 10 && k.size > 0 {
		limit = s.limit() * k.size
	}
	least := 1 / (k.n + 1)
	across := 1 / max(1, min(float64(s.gap), lasting)) // an error over many steps says little of one step's trend
	driver, white := 0.0, 0.0
	for j := range k.filters {
		f, p, r := &k.filters[j], &s.b.filters[j], &s.near[j]
		e := max(-limit, min(limit, d-forecasts[j]))
		switch j {
		case bankDriver:
			driver = e
		case bankWhite:
			white = e
		}
		gain := max(p.alpha, least)
		f.level += float64(r.trend*f.trend) + float64(gain*e)
		f.trend = float64(r.phi*f.trend) + float64(gain*p.beta*e*across)
		f.error = e + float64(r.rho*f.error)
	}
	k.size += float64(max(0.03, least) * (math.Abs(driver) - k.size))
	for i, table := range k.tables {
		visits := k.n/float64(len(table)) + 1
		gain := max(k.plan.gains[i], 1/(visits+1))
		c := &table[s.step%int64(len(table))]
		*c = float32(float64(*c) + float64(gain*driver))
	}
	k.n++
	return white
}

// keep notes y as the newest value.
func (s *bankSeries) keep(y float64) {
	s.newest = y
	s.last[s.step%int64(len(s.last))] = float32(y - s.origin)
	rate := 1 / (5 * max(100, float64(s.b.period)))
	s.low = min(y, s.low+float64(rate*(y-s.low)))
	s.high = max(y, s.high+float64(rate*(y-s.high)))
}

// startTrunks starts those whose longest season is complete.
func (s *bankSeries) startTrunks() {
	for v := range s.trunks {
		if v == logView && s.noLog {
			continue
		}
		for i := range s.trunks[v] {
			k := &s.trunks[v][i]
			m := int64(k.plan.longest)
			if !k.started && s.step+1 >= m && (s.observed-m)%max(1, m/8) == 0 { // again a little later if too much was missing
				s.start(k, v)
			}
		}
	}
}

// start sets level and tables to the means of the last season, of which at least half must have values: first the mean, then table by table what is left. It reads the season for every table. Seasons make
// other errors: what was learned of them before counts little.
func (s *bankSeries) start(k *trunk, v int) {
	m := int64(k.plan.longest)
	mean, count := 0.0, 0.0
	for at := s.step - m + 1; at <= s.step; at++ {
		if z := s.kept(v, at); finite(z) {
			count++
			mean += (z - mean) / count
		}
	}
	if 2*count < float64(m) {
		return
	}
	for _, table := range k.tables {
		clear(table)
	}
	for _, table := range k.tables {
		n := int64(len(table))
		for phase := range n {
			first := s.step - m + 1 + phase
			sum, count := 0.0, 0.0
			for at := first; at <= s.step; at += n {
				if z := s.kept(v, at); finite(z) {
					sum, count = sum+(z-mean-k.season(at)), count+1
				}
			}
			if count > 0 {
				table[first%n] += float32(sum / count)
			}
		}
	}
	for j := range k.filters {
		k.filters[j] = filterState{level: mean}
	}
	k.started, k.n, k.size = true, 3, 0
	if m == 1 {
		k.n = 1
	} else {
		s.spread.restart()
	}
	if a := &s.airlines[v]; m == int64(s.b.shortSeason()) && !a.started {
		a.start(mean, s.step, func(at int64) float64 { return s.kept(v, at) })
	}
}

// kept is the value of one of the last steps in a view; NaN if there was none.
func (s *bankSeries) kept(v int, step int64) float64 {
	if step < 0 {
		return math.NaN()
	}
	y := s.origin + float64(s.last[step%int64(len(s.last))])
	if v == logView {
		if y <= 0 {
			return math.NaN()
		}
		return math.Log(y)
	}
	return y
}

// emit sets the forecasts of the scored distances aside.
func (s *bankSeries) emit() {
	origin := s.step / s.b.stride
	s.emitted[origin%int64(len(s.emitted))] = origin
	if s.x != nil {
		s.x.effect = [2]float64{}
	}
	width := s.b.members + 1
	picked := -1
	for k := 1; k < len(s.b.leads); k++ {
		s.members(s.b.far[k], s.step+s.b.leads[k])
		at := s.slot(k, origin)
		row := s.waiting[at*width : (at+1)*width]
		for i, f := range s.answer {
			row[i] = float32(f - s.origin)
		}
		g := s.b.groups[k]
		if g != picked {
			s.scores.pick(&s.picks[g], g, s.answer)
			picked = g
		}
		row[width-1] = float32(s.picks[g].combine(s.answer, s.newest) - s.origin)
	}
}
