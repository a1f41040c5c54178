package forecast

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/mathext"

	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
)

// start is what a young series keeps beside its own model: its level by the credibility of its group, with the group's season and noise.
// It answers together with the model, by how well each has forecast one step ahead, until the series has grown up: after two seasons it tells its group what it was
// like, and for one season more its model takes over.
//
// The level is that of Bühlmann's credibility (H. Bühlmann, "Experience rating and credibility", ASTIN Bulletin 4, 1967), with the season in the weights:
// L = (κ·m + Σ y)/(κ + Σ r), r the group's season at each value, m the mean of the group's levels, κ the noise of one value over the variance between levels.
type start struct {
	on       bool
	siblings int64 // that the group knew; 0: there is nothing to start from, the series only looks at itself
	steps    int64 // since the first value, with values
	values   int64
	isTold   bool
	negative bool // a value of it or of its group was below 0

	seen   []int64   // values by phase
	means  []float64 // of them
	within float64   // sum of squared distances from the mean of the phase

	mean, kappa float64   // of the group's levels; κ
	a, b        float64   // of the group's noise
	season      []float64 // of the group: 1 where it has none
	sum, weight float64   // Σ y and Σ r of its own
	misses      float64   // Σ of squared errors in units of their expected squares
	missed      float64   // values of these
	errStart    float64   // Σ of absolute errors one step ahead: by the start
	errOwn      float64   // by the model
}

const (
	maxStartSeason = 336 // steps: a week of half hours. Longer seasons are no part of a start
	grownLeast     = 10  // steps
	startNoise     = 10  // values that the group's noise is worth
	mostNoise      = 460 // logarithm of the greatest variance: squares of what a series takes in
	startOwn       = 2   // deviations that the model is taken to have missed by at first, where the start missed by one
)

// startSeason is the season of a start: the longest that is not too long; 1 without one.
func startSeason(seasons []int) int {
	m := 1
	for _, s := range seasons {
		if s <= maxStartSeason {
			m = max(m, s)
		}
	}
	return m
}

func newStart(season int) start {
	return start{seen: make([]int64, season), means: make([]float64, season), season: make([]float64, season)}
}

func (s *start) reset() {
	clear(s.seen)
	clear(s.means)
	clear(s.season)
	*s = start{seen: s.seen, means: s.means, season: s.season}
}

// grown is how many steps make a series one that tells its group; until over the start is part of answers.
func (s *start) grown() int64 { return max(2*int64(len(s.seen)), grownLeast) }
func (s *start) over() int64  { return s.grown() + max(int64(len(s.seen)), grownLeast/2) }

// begin starts a new series from its group.
func (s *start) begin(g *moments) {
	s.reset()
	s.on, s.siblings, s.negative = true, g.n, g.negative
	for p := range s.season {
		s.season[p] = 1
	}
	if g.n == 0 {
		return
	}
	s.mean = g.mean
	s.a, s.b = g.law()
	if spread := g.spread(); spread > 0 {
		s.kappa = s.noise(g.mean) / spread
	}
	shrunk := g.shrunk()
	for p := range s.season {
		s.season[p] = 1 + float64(shrunk*g.ratio[p])
	}
	s.kappa = math.Min(s.kappa, 1e6)
}

// noise is the variance of a value at a level.
func (s *start) noise(level float64) float64 {
	log := s.a
	if s.b > 0 && level > 0 {
		log += float64(s.b * math.Log(level))
	}
	return math.Exp(math.Min(log, mostNoise))
}

func (s *start) level() float64 {
	if !(s.weight+s.kappa > 0) {
		return s.mean
	}
	return (float64(s.kappa*s.mean) + s.sum) / (s.weight + s.kappa)
}

// at is the forecast of a phase with its variance.
func (s *start) at(phase int) (mean, variance float64) {
	level, r := s.level(), s.season[phase]
	mean = float64(level * r)
	if !s.negative {
		mean = math.Max(mean, 0)
	}
	variance = s.noise(mean) * (startNoise + s.misses) / (startNoise + s.missed)
	variance += float64(float64(r*r)*s.noise(level)) / math.Max(s.weight+s.kappa, 0.1)
	return mean, variance
}

// take takes in a value of a phase; own is what the model forecast for it, NaN if nothing; first: it is the first of its step.
func (s *start) take(phase int, y, own float64, first bool) {
	y = bounded(y)
	if s.siblings > 0 && s.values > 0 && finite(own) {
		mean, variance := s.at(phase)
		e := y - mean
		if s.errStart == 0 && s.errOwn == 0 {
			s.errStart = math.Sqrt(variance)
			s.errOwn = float64(startOwn * s.errStart)
		}
		s.errStart += math.Abs(e)
		s.errOwn += math.Abs(y - bounded(own))
		if variance > 0 {
			s.misses += math.Min(float64(e*e)/variance, fleetOutlier*fleetOutlier)
			s.missed++
		}
	}
	if first {
		s.steps++
	}
	s.values++
	s.negative = s.negative || y < 0
	s.seen[phase]++
	d := y - s.means[phase]
	s.means[phase] += d / float64(s.seen[phase])
	s.within += float64(d * (y - s.means[phase]))
	s.sum += y
	s.weight += math.Max(s.season[phase], 0)
}

// told is what the group learns: the level, mean over the phases, and the variance of values about the means of their phases.
func (s *start) told() (level, variance float64) {
	phases, values := 0.0, 0.0
	for p, n := range s.seen {
		if n > 0 {
			phases++
			values += float64(n)
			level += (s.means[p] - level) / phases
		}
	}
	if values > phases {
		variance = s.within / (values - phases)
	}
	return level, variance
}

// own is the weight of the model beside the start.
func (s *start) own() float64 {
	if s.siblings == 0 {
		return 1
	}
	w := 0.0
	if a, b := float64(s.errStart*s.errStart), float64(s.errOwn*s.errOwn); a+b > 0 {
		w = a / (a + b)
	}
	if after := s.steps - s.grown(); after > 0 {
		w += float64((1 - w) * math.Min(1, float64(after)/float64(s.over()-s.grown())))
	}
	return w
}

// mix puts the start into the answer of the model, whose first step has that phase.
func (s *start) mix(o *models.Outlook, phase int) {
	w := s.own()
	if s.values == 0 || w >= 1 {
		return
	}
	n, m := len(o.Levels), len(s.season)
	for i := range o.Mean {
		mean, variance := s.at((phase + i) % m)
		deviation := math.Sqrt(variance)
		o.Mean[i] = mixed(w, o.Mean[i], mean)
		for j, level := range o.Levels {
			x := mean + float64(deviation*mathext.NormalQuantile(level))
			if !s.negative {
				x = math.Max(x, 0)
			}
			o.Quantiles[i*n+j] = mixed(w, o.Quantiles[i*n+j], x)
		}
	}
	o.Health.Siblings = s.siblings
}

// mixed is own with the weight w, and other for the rest; other alone where own is no number.
func mixed(w, own, other float64) float64 {
	if !finite(own) {
		return other
	}
	return float64(w*own) + float64((1-w)*other)
}

// State visits the start: one byte once it is over.
func (s *start) State(c *codec.State) {
	c.Bool(&s.on)
	if !s.on {
		if c.Loading() {
			s.reset()
		}
		return
	}
	for _, n := range []*int64{&s.siblings, &s.steps, &s.values} {
		visitCount(c, n)
	}
	c.Bool(&s.isTold)
	c.Bool(&s.negative)
	for _, v := range []*float64{&s.mean, &s.sum, &s.a} {
		visitFloat(c, "a level of a start", v, -math.MaxFloat64, math.MaxFloat64)
	}
	visitFloat(c, "the noise of a start", &s.b, 0, 2)
	for _, v := range []*float64{&s.within, &s.kappa, &s.weight, &s.misses, &s.missed, &s.errStart, &s.errOwn} {
		visitFloat(c, "a spread of a start", v, 0, math.MaxFloat64)
	}
	if c.Loading() {
		clear(s.seen)
		clear(s.means)
	}
	for p := range s.seen {
		visitCount(c, &s.seen[p])
		if s.seen[p] > 0 {
			visitFloat(c, "a mean of a start", &s.means[p], -maxValue, maxValue)
		}
		visitFloat(c, "a season of a start", &s.season[p], -ratioMost, 1+ratioMost)
	}
	if c.Loading() && slices.Max(s.seen) > s.values {
		c.Fail("a start of %d values", s.values)
	}
}

// startBytes bounds the state of a start.
func startBytes(season int) int { return 3 + 3*10 + 11*8 + season*(10+8+8) }
