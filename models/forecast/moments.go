package forecast

import (
	"math"

	"github.com/freshet-ml/freshet/internal/codec"
)

// moments are what a group has learned of the series of it that have grown up: where their levels lie, the shape of a season in units of the level, and how the noise
// grows with the level. Each series tells once; a new one starts from them. Sums follow the order of telling, which is that of the log of their bucket.
//
// The noise follows Taylor's law (L. R. Taylor, "Aggregation, variance and the mean", Nature 189, 1961): log variance = a + b·log level, by least squares over the series that have
// a positive level, with the slope drawn toward 1, that of counts, as by one series a unit of log level away.
type moments struct {
	n          int64 // series
	mean, sum  float64
	logNoise   float64 // mean of log variance, over those that have one
	noisy      int64
	lawN       int64 // series of a positive level and variance, with the moments of both logarithms
	lawX, lawY float64
	lawXX      float64
	lawXY      float64
	rough      float64 // mean of variance/level², over those that told a shape
	shaped     int64
	ratio      []float64 // of the season to the level less 1, by phase
	told       []int64   // by phase
	negative   bool      // some series had values below 0
}

const (
	momentsWide  = 4  // deviations from the mean of levels beyond which a level counts as that far
	momentsKnown = 10 // series for which that holds
	ratioMost    = 10 // of a season, at most
)

func newMoments(season int) moments {
	return moments{ratio: make([]float64, season), told: make([]int64, season)}
}

// reset forgets all.
func (g *moments) reset() {
	clear(g.ratio)
	clear(g.told)
	*g = moments{ratio: g.ratio, told: g.told}
}

// spread is the variance between the levels of series; 0 of fewer than two.
func (g *moments) spread() float64 {
	if g.n < 2 {
		return 0
	}
	return g.sum / float64(g.n-1)
}

// learn takes in a series that has grown up.
func (g *moments) learn(s *start) {
	level, variance := s.told()
	g.negative = g.negative || s.negative
	if wide := momentsWide * math.Sqrt(g.spread()); g.n >= momentsKnown {
		level = math.Max(g.mean-wide, math.Min(g.mean+wide, level))
	}
	g.n++
	d := level - g.mean
	g.mean += d / float64(g.n)
	g.sum += float64(d * (level - g.mean))
	if !(variance > 0) {
		variance = float64(1e-8 * float64(level*level))
	}
	if variance > 0 {
		g.noisy++
		g.logNoise += (math.Log(variance) - g.logNoise) / float64(g.noisy)
	}
	if !(level > 0) || !(level*level > variance/float64(len(g.ratio))) {
		return // a level that is lost in its noise has no shape
	}
	g.learnLaw(math.Log(level), math.Log(variance))
	g.shaped++
	g.rough += (variance/float64(level*level) - g.rough) / float64(g.shaped)
	for p, n := range s.seen {
		if n > 0 {
			g.told[p]++
			ratio := math.Max(-1, math.Min(ratioMost, s.means[p]/level-1))
			g.ratio[p] += (ratio - g.ratio[p]) / float64(g.told[p])
		}
	}
}

func (g *moments) learnLaw(x, y float64) {
	g.lawN++
	n := float64(g.lawN)
	dx, dy := x-g.lawX, y-g.lawY
	g.lawX += dx / n
	g.lawY += dy / n
	g.lawXX += float64(dx * (x - g.lawX))
	g.lawXY += float64(dx * (y - g.lawY))
}

// law returns a and b of the variance at a level; b is 0 where no series has shown how noise and level go together.
func (g *moments) law() (a, b float64) {
	if g.lawN == 0 {
		return g.logNoise, 0
	}
	b = math.Max(0, math.Min(2, (g.lawXY+1)/(g.lawXX+1)))
	return g.lawY - float64(b*g.lawX), b
}

// shrunk is what of the shape is no noise: the share of its mean square that remains when that of means of two values of so many series is taken away (James & Stein 1961).
func (g *moments) shrunk() float64 {
	square, least := 0.0, int64(math.MaxInt64)
	for p, r := range g.ratio {
		square += float64(r * r)
		least = min(least, g.told[p])
	}
	if !(square > 0) || least == 0 {
		return 0
	}
	return math.Max(0, 1-g.rough/float64(2*least)*float64(len(g.ratio))/square)
}

// State visits the moments.
func (g *moments) State(c *codec.State) {
	for _, n := range []*int64{&g.n, &g.noisy, &g.lawN, &g.shaped} {
		visitCount(c, n)
	}
	for _, v := range []*float64{&g.mean, &g.logNoise, &g.lawX, &g.lawY, &g.lawXY} {
		visitFloat(c, "a moment of a group", v, -math.MaxFloat64, math.MaxFloat64)
	}
	for _, v := range []*float64{&g.sum, &g.lawXX, &g.rough} {
		visitFloat(c, "a spread of a group", v, 0, math.MaxFloat64)
	}
	c.Bool(&g.negative)
	for p := range g.ratio {
		visitFloat(c, "a season of a group", &g.ratio[p], -1, ratioMost)
		visitCount(c, &g.told[p])
	}
}

// momentsBytes bounds the state of the moments of a season.
func momentsBytes(season int) int { return 4*10 + 8*8 + 1 + season*(8+10) }
