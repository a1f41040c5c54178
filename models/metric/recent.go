package metric

import (
	"math"
	"time"

	"github.com/freshet-ml/freshet/models"
)

// MaxRecent bounds the answers that a Recent keeps.
const MaxRecent = 1 << 20

// Recent is the metrics over the newest answers: the last so many, or those of the last stretch of event time. It keeps the answers and computes the
// metrics from them when asked, so that nothing of what has left stays, not even its rounding, and the areas under curves are exact.
// It belongs to one goroutine. Memory: 24 bytes and 8 for each number of an answer, by answer kept.
type Recent struct {
	task    models.Task
	classes int
	width   int
	limit   int
	span    int64 // µs; 0: by number
	ring    []float64
	times   []int64
	head, n int
	before  float64 // the label that left last; NaN: none yet
	dropped uint64
}

// NewRecent returns the metrics of a task (see New) over the last limit answers, at most MaxRecent (0 means that), and, if span is not 0, of these over
// those not older than span before the newest.
func NewRecent(task models.Task, classes, limit int, span time.Duration) *Recent {
	s := New(task, classes)
	r := &Recent{task: task, classes: s.classes, width: 1, limit: min(max(limit, 0), MaxRecent), span: span.Microseconds(), before: math.NaN()}
	if task == models.Multiclass {
		r.width = s.classes
	}
	if r.limit == 0 {
		r.limit = MaxRecent
	}
	return r
}

// stride is the numbers of an entry: label, weight, answer.
func (r *Recent) stride() int { return 2 + r.width }

// Add takes an answer of event time t (µs), which must not fall. Answers that a Set does not score are left out, invalid ones too.
func (r *Recent) Add(t int64, y float64, answer []float64, weight float64) {
	s := Set{task: r.task, classes: r.classes}
	if !(weight > 0) || math.IsInf(weight, 1) || !s.valid(y, answer) {
		return
	}
	for r.span > 0 && r.n > 0 && r.times[r.head] < t-r.span {
		r.leave()
	}
	if r.n == r.limit {
		if r.span > 0 {
			r.dropped++
		}
		r.leave()
	}
	if r.n == len(r.times) {
		r.grow()
	}
	at := (r.head + r.n) % len(r.times)
	r.n++
	r.times[at] = t
	e := r.ring[at*r.stride():]
	e[0], e[1] = y, weight
	copy(e[2:r.stride()], answer)
}

func (r *Recent) leave() {
	r.before = r.ring[r.head*r.stride()]
	r.head = (r.head + 1) % len(r.times)
	r.n--
}

// grow doubles the ring, up to the limit.
func (r *Recent) grow() {
	size := min(max(2*len(r.times), 64), r.limit)
	times, ring := make([]int64, size), make([]float64, size*r.stride())
	for i := range r.n {
		at := (r.head + i) % len(r.times)
		times[i] = r.times[at]
		copy(ring[i*r.stride():(i+1)*r.stride()], r.ring[at*r.stride():])
	}
	r.times, r.ring, r.head = times, ring, 0
}

// Len returns the number of answers kept.
func (r *Recent) Len() int { return r.n }

// Dropped returns the number of answers that left a stretch of event time early because there were more than the limit.
func (r *Recent) Dropped() uint64 { return r.dropped }

// Set returns the scores of the answers kept; kappa_t goes on from the label before them. Cost: that of adding them all.
func (r *Recent) Set() *Set {
	s := New(r.task, r.classes)
	if r.classes > 0 && r.task != models.Anomaly && !math.IsNaN(r.before) {
		s.tally.last = int(r.before)
	}
	for i := range r.n {
		e := r.entry(i)
		s.Add(e[0], e[2:], e[1])
	}
	return s
}

func (r *Recent) entry(i int) []float64 {
	at := (r.head + i) % len(r.times) * r.stride()
	return r.ring[at : at+r.stride()]
}

// Values returns all metrics in the order of the catalogue, with roc_auc and pr_auc exact. O(n log n).
func (r *Recent) Values() []Named {
	out := r.Set().Values()
	var labels, scores, weights []float64
	for i := range out {
		if out[i].Name != "roc_auc" && out[i].Name != "pr_auc" {
			continue
		}
		if labels == nil {
			labels, scores, weights = make([]float64, r.n), make([]float64, r.n), make([]float64, r.n)
			for j := range r.n {
				e := r.entry(j)
				labels[j], weights[j], scores[j] = e[0], e[1], e[2]
			}
		}
		roc, pr := exactAreas(labels, scores, weights)
		if out[i].Name == "roc_auc" {
			out[i].Value = roc
		} else {
			out[i].Value = pr
		}
	}
	return out
}

// exactAreas are the areas under the receiver operating characteristic (Mann–Whitney, ties counting half) and under precision over recall (the average
// precision) of weighted examples; NaN where a class is missing.
func exactAreas(labels, scores, weights []float64) (roc, pr float64) {
	order := byScore(scores)
	area, precision, pos, neg := 0.0, 0.0, 0.0, 0.0
	for i := 0; i < len(order); {
		p, n, score := 0.0, 0.0, scores[order[i]]
		for ; i < len(order) && math.Float64bits(scores[order[i]]) == math.Float64bits(score); i++ {
			if labels[order[i]] > 0.5 {
				p += weights[order[i]]
			} else {
				n += weights[order[i]]
			}
		}
		area += float64(n * (pos + p/2))
		pos, neg = pos+p, neg+n
		precision += float64(p * (pos / (pos + neg)))
	}
	return ratio(area, pos*neg), ratio(precision, pos)
}
