package statespace

import (
	"fmt"
	"math"
)

// Block is a part of a model with one output: its states, what of them is seen, and how they start. Compose puts blocks side by side.
type Block struct {
	Z     []float64
	T, Q  [][]float64
	Start Start // Diffuse counts within the block
}

// Compose puts blocks together: T, Q and the start are block diagonal, Z stands in a row, and the value has noise of the variance h.
func Compose(h float64, blocks ...Block) *Model {
	n := 0
	for i := range blocks {
		n += len(blocks[i].T)
	}
	m := &Model{Z: zeros(1, n), H: [][]float64{{h}}, T: zeros(n, n), Q: zeros(n, n), Start: Start{Mean: make([]float64, n), Cov: zeros(n, n)}}
	at := 0
	for i := range blocks {
		b := &blocks[i]
		copy(m.Z[0][at:], b.Z)
		copy(m.Start.Mean[at:], b.Start.Mean)
		for j := range b.T {
			copy(m.T[at+j][at:], b.T[j])
			copy(m.Q[at+j][at:], b.Q[j])
			if b.Start.Cov != nil {
				copy(m.Start.Cov[at+j][at:], b.Start.Cov[j])
			}
		}
		for _, j := range b.Start.Diffuse {
			m.Start.Diffuse = append(m.Start.Diffuse, at+j)
		}
		at += len(b.T)
	}
	return m
}

// diffuseBlock is one of which nothing is known before the first value.
func diffuseBlock(z []float64, t, q [][]float64) Block {
	b := Block{Z: z, T: t, Q: q}
	for i := range t {
		b.Start.Diffuse = append(b.Start.Diffuse, i)
	}
	return b
}

// Level is a random walk whose step has the variance q (Durbin & Koopman 2012, §2.1); diffuse.
func Level(q float64) Block {
	return diffuseBlock([]float64{1}, [][]float64{{1}}, [][]float64{{q}})
}

// Trend is a level μ that rises by a slope b, both random walks (Durbin & Koopman 2012, §3.2.1); level 0: a smooth trend. Diffuse.
func Trend(level, slope float64) Block { return DampedTrend(1, level, slope) }

// DampedTrend is a trend whose slope fades: μ ← μ + b, b ← φb (Harvey's form: 1989, §2.3.6; that of exponential smoothing is DampedTrendETS). Diffuse.
func DampedTrend(phi, level, slope float64) Block {
	return diffuseBlock([]float64{1, 0}, [][]float64{{1, 1}, {0, phi}}, [][]float64{{level, 0}, {0, slope}})
}

// DampedTrendETS is a trend whose slope fades before it is added: μ ← μ + φb, b ← φb (Hyndman et al. 2008, §2.3). Diffuse.
func DampedTrendETS(phi, level, slope float64) Block {
	return diffuseBlock([]float64{1, 0}, [][]float64{{1, phi}, {0, phi}}, [][]float64{{level, 0}, {0, slope}})
}

// SeasonalDummy is a season of period ≥ 2 steps that sums to noise of the variance q (Durbin & Koopman 2012, §3.2.2): period − 1 states, the present value and
// those before it. Diffuse.
func SeasonalDummy(period int, q float64) Block {
	n := period - 1
	t, noise, z := zeros(n, n), zeros(n, n), make([]float64, n)
	for j := range n {
		t[0][j] = -1
		if j > 0 {
			t[j][j-1] = 1
		}
	}
	z[0], noise[0][0] = 1, q
	return diffuseBlock(z, t, noise)
}

// SeasonalTrig is a season of period ≥ 2 steps as a sum of its first harmonics, each turning by 2πj/period with noise of the variance q on its states (Durbin &
// Koopman 2012, §3.2.2). Each harmonic has two states, that of two steps (2j = period) one, which changes its sign. With period/2 harmonics or more it
// has period − 1 states and any form. Diffuse.
func SeasonalTrig(period, harmonics int, q float64) Block {
	var blocks []Block
	for j := 1; j <= min(harmonics, period/2); j++ {
		blocks = append(blocks, Harmonic(period, j, q))
	}
	return join(blocks)
}

// Harmonic is the jth harmonic of a season.
func Harmonic(period, j int, q float64) Block {
	if 2*j == period {
		return diffuseBlock([]float64{1}, [][]float64{{-1}}, [][]float64{{q}})
	}
	c, s := turn(period, int64(j))
	return diffuseBlock([]float64{1, 0}, [][]float64{{c, s}, {-s, c}}, [][]float64{{q, 0}, {0, q}})
}

// turn is the cosine and sine of j turns of 1/period each.
func turn(period int, j int64) (c, s float64) {
	s, c = math.Sincos(2 * math.Pi * float64(j%int64(period)) / float64(period))
	return c, s
}

// join makes one block of several.
func join(blocks []Block) Block {
	m := Compose(0, blocks...)
	return Block{Z: m.Z[0], T: m.T, Q: m.Q, Start: m.Start}
}

// Cycle turns by the frequency (in radians a step) and fades by rho in (0, 1); q is the variance of the noise on both states (Harvey 1989, §2.3.3). It
// starts from its stationary distribution, with the variance q/(1−ρ²).
func Cycle(frequency, rho, q float64) Block {
	s, c := math.Sincos(frequency)
	v := q / (1 - rho*rho)
	return Block{Z: []float64{1, 0}, T: [][]float64{{rho * c, rho * s}, {-rho * s, rho * c}}, Q: [][]float64{{q, 0}, {0, q}}, Start: Start{Cov: [][]float64{{v, 0}, {0, v}}}}
}

// AR is an autoregression with these coefficients and noise of the variance q, in companion form; it starts from its stationary distribution. The error says that
// it has none.
func AR(phi []float64, q float64) (Block, error) {
	n := len(phi)
	if n == 0 {
		return Block{}, fmt.Errorf("autoregression without coefficients")
	}
	t, noise, z := zeros(n, n), zeros(n, n), make([]float64, n)
	copy(t[0], phi)
	for j := 1; j < n; j++ {
		t[j][j-1] = 1
	}
	z[0], noise[0][0] = 1, q
	p, err := Lyapunov(t, noise)
	return Block{Z: z, T: t, Q: noise, Start: Start{Cov: p}}, err
}

// Regression is k coefficients that start diffuse and move as random walks with steps of the variance q, 0: fixed. Its part of Z is the regressors of each
// time: give Z by time.
func Regression(k int, q float64) Block {
	noise := zeros(k, k)
	for i := range k {
		noise[i][i] = q
	}
	return diffuseBlock(make([]float64, k), identity(k), noise)
}

// SeeminglyUnrelated is a model of as many series as h has rows, each with the states of the block, whose noises are correlated between the series: h are the
// covariances of the values, q those of the noises, in units of the block's own Q (Harvey 1989, §8.2).
func SeeminglyUnrelated(b Block, h, q [][]float64) *Model {
	p, n := len(h), len(b.T)
	m := &Model{Z: zeros(p, p*n), H: h, T: zeros(p*n, p*n), Q: zeros(p*n, p*n), Start: Start{Mean: make([]float64, p*n), Cov: zeros(p*n, p*n)}}
	for i := range p {
		copy(m.Z[i][i*n:], b.Z)
		copy(m.Start.Mean[i*n:], b.Start.Mean)
		for r := range n {
			copy(m.T[i*n+r][i*n:], b.T[r])
			if b.Start.Cov != nil {
				copy(m.Start.Cov[i*n+r][i*n:], b.Start.Cov[r])
			}
			for j := range p {
				for c := range n {
					m.Q[i*n+r][j*n+c] = q[i][j] * b.Q[r][c]
				}
			}
		}
		for _, d := range b.Start.Diffuse {
			m.Start.Diffuse = append(m.Start.Diffuse, i*n+d)
		}
	}
	return m
}

// CommonLevels is a model of p series that share k ≤ p random walks, with loadings (p × k; to be identified: zero above the diagonal and one on it), steps of the
// variances q and values with the covariances h (Harvey 1989, §8.5.1). The means of the series beyond the first k are constant states of their own.
func CommonLevels(loadings [][]float64, h [][]float64, q []float64) *Model {
	p, k := len(loadings), len(q)
	m := &Model{Z: zeros(p, p), H: h, T: identity(p), Q: zeros(p, p)}
	for i := range p {
		copy(m.Z[i], loadings[i])
		if i >= k {
			m.Z[i][i] = 1
		} else {
			m.Q[i][i] = q[i]
		}
		m.Start.Diffuse = append(m.Start.Diffuse, i)
	}
	return m
}

// Lyapunov returns the covariance P = T P T' + Q of a stationary state, by doubling (Anderson & Moore 1979, §6.7): after k rounds it holds the first 2^k terms of Σ T^i Q T^i'. The
// error says that T is not stable.
func Lyapunov(t, q [][]float64) ([][]float64, error) {
	p, a := q, t
	for range 64 {
		next := add(p, mul(mul(a, p), transpose(a)))
		done := true
		for i := range p {
			for j := range p {
				if next[i][j]-next[i][j] != 0 {
					return nil, fmt.Errorf("not stationary: the variance of state %d grows without bound", i)
				}
				done = done && math.Abs(next[i][j]-p[i][j]) <= 1e-17*math.Abs(next[i][i])
			}
		}
		p = next
		if done {
			return p, nil
		}
		a = mul(a, a)
	}
	return nil, fmt.Errorf("not stationary: a root lies on or next to the unit circle")
}
