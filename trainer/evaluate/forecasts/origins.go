package forecasts

import (
	"math"
	"slices"
)

// origin is a point after which a series is forecast.
type origin struct {
	point int // place in the points of the series; -1: the end of its loaded state
	steps int // how many steps are asked for: up to the last row within the horizon
}

// origins are where a series is forecast, by rising point. A series that leaves no room for one has none.
func (o *Options) origins(s *series) []origin {
	last := lastValue(s.points)
	if last < 0 {
		return nil
	}
	stride := max(o.Origins.Stride, 1)
	var at []int
	if o.Test != "" {
		at = o.testOrigins(s, last, stride)
	} else {
		at = o.plainOrigins(s, last, stride)
	}
	out := make([]origin, 0, len(at))
	for _, p := range at {
		if steps := o.steps(s, p); steps > 0 {
			out = append(out, origin{p, steps})
		}
	}
	return out
}

// lastValue is the step of the newest value, -1 without one.
func lastValue(points []point) int64 {
	for i := len(points) - 1; i >= 0; i-- {
		if !math.IsNaN(points[i].y) {
			return points[i].t
		}
	}
	return -1
}

// testOrigins begin at the end of the file before the test; those after the first leave a whole horizon.
func (o *Options) testOrigins(s *series, last int64, stride int) []int {
	if s.train == 0 || s.train == len(s.points) {
		return nil
	}
	at := []int{s.train - 1}
	if o.Origins.All || o.Origins.Count > 0 {
		for p := s.train - 1 + stride; p < len(s.points) && s.points[p].t+int64(o.Horizon) <= last; p += stride {
			if !o.Origins.All && len(at) == o.Origins.Count {
				break
			}
			at = append(at, p)
		}
	}
	return at
}

// plainOrigins leave a whole horizon before the last value, with one within it at least, and the warm-up before. The end of a loaded state
// is one too.
func (o *Options) plainOrigins(s *series, last int64, stride int) []int {
	var at []int
	seen, next := 0, 0 // next: the first value after p
	begin := 0
	if s.loaded {
		begin, seen = -1, o.warmUp()
	}
	for p := begin; p < len(s.points) && s.at(p)+int64(o.Horizon) <= last; p++ {
		if p >= 0 && !math.IsNaN(s.points[p].y) {
			seen++
		}
		for next = max(next, p+1); math.IsNaN(s.points[next].y); {
			next++
		}
		if seen >= o.warmUp() && s.points[next].t-s.at(p) <= int64(o.Horizon) {
			at = append(at, p)
		}
	}
	if o.Origins.All {
		return every(at, stride)
	}
	slices.Reverse(at)
	at = every(at, stride)
	at = at[:min(len(at), max(o.Origins.Count, 1))]
	slices.Reverse(at)
	return at
}

// every keeps the first, and each stride-th after it.
func every(list []int, stride int) []int {
	n := 0
	for i := 0; i < len(list); i += stride {
		list[n] = list[i]
		n++
	}
	return list[:n]
}

// steps are those up to the last row within the horizon.
func (o *Options) steps(s *series, at int) int {
	steps, from := 0, s.at(at)
	for p := at + 1; p < len(s.points) && s.points[p].t-from <= int64(o.Horizon); p++ {
		steps = int(s.points[p].t - from)
	}
	return steps
}

// truth writes the values of the steps after an origin, NaN where there is none.
func truth(dst []float64, s *series, at int) {
	for i := range dst {
		dst[i] = math.NaN()
	}
	from := s.at(at)
	for p := at + 1; p < len(s.points) && s.points[p].t-from <= int64(len(dst)); p++ {
		dst[s.points[p].t-from-1] = s.points[p].y
	}
}
