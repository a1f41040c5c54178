package statespace

import (
	"errors"
	"fmt"
	"math"

	"github.com/freshet-ml/freshet/internal/codec"
)

// DiscountModel is a dynamic linear model whose noise is not given but follows from discounts (West & Harrison 1997, §6.3): before each value the covariance of a block b of states
// becomes that of its prediction divided by δ(b), as if its older values had lost that part of their weight. One output, y = F'θ + ν.
type DiscountModel struct {
	G        [][]float64 // states × states
	F        []float64
	Blocks   [][2]int  // first state and number of states of each block; they cover all states
	Discount []float64 // δ by block, in (0, 1]
}

// Check returns an error that says what is out of range.
func (m *DiscountModel) Check() error {
	n := len(m.G)
	if n < 1 || n > MaxStates || len(m.F) != n {
		return fmt.Errorf("discount model of %d states with %d numbers in F: give as many, 1 to %d", n, len(m.F), MaxStates)
	}
	if err := checkMatrix("G", m.G, n, n); err != nil {
		return err
	}
	if len(m.Blocks) != len(m.Discount) {
		return fmt.Errorf("%d blocks and %d discounts", len(m.Blocks), len(m.Discount))
	}
	at := 0
	for i, b := range m.Blocks {
		if b[0] != at || b[1] < 1 {
			return errors.New("blocks do not follow each other: give first state and number of states of each, in order")
		}
		at += b[1]
		if d := m.Discount[i]; !(d > 0 && d <= 1) {
			return fmt.Errorf("discount %v of block %d: give a number above 0, at most 1", d, i)
		}
	}
	if at != n {
		return fmt.Errorf("blocks hold %d states of %d", at, n)
	}
	return nil
}

// Discounted is the filter of a DiscountModel, one step and one value at a time. Covariances are in units of the variance of the values, which the caller knows or
// learns (West & Harrison 1997, §4.5 and §10.8: n ← βn + 1, S ← S + S/n (e²/Q − 1), see Learned). The covariance is a symmetric matrix: with discounts below 1 errors of rounding fade
// like everything old. It allocates nothing after NewDiscounted.
type Discounted struct {
	m    *DiscountModel
	step *transition
	mean []float64
	c    [][]float64 // covariance of the state
	w    [][]float64 // what the newest discounted step added
	k, t []float64
}

// NewDiscounted returns the filter before the first step.
func NewDiscounted(m *DiscountModel, mean []float64, cov [][]float64) (*Discounted, error) {
	if err := m.Check(); err != nil {
		return nil, err
	}
	n := len(m.G)
	if len(mean) != n {
		return nil, fmt.Errorf("mean of %d numbers, not %d", len(mean), n)
	}
	if err := checkMatrix("C0", cov, n, n); err != nil {
		return nil, err
	}
	d := &Discounted{m: m, step: newTransition(m.G, zeros(n, n)), mean: append([]float64(nil), mean...), c: clone(cov), w: zeros(n, n), k: make([]float64, n), t: make([]float64, n)}
	return d, nil
}

// Restart sets mean and independent variances.
func (d *Discounted) Restart(mean, variance []float64) {
	copy(d.mean, mean)
	for i := range d.c {
		clear(d.c[i])
		clear(d.w[i])
		d.c[i][i] = variance[i]
	}
}

// Mean is the mean of the state; borrowed.
func (d *Discounted) Mean() []float64 { return d.mean }

// Covariance returns entry i, j of the covariance, in units of the variance.
func (d *Discounted) Covariance(i, j int) float64 { return d.c[i][j] }

// Predict goes one step ahead, with discount: what it adds stays as the noise of Hold.
func (d *Discounted) Predict() {
	d.move()
	for b, at := range d.m.Blocks {
		add := 1/d.m.Discount[b] - 1
		for i := at[0]; i < at[0]+at[1]; i++ {
			row, w := d.c[i], d.w[i]
			for j := at[0]; j < at[0]+at[1]; j++ {
				w[j] = float64(add * row[j])
				row[j] += w[j]
			}
		}
	}
}

// Hold goes one step ahead with the noise of the newest Predict: for forecasts (West & Harrison 1997, §6.3.3), and for steps without a value, whose discount would
// let the covariance grow by 1/δ each (wind-up).
func (d *Discounted) Hold() {
	d.move()
	for i := range d.c {
		axpy(d.c[i], 1, d.w[i])
	}
}

// HoldMany goes n steps ahead like Hold; the covariance grows as in most of them at most.
func (d *Discounted) HoldMany(n int64, most int) {
	for range min(n, int64(most)) {
		d.Hold()
	}
	if n -= int64(most); n > 0 {
		far := (&Model{T: d.m.G, Q: zeros(len(d.mean), len(d.mean))}).Steps(n)
		copy(d.mean, mulVec(far.T, d.mean))
		d.c = mul(mul(far.T, d.c), transpose(far.T))
	}
}

func (d *Discounted) move() {
	d.step.mean(d.mean, d.t)
	n := len(d.c)
	for i := range d.c { // C G': rows are moved like states
		d.step.mean(d.c[i], d.t)
	}
	for j := range n { // its columns
		for i := range n {
			d.k[i] = d.c[i][j]
		}
		d.step.mean(d.k, d.t)
		for i := range n {
			d.c[i][j] = d.k[i]
		}
	}
	for i := range n { // as symmetric as the numbers allow
		for j := range i {
			v := 0.5 * (d.c[i][j] + d.c[j][i])
			d.c[i][j], d.c[j][i] = v, v
		}
	}
}

// Forecast returns the mean of F'θ, f nil: that of the model, and its variance with that of a value, in units of the latter.
func (d *Discounted) Forecast(f []float64) (mean, variance float64) {
	if f == nil {
		f = d.m.F
	}
	variance = 1
	for i, row := range d.c {
		if f[i] != 0 {
			variance += float64(f[i] * dot(row, f))
		}
	}
	return dot(f, d.mean), variance
}

// Weigh takes a value into the covariance and returns the error of its forecast and its variance; the mean stays until Correct. f as in Forecast.
func (d *Discounted) Weigh(y float64, f []float64) Innovation {
	if f == nil {
		f = d.m.F
	}
	variance := 1.0
	for i, row := range d.c {
		d.k[i] = dot(row, f)
		variance += float64(f[i] * d.k[i])
	}
	for i := range d.c {
		gain := d.k[i] / variance
		for j := range i + 1 {
			d.c[i][j] -= float64(gain * d.k[j])
			d.c[j][i] = d.c[i][j]
		}
		d.c[i][i] = math.Max(d.c[i][i], 0)
	}
	for i := range d.k {
		d.k[i] /= variance
	}
	return Innovation{Error: y - dot(f, d.mean), Variance: variance}
}

// Correct moves the mean by the gain of the value that was weighed last, for the error e.
func (d *Discounted) Correct(e float64) { axpy(d.mean, e, d.k) }

// Widen adds v to the variance of the first state.
func (d *Discounted) Widen(v float64) { d.c[0][0] += v }

// Cap bounds the variance of state i: what no value speaks of grows with every discount otherwise.
func (d *Discounted) Cap(i int, most float64) {
	if d.c[i][i] <= most {
		return
	}
	shrink := math.Sqrt(most / d.c[i][i])
	for j := range d.c {
		d.c[i][j] *= shrink
		d.c[j][i] *= shrink
	}
}

// CopyFrom makes the filter, of the same model, one in the state of another.
func (d *Discounted) CopyFrom(e *Discounted) {
	copy(d.mean, e.mean)
	for i := range d.c {
		copy(d.c[i], e.c[i])
		copy(d.w[i], e.w[i])
	}
}

// State visits mean and covariances, their lower halves.
func (d *Discounted) State(s *codec.State) {
	s.Fixed("states", len(d.mean))
	visit := func(v *float64) {
		s.Float64(v)
		if s.Loading() && !(math.Abs(*v) < 1e150) {
			s.Fail("discount model: %v", *v)
		}
	}
	for i := range d.mean {
		visit(&d.mean[i])
		for _, m := range [2][][]float64{d.c, d.w} {
			for j := range i + 1 {
				visit(&m[i][j])
				m[j][i] = m[i][j]
			}
			if s.Loading() && m[i][i] < 0 {
				s.Fail("discount model: negative variance %v", m[i][i])
			}
		}
	}
}

// Learned is a variance that is learned from errors, with a discount: Student's t with n degrees of freedom stands for the normal distribution (West & Harrison 1997, §10.8.2).
type Learned struct {
	Discount float64 // β, in (0, 1]
	N, S     float64 // degrees of freedom and variance
}

// Degrees are those of the forecast of the next value.
func (l *Learned) Degrees() float64 { return l.Discount * l.N }

// Take takes in an error whose variance is f times S.
func (l *Learned) Take(e, f float64) {
	l.N = float64(l.Discount*l.N) + 1
	l.S += (e/f*e - l.S) / l.N
}

// LogPredictive is the logarithm of the density of an error e whose forecast has the scale² q, before Take.
func (l *Learned) LogPredictive(e, q float64) float64 {
	nu := l.Degrees()
	a, _ := math.Lgamma((nu + 1) / 2)
	b, _ := math.Lgamma(nu / 2)
	return a - b - 0.5*math.Log(nu*math.Pi*q) - 0.5*(nu+1)*math.Log1p(e/q*e/nu)
}
