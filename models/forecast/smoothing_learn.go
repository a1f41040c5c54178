package forecast

import (
	"math"

	"github.com/freshet-ml/freshet/internal/codec"
)

// The rates that are learned, and the order in which they stand.
const (
	learnedAlpha = 0
	learnedBeta  = 1
	learnedGamma = 2
	learnedRates = 3
)

const (
	learnMemory = 0.998 // weight of what was known of the rates with the next value
	learnTrust  = 0.25  // what the given rates count for: the inverse of the variance of their logits
	learnStep   = 0.5   // most that a logit moves with one value
	learnRange  = 6.0   // logits stay within ± this: rates from 0.0025 to 0.9975
)

// rateLearner learns the rates of a smoothing with every value by the gradient of its innovations likelihood: recursive prediction errors (Ljung & Söderström 1983, §3.8, Gauss-Newton) in the logits
// u of α, β and γ as the books of Holt and Winters write them, so that rates stay in (0, 1). With the one-step error e of variance σ² and its derivative ψ = ∂e/∂u,
//
//	J ← λJ + (1−λ)J₀ + ψψ'/σ²,   u ← u − J⁻¹ψe/σ²,
//
// J₀ being what the given rates count for; no logit moves by more than 0.5 at once. The derivatives of level, trend and season go along with their recursions (Williams & Zipser 1989); they are exact while
// the rates stand still. Cost: some 40 products a value; memory: 24 bytes for each number of the state.
type rateLearner struct {
	u            [learnedRates]float64
	level, trend [learnedRates]float64   // derivatives by u
	season       [][learnedRates]float64 // by place
	info         [6]float64              // J, its lower triangle by rows
}

func newRateLearner(places int) *rateLearner {
	return &rateLearner{season: make([][learnedRates]float64, places)}
}

// begin forgets what was learned: the rates are the given ones.
func (l *rateLearner) begin(rates [learnedRates]float64) {
	for i, r := range rates {
		l.u[i] = math.Max(-learnRange, math.Min(learnRange, logit(math.Max(1e-3, math.Min(r, 1-1e-3)))))
	}
	l.info = [6]float64{learnTrust, 0, learnTrust, 0, 0, learnTrust}
	l.forget()
}

// forget sets the derivatives to 0: the state does not come from the rates.
func (l *rateLearner) forget() {
	l.level, l.trend = [learnedRates]float64{}, [learnedRates]float64{}
	clear(l.season)
}

// rates sets those of p from the logits.
func (l *rateLearner) rates(p *smoothParams) {
	alpha := sigmoid(l.u[learnedAlpha])
	p.alpha = alpha
	if p.Trend {
		p.beta = float64(alpha * sigmoid(l.u[learnedBeta]))
	}
	if p.Season != NoSeason {
		p.gamma = float64(sigmoid(l.u[learnedGamma]) * (1 - alpha))
	}
}

// advance moves the derivatives along with smoothParams.advance.
func (l *rateLearner) advance(p *smoothParams, steps int64) {
	if !p.Trend {
		return
	}
	reach, left := p.phi, p.phi
	if steps > 1 {
		reach, left = geometric(p.phi, float64(steps)), math.Pow(p.phi, float64(steps))
	}
	for k, b := range l.trend {
		l.level[k] += float64(reach * b)
		l.trend[k] = float64(left * b)
	}
}

// take takes the error e into the state, as correct does, and into the derivatives; then the rates move. variance is that of e.
func (l *rateLearner) take(p *smoothParams, s *smoothState, e, variance float64) {
	before := smoothState{level: s.level}
	factor := 1.0
	if p.Season != NoSeason {
		factor = s.season[s.at]
	}
	p.correct(s, e)
	gradient := l.follow(p, s, e, before.level, factor)
	l.step(&gradient, e, variance)
	l.rates(p)
}

// follow moves the derivatives along with the correction of the state from a level and a season (factor or addend) to what they are in s, and returns that of the error.
func (l *rateLearner) follow(p *smoothParams, s *smoothState, e, level, season float64) (gradient [learnedRates]float64) {
	alpha, beta, gamma := sigmoid(l.u[learnedAlpha]), sigmoid(l.u[learnedBeta]), sigmoid(l.u[learnedGamma])
	slope := alpha * (1 - alpha)
	byAlpha := [learnedRates]float64{slope}
	byBeta := [learnedRates]float64{beta * slope, alpha * beta * (1 - beta)}
	byGamma := [learnedRates]float64{-gamma * slope, 0, (1 - alpha) * gamma * (1 - gamma)}
	seasons := &l.season[s.at%len(l.season)]
	for k := range gradient {
		lv, sn := l.level[k], seasons[k]
		share, d := e, 0.0 // what moves level and trend, and its derivative
		switch p.Season {
		case MultiplicativeSeason:
			f := math.Max(season, leastFactor)
			gradient[k] = -(float64(lv*season) + float64(level*sn))
			share = e / f
			d = (gradient[k] - float64(share*sn)) / f
		case AdditiveSeason:
			gradient[k] = -(lv + sn)
			d = gradient[k]
			seasons[k] += float64(p.gamma*d) + float64(byGamma[k]*e)
		default:
			gradient[k] = -lv
			d = gradient[k]
		}
		l.level[k] += float64(p.alpha*d) + float64(byAlpha[k]*share)
		l.trend[k] += float64(p.beta*d) + float64(byBeta[k]*share)
		if p.Season == MultiplicativeSeason {
			seasons[k] = l.followFactor(k, s, float64(level*season)+e, season, sn, gamma)
		}
		if !finite(seasons[k]) {
			seasons[k] = 0
		}
	}
	return gradient
}

// followFactor is the new derivative of a factor: s + γ(y/l − s) with the new level l (see correctFactor).
func (l *rateLearner) followFactor(k int, s *smoothState, y, factor, before, gamma float64) float64 {
	now := s.season[s.at]
	switch {
	case now <= leastFactor || now >= 1/leastFactor: // it stands at its bound
		return 0
	case !(s.level > 0):
		return before
	}
	ratio := y / s.level
	after := before - float64(gamma*(before+float64(ratio/s.level*l.level[k])))
	if k == learnedGamma {
		after += float64(gamma*(1-gamma)) * (ratio - factor)
	}
	return after
}

// step moves the logits by an error and its gradient.
func (l *rateLearner) step(gradient *[learnedRates]float64, e, variance float64) {
	if !(variance > 0) {
		return
	}
	root := math.Sqrt(variance)
	var psi [learnedRates]float64
	for k, g := range gradient {
		if psi[k] = g / root; !(math.Abs(psi[k]) < 1e6) {
			l.forget() // numbers that left their range say nothing
			return
		}
	}
	at := 0
	for i := range learnedRates {
		for j := range i + 1 {
			l.info[at] = float64(learnMemory*l.info[at]) + float64(psi[i]*psi[j])
			if i == j {
				l.info[at] += (1 - learnMemory) * learnTrust
			}
			at++
		}
	}
	if !l.finite() {
		l.forget()
		return
	}
	move := solve3(&l.info, &psi)
	for k, m := range move {
		m = math.Max(-learnStep, math.Min(learnStep, float64(m*e/root)))
		l.u[k] = math.Max(-learnRange, math.Min(learnRange, l.u[k]-m))
	}
}

// finite reports whether the derivatives of level and trend are numbers; those of a season would show in the next error of its place.
func (l *rateLearner) finite() bool {
	for k := range l.level {
		if !finite(l.level[k]) || !finite(l.trend[k]) {
			return false
		}
	}
	return true
}

// solve3 returns J⁻¹b for a positive definite J, its lower triangle by rows, by Cholesky's factors.
func solve3(j *[6]float64, b *[3]float64) (x [3]float64) {
	a := math.Sqrt(j[0])
	p, q := j[1]/a, j[3]/a
	c := math.Sqrt(math.Max(j[2]-float64(p*p), 1e-12))
	r := (j[4] - float64(q*p)) / c
	d := math.Sqrt(math.Max(j[5]-float64(q*q)-float64(r*r), 1e-12))
	y0 := b[0] / a
	y1 := (b[1] - float64(p*y0)) / c
	y2 := (b[2] - float64(q*y0) - float64(r*y1)) / d
	x[2] = y2 / d
	x[1] = (y1 - float64(r*x[2])) / c
	x[0] = (y0 - float64(p*x[1]) - float64(q*x[2])) / a
	return x
}

// state visits the logits, the derivatives and J.
func (l *rateLearner) state(c *codec.State) {
	for i := range l.u {
		visitFloat(c, "logit of a rate", &l.u[i], -learnRange, learnRange)
	}
	for i := range l.info {
		least := -maxState
		if i == 0 || i == 2 || i == 5 {
			least = 1e-6
		}
		visitFloat(c, "what is known of rates", &l.info[i], least, maxState)
	}
	for k := range learnedRates {
		visitFloat(c, "derivative of a level", &l.level[k], -math.MaxFloat64, math.MaxFloat64)
		visitFloat(c, "derivative of a trend", &l.trend[k], -math.MaxFloat64, math.MaxFloat64)
		for i := range l.season {
			visitFloat(c, "derivative of a season", &l.season[i][k], -math.MaxFloat64, math.MaxFloat64)
		}
	}
}
