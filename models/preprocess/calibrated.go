package preprocess

import (
	"math"
	"slices"

	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
)

// CalibratedComponent is the catalogue entry of Calibrated.
var CalibratedComponent = models.Component{
	Name: "calibrated", Kind: models.ModelKind, Tasks: classifierTasks, Fold: 1,
	Params: []models.Param{modelParam,
		{Name: "method", Default: "platt", Choices: []string{"platt", "isotonic"}, Doc: "platt: a logistic curve, learned step by step; isotonic: a rising curve through bins, for any shape, which needs more labels"}},
	Cost: "that of the model, and O(classes)", Memory: "that of the model, and 500 bytes per class", Source: "Platt 1999; Zadrozny & Elkan 2002",
	Doc: "Makes the probabilities of a classifier true: of all answers of 0.7, seven in ten should come true. It learns from what the model answered before the label was known, as the labels come. Missing values are the model's matter.",
	NewModel: func(a models.Args, env models.Env) (models.Learner, error) {
		m, err := a.Model("model", env)
		if err != nil {
			return nil, err
		}
		return NewCalibrated(m, env, a.Text("method")), nil
	},
}

// calibration is a curve from answers to probabilities.
type calibration interface {
	adjust
	learn(answer []float64, y, weight float64)
	state(c *codec.State)
	freeze() adjust
}

// Calibrated corrects the probabilities of its model by what became of the earlier ones.
type Calibrated struct {
	model models.Learner
	n     int
	by    calibration
}

// NewCalibrated returns the calibrated model, which it owns; method is platt or isotonic. It is a Publisher if the model is one.
func NewCalibrated(m models.Learner, env models.Env, method string) models.Learner {
	k := classesOf(env)
	c := &Calibrated{model: m, n: models.AnswerLen(env.Task, k), by: newPlatt(k)}
	if method == "isotonic" {
		c.by = newIsotonic(c.n)
	}
	if _, ok := m.(models.Publisher); ok {
		return &publishingCalibrated{c}
	}
	return c
}

// Predict appends the calibrated answer, then the model's own.
func (c *Calibrated) Predict(dst []float64, e *models.Example) []float64 {
	return adjusted(dst, c.n, e, c.model, c.by)
}

// Observe lets the model observe.
func (c *Calibrated) Observe(e *models.Example) { c.model.Observe(e) }

// Learn corrects the curve by the model's earlier answer, if there is one, and lets the model learn.
func (c *Calibrated) Learn(e *models.Example, past []float64) {
	if !(e.Weight > 0) {
		return
	}
	own := inner(past, c.n)
	if own != nil {
		c.by.learn(own[:c.n], e.Y, e.Weight)
	}
	c.model.Learn(e, own)
}

// State visits the curve and the model.
func (c *Calibrated) State(s *codec.State) {
	c.by.state(s)
	c.model.State(s)
}

// Dropped adds the counts of the model inside.
func (c *Calibrated) Dropped(d *models.Drops) { d.Of(c.model) }

type publishingCalibrated struct{ *Calibrated }

// Publish copies the curve and publishes the model.
func (c *publishingCalibrated) Publish() models.Predictor {
	return &frozen{n: c.n, model: c.model.(models.Publisher).Publish(), by: c.by.freeze()}
}

// platt is softmax(slope · log p + offsets), which is Platt's (1999) logistic curve of the log odds for two classes. Slope and offsets follow the
// gradient of the log-loss with steps of AdaGrad.
type platt struct {
	k      int
	weight []float64 // slope, then an offset for each class but the first (binary: for class 1)
	sums   []float64 // of squared gradients
	p, z   []float64 // scratch of learn
}

const (
	plattRate  = 0.1
	plattLeast = 1e-6 // probabilities below count as this
)

func newPlatt(classes int) *platt {
	t := &platt{k: classes, weight: make([]float64, classes), sums: make([]float64, classes), p: make([]float64, classes), z: make([]float64, classes)}
	t.weight[0] = 1
	return t
}

func (t *platt) copy() *platt { return &platt{k: t.k, weight: slices.Clone(t.weight)} }

func (t *platt) freeze() adjust { return t.copy() }

// adjust needs no scratch: an immutable copy serves any number of goroutines.
func (t *platt) adjust(p []float64) {
	if len(p) == 1 {
		q := max(plattLeast, min(1-plattLeast, p[0]))
		p[0] = 1 / (1 + math.Exp(-float64(t.weight[0]*math.Log(q/(1-q)))-t.weight[1]))
		return
	}
	most := math.Inf(-1)
	for c := range p {
		p[c] = t.weight[0] * math.Log(max(plattLeast, p[c]))
		if c > 0 {
			p[c] += t.weight[c]
		}
		most = max(most, p[c])
	}
	sum := 0.0
	for c := range p {
		p[c] = math.Exp(p[c] - most)
		sum += p[c]
	}
	for c := range p {
		p[c] /= sum
	}
}

func (t *platt) learn(answer []float64, y, weight float64) {
	k, ok := classAt(y, t.k)
	if !ok {
		return
	}
	weight = min(weight, 1e3)
	if len(answer) == 1 {
		q := max(plattLeast, min(1-plattLeast, answer[0]))
		z := math.Log(q / (1 - q))
		one := [1]float64{answer[0]}
		t.adjust(one[:])
		d := weight * (one[0] - y)
		t.step(0, d*z)
		t.step(1, d)
	} else {
		copy(t.p, answer)
		for c, q := range answer {
			t.z[c] = math.Log(max(plattLeast, q))
		}
		t.adjust(t.p)
		slope := 0.0
		for c := range t.p {
			d := t.p[c]
			if c == k {
				d--
			}
			slope += float64(d * t.z[c])
			if c > 0 {
				t.step(c, weight*d)
			}
		}
		t.step(0, weight*slope)
	}
	t.weight[0] = max(0.05, t.weight[0]) // the order of answers stays
}

func (t *platt) step(i int, g float64) {
	t.sums[i] += float64(g * g)
	if t.sums[i] > 0 {
		t.weight[i] -= plattRate * g / math.Sqrt(1+t.sums[i])
	}
}

func (t *platt) state(c *codec.State) {
	visit(c, "classes of a calibration", t.weight)
	visit(c, "classes of a calibration", t.sums)
	for _, w := range t.weight {
		if w-w != 0 {
			c.Fail("a calibration with weight %v", w)
			*t = *newPlatt(t.k)
			return
		}
	}
}

// The bins of an isotonic calibration, evenly spaced in log odds between −6 and 6, so that they are finest where models are too sure; what an answer counts for in its own bin before there are labels; and labels
// between two fits.
const (
	isotonicBins  = 32
	isotonicPrior = 10
	isotonicEvery = 32
	isotonicOdds  = 6.0
)

// isotonicMiddle is the middle of each bin.
var isotonicMiddle = func() (m [isotonicBins]float64) {
	for b := range m {
		m[b] = 1 / (1 + math.Exp(isotonicOdds-2*isotonicOdds*(float64(b)+0.5)/isotonicBins))
	}
	return m
}()

// isotonicBin is the bin of an answer.
func isotonicBin(p float64) int {
	odds := max(-isotonicOdds, min(isotonicOdds, math.Log(p/(1-p)))) // of 0 and 1, too
	return max(0, min(isotonicBins-1, int((odds+isotonicOdds)*(isotonicBins/(2*isotonicOdds)))))
}

// isotonic is a rising curve for each class against the rest: mean labels of bins of answers, made to rise by pooling adjacent violators (Zadrozny &
// Elkan 2002, §3.2), straight between the means of the bins.
type isotonic struct {
	learned uint64
	curves  []isotonicCurve
}

type isotonicCurve struct {
	n, answers, labels [isotonicBins]float64 // weights and weighted sums
	at, to             [isotonicBins]float64 // the curve as last fitted
}

func newIsotonic(n int) *isotonic {
	t := &isotonic{curves: make([]isotonicCurve, n)}
	for i := range t.curves {
		t.curves[i].fit()
	}
	return t
}

func (t *isotonic) freeze() adjust { return &isotonic{curves: slices.Clone(t.curves)} }

func (t *isotonic) adjust(p []float64) {
	sum := 0.0
	for c := range p {
		p[c] = t.curves[c].value(p[c])
		sum += p[c]
	}
	if len(p) == 1 {
		return
	}
	for c := range p {
		if p[c] /= sum; !(sum > 0) {
			p[c] = 1 / float64(len(p))
		}
	}
}

func (t *isotonic) learn(answer []float64, y, weight float64) {
	weight = min(weight, 1e6)
	for c, p := range answer {
		label := 0.0
		if len(answer) == 1 && y == 1 || len(answer) > 1 && y == float64(c) {
			label = 1
		}
		v := &t.curves[c]
		b := isotonicBin(p)
		v.n[b] += weight
		v.answers[b] += float64(weight * p)
		v.labels[b] += float64(weight * label)
	}
	if t.learned++; t.learned%isotonicEvery == 0 {
		for c := range t.curves {
			t.curves[c].fit()
		}
	}
}

// fit pools adjacent bins whose means fall. Each bin also counts as a few answers that were right, so that bins without labels change nothing.
func (v *isotonicCurve) fit() {
	var mean, weight [isotonicBins]float64
	var size [isotonicBins]int
	blocks := 0
	for b := range isotonicBins {
		middle := isotonicMiddle[b]
		n := v.n[b] + isotonicPrior
		v.at[b] = (v.answers[b] + float64(isotonicPrior*middle)) / n
		mean[blocks], weight[blocks], size[blocks] = (v.labels[b]+float64(isotonicPrior*middle))/n, n, 1
		blocks++
		for blocks > 1 && mean[blocks-2] >= mean[blocks-1] {
			w := weight[blocks-2] + weight[blocks-1]
			mean[blocks-2] += (mean[blocks-1] - mean[blocks-2]) * (weight[blocks-1] / w)
			weight[blocks-2], size[blocks-2] = w, size[blocks-2]+size[blocks-1]
			blocks--
		}
	}
	b := 0
	for i := range blocks {
		for range size[i] {
			v.to[b] = mean[i]
			b++
		}
	}
}

// value is the curve at p, flat beyond its ends.
func (v *isotonicCurve) value(p float64) float64 {
	i := 0
	for i < isotonicBins && v.at[i] <= p {
		i++
	}
	switch {
	case i == 0:
		return v.to[0]
	case i == isotonicBins:
		return v.to[isotonicBins-1]
	}
	share := (p - v.at[i-1]) / (v.at[i] - v.at[i-1])
	return v.to[i-1] + float64(share*(v.to[i]-v.to[i-1]))
}

func (t *isotonic) state(c *codec.State) {
	c.Uint64(&t.learned)
	c.Fixed("curves of a calibration", len(t.curves))
	for i := range t.curves {
		v := &t.curves[i]
		for b := range isotonicBins {
			for _, x := range []*float64{&v.n[b], &v.answers[b], &v.labels[b], &v.at[b], &v.to[b]} {
				c.Float64(x)
			}
			if !(v.to[b] >= 0 && v.to[b] <= 1) || b > 0 && !(v.at[b] > v.at[b-1]) {
				c.Fail("a calibration that leaves [0, 1] or does not rise")
				*v = isotonicCurve{}
				v.fit()
			}
		}
	}
}
