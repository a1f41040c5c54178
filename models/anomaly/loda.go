package anomaly

import (
	"math"
	"sync"

	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/cow"
	"github.com/freshet-ml/freshet/models/random"
)

// LODAComponent is the catalogue entry of LODA.
var LODAComponent = models.Component{
	Name: "loda", Kind: models.ModelKind, Tasks: tasks, Fold: 1, NumbersOnly: true,
	Doc: "LODA: histograms of sparse random projections of the standardised columns; the score is the mean negative log-probability of an example's bins. Histograms and scales fade. " + answerRule,
	Params: []models.Param{
		{Name: "projections", Default: 100, Range: models.Between(1, 10000), Doc: "random projections of √columns columns each"},
		{Name: "bins", Default: 64, Range: models.Between(2, 4096), Doc: "bins of a histogram; they span ± 8 standard deviations of its projection, beyond that the outer ones count"},
		rateParam, memoryParam,
	},
	Cost: "O(projections · √columns)", Memory: "8 bytes · projections · bins, and 20 KB for the threshold", Source: "Pevný 2016",
	NewModel: func(a models.Args, env models.Env) (models.Learner, error) {
		m, err := NewLODA(env, a.Int("projections"), a.Int("bins"), a.Float("false_alarm_rate"), a.Int("memory"))
		if err != nil {
			return nil, err
		}
		return m, nil
	},
}

// LODA implements models.Learner and models.Publisher.
type LODA struct {
	unlabelled
	histograms
	grow    float64
	limits  *Threshold
	seen    uint64
	scratch lodaScratch
}

// histograms is what a learner and its snapshots answer from.
type histograms struct {
	bins   int
	per    int       // columns of a projection
	column []int32   // by projection, its columns; a function of the seed, as are the weights
	weight []float64 // such that standardised independent columns give a bin number with bins/2 in the middle
	counts cow.Pages[float64]
	total  float64 // weight of all examples: the same in every histogram
	unit   float64 // weight of the next example
	in     intake
	alarm  alarm
}

type lodaScratch struct {
	z   []float64
	bin []int32
}

// span is how many standard deviations of a projection its histogram reaches to either side.
const span = 8

// pageProjections is how many histograms share a page.
const pageProjections = 8

// NewLODA returns an empty detector whose projections follow from env.Seed.
func NewLODA(env models.Env, projections, bins int, rate float64, memory int) (*LODA, error) {
	d, err := onlyNumbers("loda", env)
	if err != nil {
		return nil, err
	}
	per := int(math.Ceil(math.Sqrt(float64(d))))
	m := &LODA{grow: 1 / (1 - 1/float64(max(2, memory))), limits: NewThreshold(rate, memory), scratch: newLODAScratch(d, projections),
		histograms: histograms{bins: bins, per: per, in: newIntake(d, memory), unit: 1,
			counts: cow.New[float64]((projections+pageProjections-1)/pageProjections, pageProjections*bins)}}
	rng := random.New(env.Seed, 0x6c6f6461)
	order := make([]int32, d)
	for j := range order {
		order[j] = int32(j)
	}
	for range projections {
		norm := 0.0
		from := len(m.weight)
		for k := range per { // the first columns of a random order, with normal weights
			at := k + rng.Below(d-k)
			order[k], order[at] = order[at], order[k]
			w := math.Sqrt(-2*math.Log(1-rng.Unit())) * math.Cos(2*math.Pi*rng.Unit())
			m.column, m.weight = append(m.column, order[k]), append(m.weight, w)
			norm += w * w
		}
		for k := from; k < len(m.weight); k++ {
			m.weight[k] *= float64(bins) / (2 * span * max(math.Sqrt(norm), 1e-12))
		}
	}
	return m, nil
}

func newLODAScratch(d, projections int) lodaScratch {
	return lodaScratch{make([]float64, d), make([]int32, projections)}
}

// place finds the bin of each projection.
func (h *histograms) place(s *lodaScratch, e *models.Example) {
	h.in.standard(s.z, e)
	at, middle := 0, float64(h.bins)/2
	for k := range s.bin {
		v := middle
		for range h.per {
			v += float64(h.weight[at] * s.z[h.column[at]])
			at++
		}
		s.bin[k] = int32(max(0, min(float64(h.bins-1), v)))
	}
}

// score is the mean of −log of the bins' shares, each with half an example more than counted; one logarithm for eight of them.
func (h *histograms) score(bin []int32) float64 {
	if h.total == 0 || h.per == 0 {
		return 0
	}
	logs, product := 0.0, 1.0
	least := h.unit / 2
	all := h.total + least
	for k, b := range bin {
		c := h.counts.Page(k / pageProjections)[k%pageProjections*h.bins+int(b)]
		product *= (c + least) / all
		if k%8 == 7 {
			logs += math.Log(product)
			product = 1
		}
	}
	return max(0, -(logs+math.Log(product))/float64(len(bin)))
}

// Predict appends how strange the example is.
func (m *LODA) Predict(dst []float64, e *models.Example) []float64 {
	m.place(&m.scratch, e)
	return append(dst, m.alarm.answer(m.score(m.scratch.bin)))
}

// Observe counts the example.
func (m *LODA) Observe(e *models.Example) {
	m.seen++
	m.place(&m.scratch, e)
	if m.per == 0 {
		return
	}
	if m.seen > 2 {
		m.limits.Add(m.score(m.scratch.bin))
		m.alarm = m.limits.alarm()
	}
	for k, b := range m.scratch.bin {
		m.counts.Own(k / pageProjections)[k%pageProjections*m.bins+int(b)] += m.unit
	}
	m.total += m.unit
	if m.unit *= m.grow; m.unit > 1e100 {
		m.shrink()
	}
	m.in.observe(e)
}

// shrink keeps the growing weights in range.
func (m *LODA) shrink() {
	for p := range m.counts.Len() {
		page := m.counts.Own(p)
		for i := range page {
			page[i] /= m.unit
		}
	}
	m.total /= m.unit
	m.unit = 1
}

// State visits histograms, scales and threshold; the projections follow from the seed.
func (m *LODA) State(s *codec.State) {
	s.Fixed("histograms of loda", len(m.scratch.bin))
	s.Fixed("bins of loda", m.bins)
	s.Uint64(&m.seen)
	s.Float64(&m.total)
	s.Float64(&m.unit)
	good := m.total >= 0 && m.total <= 1e150 && m.unit >= 1 && m.unit <= 1e100
	for k := range m.scratch.bin {
		page := m.counts.Own(k / pageProjections)
		for b := range m.bins {
			v := &page[k%pageProjections*m.bins+b]
			s.Float64(v)
			good = good && *v >= 0 && *v <= 1e150
		}
	}
	m.in.state(s)
	m.limits.State(s)
	if s.Loading() {
		if !good {
			s.Fail("loda: counts of a total of %v", m.total)
		}
		m.alarm = m.limits.alarm()
	}
}

// Publish shares the histograms: the next example copies them, as it counts in every one.
func (m *LODA) Publish() models.Predictor {
	p := &lodaSnapshot{histograms: m.histograms}
	p.counts, p.in = m.counts.Share(), m.in.share()
	d, k := len(m.scratch.z), len(m.scratch.bin)
	p.pool.New = func() any { s := newLODAScratch(d, k); return &s }
	return p
}

type lodaSnapshot struct {
	histograms
	pool sync.Pool
}

// Predict answers as the model did when it was published.
func (p *lodaSnapshot) Predict(dst []float64, e *models.Example) []float64 {
	s := p.pool.Get().(*lodaScratch)
	p.place(s, e)
	dst = append(dst, p.alarm.answer(p.score(s.bin)))
	p.pool.Put(s)
	return dst
}
