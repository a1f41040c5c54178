package preprocess

import (
	"math"
	"math/rand/v2"
	"slices"

	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
)

var classifierTasks = []models.Task{models.Binary, models.Multiclass}

var balanceParam = models.Param{Name: "balance", Default: 1.0, Range: models.Between(0, 1), Doc: "1: the model sees all classes equally often; 0: as they come; between: their shares to the power of 1 − balance"}

// UnderSamplerComponent is the catalogue entry of the sampler that leaves examples out.
var UnderSamplerComponent = models.Component{
	Name: "under_sampler", Kind: models.ModelKind, Tasks: classifierTasks, Fold: 1,
	Params: []models.Param{modelParam, balanceParam},
	Cost:   "that of the model, for fewer examples", Memory: "that of the model, and 16 bytes per class", Source: "Elkan 2001, theorem 2, for the correction",
	Doc: "Lets the model learn only some of the examples of frequent classes, drawn at random, so that it sees the classes in balance. Probabilities are corrected for that: they stay those of the stream. Missing values are the model's matter.",
	NewModel: func(a models.Args, env models.Env) (models.Learner, error) {
		m, err := a.Model("model", env)
		if err != nil {
			return nil, err
		}
		return NewSampler(m, env, SamplerConfig{Balance: a.Float("balance")}), nil
	},
}

// OverSamplerComponent is the catalogue entry of the sampler that repeats examples.
var OverSamplerComponent = models.Component{
	Name: "over_sampler", Kind: models.ModelKind, Tasks: classifierTasks, Fold: 1,
	Params: []models.Param{modelParam, balanceParam,
		{Name: "most", Default: 50.0, Range: models.AtLeast(1), Unit: "times", Doc: "greatest weight of an example"}},
	Cost: "that of the model", Memory: "that of the model, and 16 bytes per class", Source: "Elkan 2001, theorem 2, for the correction",
	Doc: "Gives examples of rare classes a greater weight, a whole number drawn at random around what balances the classes. Probabilities are corrected for that: they stay those of the stream. Missing values are the model's matter.",
	NewModel: func(a models.Args, env models.Env) (models.Learner, error) {
		m, err := a.Model("model", env)
		if err != nil {
			return nil, err
		}
		return NewSampler(m, env, SamplerConfig{Balance: a.Float("balance"), Over: true, Most: a.Float("most")}), nil
	},
}

// SamplerConfig are the parameters of a Sampler.
type SamplerConfig struct {
	Balance float64 // in [0, 1]
	Over    bool    // repeat the rare instead of leaving out the frequent
	Most    float64 // with Over: greatest weight, at least 1
}

// Sampler lets its model learn a sample of the examples in which the classes are in balance, and corrects the answers: the model's probability
// of class c is multiplied by (weight that came) / (weight that was learned) of that class, and all are made to sum to 1 (Elkan 2001, theorem 2).
type Sampler struct {
	model         models.Learner
	cfg           SamplerConfig
	n, classes    int
	pcg           *rand.PCG
	rng           *rand.Rand
	came, learned []float64 // weight by class
	by            reweigh   // derived
	x             models.Example
}

// NewSampler returns the sampler of a model, which it owns. It is a Publisher if the model is one.
func NewSampler(m models.Learner, env models.Env, cfg SamplerConfig) models.Learner {
	k := classesOf(env)
	s := &Sampler{model: m, cfg: cfg, n: models.AnswerLen(env.Task, k), classes: k, pcg: rand.NewPCG(env.Seed, 0x73616d706c6572),
		came: make([]float64, k), learned: make([]float64, k), by: reweigh{make([]float64, k)}}
	s.rng = rand.New(s.pcg)
	s.measure()
	if _, ok := m.(models.Publisher); ok {
		return &publishingSampler{s}
	}
	return s
}

func (s *Sampler) measure() {
	for c := range s.by.factor {
		s.by.factor[c] = 1
		if s.came[c] > 0 && s.learned[c] > 0 {
			s.by.factor[c] = s.came[c] / s.learned[c]
		}
	}
}

// Predict appends the corrected answer, then the model's own.
func (s *Sampler) Predict(dst []float64, e *models.Example) []float64 {
	return adjusted(dst, s.n, e, s.model, s.by)
}

// Observe lets the model observe.
func (s *Sampler) Observe(e *models.Example) { s.model.Observe(e) }

// Learn lets the model learn, or not.
func (s *Sampler) Learn(e *models.Example, past []float64) {
	c, ok := classAt(e.Y, s.classes)
	if !(e.Weight > 0) || !ok {
		return
	}
	s.came[c] += e.Weight
	times := s.draw(s.rate(c))
	if times > 0 {
		s.x = *e
		s.x.Weight *= times
		s.learned[c] += s.x.Weight
		s.model.Learn(&s.x, inner(past, s.n))
	}
	s.measure()
}

// rate is how often, on average, an example of class c is learned.
func (s *Sampler) rate(c int) float64 {
	least, most := math.Inf(1), 0.0
	for _, w := range s.came {
		if w > 0 {
			least, most = min(least, w), max(most, w)
		}
	}
	if s.cfg.Over {
		return min(s.cfg.Most, math.Pow(most/s.came[c], s.cfg.Balance))
	}
	return math.Pow(least/s.came[c], s.cfg.Balance)
}

// draw rounds a rate up or down at random, so that its mean stays.
func (s *Sampler) draw(rate float64) float64 {
	whole := math.Floor(rate)
	if part := rate - whole; part > 0 && s.rng.Float64() < part {
		whole++
	}
	return whole
}

// State visits the weights, the stream of random numbers and the model.
func (s *Sampler) State(c *codec.State) {
	visit(c, "classes of a sampler", s.came)
	visit(c, "classes of a sampler", s.learned)
	c.PCG(s.pcg)
	s.measure()
	s.model.State(c)
}

// Dropped adds the counts of the model inside.
func (s *Sampler) Dropped(d *models.Drops) { d.Of(s.model) }

type publishingSampler struct{ *Sampler }

// Publish copies the factors and publishes the model.
func (s *publishingSampler) Publish() models.Predictor {
	return &frozen{n: s.n, model: s.model.(models.Publisher).Publish(), by: reweigh{slices.Clone(s.by.factor)}}
}

// HardSamplerComponent is the catalogue entry of HardSampler.
var HardSamplerComponent = models.Component{
	Name: "hard_sampler", Kind: models.ModelKind, Tasks: []models.Task{models.Binary, models.Multiclass, models.Regression}, Fold: 1,
	Params: []models.Param{{Name: "model", Default: models.Named("auto"), Part: models.ModelKind, Doc: modelParam.Doc},
		{Name: "size", Default: 40, Range: models.Between(1, 100000), Unit: "examples", Doc: "so many of the hardest examples are kept"},
		{Name: "share", Default: 0.1, Range: models.Between(0, 1), Doc: "how often the model learns one of those instead of the new one"}},
	Cost: "that of the model, and O(log(size)) or O(size) when one is kept", Memory: "that of the model, and size rows", Source: "Shrivastava et al. 2016, for the idea",
	Doc: "Keeps the examples that the model answered worst, and now and then lets it learn one of them again instead of the new one. Its probabilities are calibrated against the stream (as by calibrated), " +
		"since the model sees too many hard examples. The easiest goes when a harder one comes. Missing values are the model's matter.",
	NewModel: func(a models.Args, env models.Env) (models.Learner, error) {
		m, err := a.Model("model", env)
		if err != nil {
			return nil, err
		}
		return NewHardSampler(m, env, a.Int("size"), a.Float("share")), nil
	},
}

// HardSampler lets its model repeat the examples that it answered worst.
type HardSampler struct {
	model  models.Learner
	task   models.Task
	n, k   int
	share  float64
	pcg    *rand.PCG
	rng    *rand.Rand
	kept   []hard // by loss, the easiest first
	size   int
	by     *platt // nil for regression
	answer []float64
}

type hard struct {
	loss float64
	models.Example
}

// NewHardSampler returns the sampler of a model, which it owns. It is a Publisher if the model is one.
func NewHardSampler(m models.Learner, env models.Env, size int, share float64) models.Learner {
	k := classesOf(env)
	s := &HardSampler{model: m, task: env.Task, k: k, n: models.AnswerLen(env.Task, k), share: share, size: size, pcg: rand.NewPCG(env.Seed, 0x68617264)}
	s.rng = rand.New(s.pcg)
	if env.Task != models.Regression {
		s.by = newPlatt(k)
	}
	if _, ok := m.(models.Publisher); ok {
		return &publishingHard{s}
	}
	return s
}

// adjust calibrates the probabilities of a classifier.
func (s *HardSampler) adjust(answer []float64) {
	if s.by != nil {
		s.by.adjust(answer)
	}
}

// Predict appends the calibrated answer, then the model's own.
func (s *HardSampler) Predict(dst []float64, e *models.Example) []float64 {
	return adjusted(dst, s.n, e, s.model, s)
}

// Observe lets the model observe.
func (s *HardSampler) Observe(e *models.Example) { s.model.Observe(e) }

// Learn lets the model learn the example or one of those that were kept.
func (s *HardSampler) Learn(e *models.Example, past []float64) {
	if !(e.Weight > 0) {
		return
	}
	own := inner(past, s.n)
	if own == nil {
		s.answer = s.model.Predict(s.answer[:0], e)
		own = s.answer
	}
	if s.by != nil {
		s.by.learn(own[:s.n], e.Y, e.Weight)
	}
	s.keep(e, s.loss(own, e.Y))
	if s.rng.Float64() >= s.share {
		s.model.Learn(e, inner(past, s.n))
		return
	}
	i := s.rng.IntN(len(s.kept))
	s.model.Learn(&s.kept[i].Example, nil)
	s.answer = s.model.Predict(s.answer[:0], &s.kept[i].Example)
	s.settle(i, s.loss(s.answer, s.kept[i].Y))
}

func (s *HardSampler) loss(answer []float64, y float64) float64 {
	if s.by == nil {
		return math.Abs(bounded(answer[0]) - bounded(y))
	}
	c, ok := classAt(y, s.k)
	if !ok {
		return 0
	}
	return logLoss(answer[:s.n], c)
}

// keep takes a copy of the example in, in the place of the easiest if all are taken and that is easier.
func (s *HardSampler) keep(e *models.Example, loss float64) {
	switch {
	case len(s.kept) < s.size:
		s.kept = append(s.kept, hard{})
		copy(s.kept[1:], s.kept)
		s.kept[0] = hard{loss: math.Inf(-1)}
	case !(loss > s.kept[0].loss):
		return
	}
	h := &s.kept[0]
	row := h.Row
	h.Example = *e
	h.Value = append(row.Value[:0], e.Value...)
	h.Index = nil
	if e.Index != nil {
		h.Index = append(row.Index[:0], e.Index...)
		if h.Index == nil {
			h.Index = []uint32{}
		}
	}
	s.settle(0, loss)
}

// settle gives the ith of those that are kept a loss and its place by it.
func (s *HardSampler) settle(i int, loss float64) {
	s.kept[i].loss = loss
	for ; i+1 < len(s.kept) && s.kept[i].loss > s.kept[i+1].loss; i++ {
		s.kept[i], s.kept[i+1] = s.kept[i+1], s.kept[i]
	}
	for ; i > 0 && s.kept[i].loss < s.kept[i-1].loss; i-- {
		s.kept[i], s.kept[i-1] = s.kept[i-1], s.kept[i]
	}
}

// State visits what is kept, the calibration, the stream of random numbers and the model.
func (s *HardSampler) State(c *codec.State) {
	codec.Slice(c, &s.kept, 42, s.size, func(c *codec.State, h *hard) {
		c.Float64(&h.loss)
		sparse := h.Index != nil
		c.Bool(&sparse)
		c.Float64s(&h.Value)
		if sparse {
			c.Uint32s(&h.Index)
			if h.Index == nil {
				h.Index = []uint32{}
			}
			if len(h.Index) != len(h.Value) || !slices.IsSorted(h.Index) {
				c.Fail("hard_sampler: a row of %d entries and %d columns", len(h.Value), len(h.Index))
				h.Index, h.Value = nil, nil
			}
		}
		c.Uint64(&h.Key)
		c.Int64(&h.Time)
		c.Float64(&h.Y)
		c.Float64(&h.Weight)
	})
	if s.by != nil {
		s.by.state(c)
	}
	c.PCG(s.pcg)
	s.model.State(c)
}

// Dropped adds the counts of the model inside.
func (s *HardSampler) Dropped(d *models.Drops) { d.Of(s.model) }

type publishingHard struct{ *HardSampler }

// Publish copies the calibration and publishes the model.
func (s *publishingHard) Publish() models.Predictor {
	f := &frozen{n: s.n, model: s.model.(models.Publisher).Publish(), by: &HardSampler{}}
	if s.by != nil {
		f.by = s.by.copy()
	}
	return f
}
