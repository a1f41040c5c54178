package forecast

import (
	"math"
	"math/rand/v2"
	"slices"
	"sync"

	"github.com/freshet-ml/freshet/models"
)

// paths is the scratch memory of simulated futures. The random numbers are a function of a seed and of the series, so asking twice gives the same
// answer and changes nothing. Every second path mirrors the noise of the one before, so means of linear models are exact.
type paths struct {
	rng     rand.PCG
	draw    *rand.Rand
	samples []float64 // by step, then path
	season  []float64
	noise   []float64 // of the path that is mirrored
	n       int
}

var pathPool = sync.Pool{New: func() any {
	p := new(paths)
	p.draw = rand.New(&p.rng)
	return p
}}

// takePaths returns scratch for so many steps and paths; the caller gives it back with pathPool.Put.
func takePaths(steps, n int, seed, of uint64) *paths {
	p := pathPool.Get().(*paths)
	p.rng.Seed(seed, of)
	p.n = n
	if cap(p.samples) < steps*n {
		p.samples = make([]float64, steps*n)
	}
	p.samples = p.samples[:steps*n]
	return p
}

// step returns the samples of a step.
func (p *paths) step(i int) []float64 { return p.samples[i*p.n : (i+1)*p.n] }

// quantiles writes those of step i from its samples, which it sorts: between two of them it goes in a straight line (Hyndman & Fan 1996, type 7).
func (p *paths) quantiles(o *models.Outlook, i int) {
	x, n := p.step(i), len(o.Levels)
	slices.Sort(x)
	for j, level := range o.Levels {
		o.Quantiles[i*n+j] = sampleQuantile(x, level)
	}
}

// sampleQuantile is the quantile of sorted samples.
func sampleQuantile(x []float64, level float64) float64 {
	at := level * float64(len(x)-1)
	k := min(int(at), len(x)-2)
	if k < 0 {
		return x[0]
	}
	return x[k] + float64((at-float64(k))*(x[k+1]-x[k]))
}

// longestPath bounds how many steps before the first one answered are simulated; beyond, the spread grows as that of the linear form.
const longestPath = 512

// leastRelative is the least relative error that a path draws: values stay positive.
const leastRelative = -0.999

// mostRelativePath bounds relative errors of paths: larger ones, of values near zero, would make levels explode.
const mostRelativePath = 0.5

// simulate replaces the quantiles by those of simulated paths of a form that is not linear (Hyndman et al. 2008, §6.4.1).
func (s *smoothed) simulate(o *models.Outlook) {
	skip := int(min(o.Skip, longestPath))
	start := s.smoothState
	p := takePaths(len(o.Mean), s.f.Paths, s.f.Seed, math.Float64bits(s.level)^uint64(s.observed))
	defer pathPool.Put(p)
	s.p.advanceFar(&start, o.Skip-int64(skip))
	deviation := math.Sqrt(s.variance)
	if s.p.RelativeError {
		deviation = min(deviation, mostRelativePath)
	}
	for k := range p.n {
		p.mirror(k, skip+len(o.Mean))
		state := start
		p.season = append(p.season[:0], start.season...)
		state.season = p.season
		for i := range skip + len(o.Mean) {
			s.p.advance(&state, 1)
			f := s.p.predict(&state)
			e := deviation * p.noise[i]
			if s.p.RelativeError {
				e = math.Abs(f) * max(e, leastRelative)
			}
			if i >= skip {
				p.samples[(i-skip)*p.n+k] = f + e
			}
			s.p.correct(&state, e)
		}
	}
	for i := range o.Mean {
		p.quantiles(o, i)
		s.widen(o, i, skip)
	}
}

// mirror draws the noise of an even path, and turns that of an odd one.
func (p *paths) mirror(k, steps int) {
	if k%2 == 1 {
		for i := range p.noise {
			p.noise[i] = -p.noise[i]
		}
		return
	}
	p.noise = p.noise[:0]
	for range steps {
		p.noise = append(p.noise, p.draw.NormFloat64())
	}
}

// widen makes up for the errors before the simulated steps: those of a gap, and those beyond the longest path.
func (s *smoothed) widen(o *models.Outlook, i, skip int) {
	ahead := o.Skip + int64(i) + 1
	had, has := s.p.growth(int64(skip+i+1), len(s.season)), s.p.growth(later(s.ahead, ahead), len(s.season))
	factor := math.Sqrt(has / had)
	row := o.Quantiles[i*len(o.Levels) : (i+1)*len(o.Levels)]
	for j, q := range row {
		if factor != 1 {
			q = o.Mean[i] + float64(factor*(q-o.Mean[i]))
		}
		if !(q >= -maxDeviation) { // not finite, or beyond what numbers hold
			q = -maxDeviation
		}
		row[j] = min(q, maxDeviation)
	}
}

// advanceFar is advance for any number of steps, 0 among them.
func (p *smoothParams) advanceFar(s *smoothState, steps int64) {
	if steps > 0 {
		p.advance(s, steps)
	}
}
