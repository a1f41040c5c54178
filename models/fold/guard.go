package fold

import (
	"math"

	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
)

// guard decides whether a model may be published: not after an answer that is not finite, and not
// while its recent loss is a multiple of its mean loss. It is a function of the log.
type guard struct {
	n      uint64
	mean   float64 // mean loss so far
	recent float64 // exponentially weighted, over about recentSpan labels
	broken uint64  // finite answers that are still to be seen after one that was not
}

const (
	recentSpan   = 200
	guardAfter   = 1000 // labels before the loss is judged
	guardExplode = 10   // recent loss over mean loss from which a model is not published
	guardHeals   = 1000 // finite answers in a row after which one that was not is forgotten
)

func (g *guard) answer(a []float64) {
	switch {
	case !finite(a):
		g.broken = guardHeals
	case g.broken > 0:
		g.broken--
	}
}

func (g *guard) loss(l float64) {
	if math.IsNaN(l) || math.IsInf(l, 0) {
		g.broken = guardHeals
		return
	}
	g.n++
	g.mean += (l - g.mean) / float64(g.n)
	a := 1 / float64(min(g.n, recentSpan))
	g.recent += float64(a * (l - g.recent))
}

func (g *guard) holds() bool {
	return g.broken == 0 && (g.n < guardAfter || g.recent <= float64(guardExplode*g.mean)+1e-12)
}

// lossOf is what the guard and the drift detector watch: log-loss (natural, probabilities clipped at
// 1e-15) of classifiers, the absolute error of the rest.
func lossOf(task models.Task, y float64, answer []float64) float64 {
	switch {
	case task == models.Binary && y > 0:
		return -math.Log(max(answer[0], 1e-15))
	case task == models.Binary:
		return -math.Log(max(1-answer[0], 1e-15))
	case task == models.Multiclass && int(y) < len(answer):
		return -math.Log(max(answer[int(y)], 1e-15))
	}
	return math.Abs(y - answer[0])
}

func (g *guard) state(s *codec.State) {
	s.Uint64(&g.n)
	s.Float64(&g.mean)
	s.Float64(&g.recent)
	s.Uint64(&g.broken)
}
