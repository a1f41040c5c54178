// Package anomaly holds detectors that say how strange an example is among those before it. In the flow they are models of
// the task anomaly: models/catalog lists Components, models/fold hands them the examples. They learn at the predict record,
// without labels, after the answer was given.
//
// Every detector has a raw score (≥ 0, higher is stranger) and a threshold θ on it, which it moves so that the share of
// scores above it is the wanted rate of false alarms. Its answer is score/(score + θ): above ½ is an alarm.
package anomaly

import (
	"fmt"
	"math"

	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
)

// Components lists the models of this package for the catalogue.
var Components = []models.Component{
	HalfSpaceTreesComponent,
	CutForestComponent,
	IsolationForestComponent,
	LODAComponent,
	GaussianFilterComponent,
	QuantileFilterComponent,
}

var tasks = []models.Task{models.Anomaly}

var rateParam = models.Param{Name: "false_alarm_rate", Default: 0.01, Range: models.Between(1e-6, 0.5), Unit: "share of examples",
	Doc: "so many answers are to be above ½; there is no alarm before as many examples as make one false alarm"}
var memoryParam = models.Param{Name: "memory", Default: 10000, Range: models.Between(10, 1<<30), Unit: "examples", Doc: "what is older counts less than 1/e for the threshold and the scales"}

const answerRule = "An answer above ½ is an alarm. Labels are not used. A missing value counts as the mean of its column."

// limit is the greatest magnitude that is computed with, so that squares stay finite.
const limit = 1e100

// The names of what detectors count.
const (
	examplesForgotten = "examples_forgotten"
	alarmsNotLearned  = "alarms_not_learned"
)

var forgottenBound = []models.Bound{{What: examplesForgotten, Doc: "examples that left the window"}}

func bounded(x float64) float64 { return max(-limit, min(limit, x)) }

func onlyNumbers(name string, env models.Env) (int, error) {
	if env.Task != models.Anomaly {
		return 0, fmt.Errorf("%s: no answers for the task %s, only for anomaly", name, env.Task)
	}
	return len(env.Schema.Columns), nil
}

// Scores of detectors are told apart from 2^-20 to 2^20, with 64 buckets for each power of two.
const (
	bucketBits  = 6
	bucketLow   = (1023 - 20) << bucketBits
	bucketCount = 40 << bucketBits
)

func bucketOf(score float64) int {
	i := int(math.Float64bits(score)>>(52-bucketBits)) - bucketLow
	return max(0, min(bucketCount-1, i))
}

// edge is the least score of a bucket.
func edge(i int) float64 { return math.Float64frombits(uint64(i+bucketLow) << (52 - bucketBits)) }

// Threshold follows the quantile of a stream of scores above which a wanted share of them lies. Scores are counted in
// buckets of 1.6 %, older ones fade; within a bucket they are taken as spread evenly. Memory: 20 KB. Cost: O(1), amortised.
type Threshold struct {
	rate   float64
	grow   float64 // the weight of a score over that of the one before
	counts []float64
	seen   uint64
	unit   float64 // weight of the next score
	total  float64
	above  float64 // weight in buckets after at
	at     int     // the bucket of the threshold
	theta  float64 // derived
}

// NewThreshold returns the threshold that a share rate of scores exceeds; a score counts 1/e after memory others.
func NewThreshold(rate float64, memory int) *Threshold {
	return &Threshold{rate: rate, grow: 1 / (1 - 1/float64(max(2, memory))), counts: make([]float64, bucketCount), unit: 1}
}

// Value is the threshold: 0 before the first score.
func (t *Threshold) Value() float64 { return t.theta }

// Seen is how many scores came in.
func (t *Threshold) Seen() uint64 { return t.seen }

// Warm reports whether enough scores were seen for one false alarm.
func (t *Threshold) Warm() bool { return float64(t.seen)*t.rate >= 1 }

// Add counts a score, which must be at least 0.
func (t *Threshold) Add(score float64) {
	i := bucketOf(score)
	t.counts[i] += t.unit
	t.total += t.unit
	if i > t.at {
		t.above += t.unit
	}
	t.seen++
	if t.unit *= t.grow; t.unit > 1e100 {
		t.shrink()
	}
	t.settle()
}

// shrink keeps the growing weights in range, and ends the drift of the sums.
func (t *Threshold) shrink() {
	t.total, t.above = 0, 0
	for i := range t.counts {
		t.counts[i] /= t.unit
		t.total += t.counts[i]
		if i > t.at {
			t.above += t.counts[i]
		}
	}
	t.unit = 1
}

func (t *Threshold) settle() {
	wanted := t.rate * t.total
	for t.above > wanted && t.at < bucketCount-1 {
		t.at++
		t.above = max(0, t.above-t.counts[t.at])
	}
	for t.at > 0 && t.above+t.counts[t.at] <= wanted {
		t.above += t.counts[t.at]
		t.at--
	}
	low, high := edge(t.at), edge(t.at+1)
	t.theta = high
	if c := t.counts[t.at]; c > 0 {
		t.theta = high - float64((high-low)*min(1, max(0, (wanted-t.above)/c)))
	}
}

// State visits the counts.
func (t *Threshold) State(s *codec.State) {
	used := 0
	for i, c := range t.counts {
		if c > 0 {
			used = i + 1
		}
	}
	used = s.Len(used, 8, bucketCount)
	if s.Loading() {
		clear(t.counts)
	}
	good := true
	for i := range t.counts[:used] {
		s.Float64(&t.counts[i])
		good = good && t.counts[i] >= 0 && t.counts[i] <= 1e150
	}
	s.Uint64(&t.seen)
	s.Float64(&t.unit)
	s.Float64(&t.total)
	s.Float64(&t.above)
	s.Int(&t.at)
	if !s.Loading() {
		return
	}
	if !good || !(t.unit >= 1 && t.unit <= 1e100 && t.total >= 0 && t.total <= 1e150 && t.above >= 0 && t.above <= 1e150) || t.at < 0 || t.at >= bucketCount {
		s.Fail("threshold at %d with %v of %v above", t.at, t.above, t.total)
		*t = Threshold{rate: t.rate, grow: t.grow, counts: t.counts, unit: 1}
		clear(t.counts)
	}
	if t.seen > 0 {
		at := t.at
		t.settle()
		if t.at != at {
			s.Fail("threshold is not at bucket %d", at)
		}
	} else {
		t.theta = 0
	}
}

// alarm is what an answer needs of a threshold.
type alarm struct {
	theta float64
	warm  bool
}

// Answer is score/(score + θ) with the threshold as it is now: above ½ is an alarm. It is at most ½ while Warm is false.
func (t *Threshold) Answer(score float64) float64 { return t.alarm().answer(score) }

// Fixed returns Answer with the threshold as it is now, for snapshots.
func (t *Threshold) Fixed() func(score float64) float64 { return t.alarm().answer }

func (t *Threshold) alarm() alarm { return alarm{t.theta, t.Warm()} }

// answer is score/(score + θ), at most ½ while there are too few scores for an alarm.
func (a alarm) answer(score float64) float64 {
	p := 0.0
	if score > 0 {
		p = score / (score + a.theta)
	}
	if !a.warm {
		p = min(p, 0.5)
	}
	return p
}

// intake makes columns comparable: mean and variance that fade, and the range so far. It is dense: d numbers.
type intake struct {
	memory float64
	stats  []spread
}

type spread struct {
	n, mean, variance float64
	low, high         float64
}

func newIntake(columns, memory int) intake {
	return intake{memory: float64(memory), stats: make([]spread, columns)}
}

// observe takes the row in; missing values are left out.
func (in *intake) observe(e *models.Example) {
	for j := range in.stats {
		x := column(e, j)
		if x != x {
			continue
		}
		x = bounded(x)
		c := &in.stats[j]
		if c.n == 0 {
			c.low, c.high = x, x
		}
		c.low, c.high = min(c.low, x), max(c.high, x)
		c.n = min(c.n+1, in.memory)
		rate := 1 / c.n
		d := x - c.mean
		c.mean += float64(rate * d)
		c.variance = (1 - rate) * (c.variance + float64(rate*float64(d*d)))
	}
}

func column(e *models.Example, j int) float64 {
	if e.Index == nil && j < len(e.Value) {
		return e.Value[j]
	}
	return e.At(j)
}

// maxDeviations bounds standardised values.
const maxDeviations = 1e6

// standard writes (x − mean)/deviation of each column; 0 for missing values and for columns that have not varied.
func (in *intake) standard(dst []float64, e *models.Example) {
	for j := range dst {
		c, x := &in.stats[j], column(e, j)
		dst[j] = 0
		if d := bounded(x) - c.mean; x == x && c.variance > 0 {
			dst[j] = max(-maxDeviations, min(maxDeviations, d/math.Sqrt(c.variance)))
		}
	}
}

// unit writes the place of each column in its range so far: 0 … 1 within it; the mean's place for missing values, ½ for
// columns that have not varied.
func (in *intake) unit(dst []float32, e *models.Example) {
	for j := range dst {
		c, x := &in.stats[j], column(e, j)
		if x != x {
			x = c.mean
		}
		width := c.high - c.low
		if !(width > 0) {
			dst[j] = 0.5
			continue
		}
		dst[j] = float32(max(-1, min(2, (bounded(x)-c.low)/width)))
	}
}

func (in *intake) share() intake {
	return intake{memory: in.memory, stats: append([]spread(nil), in.stats...)}
}

func (in *intake) state(s *codec.State) {
	s.Fixed("columns of a detector", len(in.stats))
	for j := range in.stats {
		c := &in.stats[j]
		for _, v := range []*float64{&c.n, &c.mean, &c.variance, &c.low, &c.high} {
			s.Float64(v)
		}
		if s.Loading() && !(c.n >= 0 && c.n <= in.memory && math.Abs(c.mean) <= limit && c.variance >= 0 && c.variance <= 1e250 && c.low >= -limit && c.high <= limit && c.low <= c.high) {
			s.Fail("column %d with mean %v, variance %v", j, c.mean, c.variance)
			*c = spread{}
		}
	}
}

// unlabelled is embedded by detectors: they learn nothing from labels.
type unlabelled struct{}

// Learn does nothing.
func (unlabelled) Learn(*models.Example, []float64) {}
