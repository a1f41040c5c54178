package neural

import (
	"math"
	"slices"

	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
)

// steadyOptions are what users may say of the guard of a net's steps.
type steadyOptions struct {
	Norm   float64 // greatest norm of a gradient; longer ones are shortened to it. 0: no limit
	Shadow int     // labels between two copies of the weights to go back to; 0: none
}

// steady keeps one bad label from spoiling a net. It limits the norm of a gradient (Pascanu, Mikolov and Bengio 2013, §3.2; far above that
// of usual ones: at 1 it would shrink just the gradients of wrong answers, and ruin probabilities), leaves out steps that are not finite, and keeps a
// copy of the weights, to which it goes back when the recent loss is more than twice what it was at the copy.
type steady struct {
	steadyOptions
	Counts
	fast, slow float64 // mean losses, exponentially weighted over fastSpan and slowSpan labels
	since      uint64  // labels that they have seen
	reference  float64 // slow at the copy
	broken     uint64  // steps in a row that were not finite
	copied     bool    // there is a copy to go back to
	shadow     []float64
}

// Counts says what became of the labels of a net.
type Counts struct {
	Learned    uint64 // labels
	Shortened  uint64 // steps whose gradient was shortened
	Skipped    uint64 // steps left out because loss or gradient were not finite
	RolledBack uint64 // times the weights went back to their copy
}

const (
	fastSpan    = 200
	slowSpan    = 2000
	grace       = 1000 // labels that the means must have seen before anything is judged or copied
	lossCap     = 10.0 // greater losses count as this
	lossFloor   = 0.05 // smaller references count as this
	brokenLimit = 20   // steps in a row, not finite, after which the weights go back
)

func newSteady(o steadyOptions, weights int) steady {
	s := steady{steadyOptions: o}
	if o.Shadow > 0 {
		s.shadow = make([]float64, weights)
	}
	return s
}

// shorten returns the factor for a gradient of that squared norm, and false if the step must be left out.
func (s *steady) shorten(square float64) (float64, bool) {
	if !finite(square) {
		s.Skipped++
		return 0, false
	}
	if s.Norm > 0 && square > s.Norm*s.Norm {
		s.Shortened++
		return s.Norm / math.Sqrt(square), true
	}
	return 1, true
}

// skip counts a step whose loss was not finite.
func (s *steady) skip() { s.Skipped++ }

// watch takes the loss of a label in, keeps or takes back the copy of w, and reports whether w went back.
func (s *steady) watch(l float64, w []float64) bool {
	s.Learned++
	if s.Shadow == 0 {
		return false
	}
	if !finite(l) {
		s.broken++
		if s.broken >= brokenLimit && s.copied {
			s.back(w)
			return true
		}
		return false
	}
	s.broken = 0
	l = max(-lossCap, min(lossCap, l))
	s.since++
	s.fast += float64((l - s.fast) / float64(min(s.since, fastSpan)))
	s.slow += float64((l - s.slow) / float64(min(s.since, slowSpan)))
	if s.since < grace {
		return false
	}
	if s.copied && s.fast > exploded(s.reference) {
		s.back(w)
		return true
	}
	if s.Learned%uint64(s.Shadow) == 0 && allFinite(w) {
		copy(s.shadow, w)
		s.copied, s.reference = true, s.slow
	}
	return false
}

// exploded is the recent loss above which the weights go back: twice the reference. Losses that are log-densities may be negative: they are measured from
// −1, below which a reference has no part in it.
func exploded(reference float64) float64 {
	if reference < 0 {
		return reference + 1
	}
	return 2 * max(reference, lossFloor)
}

// back takes the copy of the weights, and begins the means anew. If the loss is as high again after the grace, it was the stream that changed and not the
// net that broke: the next copy, with its reference, is made of what the net is then.
func (s *steady) back(w []float64) {
	copy(w, s.shadow)
	s.RolledBack++
	s.broken, s.since, s.copied = 0, 0, false
}

// The names of what nets count.
const (
	stepsSkipped      = "steps_skipped"
	weightsRolledBack = "weights_rolled_back"
	embeddingsEvicted = "embeddings_evicted"
	embeddingsExpired = "embeddings_expired"
	labelsNotAdmitted = "labels_not_admitted"
	labelsLate        = "labels_late"
	labelsMissed      = "labels_missed"
	entitiesEvicted   = "entities_evicted"
	alarmsNotLearned  = "alarms_not_learned"
)

var (
	steadyBounds = []models.Bound{
		{What: stepsSkipped, Doc: "steps left out because loss or gradient were not finite"},
		{What: weightsRolledBack, Doc: "times that the weights went back to their copy"}}
	netBounds = append(slices.Clone(steadyBounds),
		models.Bound{What: embeddingsEvicted, Doc: "vectors of categories that gave way to another where max_categories was reached"},
		models.Bound{What: embeddingsExpired, Doc: "vectors that went unused for longer than expire_after"},
		models.Bound{What: labelsNotAdmitted, Doc: "labels of categories that were too rare for a vector of their own"})
	sequenceBounds = append(slices.Clone(netBounds),
		models.Bound{What: labelsLate, Doc: "labels whose event was no longer held: one step was learned"},
		models.Bound{What: labelsMissed, Doc: "labels whose event was not known: nothing was learned"},
		models.Bound{What: entitiesEvicted, Doc: "entities that had to make room"})
)

func (s *steady) dropped(d *models.Drops) {
	d.Add(stepsSkipped, s.Skipped)
	d.Add(weightsRolledBack, s.RolledBack)
}

func (s *steady) state(c *codec.State) {
	for _, v := range []*uint64{&s.Learned, &s.Shortened, &s.Skipped, &s.RolledBack, &s.since, &s.broken} {
		c.Uint64(v)
	}
	for _, v := range []*float64{&s.fast, &s.slow, &s.reference} {
		c.Float64(v)
		if c.Loading() && !(math.Abs(*v) <= lossCap) {
			c.Fail("mean loss %v of a net", *v)
			*v = 0
		}
	}
	c.Bool(&s.copied)
	finiteState(c, "weights of the copy", s.shadow)
}
