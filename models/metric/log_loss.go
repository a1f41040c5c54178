package metric

import (
	"math"

	"github.com/freshet-ml/freshet/internal/codec"
)

// leastProbability is the clip of log_loss: no single example costs more than −ln(1e-15) ≈ 34.5.
const leastProbability = 1e-15

// logLoss is the mean of −ln p(label), p clipped to [1e-15, 1 − 1e-15]; natural logarithm. NaN without examples.
func logLoss(s *Set) float64 { return ratio(s.losses.log, s.losses.weight) }

// BinaryLogLoss is the log-loss of one example: y is 0 or 1, p = P(y = 1).
func BinaryLogLoss(y, p float64) float64 {
	if y < 0.5 {
		return -math.Log1p(-min(max(p, leastProbability), 1-leastProbability))
	}
	return -math.Log(min(max(p, leastProbability), 1-leastProbability))
}

// ClassLogLoss is the log-loss of one example: y is its class, answer a probability for each class.
func ClassLogLoss(y int, answer []float64) float64 {
	return -math.Log(min(max(answer[y], leastProbability), 1-leastProbability))
}

// losses are the sums behind log_loss and brier.
type losses struct {
	log, squares, weight float64
}

func (l *losses) add(log, squares, weight float64) {
	l.log += float64(log * weight)
	l.squares += float64(squares * weight)
	l.weight += weight
}

func (l *losses) state(c *codec.State) {
	c.Float64(&l.log)
	c.Float64(&l.squares)
	c.Float64(&l.weight)
}
