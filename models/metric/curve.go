package metric

import (
	"math"
	"slices"
	"time"

	"github.com/freshet-ml/freshet/models"
)

// curveBins is the number of equal bins of the probability that a point's roc_auc is computed over.
const curveBins = 64

// DefaultSteps is how many steps a Curve keeps unless told otherwise.
const DefaultSteps = 400

// curveSteps are the lengths of a step; each divides the next, so that steps can be merged. Beyond the last they double.
var curveSteps = []time.Duration{time.Minute, 5 * time.Minute, 15 * time.Minute, time.Hour, 3 * time.Hour, 6 * time.Hour, 12 * time.Hour, 24 * time.Hour}

// Curve is scores over event time in a bounded number of steps: when the examples span more, neighbouring steps are
// merged. It is for looking at, no part of any state or hash. It belongs to one goroutine. Memory: at most 600 bytes a step.
type Curve struct {
	task  models.Task
	limit int
	step  int64 // µs
	first int64 // µs: where step 0 begins, a multiple of step
	cells []curveCell
}

// curveCell is the sums of one step.
type curveCell struct {
	n, hits, loss, lossSquares, squares float64
	pos, neg                            []uint32 // binary: by bin of the probability; nil: none yet
}

// Point is the scores of one stretch of event time.
type Point struct {
	From   int64 // µs
	Span   int64 // µs
	Labels uint64
	Values []Named
	// HalfBand is 1.96 standard errors of the mean loss (the first of Values), its losses taken as independent; NaN for one label.
	HalfBand float64
}

// NewCurve returns an empty curve for a task; limit 0 means DefaultSteps. Its first step is a minute.
func NewCurve(task models.Task, limit int) *Curve {
	if limit <= 0 {
		limit = DefaultSteps
	}
	return &Curve{task: task, limit: max(limit, 2), step: curveSteps[0].Microseconds()}
}

// Add scores an answer at event time t (µs). loss is what the mean is taken of: log-loss of classifiers, the absolute error of the rest.
// A loss that is not finite is left out.
func (c *Curve) Add(t int64, y, loss float64, answer []float64) {
	if !finite(loss) || len(answer) == 0 {
		return
	}
	cell := c.at(t)
	cell.n++
	cell.loss += loss
	cell.lossSquares += float64(loss * loss)
	switch c.task {
	case models.Binary:
		p := min(max(answer[0], 0), 1)
		cell.squares += float64((p - y) * (p - y))
		if (p > 0.5) == (y > 0.5) {
			cell.hits++
		}
		if cell.pos == nil {
			both := make([]uint32, 2*curveBins)
			cell.pos, cell.neg = both[:curveBins:curveBins], both[curveBins:]
		}
		if b := min(int(p*curveBins), curveBins-1); y > 0.5 {
			cell.pos[b]++
		} else {
			cell.neg[b]++
		}
	case models.Multiclass:
		best := 0
		for k, p := range answer {
			if p > answer[best] {
				best = k
			}
			if k == int(y) {
				p--
			}
			cell.squares += float64(p * p)
		}
		if best == int(y) {
			cell.hits++
		}
	default:
		cell.squares += float64((y - answer[0]) * (y - answer[0]))
	}
}

// at finds the step of a time, and widens the steps until it fits.
func (c *Curve) at(t int64) *curveCell {
	if len(c.cells) == 0 {
		c.first = floorTo(t, c.step)
	}
	for {
		begin := min(c.first, floorTo(t, c.step))
		end := max(c.first+int64(len(c.cells))*c.step, floorTo(t, c.step)+c.step)
		if need := (end - begin) / c.step; need <= int64(c.limit) {
			break
		}
		c.widen()
	}
	if before := floorTo(t, c.step); before < c.first {
		c.cells = slices.Insert(c.cells, 0, make([]curveCell, (c.first-before)/c.step)...)
		c.first = before
	}
	i := int((t - c.first) / c.step)
	for len(c.cells) <= i {
		c.cells = append(c.cells, curveCell{})
	}
	return &c.cells[i]
}

// widen merges neighbouring steps into the next length.
func (c *Curve) widen() {
	next := 2 * c.step
	for _, s := range curveSteps {
		if s.Microseconds() > c.step {
			next = s.Microseconds()
			break
		}
	}
	first := floorTo(c.first, next)
	var merged []curveCell
	for i := range c.cells {
		at := int((c.first + int64(i)*c.step - first) / next)
		for len(merged) <= at {
			merged = append(merged, curveCell{})
		}
		merged[at].merge(&c.cells[i])
	}
	c.cells, c.first, c.step = merged, first, next
}

func (m *curveCell) merge(o *curveCell) {
	m.n += o.n
	m.hits += o.hits
	m.loss += o.loss
	m.lossSquares += o.lossSquares
	m.squares += o.squares
	if o.pos == nil {
		return
	}
	if m.pos == nil {
		both := make([]uint32, 2*curveBins)
		m.pos, m.neg = both[:curveBins:curveBins], both[curveBins:]
	}
	for b := range o.pos {
		m.pos[b] += o.pos[b]
		m.neg[b] += o.neg[b]
	}
}

func floorTo(t, step int64) int64 {
	r := t % step
	if r < 0 {
		r += step
	}
	return t - r
}

// Points returns the curve in at most n points: neighbouring steps are merged until a point has its share of the labels, so that quiet hours do not
// make noise; the newest point may have fewer. n 0 or less: one point for each step with labels.
func (c *Curve) Points(n int) []Point {
	least, total := 1.0, 0.0
	for i := range c.cells {
		total += c.cells[i].n
	}
	if n > 0 {
		least = max(1, total/float64(n))
	}
	var out []Point
	var sum curveCell
	begin := -1
	for i := range c.cells {
		if c.cells[i].n == 0 {
			continue
		}
		if begin < 0 {
			begin = i
		}
		sum.merge(&c.cells[i])
		if total -= c.cells[i].n; sum.n >= least || total == 0 {
			out = append(out, sum.point(c.task, c.first+int64(begin)*c.step, int64(i+1-begin)*c.step))
			sum, begin = curveCell{}, -1
		}
	}
	return out
}

func (m *curveCell) point(task models.Task, from, span int64) Point {
	p := Point{From: from, Span: span, Labels: uint64(m.n), HalfBand: math.NaN()}
	mean := m.loss / m.n
	if m.n > 1 {
		variance := max(0, (m.lossSquares-float64(m.loss*mean))/(m.n-1))
		p.HalfBand = 1.96 * math.Sqrt(variance/m.n)
	}
	switch task {
	case models.Binary:
		p.Values = []Named{{"log_loss", mean}, {"brier", m.squares / m.n}, {"accuracy", m.hits / m.n}, {"roc_auc", m.auc()}}
	case models.Multiclass:
		p.Values = []Named{{"log_loss", mean}, {"brier", m.squares / m.n}, {"accuracy", m.hits / m.n}}
	default:
		p.Values = []Named{{"mae", mean}, {"rmse", math.Sqrt(m.squares / m.n)}}
	}
	return p
}

// auc is the area under the receiver operating characteristic over the bins, ties within a bin counting half.
func (m *curveCell) auc() float64 {
	area, above, negatives := 0.0, 0.0, 0.0
	for b := curveBins - 1; b >= 0; b-- {
		p, n := float64(m.pos[b]), float64(m.neg[b])
		area += float64(n * (above + p/2))
		above += p
		negatives += n
	}
	return ratio(area, above*negatives)
}

// Bin is the answers of nearly the same confidence.
type Bin struct {
	Confidence float64 // mean of what was said
	Share      float64 // share that came true
	Weight     float64
}

// Calibration returns the bins behind ece that hold something: of P(y = 1) for a binary task, of the greatest probability for a multiclass
// one; none for others.
func (s *Set) Calibration() []Bin {
	var out []Bin
	r := &s.reliability
	for i, w := range r.weight {
		if w > 0 {
			out = append(out, Bin{Confidence: r.confidence[i] / w, Share: r.right[i] / w, Weight: w})
		}
	}
	return out
}
