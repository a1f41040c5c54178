package neural

import (
	"slices"

	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/anomaly"
)

// AutoencoderComponent is the catalogue entry of the autoencoder.
var AutoencoderComponent = models.Component{
	Name: "autoencoder", Kind: models.ModelKind, Tasks: []models.Task{models.Anomaly}, Fold: 1, NumbersOnly: true,
	Bounds: slices.Concat(steadyBounds, []models.Bound{{What: alarmsNotLearned, Doc: "rows that raised an alarm and were not learned (protect)"}}),
	Doc: "A net that learns to give back its inputs through a narrow layer; what it gives back badly is strange. The score is the mean squared error of the scaled numbers of a row, missing ones left out. " +
		"An answer above ½ is an alarm. Labels are not used; a row that raises an alarm is learned only with `protect: false`. Numbers are scaled by their mean and deviation so far, clipped at 10. A missing value is 0 with an input that says so. " +
		"Good for: rows of many numbers that depend on each other, where a strange row is strange as a whole. Not for: single numbers that are far off (gaussian_filter), few columns (half_space_trees, loda).",
	Params: slices.Concat([]models.Param{withHidden(16, 4, 16), layerParams[1], withoutNorm(), layerParams[3]}, []models.Param{
		{Name: "false_alarm_rate", Default: 0.01, Range: models.Between(1e-6, 0.5), Unit: "share of examples", Doc: "so many answers are to be above ½; there is no alarm before as many examples as make one false alarm"},
		{Name: "memory", Default: 10000, Range: models.Between(10, 1<<30), Unit: "examples", Doc: "what is older counts less than 1/e for the threshold"},
		{Name: "protect", Default: true, Doc: "rows that raise an alarm are not learned"}},
		learnParams[:4]),
	Cost: "O(weights)", Memory: "24 bytes a weight (32 with the copy that shadow_every keeps), 24 bytes a column, and 20 KB for the threshold", Source: "Hawkins et al. 2002, online as in Mirsky et al. 2018, §IV",
	NewModel: func(a models.Args, env models.Env) (models.Learner, error) {
		o := Defaults()
		o.Hidden, o.Activation, o.LayerNorm, o.Dropout = a.Ints("hidden"), a.Text("activation"), a.Bool("layer_norm"), a.Float("dropout")
		o = o.learning(a, env)
		m, err := NewAutoencoder(env, o, a.Float("false_alarm_rate"), a.Int("memory"), a.Bool("protect"))
		if err != nil {
			return nil, err
		}
		return m, nil
	},
}

// withoutNorm is layer_norm, off: the length of a row is part of what is to be given back.
func withoutNorm() models.Param {
	p := layerParams[2]
	p.Default = false
	return p
}

// Autoencoder scores how strange rows are by how badly a net gives them back. It implements models.Learner and models.Publisher.
type Autoencoder struct {
	net     *Net
	limits  *anomaly.Threshold
	protect bool
	kept    uint64 // rows that were not learned
	again   models.Example
}

// NewAutoencoder returns an empty detector for rows of numbers: alarms for a share rate of them, by scores of which those older than memory rows fade.
func NewAutoencoder(env models.Env, o Options, rate float64, memory int, protect bool) (*Autoencoder, error) {
	l := &layout{}
	in, err := newInputs(l, env.Schema, nil, 1, 0, 0)
	if err != nil {
		return nil, err
	}
	if len(in.fields) > 0 {
		return nil, models.SpecErrors{{Path: "autoencoder", Reason: "a column of categories", Mend: "put one_hot before it"}}
	}
	in.clip = 10
	b := &mirror{coder: newPerceptron(l, &in, o.trunk(), len(in.numeric), env.Seed)}
	n, err := o.net(env, l, b, mirrored{len(in.numeric)}, in)
	if err != nil {
		return nil, err
	}
	return &Autoencoder{net: n, limits: anomaly.NewThreshold(rate, memory), protect: protect}, nil
}

// Predict appends how strange the row is.
func (m *Autoencoder) Predict(dst []float64, e *models.Example) []float64 {
	return append(dst, m.limits.Answer(m.score(e)))
}

func (m *Autoencoder) score(e *models.Example) float64 {
	m.net.pass.learning = false
	m.net.scores(&m.net.known, m.net.pass, e, nil)
	return mirrored{}.score(m.net.pass.scores)
}

// Observe scores the row, learns it unless it raises an alarm, and takes its numbers into the scales.
func (m *Autoencoder) Observe(e *models.Example) {
	score := m.score(e)
	if m.protect && m.limits.Answer(score) > 0.5 {
		m.kept++
	} else {
		m.again = models.Example{Row: e.Row, Key: e.Key, Time: e.Time, Weight: 1}
		m.net.Learn(&m.again, nil)
		m.again.Row = models.Row{}
	}
	m.limits.Add(score)
	m.net.Observe(e)
}

// Learn does nothing: labels are not used.
func (m *Autoencoder) Learn(*models.Example, []float64) {}

// Counts says what became of the rows so far, and how many were kept from the net by an alarm.
func (m *Autoencoder) Counts() (learned Counts, kept uint64) { return m.net.Counts(), m.kept }

// Dropped adds the rows that an alarm kept from the net, and its counts.
func (m *Autoencoder) Dropped(d *models.Drops) {
	d.Add(alarmsNotLearned, m.kept)
	m.net.steady.dropped(d)
}

// State visits the net and the threshold.
func (m *Autoencoder) State(s *codec.State) {
	m.net.State(s)
	m.limits.State(s)
	s.Uint64(&m.kept)
}

// Publish copies the weights.
func (m *Autoencoder) Publish() models.Predictor {
	return &mirrorSnapshot{m.net.shape, m.net.share(m.net.tables), m.limits.Fixed()}
}

type mirrorSnapshot struct {
	*shape
	known
	answer func(score float64) float64
}

// Predict answers as the detector did when it was published.
func (s *mirrorSnapshot) Predict(dst []float64, e *models.Example) []float64 {
	p := s.borrow()
	s.scores(&s.known, p, e, nil)
	dst = append(dst, s.answer(mirrored{}.score(p.scores)))
	s.idle.Put(p)
	return dst
}

// mirror is a perceptron whose outputs are to be its inputs. Its scores are what it gives back, then what it should have given, then for each number 1 if it was there.
type mirror struct{ coder *perceptron }

func (b *mirror) memory() any { return b.coder.memory() }

func (b *mirror) forward(w []float64, p *pass) {
	x, n := p.parts[0].x, len(b.coder.inputs.numeric)
	b.coder.run(w, x, p.scores[:n], p.own.(*perceptronPass), p)
	copy(p.scores[n:2*n], x[:n])
	for k, gone := range x[n:] {
		p.scores[2*n+k] = 1 - gone
	}
}

func (b *mirror) backward(w, g []float64, p *pass) {
	part, n := &p.parts[0], len(b.coder.inputs.numeric)
	b.coder.learn(w, g, part.x, p.slopes[:n], part.dx, p.own.(*perceptronPass))
}

// mirrored is the mean squared error of n numbers, over those that were there.
type mirrored struct{ n int }

func (o mirrored) width() int        { return 3 * o.n }
func (mirrored) fits(y float64) bool { return true }

func (mirrored) slopes(dst, scores []float64, _ float64, _ *moments) float64 {
	n := len(scores) / 3
	count := there(scores)
	sum := 0.0
	for k := range n {
		d := float64((scores[k] - scores[n+k]) * scores[2*n+k])
		dst[k] = d / count
		sum += float64(d * d)
	}
	clear(dst[n:])
	return 0.5 * sum / count
}

// there is the number of values that were not missing, at least 1.
func there(scores []float64) float64 {
	count := 0.0
	for _, v := range scores[len(scores)/3*2:] {
		count += v
	}
	return max(1, count)
}

// score is the mean squared error, as large as can be told apart where it is not finite.
func (mirrored) score(scores []float64) float64 {
	n := len(scores) / 3
	sum := 0.0
	for k := range n {
		d := float64((scores[k] - scores[n+k]) * scores[2*n+k])
		sum += float64(d * d)
	}
	if s := sum / there(scores); finite(s) {
		return min(s, 1<<20)
	}
	return 1 << 20
}

func (o mirrored) answer(dst, scores []float64, _ *moments) []float64 {
	return append(dst, o.score(scores))
}
