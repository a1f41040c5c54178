package forecast

import (
	"math"

	"gonum.org/v1/gonum/stat/distuv"

	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
)

// Constants of a guard.
const (
	guardHuber   = 4.0  // deviations beyond which an error is damped
	guardWarm    = 5    // values before which none is; soon after, the limit is wider
	guardRatio   = 3.0  // deviation of the alternative of the monitor, West & Harrison 1997, §11.4
	guardSignal  = 0.15 // Bayes factor below which the monitor signals
	guardRun     = 4    // errors on one side that make a change of level
	guardLeast   = 1e-6 // least deviation, as a part of the mean size of the values
	guardFresh   = 20   // values for which a change of level counts as recent
	guardMaxMemo = 1e9  // values at most that the variance remembers
	guardTiny    = 1e-150
)

// guard learns the variance of errors, damps those that lie far outside, and notices changes of level. Errors are those of one-step forecasts with
// the variance F σ²: F is known, σ² is learned by the discounted conjugate rule n ← βn + 1, S ← S + (e²/F − S)/n (West & Harrison 1997, §10.8).
type guard struct {
	memory   float64 // β: what one value leaves of the weight of those before
	n, s     float64 // degrees of freedom and σ²
	size     float64 // mean size of the values
	evidence float64 // cumulative Bayes factor of the run
	run      int64   // errors of the same side that look strange, one after the other; negative: below
	since    int64   // values since the newest change of level; negative: none
	e, sd    float64 // newest error and its expected deviation; NaN before there is one
	health   models.Health
}

func newGuard(memory float64) guard {
	return guard{memory: memory, evidence: 1, since: -1, e: math.NaN(), sd: math.NaN()}
}

// first takes in the first value, of which no error is known: a tenth of its size stands for σ.
func (g *guard) first(y float64) {
	g.size = math.Abs(y)
	g.n, g.s = 1, math.Pow(math.Max(0.1*g.size, guardTiny), 2)
	g.health.Observed++
}

// take takes in the error e of a value y, whose forecast had the variance f·σ². It returns what of it is to be believed, and whether the level has changed: then the
// caller widens the variance of its level before the next value.
func (g *guard) take(y, e, f float64) (believed float64, shifted bool) {
	g.health.Observed++
	weight := 1 / math.Min(float64(g.health.Observed), 200)
	g.size += float64(weight * (math.Abs(y) - g.size))
	root := math.Sqrt(f)
	g.e, g.sd = e, float64(root*g.deviation())
	z := e / g.sd
	if g.since >= 0 {
		g.since++
	}
	believed = e
	if g.health.Observed > guardWarm {
		shifted = g.monitor(z)
		limit := guardHuber * (1 + 2*guardWarm/float64(g.health.Observed))
		if math.Abs(z) > limit && !shifted {
			g.health.Anomalies++
			believed = math.Copysign(float64(limit*g.sd), e)
		}
	}
	raw := believed / root
	if shifted { // learn the variance anew, from what was not believed before
		g.health.Shifts++
		g.n, g.s, g.since = 1, math.Max(g.s, raw*raw/4), 0
	}
	g.n = math.Min(float64(g.memory*g.n)+1, guardMaxMemo)
	g.s += float64((float64(raw*raw) - g.s) / g.n)
	return believed, shifted
}

// monitor is the cumulative Bayes factor of West & Harrison (1997, §11.4) against an alternative of greater variance, of errors on one side: an ordinary error, or one of the other
// side, ends the run.
func (g *guard) monitor(z float64) bool {
	h := guardRatio * math.Exp(-0.5*math.Min(z*z, 1000)*(1-1/(guardRatio*guardRatio)))
	same := g.run > 0 && z > 0 || g.run < 0 && z < 0
	switch {
	case h >= 1:
		g.run, g.evidence = 0, 1
		return false
	case !same:
		g.run, g.evidence = 0, 1
	}
	g.evidence = math.Max(h*math.Min(1, g.evidence), guardTiny)
	if z > 0 {
		g.run++
	} else {
		g.run--
	}
	if max(g.run, -g.run) >= guardRun && g.evidence < guardSignal {
		g.run, g.evidence = 0, 1
		return true
	}
	return false
}

// deviation is σ.
func (g *guard) deviation() float64 {
	return max(math.Sqrt(g.s), guardLeast*g.size, guardTiny)
}

// report is the health of a series that is cold until so many values.
func (g *guard) report(cold int64) models.Health {
	h := g.health
	switch {
	case h.Observed == 0:
		h.Status = models.HealthUnknown
	case h.Observed < cold:
		h.Status = models.HealthCold
	case g.since >= 0 && g.since < guardFresh:
		h.Status = models.HealthShifted
	default:
		h.Status = models.HealthGood
	}
	return h
}

// restart begins anew after numbers left their range; what was counted stays.
func (g *guard) restart() {
	h := g.health
	h.Restarts++
	*g = newGuard(g.memory)
	g.health = h
}

func (g *guard) state(c *codec.State, name string) {
	for _, v := range []*float64{&g.n, &g.s, &g.size, &g.evidence} {
		c.Float64(v)
		if c.Loading() && !(*v >= 0 && *v <= math.MaxFloat64) {
			c.Fail("%s: %v", name, *v)
		}
	}
	c.Float64(&g.e)
	c.Float64(&g.sd)
	if c.Loading() && (math.IsInf(g.e, 0) || math.IsInf(g.sd, 0)) {
		c.Fail("%s: error %v of %v", name, g.e, g.sd)
	}
	h := &g.health
	for _, v := range []*int64{&g.run, &g.since, &h.Observed, &h.Refused, &h.Anomalies, &h.Shifts, &h.Restarts} {
		c.Int64(v)
	}
	if c.Loading() && (h.Observed < 0 || h.Refused < 0 || h.Anomalies < 0 || h.Shifts < 0 || h.Restarts < 0 || g.run > guardRun || g.run < -guardRun || g.since < -1) {
		c.Fail("%s: negative counts", name)
	}
}

// guardBytes is what state saves at most.
const guardBytes = 13 * 8

// quantiles are those of Student's t with n degrees of freedom, at least 2, for levels; dst has room.
func quantiles(dst, levels []float64, n float64) []float64 {
	t := distuv.StudentsT{Sigma: 1, Nu: math.Max(n, 2)}
	dst = dst[:0]
	for _, level := range levels {
		if n > 300 {
			dst = append(dst, distuv.UnitNormal.Quantile(level))
			continue
		}
		dst = append(dst, t.Quantile(level))
	}
	return dst
}

// answer writes mean and quantiles of step i: of a number with this middle and deviation, one step ahead once, and multiples of the deviation for the levels, as scale maps it back.
func answer(o *models.Outlook, i int, middle, deviation, once float64, multiples []float64, scale *scaling) {
	if math.IsNaN(middle) {
		middle = 0
	}
	if !(deviation < maxDeviation) {
		deviation = maxDeviation
	}
	times := 1.0
	if deviation > once && once > 0 {
		times = float64(deviation/once) * (deviation / once)
	}
	o.Mean[i] = scale.mean(middle, times)
	n := len(o.Levels)
	middle = scale.centre(middle, times, deviation)
	for j, q := range multiples {
		v := scale.back(middle + float64(deviation*q))
		if j > 0 {
			v = math.Max(v, o.Quantiles[i*n+j-1])
		}
		o.Quantiles[i*n+j] = v
	}
}

// scaling maps values to what a model works with and back: as they are, or their logarithm. The mean of an answer made of logarithms is their middle times how much
// values were greater than the middles of their forecasts (the smearing of Duan 1983, on line): the lognormal mean trusts the upper tail too much where small values are noisy.
type scaling struct {
	log            bool
	top            float64 // with log: greatest logarithm seen
	values, middle float64 // discounted sums of values and of the middles of their forecasts
}

// smearMemory is what a value leaves of the sums; mostSmear bounds the logarithm of their ratio.
const (
	smearMemory = 0.99
	mostSmear   = 0.7
)

// smear takes in a value (a logarithm) and the middle of its forecast.
func (s *scaling) smear(v, middle float64) {
	if s.log {
		s.values = float64(smearMemory*s.values) + s.back(v)
		s.middle = float64(smearMemory*s.middle) + s.back(middle)
	}
}

// logRoom is how far above the greatest value that was seen an answer may lie, as a logarithm.
const logRoom = 1.5

func (s *scaling) to(y float64) float64 {
	if !s.log {
		return y
	}
	v := math.Log(y)
	s.top = math.Max(s.top, v)
	return v
}

func (s *scaling) back(v float64) float64 {
	if !s.log {
		return math.Max(-maxDeviation, math.Min(maxDeviation, v))
	}
	return math.Exp(math.Max(math.Min(v, s.top+logRoom), -230))
}

// mean is that of an answer whose variance is so many times that of one step ahead.
func (s *scaling) mean(middle, times float64) float64 {
	return s.back(middle + s.lift(times))
}

// lift is how far the mean of such an answer lies above its middle, as a logarithm.
func (s *scaling) lift(times float64) float64 {
	if !s.log || !(s.values > 0) || !(s.middle > 0) {
		return 0
	}
	return math.Max(-mostSmear, math.Min(float64(math.Log(s.values/s.middle)*times), mostSmear))
}

// centre is the middle of the quantiles of such an answer: what the mean lies above the middle and its spread does not explain (half the variance, of a lognormal distribution) is bias, as
// of a level without slope in a series that grows.
func (s *scaling) centre(middle, times, deviation float64) float64 {
	lift := s.lift(times)
	return middle + math.Min(lift, 0) + math.Max(lift-float64(0.5*deviation*deviation), 0)
}

func (s *scaling) state(c *codec.State, name string) {
	c.Bool(&s.log)
	visitFloat(c, name, &s.top, -1000, 1000)
	visitFloat(c, name, &s.values, 0, 1e120)
	visitFloat(c, name, &s.middle, 0, 1e120)
}
