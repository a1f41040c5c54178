package statespace

import (
	"errors"
	"fmt"
)

// ARIMA is a seasonal autoregressive integrated moving average of period s,
//
//	φ(B) Φ(B^s) (1−B)^d (1−B^s)^D y = θ(B) Θ(B^s) e,  φ(B) = 1 − φ1 B − …,  θ(B) = 1 + θ1 B + …, e ~ N(0, Variance)
//
// (Box & Jenkins 1976, ch. 9, with the sign of θ that R and statsmodels use).
type ARIMA struct {
	AR, MA                 []float64 // φ, θ
	SeasonalAR, SeasonalMA []float64 // Φ, Θ
	Diff, SeasonalDiff     int       // d, D
	Period                 int       // s ≥ 2 if anything is seasonal
	Variance               float64   // of e
}

// Model is the model in Harvey's form (1989, §3.4; the arrangement of Gardner, Harvey & Phillips 1980 with differences as Harvey & McKenzie 1982): the autoregressive moving average
// of r = max(p, q+1) states, from its stationary distribution, and the d + sD values before, diffuse. The error says that it is not stationary.
func (a *ARIMA) Model() (*Model, error) {
	if a.Period < 2 && (a.SeasonalDiff > 0 || len(a.SeasonalAR) > 0 || len(a.SeasonalMA) > 0) {
		return nil, errors.New("a seasonal part needs a period of 2 steps or more")
	}
	if a.Diff < 0 || a.SeasonalDiff < 0 {
		return nil, errors.New("negative order of differences")
	}
	phi, theta, delta := a.polynomials()
	r := max(len(phi), len(theta)+1)
	n := r + len(delta)
	if n > MaxStates {
		return nil, fmt.Errorf("%d states, more than %d", n, MaxStates)
	}
	t, load := zeros(r, r), make([]float64, r)
	load[0] = 1
	copy(load[1:], theta)
	for i := range r {
		if i < len(phi) {
			t[i][0] = phi[i]
		}
		if i+1 < r {
			t[i][i+1] = 1
		}
	}
	q := zeros(r, r)
	square(q, a.Variance, load)
	p, err := Lyapunov(t, q)
	if err != nil {
		return nil, err
	}
	m := Compose(0, Block{Z: append([]float64{1}, make([]float64, r-1)...), T: t, Q: q, Start: Start{Cov: p}}, diffuseBlock(delta, zeros(len(delta), len(delta)), zeros(len(delta), len(delta))))
	if len(delta) > 0 {
		m.T[r][0] = 1 // the newest value: what is seen now
		copy(m.T[r][r:], delta)
		for i := 1; i < len(delta); i++ {
			m.T[r+i][r+i-1] = 1
		}
	}
	return m, nil
}

// polynomials returns the coefficients of the products: φ and Δ with y(t) = Σ φ(i) y(t−i) and Σ Δ(i) y(t−i), θ with + sign.
func (a *ARIMA) polynomials() (phi, theta, delta []float64) {
	ar := product(lags(a.AR, 1, -1), lags(a.SeasonalAR, a.Period, -1))
	ma := product(lags(a.MA, 1, 1), lags(a.SeasonalMA, a.Period, 1))
	diff := []float64{1}
	for range a.Diff {
		diff = product(diff, []float64{1, -1})
	}
	for range a.SeasonalDiff {
		diff = product(diff, lags([]float64{1}, a.Period, -1))
	}
	return negated(ar[1:]), ma[1:], negated(diff[1:])
}

// lags is 1 ± c1 B^step ± c2 B^2step …
func lags(c []float64, step int, sign float64) []float64 {
	out := make([]float64, 1+len(c)*step)
	out[0] = 1
	for i, v := range c {
		out[(i+1)*step] = sign * v
	}
	return out
}

func product(a, b []float64) []float64 {
	out := make([]float64, len(a)+len(b)-1)
	for i, v := range a {
		axpy(out[i:i+len(b)], v, b)
	}
	return out
}

func negated(x []float64) []float64 {
	out := make([]float64, len(x))
	for i, v := range x {
		out[i] = -v
	}
	return out
}
