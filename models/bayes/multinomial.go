package bayes

import (
	"math"
	"slices"

	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/cow"
)

const countsRule = "Values are counts, such as of words: those that are missing or not above 0 are left out. Rows may be sparse: only their entries cost."

// MultinomialComponent is the catalogue entry of multinomial naive Bayes.
var MultinomialComponent = models.Component{
	Name: "multinomial_nb", Kind: models.ModelKind, Tasks: classification, Fold: 1, NumbersOnly: true,
	Doc:    "Multinomial naive Bayes: an example is a bag of its columns, each drawn as often as its value says. " + countsRule,
	Params: []models.Param{alphaParam},
	Cost:   "O(entries · classes)", Memory: "16 bytes per column and class",
	Source: "McCallum & Nigam 1998, section 2.2",
	NewModel: func(a models.Args, env models.Env) (models.Learner, error) {
		m, err := NewMultinomial(env, a.Float("alpha"))
		if err != nil {
			return nil, err
		}
		return m, nil
	},
}

// ComplementComponent is the catalogue entry of complement naive Bayes.
var ComplementComponent = models.Component{
	Name: "complement_nb", Kind: models.ModelKind, Tasks: classification, Fold: 1, NumbersOnly: true,
	Doc: "Complement naive Bayes: a class is judged by how little an example looks like the other classes, which holds where classes differ in size; the shares of the classes do not matter. " +
		"Its answers rank classes; as probabilities they are too sure of long examples. " + countsRule,
	Params: []models.Param{alphaParam},
	Cost:   "O(entries · classes)", Memory: "16 bytes per column and class",
	Source: "Rennie et al. 2003, section 4.1",
	NewModel: func(a models.Args, env models.Env) (models.Learner, error) {
		m, err := NewComplement(env, a.Float("alpha"))
		if err != nil {
			return nil, err
		}
		return m, nil
	},
}

// count is how often one column was drawn in one class, and the logarithm of that plus alpha.
type count struct{ n, log float64 }

// blockColumns is how many columns share a page.
const blockColumns = 32

// bags is what a learner of bags and its snapshots answer from.
type bags struct {
	task       models.Task
	classes    int
	columns    int
	alpha      float64
	complement bool
	weight     []float64 // by class
	drawn      []float64 // by class: draws of all columns
	counts     cow.Pages[count]
}

// Multinomial is a multinomial naive Bayes classifier. It implements models.Learner and models.Publisher.
type Multinomial struct{ bags }

// Complement is a complement naive Bayes classifier. It implements models.Learner and models.Publisher.
type Complement struct{ Multinomial }

// NewMultinomial returns an empty classifier with alpha > 0 added to every count, or an error if the task is no
// classification.
func NewMultinomial(env models.Env, alpha float64) (*Multinomial, error) {
	classes, err := prepare(env)
	if err != nil {
		return nil, err
	}
	d := len(env.Schema.Columns)
	m := &Multinomial{bags{task: env.Task, classes: classes, columns: d, alpha: alpha, weight: make([]float64, classes), drawn: make([]float64, classes),
		counts: cow.New[count]((d+blockColumns-1)/blockColumns, blockColumns*classes)}}
	for p := range m.counts.Len() {
		page := m.counts.Own(p)
		for i := range page {
			page[i].log = math.Log(alpha)
		}
	}
	return m, nil
}

// NewComplement returns an empty classifier with alpha > 0 added to every count, or an error if the task is no
// classification.
func NewComplement(env models.Env, alpha float64) (*Complement, error) {
	m, err := NewMultinomial(env, alpha)
	if err != nil {
		return nil, err
	}
	m.complement = true
	return &Complement{*m}, nil
}

// Predict appends P(Y = 1), or one probability for each class: equal ones before anything was learned.
func (m *Multinomial) Predict(dst []float64, e *models.Example) []float64 {
	return m.bags.predict(dst, e)
}

// Observe does nothing.
func (m *Multinomial) Observe(*models.Example) {}

// Learn adds the bag to its class. An example without a class or with a weight of 0 or above 1e100 changes nothing.
func (m *Multinomial) Learn(e *models.Example, _ []float64) {
	y, ok := usable(e, m.classes)
	if !ok {
		return
	}
	m.weight[y] += e.Weight
	for j, x := range e.Value {
		i := j
		if e.Index != nil {
			i = int(e.Index[j])
		}
		if i >= m.columns {
			break
		}
		if !(x > 0) {
			continue
		}
		w := min(x, limit) * e.Weight
		c := &m.counts.Own(i / blockColumns)[i%blockColumns*m.classes+y]
		c.n += w
		c.log = math.Log(c.n + m.alpha)
		m.drawn[y] += w
	}
}

func (b *bags) predict(dst []float64, e *models.Example) []float64 {
	from := len(dst)
	for _, w := range b.weight {
		v := 0.0
		if w == 0 {
			v = math.Inf(-1)
		} else if !b.complement {
			v = math.Log(w)
		}
		dst = append(dst, v)
	}
	votes, total := dst[from:], 0.0
	for j, x := range e.Value {
		i := j
		if e.Index != nil {
			i = int(e.Index[j])
		}
		if i >= b.columns {
			break
		}
		if !(x > 0) {
			continue
		}
		x = min(x, limit)
		total += x
		at := i % blockColumns * b.classes
		cells := b.counts.Page(i / blockColumns)[at : at+b.classes]
		if b.complement {
			b.against(votes, cells, x)
			continue
		}
		for c := range votes {
			votes[c] += float64(x * cells[c].log)
		}
	}
	b.normalise(votes, total)
	return appendAnswer(dst, from, b.task)
}

// against takes from each class what the other classes say for a column: x·log of its count in them.
func (b *bags) against(votes []float64, cells []count, x float64) {
	all := 0.0
	for c := range cells {
		all += cells[c].n
	}
	for c := range votes {
		votes[c] -= float64(x * math.Log(max(all-cells[c].n, 0)+b.alpha))
	}
}

// normalise brings in the denominators of the shares, total times each.
func (b *bags) normalise(votes []float64, total float64) {
	if total == 0 {
		return
	}
	all := 0.0
	for _, n := range b.drawn {
		all += n
	}
	for c := range votes {
		if b.complement {
			votes[c] += float64(total * math.Log(max(all-b.drawn[c], 0)+float64(b.alpha*float64(b.columns))))
		} else {
			votes[c] -= float64(total * math.Log(b.drawn[c]+float64(b.alpha*float64(b.columns))))
		}
	}
}

// State visits weights and counts.
func (m *Multinomial) State(s *codec.State) {
	nonNegative(s, "classes of a bag of columns", m.weight)
	nonNegative(s, "classes of the draws", m.drawn)
	s.Fixed("columns of a bag", m.columns)
	for i := range m.columns {
		at := i % blockColumns * m.classes
		for c := range m.classes {
			cell := &m.counts.Own(i / blockColumns)[at+c]
			s.Float64(&cell.n)
			if !s.Loading() {
				continue
			}
			if !(cell.n >= 0 && cell.n <= math.MaxFloat64) {
				s.Fail("count %v", cell.n)
				cell.n = 0
			}
			cell.log = math.Log(cell.n + m.alpha)
		}
	}
}

// Publish shares the counts: an example copies the blocks of 32 columns that it touches, once.
func (m *Multinomial) Publish() models.Predictor {
	b := m.bags
	b.weight, b.drawn, b.counts = slices.Clone(m.weight), slices.Clone(m.drawn), m.counts.Share()
	return &bagSnapshot{b}
}

type bagSnapshot struct{ bags }

// Predict answers as the model did when it was published.
func (s *bagSnapshot) Predict(dst []float64, e *models.Example) []float64 {
	return s.bags.predict(dst, e)
}
