package statespace

import "math"

// LocalLevel is the filter of one level seen with noise (Durbin & Koopman 2012, §2.2) in closed form: the covariance is one number. Its zero value is diffuse. All
// variances may be in units of the noise's.
type LocalLevel struct {
	Mean     float64
	Variance float64 // of the level, given the values so far
	Known    bool    // a value was seen, or Mean and Variance were set
}

// Predict goes n ≥ 0 steps ahead: their variances q add up.
func (l *LocalLevel) Predict(q, n float64) { l.Variance += float64(q * n) }

// Observe takes in y with noise of the variance h > 0 and returns its error and that error's variance, 0 and +Inf for the first.
func (l *LocalLevel) Observe(y, h float64) (e, f float64) {
	if !l.Known {
		l.Mean, l.Variance, l.Known = y, h, true
		return 0, math.Inf(1)
	}
	e, f = y-l.Mean, l.Variance+h
	gain := l.Variance / f
	l.Mean += float64(gain * e)
	l.Variance = float64(gain * h) // P h / (P + h): no difference of near numbers
	return e, f
}

// SteadyLevel is what the gain of a local level with q = level/noise variance comes to (Harvey 1989, §4.1.2): exponential smoothing with α = (√(q²+4q) − q)/2.
func SteadyLevel(q float64) float64 { return (math.Sqrt(q*q+4*q) - q) / 2 }

// LocalTrend is the filter of level and slope in closed form: μ ← μ + b, b ← φb (Harvey's damping; φ = 1: none), the covariance in the factors U and D.
type LocalTrend struct {
	Level, Slope float64
	U            float64 // P = [1 U; 0 1] diag(D1, D2) [1 0; U 1]
	D1, D2       float64
}

// Predict goes one step ahead with noise of these variances.
func (l *LocalTrend) Predict(phi, level, slope float64) {
	l.Level += l.Slope
	l.Slope *= phi
	// T U = [1 U+1; 0 φ]
	d2 := float64(float64(phi*phi)*l.D2) + slope
	p12 := float64(float64(phi*l.D2) * (l.U + 1))
	p11 := l.D1 + float64(float64(l.D2*(l.U+1))*(l.U+1)) + level
	if !(d2 > 0) {
		l.D1, l.D2, l.U = p11, 0, 0
		return
	}
	// D1 = P11 − P12²/P22, without the difference: what of D2 remains beside the slope's noise.
	rest := float64(float64(l.D2*(l.U+1))*(l.U+1)) * (slope / d2)
	l.D1, l.D2, l.U = l.D1+rest+level, d2, p12/d2
}

// Observe takes in y with noise of the variance h > 0 and returns its error and that error's variance.
func (l *LocalTrend) Observe(y, h float64) (e, f float64) {
	e = y - l.Level
	g1, g2 := l.D1, float64(l.D2*l.U)
	a1 := h + g1
	f = a1 + float64(l.U*g2)
	if !(f > 0) {
		return e, f
	}
	l.D1 *= h / a1
	l.D2 *= a1 / f
	k1 := g1 + float64(l.U*g2)
	l.U += -l.U / a1 * g1
	l.Level += float64(k1 / f * e)
	l.Slope += float64(g2 / f * e)
	return e, f
}

// Gains are the gains of a model with one output that has run for long: K[g] and F[g] are those of a value after g missing ones. A fleet whose series share a
// model needs no covariances: each keeps its mean, and takes Gains for what it missed. After a gap the gain is that of a series that had none: the difference fades as
// fast as the filter forgets.
type Gains struct {
	K [][]float64
	F []float64
}

// NewGains runs the model until its gain settles, at most the given number of values, and then through gaps of up to most steps. False: it did not settle.
func NewGains(m *Model, most, values int) (*Gains, bool, error) {
	f, err := NewFilter(m)
	if err != nil {
		return nil, false, err
	}
	for i := 0; i < values && !f.steady; i++ {
		f.Predict()
		f.Observe(0)
	}
	out := &Gains{}
	for g := range most + 1 {
		c := f.Clone()
		c.unsettle()
		for range g + 1 {
			c.Predict()
		}
		in := c.Observe(0)
		out.K, out.F = append(out.K, append([]float64(nil), c.k...)), append(out.F, in.Variance)
	}
	return out, f.steady, nil
}
