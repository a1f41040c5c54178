package forecast

import (
	"math"

	"github.com/freshet-ml/freshet/internal/codec"
)

// airline is the member of a bank that learns its own rates: the model (0,1,1)(0,1,1) of the shortest season (Box & Jenkins 1970, §9.2, whose example are the passengers of airlines), as recursions of what its
// forecast h steps ahead is read from, l + T(phase) + c·⌊(h−1)/s⌋. With an error e and the phase of its step,
//
//	T(phase) ← T(phase) + c + γe,  l ← l + αe,  c ← c + αγe,  α = 1−θ, γ = 1−Θ,
//
// which are the model's ψ-weights: α before the first season, α + γ at it, α + αγ after it. With a season of one step it is Holt's linear trend. The rates follow the errors by recursive Gauss–Newton
// steps, within the region where the model is invertible (recursive prediction errors: Ljung & Söderström 1983, §3.7), from a belief about them. An update costs the same for any season.
type airline struct {
	started bool
	n       float64 // values since the start
	state   airlineState
	slopes  [2]airlineState // of the state by α, and by γ
	rates   [2]float64      // α, γ
	info    [3]float64      // information about them: αα, αγ, γγ
	size    float64         // mean size of errors
}

// airlineState is what forecasts are read from, or its derivative by a rate.
type airlineState struct {
	level, step float64 // step is c, what each season adds
	season      []float32
}

const (
	airlinePrior    = 50    // information about a rate at the start, as if it were known to a deviation of 0.14
	airlineDiscount = 0.998 // of information beyond that, so that rates go on learning
	airlineLeast    = 0.02  // of a rate
	airlineMove     = 0.1   // of a rate at one step
)

var (
	airlineRates = [2]float64{0.6, 0.4} // near those of the passengers, θ = 0.4 and Θ = 0.6
	airlineMost  = [2]float64{1.5, 1}   // of a rate; the model is invertible below 2
)

func newAirline(season int) airline {
	tables := make([]float32, 3*season)
	a := airline{}
	for i, s := range a.states() {
		s.season = tables[i*season : (i+1)*season : (i+1)*season]
	}
	a.believe()
	return a
}

func (a *airline) states() [3]*airlineState {
	return [3]*airlineState{&a.state, &a.slopes[0], &a.slopes[1]}
}

// believe forgets what was learned of the rates.
func (a *airline) believe() {
	a.rates, a.info = airlineRates, [3]float64{airlinePrior, 0, airlinePrior}
}

// start begins with the values of a season, the last of which is that of step; NaN: none.
func (a *airline) start(mean float64, step int64, value func(step int64) float64) {
	a.forget()
	a.state.level = mean
	m := int64(len(a.state.season))
	for at := max(0, step-m+1); at <= step; at++ {
		if d := value(at) - mean; finite(d) {
			a.state.season[at%m] = float32(d)
		}
	}
	a.started = true
}

// forget is as if no value had been seen.
func (a *airline) forget() {
	for _, s := range a.states() {
		s.level, s.step = 0, 0
		clear(s.season)
	}
	a.believe()
	a.started, a.n, a.size = false, 0, 0
}

// at is the forecast for a step, ahead steps after the newest value.
func (s *airlineState) at(step, ahead int64) float64 {
	m := int64(len(s.season))
	return s.level + float64(s.season[step%m]) + float64(float64(min(ahead-1, lasting)/m)*s.step)
}

// pass goes over the steps without a value, so many, that lie before step: they are as they were forecast.
func (s *airlineState) pass(step, missed int64) {
	m := int64(len(s.season))
	missed = min(missed, lasting)
	for i := range min(missed, m) {
		s.add((step-1-i)%m, float64((missed-1-i)/m+1)*s.step)
	}
}

// add moves the table at a phase.
func (s *airlineState) add(phase int64, by float64) {
	s.season[phase] = float32(max(-bankMost/2, min(bankMost/2, float64(s.season[phase])+by)))
}

// move goes on to the next step, with what an error adds to the level, to the table at the phase, and to what each season adds.
func (s *airlineState) move(phase int64, level, table, step float64) {
	s.add(phase, s.step+table)
	s.level += level
	s.step += step
}

// learn takes in the value z of a step, gap steps after the one before; errors beyond limit times their size are damped. If a number leaves its bounds,
// the member has to start again.
func (a *airline) learn(z float64, step, gap int64, limit float64) {
	if gap > 1 {
		for _, s := range a.states() {
			s.pass(step, gap-1)
		}
	}
	e := z - a.state.at(step, 1)
	if a.n > 10 && a.size > 0 {
		e = max(-limit*a.size, min(limit*a.size, e))
	}
	slope := [2]float64{a.slopes[0].at(step, 1), a.slopes[1].at(step, 1)} // of the forecast
	alpha, gamma := a.rates[0], a.rates[1]
	phase := step % int64(len(a.state.season))
	a.state.move(phase, alpha*e, gamma*e, alpha*gamma*e)
	for i := range a.slopes {
		by := [2]float64{} // of the rates themselves
		by[i] = e
		d := -slope[i] // of the error
		a.slopes[i].move(phase, by[0]+float64(alpha*d), by[1]+float64(gamma*d), float64(gamma*by[0])+float64(alpha*by[1])+float64(alpha*gamma*d))
	}
	if a.size > 0 && gap == 1 {
		a.steer(slope, e)
	}
	a.size += float64(max(0.03, 1/(a.n+1)) * (math.Abs(e) - a.size))
	a.n++
	if !a.sound() {
		a.forget()
	}
}

// steer moves the rates by an error and the slopes of its forecast.
func (a *airline) steer(slope [2]float64, e float64) {
	v := math.Pi / 2 * a.size * a.size
	xx, xy, yy := slope[0]*slope[0]/v, slope[0]*slope[1]/v, slope[1]*slope[1]/v
	const least = (1 - airlineDiscount) * airlinePrior
	r := [3]float64{float64(airlineDiscount*a.info[0]) + least + xx, float64(airlineDiscount*a.info[1]) + xy, float64(airlineDiscount*a.info[2]) + least + yy}
	det := float64(r[0]*r[2]) - float64(r[1]*r[1])
	if !(det > 1e-9*r[0]*r[2]) || !(r[0]+r[2] < bankLimit) {
		a.info = [3]float64{airlinePrior, 0, airlinePrior}
		return
	}
	a.info = r
	gx, gy := slope[0]*e/v, slope[1]*e/v
	for i, move := range [2]float64{(float64(r[2]*gx) - float64(r[1]*gy)) / det, (float64(r[0]*gy) - float64(r[1]*gx)) / det} {
		if finite(move) {
			a.rates[i] = max(airlineLeast, min(airlineMost[i], a.rates[i]+max(-airlineMove, min(airlineMove, move))))
		}
	}
}

// sound reports whether all numbers are within bounds.
func (a *airline) sound() bool {
	ok := a.size < bankMost
	for _, s := range a.states() {
		ok = ok && math.Abs(s.level) < bankMost && math.Abs(s.step) < bankMost
	}
	return ok
}

// growth is the variance of the error h steps ahead as a multiple of that of one: 1 + Σ ψ(j)² for j < h.
func (a *airline) growth(h int64) float64 {
	m := int64(len(a.state.season))
	alpha, gamma := a.rates[0], a.rates[1]
	sum := 1.0
	for j := range min(h, lasting) - 1 {
		seasons := float64((j + 1) / m)
		psi := alpha * (1 + float64(seasons*gamma))
		if (j+1)%m == 0 {
			psi = gamma + float64(alpha*(1+float64((seasons-1)*gamma)))
		}
		sum += float64(psi * psi)
	}
	return sum
}

func (a *airline) visit(c *codec.State) {
	c.Bool(&a.started)
	bankWhole(c, &a.n)
	bankNumber(c, &a.size, "of errors")
	for i := range a.rates {
		if c.Float64(&a.rates[i]); c.Loading() && !(a.rates[i] >= airlineLeast && a.rates[i] <= airlineMost[i]) {
			c.Fail("forecaster_bank: rate %v", a.rates[i])
		}
	}
	for i := range a.info {
		bankNumber(c, &a.info[i], "of information")
	}
	if c.Loading() && (a.size < 0 || !(a.info[0]*a.info[2] > a.info[1]*a.info[1])) {
		c.Fail("forecaster_bank: errors of size %v, information %v", a.size, a.info)
	}
	for _, s := range a.states() {
		bankNumber(c, &s.level, "of a level")
		bankNumber(c, &s.step, "of a trend")
		for i := range s.season {
			bankSingle(c, &s.season[i], false)
		}
	}
}
