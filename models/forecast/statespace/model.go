package statespace

import (
	"errors"
	"fmt"
	"math"
)

// MaxStates bounds a model: a filter holds some n² numbers.
const MaxStates = 1024

// Model is a state space model as its matrices say; rows of rows. See the package for the form.
type Model struct {
	Z     [][]float64 // outputs × states
	H     [][]float64 // outputs × outputs, symmetric, positive semidefinite
	T     [][]float64 // states × states
	Q     [][]float64 // states × states, symmetric, positive semidefinite
	Start Start
}

// Start says what is known of a(1), before the first value.
type Start struct {
	Mean    []float64   // of the state; nil: zeros
	Cov     [][]float64 // of the part that is known; nil: zeros
	Diffuse []int       // states of which nothing is known: their variance is infinite
}

// States and Outputs are the sizes of the model.
func (m *Model) States() int { return len(m.T) }

// Outputs is the length of y.
func (m *Model) Outputs() int { return len(m.Z) }

// Check returns an error that says which matrix has the wrong size or holds a number that none can have.
func (m *Model) Check() error {
	n, p := m.States(), m.Outputs()
	if n < 1 || n > MaxStates || p < 1 || p > MaxStates {
		return fmt.Errorf("model of %d states and %d outputs: give T and Z with 1 to %d rows", n, p, MaxStates)
	}
	for _, x := range []struct {
		name       string
		m          [][]float64
		rows, cols int
		cov        bool
	}{{"Z", m.Z, p, n, false}, {"H", m.H, p, p, true}, {"T", m.T, n, n, false}, {"Q", m.Q, n, n, true}, {"P1", m.Start.Cov, n, n, true}} {
		if x.name == "P1" && x.m == nil {
			continue
		}
		if err := checkMatrix(x.name, x.m, x.rows, x.cols); err != nil {
			return err
		}
		if x.cov {
			if _, _, err := factor(x.m); err != nil {
				return fmt.Errorf("%s: %w", x.name, err)
			}
		}
	}
	if m.Start.Mean != nil && len(m.Start.Mean) != n {
		return fmt.Errorf("a1 has %d numbers, not %d", len(m.Start.Mean), n)
	}
	for _, v := range m.Start.Mean {
		if v-v != 0 {
			return errors.New("a1 holds a number that is not finite")
		}
	}
	seen := make([]bool, n)
	for _, i := range m.Start.Diffuse {
		if i < 0 || i >= n || seen[i] {
			return fmt.Errorf("diffuse state %d: give states from 0 to %d, each once", i, n-1)
		}
		seen[i] = true
	}
	return nil
}

func checkMatrix(name string, m [][]float64, rows, cols int) error {
	if len(m) != rows {
		return fmt.Errorf("%s has %d rows, not %d", name, len(m), rows)
	}
	for i, row := range m {
		if len(row) != cols {
			return fmt.Errorf("%s, row %d has %d columns, not %d", name, i, len(row), cols)
		}
		for j, v := range row {
			if v-v != 0 {
				return fmt.Errorf("%s[%d][%d] is not finite", name, i, j)
			}
		}
	}
	return nil
}

// FromFiltered sets the start from the moments of the state at time 0, one step before the first value: a1 = T a0, P1 = T P0 T' + Q.
func (m *Model) FromFiltered(a0 []float64, p0 [][]float64) {
	m.Start.Mean = mulVec(m.T, a0)
	m.Start.Cov = add(mul(mul(m.T, p0), transpose(m.T)), m.Q)
}

// Steps returns the model whose step is n ≥ 1 steps of m: T^n and Q + T Q T' + … + T^(n−1) Q T^(n−1)', by doubling in O(states³ log n).
func (m *Model) Steps(n int64) *Model {
	out := *m
	out.T, out.Q = identity(m.States()), zeros(m.States(), m.States())
	t, q := m.T, m.Q
	several := n > 1
	for ; n > 0; n >>= 1 {
		if n&1 == 1 { // first the steps so far, then those of t
			out.Q = add(mul(mul(t, out.Q), transpose(t)), q)
			out.T = mul(t, out.T)
		}
		if n > 1 {
			q = add(mul(mul(t, q), transpose(t)), q)
			t = mul(t, t)
		}
	}
	if several {
		dust(out.T)
	}
	return &out
}

// dust sets to zero what rounding left of it in a product of matrices: a wave that has come round is where it was, and a trace of the other direction
// would pass for variance in it.
func dust(t [][]float64) {
	for _, row := range t {
		most := 0.0
		for _, v := range row {
			most = math.Max(most, math.Abs(v))
		}
		for j, v := range row {
			if math.Abs(v) < 1e-14*most {
				row[j] = 0
			}
		}
	}
}

// factor returns U (packed columns above the diagonal, see ud) and D with m = U D U', or an error if m is not symmetric and positive semidefinite.
func factor(m [][]float64) (u, d []float64, err error) {
	n := len(m)
	p := make([][]float64, n)
	scale := 0.0
	for i := range m {
		p[i] = append([]float64(nil), m[i]...)
		scale = math.Max(scale, math.Abs(m[i][i]))
	}
	for i := range m {
		for j := range i {
			if math.Abs(m[i][j]-m[j][i]) > 1e-9*math.Max(scale, math.Abs(m[i][j])) {
				return nil, nil, fmt.Errorf("entries %d,%d and %d,%d differ: give a symmetric matrix", i, j, j, i)
			}
		}
	}
	u, d = make([]float64, n*(n-1)/2), make([]float64, n)
	for j := n - 1; j >= 0; j-- {
		d[j] = p[j][j]
		if own := math.Abs(m[j][j]); d[j] < -1e-9*own || own == 0 && d[j] < 0 {
			return nil, nil, errors.New("not positive semidefinite: some combination of states has a negative variance")
		}
		if d[j] <= 1e-15*math.Abs(m[j][j]) { // what rounding left of zero
			d[j] = 0
			for i := range j {
				if e := math.Abs(p[i][j]); e > 1e-7*math.Sqrt(math.Abs(m[i][i]))*math.Sqrt(math.Abs(m[j][j])) {
					return nil, nil, errors.New("not positive semidefinite: a state without variance has a covariance")
				}
			}
			continue
		}
		col := column(u, j)
		for i := range j {
			col[i] = p[i][j] / d[j]
		}
		for i := range j {
			for k := range i + 1 {
				p[k][i] -= d[j] * col[i] * col[k]
				p[i][k] = p[k][i]
			}
		}
	}
	return u, d, nil
}

func zeros(rows, cols int) [][]float64 {
	m := make([][]float64, rows)
	flat := make([]float64, rows*cols)
	for i := range m {
		m[i], flat = flat[:cols:cols], flat[cols:]
	}
	return m
}

func identity(n int) [][]float64 {
	m := zeros(n, n)
	for i := range m {
		m[i][i] = 1
	}
	return m
}

func transpose(a [][]float64) [][]float64 {
	out := zeros(len(a[0]), len(a))
	for i := range a {
		for j, v := range a[i] {
			out[j][i] = v
		}
	}
	return out
}

func mul(a, b [][]float64) [][]float64 {
	out := zeros(len(a), len(b[0]))
	for i := range a {
		for k, v := range a[i] {
			if v != 0 {
				axpy(out[i], v, b[k])
			}
		}
	}
	return out
}

func mulVec(a [][]float64, x []float64) []float64 {
	out := make([]float64, len(a))
	for i := range a {
		out[i] = dot(a[i], x)
	}
	return out
}

func add(a, b [][]float64) [][]float64 {
	out := zeros(len(a), len(a[0]))
	for i := range a {
		for j := range a[i] {
			out[i][j] = a[i][j] + b[i][j]
		}
	}
	return out
}

func dot(x, y []float64) float64 {
	s := 0.0
	y = y[:len(x)]
	for i, v := range x {
		s += float64(v * y[i])
	}
	return s
}

// axpy adds c·x to dst.
func axpy(dst []float64, c float64, x []float64) {
	x = x[:len(dst)]
	for i := range dst {
		dst[i] += float64(c * x[i])
	}
}
