package statespace

import "math"

// Minimize looks for the least value of f from start by the downhill simplex of Nelder & Mead (1965) with the coefficients of Gao & Han (2012) for its dimension. step is the size
// of the first simplex; it stops when its values differ by less than tolerance or after so many evaluations. It
// draws no random numbers: the same function gives the same bits. A value that is NaN counts as +Inf. f must not keep its argument. The best point is written to start.
func Minimize(f func([]float64) float64, start []float64, step, tolerance float64, evaluations int) (best float64) {
	s := newSimplex(f, start, step)
	for n := len(start) + 1; n < evaluations && !(s.value[s.worst()]-s.value[s.best()] <= tolerance); {
		n += s.move()
	}
	copy(start, s.point[s.best()])
	return s.value[s.best()]
}

type simplex struct {
	f     func([]float64) float64
	point [][]float64
	value []float64
	mean  []float64
	trial [2][]float64
}

func newSimplex(f func([]float64) float64, start []float64, step float64) *simplex {
	n := len(start)
	s := &simplex{f: f, point: zeros(n+1, n), value: make([]float64, n+1), mean: make([]float64, n)}
	s.trial[0], s.trial[1] = make([]float64, n), make([]float64, n)
	for i := range s.point {
		copy(s.point[i], start)
		if i > 0 {
			s.point[i][i-1] += step
		}
		s.value[i] = s.at(s.point[i])
	}
	return s
}

func (s *simplex) at(x []float64) float64 {
	v := s.f(x)
	if math.IsNaN(v) {
		return math.Inf(1)
	}
	return v
}

func (s *simplex) best() int {
	b := 0
	for i, v := range s.value {
		if v < s.value[b] {
			b = i
		}
	}
	return b
}

func (s *simplex) worst() int {
	w := 0
	for i, v := range s.value {
		if v >= s.value[w] {
			w = i
		}
	}
	return w
}

// move replaces the worst point, or shrinks the simplex; it returns how many evaluations that took.
func (s *simplex) move() int {
	n := float64(len(s.mean))
	w, b := s.worst(), s.best()
	second := math.Inf(-1)
	clear(s.mean)
	for i, p := range s.point {
		if i != w {
			second = math.Max(second, s.value[i])
			axpy(s.mean, 1/n, p)
		}
	}
	reflected := s.try(0, w, 1)
	switch {
	case reflected < s.value[b]:
		if expanded := s.try(1, w, 1+2/n); expanded < reflected {
			s.keep(1, w, expanded)
		} else {
			s.keep(0, w, reflected)
		}
		return 2
	case reflected < second:
		s.keep(0, w, reflected)
		return 1
	}
	reach := 0.75 - 1/(2*math.Max(n, 2))
	if reflected >= s.value[w] {
		reach = -reach
	}
	if inner := s.try(1, w, reach); inner < math.Min(reflected, s.value[w]) {
		s.keep(1, w, inner)
		return 2
	}
	for i, p := range s.point {
		if i != b {
			for j := range p {
				p[j] = s.point[b][j] + (1-1/math.Max(n, 2))*(p[j]-s.point[b][j])
			}
			s.value[i] = s.at(p)
		}
	}
	return 2 + len(s.mean)
}

// try evaluates the point that lies so far beyond the middle of the others, seen from the worst.
func (s *simplex) try(k, worst int, reach float64) float64 {
	for j, m := range s.mean {
		s.trial[k][j] = m + reach*(m-s.point[worst][j])
	}
	return s.at(s.trial[k])
}

func (s *simplex) keep(k, worst int, value float64) {
	copy(s.point[worst], s.trial[k])
	s.value[worst] = value
}
