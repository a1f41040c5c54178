package tree

import (
	"math"

	"github.com/freshet-ml/freshet/internal/codec"
)

// scaling follows mean and spread of the numeric columns and the range of the labels, for the linear models of all leaves.
type scaling struct {
	n, mean, squares []float64 // by numeric column: Welford's recurrence
	events           uint64
	labels           float64 // their weight
	labelMean        float64
	labelSquares     float64
	now              *scaled // what linear models use, renewed every scaleEvery events
	lent             bool    // a snapshot reads it
}

// scaled is centre and scale of each numeric column, and the bounds of the labels. Snapshots share it: see lent.
type scaled struct {
	centre, scale []float64
	least, most   float64 // labels
	spread        float64 // standard deviation of the labels
}

// scaleEvery is the number of events between two renewals of the scale once there were as many.
const scaleEvery = 64

// farthest bounds a scaled value: 3·farthest standard deviations.
const farthest = 3

func newScaling(columns int) scaling {
	return scaling{
		n: make([]float64, columns), mean: make([]float64, columns), squares: make([]float64, columns),
		now: &scaled{centre: make([]float64, columns), scale: make([]float64, columns), least: math.Inf(1), most: math.Inf(-1)},
	}
}

// see takes in a row and a label.
func (s *scaling) see(columns []int32, row []float64, y, w float64) {
	last, share := 0.0, 0.0
	for a, column := range columns {
		x := row[column]
		if x-x != 0 {
			continue
		}
		x = clamp(x)
		n := s.n[a] + w
		if n != last {
			last, share = n, w/n
		}
		d := x - s.mean[a]
		mu := s.mean[a] + float64(d*share)
		s.n[a], s.mean[a] = n, mu
		s.squares[a] += float64(float64(w*d) * (x - mu))
	}
	s.labels += w
	d := y - s.labelMean
	s.labelMean += float64(d * (w / s.labels))
	s.labelSquares += float64(float64(w*d) * (y - s.labelMean))
	s.events++
	if s.events < scaleEvery && s.events&(s.events-1) == 0 || s.events%scaleEvery == 0 || !(y >= s.now.least && y <= s.now.most) {
		s.renew(y)
	}
}

// renew brings the scale up to date: in place, or in a new one if a snapshot reads it.
func (s *scaling) renew(y float64) {
	if s.lent {
		s.now = &scaled{
			centre: append([]float64(nil), s.now.centre...), scale: append([]float64(nil), s.now.scale...),
			least: s.now.least, most: s.now.most,
		}
		s.lent = false
	}
	now := s.now
	if s.events&(s.events-1) == 0 || s.events%scaleEvery == 0 {
		copy(now.centre, s.mean)
		for a := range now.scale {
			now.scale[a] = 0
			if sd := math.Sqrt(s.squares[a] / s.n[a]); sd > 0 && sd < math.Inf(1) {
				now.scale[a] = min(1/(3*sd), 1e150)
			}
		}
	}
	now.spread = math.Sqrt(s.labelSquares / s.labels)
	now.least, now.most = min(now.least, y), max(now.most, y)
}

// value is a scaled value; 0 if it is missing.
func (s *scaled) value(a int, x float64) float64 {
	z := (x - s.centre[a]) * s.scale[a]
	switch {
	case z > farthest:
		return farthest
	case z < -farthest:
		return -farthest
	case z == z:
		return z
	}
	return 0
}

// apply is the value of a linear model.
func (s *scaled) apply(linear []float64, columns []int32, row []float64) float64 {
	p := linear[0]
	for a, column := range columns {
		p += float64(linear[1+a] * s.value(a, row[column]))
	}
	return p
}

// applyNorm is apply, and the squared length of the scaled row.
func (s *scaled) applyNorm(linear []float64, columns []int32, row []float64) (p, norm float64) {
	p = linear[0]
	for a, column := range columns {
		z := s.value(a, row[column])
		p += float64(linear[1+a] * z)
		norm += float64(z * z)
	}
	return p, norm
}

// clip keeps an answer between the least and the greatest label seen; 0 before there is one.
func (s *scaled) clip(p float64) float64 {
	if !(s.least <= s.most) || p != p {
		return 0
	}
	return max(s.least, min(s.most, p))
}

// visit visits sums and scale.
func (s *scaling) visit(c *codec.State) {
	now := s.now
	if c.Loading() {
		*s = newScaling(len(s.n))
		now = s.now
	}
	c.Uint64(&s.events)
	for _, v := range []*float64{&s.labels, &s.labelMean, &s.labelSquares, &now.least, &now.most, &now.spread} {
		c.Float64(v)
	}
	for a := range s.n {
		for _, v := range []*float64{&s.n[a], &s.mean[a], &s.squares[a], &now.centre[a], &now.scale[a]} {
			c.Float64(v)
		}
	}
}
