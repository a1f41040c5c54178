package statespace

import (
	"fmt"
	"math"

	"github.com/freshet-ml/freshet/internal/codec"
)

// Structure is a structural time series model with one output and noise of variance 1 (Harvey 1989, §2.3–2.4): states in the order level, slope, autoregression, waves, coefficients.
type Structure struct {
	Slope        bool
	Damping      float64 // of the slope, in (0, 1]: μ ← μ + b, b ← φb
	AR           bool    // with an autoregression of order one
	Waves        []Wave
	Coefficients int // of regressors; they do not move
}

// Wave is a harmonic: Turns turns in Period steps. One of two steps (2·Turns = Period) has one state, any other two.
type Wave struct{ Period, Turns int }

// Structural is the Kalman filter of a Structure, one value at a time, for models of many waves. T turns the waves and Q is the same for both states of one, so in a
// frame that turns with them, P̃ = T⁻ᵗ P T⁻ᵗ', the covariance stands still but for the noise on its diagonal, and the row of Z turns instead, by sines of whole parts of a turn, which do not
// drift. A step costs O(states), a value 1.5·states² products, where Filter needs a third of states³ for the step.
//
// P is kept as a symmetric matrix and a value is taken in by P − MM'/F. That loses as many digits as F has over the variance of the noise, which is 1 here and is never let count as less than 10⁻¹⁰ of F;
// models with values that have no noise are for Filter.
//
// It belongs to one goroutine and allocates nothing after NewStructural but for gaps over which Jump goes.
type Structural struct {
	s     Structure
	n     int
	ar    int // place of the autoregression, -1 without
	phi   float64
	waves []wave
	coef  int       // place of the first coefficient
	q     []float64 // variances of the noise
	a     []float64 // mean, in the frame of the model
	p     []float64 // lower triangle of P̃ by rows
	z     []float64 // row of Z in the turning frame, of the present step
	m     []float64 // scratch
	k     []float64 // gain, in the frame of the model
	settling
}

// wave is where a harmonic stands.
type wave struct {
	at, size, period, turns int
	place                   int // how far the frame has turned, in parts of the period
	table                   [][2]float64
}

// settling tells when the gain of a filter moves no more.
type settling struct {
	last      []float64 // gain of the value before
	lastF     float64
	calm      int // values in a row whose gain did not move
	ticks     int // steps since the last value
	steady    bool
	tolerance float64
}

// leastNoise is the least share of F that the noise of a value counts for.
const leastNoise = 1e-10

// TurnTable is cosine and sine of the parts of a turn; filters of one period share it.
func TurnTable(period int) [][2]float64 {
	out := make([][2]float64, period)
	for i := range out {
		out[i][0], out[i][1] = turn(period, int64(i))
	}
	return out
}

// NewStructural returns a filter whose moments are all 0 (see Restart) and whose noise is none (see Tune). tables holds the TurnTable of each wave's period; nil: made here.
func NewStructural(s Structure, tables map[int][][2]float64) *Structural {
	f := &Structural{s: s, n: 1, ar: -1}
	f.tolerance = steadyTolerance
	if s.Slope {
		f.n++
	}
	if s.AR {
		f.ar = f.n
		f.n++
	}
	for _, w := range s.Waves {
		if w.Turns < 1 || 2*w.Turns > w.Period {
			panic(fmt.Sprintf("statespace: wave of %d turns in %d steps", w.Turns, w.Period))
		}
		table := tables[w.Period]
		if table == nil {
			table = TurnTable(w.Period)
		}
		size := 2
		if 2*w.Turns == w.Period {
			size = 1
		}
		f.waves = append(f.waves, wave{at: f.n, size: size, period: w.Period, turns: w.Turns, table: table})
		f.n += size
	}
	f.coef = f.n
	f.n += s.Coefficients
	f.q, f.a, f.z, f.m, f.k, f.last = make([]float64, f.n), make([]float64, f.n), make([]float64, f.n), make([]float64, f.n), make([]float64, f.n), make([]float64, f.n)
	f.p = make([]float64, f.n*(f.n+1)/2)
	f.row()
	return f
}

// States is how many states the model has.
func (f *Structural) States() int { return f.n }

// Mean is the mean of the state; borrowed.
func (f *Structural) Mean() []float64 { return f.a }

// Steady reports whether the gain has settled.
func (f *Structural) Steady() bool { return f.steady }

// SettleAt sets how little the gain may still move to count as settled, relative to its greatest entry: 10⁻¹² if not set, greater for rough answers sooner.
func (f *Structural) SettleAt(tolerance float64) { f.tolerance = tolerance }

// Tune sets the variance of the noise of state i; both states of a wave must get the same.
func (f *Structural) Tune(i int, q float64) {
	f.q[i] = q
	f.steady, f.calm = false, 0
}

// SetAR sets the coefficient of the autoregression.
func (f *Structural) SetAR(phi float64) {
	f.phi = phi
	f.steady, f.calm = false, 0
}

// Turn makes the wave i, of two states, another harmonic of its period. What the filter knew of it is of no use then: see Restart.
func (f *Structural) Turn(i, turns int) {
	f.waves[i].turns, f.waves[i].place = turns, 0
	f.row()
	f.steady, f.calm = false, 0
}

// Restart sets the moments: the means, and the variances of independent states.
func (f *Structural) Restart(mean, variance []float64) {
	copy(f.a, mean)
	clear(f.p)
	for i, v := range variance {
		f.p[i*(i+1)/2+i] = v
	}
	for i := range f.waves {
		f.waves[i].place = 0
	}
	f.row()
	f.ticks, f.calm, f.steady = 0, 0, false
}

// CopyFrom makes the filter, of the same model and tuning, one in the state of another.
func (f *Structural) CopyFrom(g *Structural) {
	copy(f.a, g.a)
	copy(f.p, g.p)
	copy(f.z, g.z)
	copy(f.k, g.k)
	copy(f.last, g.last)
	for i := range f.waves {
		f.waves[i].place = g.waves[i].place
	}
	f.lastF, f.calm, f.ticks, f.steady = g.lastF, g.calm, g.ticks, g.steady
}

// row sets Z in the turning frame; those of the coefficients come with each value.
func (f *Structural) row() {
	f.z[0] = 1
	if f.ar >= 0 {
		f.z[f.ar] = 1
	}
	for i := range f.waves {
		w := &f.waves[i]
		t := &w.table[w.place]
		f.z[w.at] = t[0]
		if w.size == 2 {
			f.z[w.at+1] = t[1]
		}
	}
}

// Predict goes one step ahead.
func (f *Structural) Predict() {
	f.moveMean()
	f.ticks++
	if f.ticks > 1 {
		f.calm = 0
	}
	if !f.steady {
		f.moveCovariance()
		return
	}
	if f.ticks > 1 { // a step without value: the covariance moves on
		f.unsettle()
	}
}

// unsettle brings the covariance to the present step and lets it move again.
func (f *Structural) unsettle() {
	for range f.ticks {
		f.moveCovariance()
	}
	f.steady, f.calm = false, 0
}

func (f *Structural) moveMean() {
	if f.s.Slope {
		f.a[0] += f.a[1]
		f.a[1] *= f.s.Damping
	}
	if f.ar >= 0 {
		f.a[f.ar] *= f.phi
	}
	for i := range f.waves {
		w := &f.waves[i]
		w.forward(f.a, &w.table[w.turns])
	}
}

// forward turns the states of the wave in x by t, as T does.
func (w *wave) forward(x []float64, t *[2]float64) {
	if w.size == 1 {
		x[w.at] *= t[0]
		return
	}
	pair := x[w.at : w.at+2 : w.at+2]
	x1, x2 := pair[0], pair[1]
	pair[0] = float64(t[0]*x1) + float64(t[1]*x2)
	pair[1] = float64(t[0]*x2) - float64(t[1]*x1)
}

// moveCovariance makes a step of P̃: those of the states that do not turn, and the noise.
func (f *Structural) moveCovariance() {
	if f.s.Slope {
		f.moveSlope(1, f.s.Damping)
	}
	if f.ar >= 0 {
		f.scale(f.ar, f.phi)
	}
	at := 0
	for i, q := range f.q {
		at += i
		f.p[at+i] += q
	}
	for i := range f.waves {
		w := &f.waves[i]
		if w.place += w.turns; w.place >= w.period {
			w.place -= w.period
		}
	}
	f.row()
}

// moveSlope multiplies by [[1, t], [0, phi]] in level and slope.
func (f *Structural) moveSlope(t, phi float64) {
	p := f.p
	p[0] += float64(t * (2*p[1] + float64(t*p[2])))
	p[1] = float64(phi * (p[1] + float64(t*p[2])))
	p[2] = float64(phi*phi) * p[2]
	at := 3
	for i := 2; i < f.n; i++ {
		p[at] += float64(t * p[at+1])
		p[at+1] *= phi
		at += i + 1
	}
}

// scale multiplies row and column of a state.
func (f *Structural) scale(i int, by float64) {
	at := i * (i + 1) / 2
	for j := range i {
		f.p[at+j] *= by
	}
	f.p[at+i] *= float64(by * by)
	at += i
	for r := i + 1; r < f.n; r++ {
		at += r
		f.p[at] *= by
	}
}

// Jump goes n ≥ 1 steps ahead at once. Cost: O(states + log n).
func (f *Structural) Jump(n int64) {
	if f.steady {
		f.unsettle()
	}
	f.ticks, f.calm = 2, 0
	steps := float64(n)
	from := 0
	if f.s.Slope {
		m := (&Model{T: [][]float64{{1, 1}, {0, f.s.Damping}}, Q: [][]float64{{f.q[0], 0}, {0, f.q[1]}}}).Steps(n)
		f.a[0], f.a[1] = f.a[0]+m.T[0][1]*f.a[1], m.T[1][1]*f.a[1]
		f.moveSlope(m.T[0][1], m.T[1][1])
		f.p[0], f.p[1], f.p[2] = f.p[0]+m.Q[0][0], f.p[1]+m.Q[0][1], f.p[2]+m.Q[1][1]
		from = 2
	}
	at := from * (from + 1) / 2
	for i := from; i < f.n; i++ {
		if i == f.ar {
			f.jumpAR(steps)
		} else {
			f.p[at+i] += float64(steps * f.q[i])
		}
		at += i + 1
	}
	for i := range f.waves {
		w := &f.waves[i]
		turned := int(int64(w.turns) * (n % int64(w.period)) % int64(w.period))
		w.forward(f.a, &w.table[turned])
		w.place = (w.place + turned) % w.period
	}
	f.row()
}

func (f *Structural) jumpAR(steps float64) {
	by, grown := math.Pow(f.phi, steps), steps
	if square := f.phi * f.phi; square < 1 {
		grown = (1 - math.Pow(square, steps)) / (1 - square)
	}
	f.a[f.ar] *= by
	f.scale(f.ar, by)
	f.p[f.ar*(f.ar+1)/2+f.ar] += grown * f.q[f.ar]
}

// Weigh takes the value, with regressors x as many as coefficients, into the covariance; the mean stays until Correct is called with the error, or with what of it is to be believed. F is the variance of its forecast
// with that of the noise.
func (f *Structural) Weigh(y float64, x []float64) Innovation {
	regular := f.ticks == 1 && len(x) == 0
	f.ticks = 0
	e := y - f.forecast(x)
	if regular && f.steady {
		return Innovation{Error: e, Variance: f.lastF}
	}
	if f.steady { // a second value of its step
		f.steady, f.calm = false, 0
	}
	copy(f.z[f.coef:], x)
	s := f.times()
	variance := s + math.Max(1, leastNoise*s)
	f.take(1 / variance)
	f.settle(regular, variance, f.k)
	return Innovation{Error: e, Variance: variance}
}

// Correct moves the mean by the gain of the value that was weighed last, for the error e.
func (f *Structural) Correct(e float64) { axpy(f.a, e, f.k) }

// forecast is Z times the mean.
func (f *Structural) forecast(x []float64) float64 {
	sum := f.a[0]
	if f.ar >= 0 {
		sum += f.a[f.ar]
	}
	for i := range f.waves {
		sum += f.a[f.waves[i].at]
	}
	return sum + dot(x, f.a[f.coef:])
}

// times sets m to P̃ z and returns z'm. Two rows at a time: each product of z is used twice, and no sum waits for another.
func (f *Structural) times() float64 {
	m, z := f.m[:f.n], f.z[:f.n]
	clear(m)
	at, i := 0, 0
	for ; i+1 < f.n; i += 2 {
		upper, lower := f.p[at:at+i], f.p[at+i+1:at+2*i+1]
		diagonal, across, last := f.p[at+i], f.p[at+2*i+1], f.p[at+2*i+2]
		at += 2*i + 3
		z0, z1 := z[i], z[i+1]
		head, before := z[:len(upper)], m[:len(upper)]
		lower = lower[:len(upper)]
		sum0, sum1 := 0.0, 0.0
		for j, v := range upper {
			w, zj := lower[j], head[j]
			sum0 += float64(v * zj)
			sum1 += float64(w * zj)
			before[j] += float64(v*z0) + float64(w*z1)
		}
		m[i] = sum0 + float64(diagonal*z0) + float64(across*z1)
		m[i+1] = sum1 + float64(across*z0) + float64(last*z1)
	}
	if i < f.n {
		row := f.p[at : at+i+1]
		zi, sum := z[i], 0.0
		for j, v := range row[:i] {
			sum += float64(v * z[j])
			m[j] += float64(v * zi)
		}
		m[i] = sum + float64(row[i]*zi)
	}
	total := 0.0
	for i, v := range m {
		total += float64(v * z[i])
	}
	return math.Max(total, 0)
}

// take sets P̃ to P̃ − m m'/F and k to the gain.
func (f *Structural) take(inverse float64) {
	m, k := f.m[:f.n], f.k[:f.n]
	at := 0
	for i, mi := range m {
		g := float64(mi * inverse)
		k[i] = g
		row := f.p[at : at+i+1]
		at += i + 1
		head := m[:len(row)]
		for j, v := range head {
			row[j] -= float64(g * v)
		}
		if row[i] < 0 { // rounding
			row[i] = 0
		}
	}
	for i := range f.waves {
		w := &f.waves[i]
		w.forward(k, &w.table[w.place])
	}
}

// settle looks whether the gain has stopped moving.
func (s *settling) settle(regular bool, variance float64, gain []float64) {
	moved, size := 0.0, 1e-300
	last := s.last[:len(gain)]
	for i, v := range gain {
		if a := math.Abs(v); a > size {
			size = a
		}
		if d := math.Abs(v - last[i]); d > moved {
			moved = d
		}
	}
	still := moved < s.tolerance*size && math.Abs(variance-s.lastF) < s.tolerance*variance
	copy(s.last, gain)
	s.lastF = variance
	if !regular || !still {
		s.calm = 0
		return
	}
	if s.calm++; s.calm >= steadySteps {
		s.steady = true
	}
}

// Widen adds c ≥ 0 to the variance of the level: after a change of it.
func (f *Structural) Widen(c float64) {
	if f.steady {
		f.unsettle()
	}
	f.calm = 0
	f.p[0] += c
}

// Forecast returns mean and variance of the output of the present step with these regressors, without the noise of a value.
func (f *Structural) Forecast(x []float64) (mean, variance float64) {
	if f.steady && f.ticks > 0 {
		f.unsettle()
	}
	copy(f.z[f.coef:], x)
	return f.forecast(x), f.times()
}

// State visits the moments, how far the frame has turned, and whether the gain has settled. A filter is tuned before it is loaded.
func (f *Structural) State(s *codec.State) {
	s.Fixed("states", f.n)
	for _, x := range [][]float64{f.a, f.p, f.k, f.last} {
		for i := range x {
			s.Float64(&x[i])
			if s.Loading() && !(math.Abs(x[i]) < 1e150) {
				s.Fail("filter: number %v", x[i])
			}
		}
	}
	at := 0
	for i := range f.n {
		at += i
		if s.Loading() && f.p[at+i] < 0 {
			s.Fail("filter: negative variance %v", f.p[at+i])
		}
	}
	for i := range f.waves {
		w := &f.waves[i]
		w.place = s.Len(w.place, 0, w.period-1)
	}
	s.Float64(&f.lastF)
	f.calm = s.Len(f.calm, 0, steadySteps)
	f.ticks = s.Len(f.ticks, 0, math.MaxInt32)
	s.Bool(&f.steady)
	if s.Loading() {
		f.row()
	}
}
