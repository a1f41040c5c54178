package ensemble

import (
	"math"

	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models/loss"
)

// calibration bends a probability so that it is true on average: at each of 25 places of the logit scale it keeps by how much labels exceeded the answers
// near it, and adds that, linearly between places (histogram binning of Zadrozny and Elkan 2001, made continuous and online). Older labels fade. A probability
// is bent only while that has been the smaller loss.
type calibration struct {
	excess, weight [calibrationPlaces]float64
	plain, bent    float64 // discounted losses
}

const (
	calibrationPlaces = 25
	calibrationEnd    = 6.0 // logits
	calibrationPrior  = 20  // examples that say an answer is true already
	calibrationFade   = 0.0001
	calibrationLosses = 0.9998
)

// place returns the place below a probability, and how far it lies towards the next.
func (*calibration) place(p float64) (int, float64) {
	z := max(-calibrationEnd, min(calibrationEnd, loss.Logit(p, floor)))
	at := (z + calibrationEnd) / (2 * calibrationEnd) * (calibrationPlaces - 1)
	i := min(int(at), calibrationPlaces-2)
	return i, at - float64(i)
}

func (c *calibration) bend(p float64) float64 {
	i, t := c.place(p)
	low, high := c.excess[i]/(c.weight[i]+calibrationPrior), c.excess[i+1]/(c.weight[i+1]+calibrationPrior)
	return max(floor, min(1-floor, p+float64((1-t)*low)+float64(t*high)))
}

// answer is the probability to give.
func (c *calibration) answer(p float64) float64 {
	if c.bent <= c.plain {
		return c.bend(p)
	}
	return p
}

// learn takes in what became of an answer p; label is 0 or 1.
func (c *calibration) learn(p, label, weight float64) {
	weight = min(weight, 100)
	c.plain = float64(calibrationLosses*c.plain) + float64(weight*logLoss(p, label))
	c.bent = float64(calibrationLosses*c.bent) + float64(weight*logLoss(c.bend(p), label))
	i, t := c.place(p)
	for k, near := range [2]float64{1 - t, t} {
		keep := math.Pow(1-calibrationFade, near*weight)
		c.excess[i+k] = float64(keep*c.excess[i+k]) + float64(near*weight*(label-p))
		c.weight[i+k] = float64(keep*c.weight[i+k]) + float64(near*weight)
	}
}

func logLoss(p, label float64) float64 {
	if label > 0.5 {
		return -math.Log(max(floor, p))
	}
	return -math.Log(max(floor, 1-p))
}

// state visits the places.
func (c *calibration) state(s *codec.State) {
	for i := range c.excess {
		s.Float64(&c.excess[i])
		s.Float64(&c.weight[i])
		if !finite(c.excess[i]) || !(c.weight[i] >= 0) || math.IsInf(c.weight[i], 1) {
			s.Fail("calibration: %v in %v examples", c.excess[i], c.weight[i])
			c.excess[i], c.weight[i] = 0, 0
		}
	}
	s.Float64(&c.plain)
	s.Float64(&c.bent)
	if !finite(c.plain) || !finite(c.bent) {
		s.Fail("calibration: losses %v and %v", c.plain, c.bent)
		c.plain, c.bent = 0, 0
	}
}
