package bayes

import (
	"math"
	"slices"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/cow"
)

const missingRule = "A missing value is left out: of what is learned, and of the answer."

// NaiveComponent is the catalogue entry of naive Bayes with a distribution for each kind of column.
var NaiveComponent = models.Component{
	Name: "naive_bayes", Kind: models.ModelKind, Tasks: classification, Fold: 1,
	Bounds: sharedBound,
	Doc:    "Naive Bayes, mixed by the kind of column: normal distributions for numbers, shares for categories and, for the numbers named in `flags`, the share of values above `threshold`. " + missingRule,
	Params: []models.Param{
		{Name: "flags", Default: []string(nil), Doc: "numeric columns that are yes (above the threshold) or no"},
		thresholdParam, alphaParam, maxCategoriesParam,
	},
	Cost: "O(columns · classes)", Memory: "32 bytes per numeric column and class, 16 per flag and class, 8 per value of a category and class",
	Source: "Duda & Hart 1973; Welford 1962; John & Langley 1995",
	NewModel: func(a models.Args, env models.Env) (models.Learner, error) {
		marks := make([]bool, len(env.Schema.Columns))
		if names := a.Texts("flags"); len(names) > 0 {
			var err error
			if marks, err = models.SelectColumns(env, names, true); err != nil {
				return nil, err
			}
		}
		return newNaive(env, marks, a)
	},
}

// GaussianComponent is the catalogue entry of Gaussian naive Bayes.
var GaussianComponent = models.Component{
	Name: "gaussian_nb", Kind: models.ModelKind, Tasks: classification, Fold: 1,
	Bounds: sharedBound,
	Doc: "Gaussian naive Bayes: each numeric column is normal within a class, each categorical one has shares. A column that has not varied in a class speaks against it with e^−30 where the value is another. " +
		missingRule,
	Params: []models.Param{alphaParam, maxCategoriesParam},
	Cost:   "O(columns · classes)", Memory: "32 bytes per numeric column and class, 8 per value of a category and class",
	Source: "Duda & Hart 1973; Welford 1962",
	NewModel: func(a models.Args, env models.Env) (models.Learner, error) {
		return newNaive(env, make([]bool, len(env.Schema.Columns)), a)
	},
}

var thresholdParam = models.Param{Name: "threshold", Default: 0.0, Doc: "a flag is yes above it"}

// BernoulliComponent is the catalogue entry of Bernoulli naive Bayes.
var BernoulliComponent = models.Component{
	Name: "bernoulli_nb", Kind: models.ModelKind, Tasks: classification, Fold: 1,
	Bounds: sharedBound,
	Doc:    "Bernoulli naive Bayes: each numeric column is yes (above `threshold`) or no, and a no counts as much as a yes; each categorical column has shares. " + missingRule,
	Params: []models.Param{thresholdParam, alphaParam, maxCategoriesParam},
	Cost:   "O(columns · classes)", Memory: "16 bytes per numeric column and class, 8 per value of a category and class",
	Source: "McCallum & Nigam 1998, section 2.1",
	NewModel: func(a models.Args, env models.Env) (models.Learner, error) {
		marks, err := models.SelectColumns(env, nil, true)
		if err != nil {
			return nil, err
		}
		return newNaive(env, marks, a)
	},
}

func newNaive(env models.Env, flags []bool, a models.Args) (models.Learner, error) {
	threshold := 0.0
	for i, f := range flags {
		flags[i] = f && env.Schema.Columns[i].Kind == features.Numeric
	}
	if slices.Contains(flags, true) {
		threshold = a.Float("threshold")
	}
	m, err := NewNaive(env, Config{Flags: flags, Threshold: threshold, Alpha: a.Float("alpha"), MaxCategories: a.Int("max_categories")})
	if err != nil {
		return nil, err
	}
	return m, nil
}

// Config are the parameters of a naive Bayes classifier.
type Config struct {
	Flags         []bool  // by column of the schema: a number that is yes or no; shorter: no flags
	Threshold     float64 // a flag is yes above it
	Alpha         float64 // > 0, added to every count
	MaxCategories int     // ≥ 2
}

// cell is the normal distribution of one column in one class: Welford's recurrence (1962), West's weights (1979).
type cell struct {
	n, mean, squares float64
	inverse          float64 // derived: 1/variance, 0: no spread yet
}

// Variances outside of these count as no spread and as the greatest one, so that products of a few densities stay finite.
const (
	leastVariance = 1e-60
	mostVariance  = 1e60
)

// invert derives the inverse of the variance, squares/(n − 1).
func (g *cell) invert() {
	g.inverse = 0
	if g.n > 1 && g.squares > leastVariance*(g.n-1) {
		g.inverse = max((g.n-1)/g.squares, 1/mostVariance)
	}
}

// flag counts one column of yes and no in one class.
type flag struct{ n, yes float64 }

// known is what a learner and its snapshots answer from.
type known struct {
	task    models.Task
	classes int
	alpha   float64
	limit   float64 // threshold of flags
	width   int     // columns of the schema
	numbers []int   // the columns of each kind
	flagged []int
	nominal []int
	weight  []float64          // by class
	bias    []float64          // derived: log of the weight and of the densities' factors; NaN where a column has no spread
	cells   cow.Pages[cell]    // page: class, element: place in numbers
	flags   cow.Pages[flag]    // the same of flagged
	shares  cow.Pages[float64] // page: place in nominal, element: place of the value × class
	totals  cow.Pages[float64] // the same of nominal: weight by class
	values  []dictionary       // by place in nominal
}

// Naive is a naive Bayes classifier. It implements models.Learner and models.Publisher.
type Naive struct{ known }

// NewNaive returns an empty classifier, or an error if the task is no classification.
func NewNaive(env models.Env, cfg Config) (*Naive, error) {
	classes, err := prepare(env)
	if err != nil {
		return nil, err
	}
	m := &Naive{known{task: env.Task, classes: classes, alpha: cfg.Alpha, limit: cfg.Threshold, width: len(env.Schema.Columns),
		weight: make([]float64, classes), bias: make([]float64, classes)}}
	for i, c := range env.Schema.Columns {
		switch {
		case c.Kind == features.Categorical:
			m.nominal = append(m.nominal, i)
			m.values = append(m.values, newDictionary(max(2, cfg.MaxCategories)))
		case i < len(cfg.Flags) && cfg.Flags[i]:
			m.flagged = append(m.flagged, i)
		default:
			m.numbers = append(m.numbers, i)
		}
	}
	m.cells, m.flags = cow.New[cell](classes, len(m.numbers)), cow.New[flag](classes, len(m.flagged))
	m.shares, m.totals = cow.New[float64](len(m.nominal), 0), cow.New[float64](len(m.nominal), classes)
	return m, nil
}

// Predict appends P(Y = 1), or one probability for each class: equal ones before anything was learned. It does not
// allocate if dst has room for two numbers or one per class.
func (m *Naive) Predict(dst []float64, e *models.Example) []float64 { return m.known.predict(dst, e) }

// Observe does nothing.
func (m *Naive) Observe(*models.Example) {}

// Learn counts the example in its class. An example without a class or with a weight of 0 or above 1e100 changes nothing.
func (m *Naive) Learn(e *models.Example, _ []float64) {
	y, ok := usable(e, m.classes)
	if !ok {
		return
	}
	w := e.Weight
	m.weight[y] += w
	dense := e.Index == nil && len(e.Value) >= m.width
	if len(m.numbers) > 0 {
		m.learnNumbers(e, y, dense)
	}
	if len(m.flagged) > 0 {
		page := m.flags.Own(y)
		for j, column := range m.flagged {
			if x := value(e, column, dense); x == x {
				page[j].n += w
				if x > m.limit {
					page[j].yes += w
				}
			}
		}
	}
	for k, column := range m.nominal {
		if x := value(e, column, dense); x == x {
			m.count(k, m.values[k].place(x), y, w)
		}
	}
	m.measure(y)
}

func value(e *models.Example, column int, dense bool) float64 {
	if dense {
		return e.Value[column]
	}
	return e.At(column)
}

func (m *Naive) learnNumbers(e *models.Example, y int, dense bool) {
	page, w := m.cells.Own(y), e.Weight
	n, rate := 0.0, 0.0 // columns without missing values have one n
	for j, column := range m.numbers {
		x := value(e, column, dense)
		if x != x {
			continue
		}
		if x > limit || x < -limit {
			x = bounded(x)
		}
		g := &page[j]
		g.n += w
		if g.n != n {
			n, rate = g.n, w/g.n
		}
		d := x - g.mean
		g.mean += float64(d * rate)
		g.squares += float64(float64(w*d) * (x - g.mean))
		g.invert()
	}
}

// count adds to the share of a place.
func (m *Naive) count(k, place, y int, w float64) {
	page := m.shares.Own(k)
	if need := (place + 1) * m.classes; need > len(page) {
		page = append(page, make([]float64, need-len(page))...)
		m.shares.Set(k, page)
	}
	page[place*m.classes+y] += w
	m.totals.Own(k)[y] += w
}

// measure derives the bias of a class: one logarithm for the product of the factors of all densities, folded before the
// product can leave the range of a double.
func (k *known) measure(c int) {
	const twoPi = 2 * math.Pi
	product, logs := k.weight[c]*k.weight[c], 0.0
	if product < 1e-200 || product > 1e200 {
		logs, product = 2*math.Log(k.weight[c]), 1
	}
	for _, g := range k.cells.Page(c) {
		product *= g.inverse / twoPi
		if product < 1e-200 || product > 1e200 {
			if g.inverse == 0 {
				k.bias[c] = math.NaN()
				return
			}
			logs, product = logs+math.Log(product), 1
		}
	}
	k.bias[c] = (logs + math.Log(product)) / 2
}

func (k *known) predict(dst []float64, e *models.Example) []float64 {
	from := len(dst)
	dense := e.Index == nil && len(e.Value) >= k.width
	for c, w := range k.weight {
		if w == 0 {
			dst = append(dst, math.Inf(-1))
			continue
		}
		v := k.bias[c]
		if dense {
			squares := 0.0
			page := k.cells.Page(c)
			for j, column := range k.numbers {
				g := &page[j]
				d := e.Value[column] - g.mean
				squares += float64(float64(d*d) * g.inverse)
			}
			v -= squares / 2
		}
		if !dense || v-v != 0 { // sparse, a value is missing or huge, or a column has no spread
			v = k.slowNumbers(e, c)
		}
		dst = append(dst, v)
	}
	votes := dst[from:]
	if len(k.flagged) > 0 {
		k.addFlags(votes, e, dense)
	}
	for j, column := range k.nominal {
		x := value(e, column, dense)
		if x != x {
			continue
		}
		if place := k.values[j].find(x); place >= 0 {
			k.addShares(votes, j, place)
		}
	}
	return appendAnswer(dst, from, k.task)
}

// neverSeen is the log-likelihood of a value in a class that has shown no such thing: another value than the only one,
// or a column without any. Finite, so that one odd column cannot veto a class for good.
const neverSeen = -30

// slowNumbers is the log-vote of class c with a logarithm for each column: for rows that the quick way cannot handle.
func (k *known) slowNumbers(e *models.Example, c int) float64 {
	v := math.Log(k.weight[c])
	for j, column := range k.numbers {
		x := e.At(column)
		if x != x {
			continue
		}
		g := &k.cells.Page(c)[j]
		d := bounded(x) - g.mean
		if g.inverse == 0 {
			if g.n == 0 || d != 0 {
				v += neverSeen
			}
			continue
		}
		v += (math.Log(g.inverse/(2*math.Pi)) - float64(float64(d*d)*g.inverse)) / 2
	}
	return v
}

// addFlags adds the log-shares of the flags, one logarithm for the product of many.
func (k *known) addFlags(votes []float64, e *models.Example, dense bool) {
	for c := range votes {
		product := 1.0
		for j, column := range k.flagged {
			x := value(e, column, dense)
			if x != x {
				continue
			}
			f := &k.flags.Page(c)[j]
			here := f.yes
			if !(x > k.limit) {
				here = max(f.n-f.yes, 0)
			}
			product *= (here + k.alpha) / (f.n + 2*k.alpha)
			if product < 1e-200 {
				votes[c] += math.Log(product)
				product = 1
			}
		}
		votes[c] += math.Log(product)
	}
}

// addShares adds the log-share of a place of the jth categorical column in each class.
func (k *known) addShares(votes []float64, j, place int) {
	page, totals := k.shares.Page(j), k.totals.Page(j)
	places := float64(len(page) / k.classes)
	for c := range votes {
		here := 0.0
		if i := place*k.classes + c; i < len(page) {
			here = page[i]
		}
		votes[c] += math.Log((here + k.alpha) / (totals[c] + float64(k.alpha*places)))
	}
}

// valuesShared is the name of what is counted.
const valuesShared = "values_shared"

var sharedBound = []models.Bound{{What: valuesShared, Doc: "values of categories that were learned in the place that all after max_categories share"}}

// Dropped adds how many values of categories were learned in the place that they share with others.
func (m *Naive) Dropped(d *models.Drops) {
	n := uint64(0)
	for i := range m.values {
		n += m.values[i].lost
	}
	d.Add(valuesShared, n)
}

// State visits weights, distributions and categories.
func (m *Naive) State(s *codec.State) {
	nonNegative(s, "classes of naive Bayes", m.weight)
	s.Fixed("numeric columns of naive Bayes", len(m.numbers))
	s.Fixed("flags of naive Bayes", len(m.flagged))
	s.Fixed("categorical columns of naive Bayes", len(m.nominal))
	for c := range m.classes {
		for j := range m.cells.Own(c) {
			m.cells.Own(c)[j].state(s)
		}
		for j := range m.flags.Own(c) {
			f := &m.flags.Own(c)[j]
			s.Float64(&f.n)
			s.Float64(&f.yes)
			if s.Loading() && !(f.yes >= 0 && f.n >= 0 && f.n <= math.MaxFloat64 && f.yes <= math.MaxFloat64) {
				s.Fail("flag with %v of %v", f.yes, f.n)
				*f = flag{}
			}
		}
	}
	for k := range m.nominal {
		m.values[k].State(s)
		m.stateShares(s, k)
	}
	if s.Loading() {
		for c := range m.classes {
			m.measure(c)
		}
	}
}

func (m *Naive) stateShares(s *codec.State, k int) {
	page := m.shares.Own(k)
	n := s.Len(len(page)/m.classes, 8, m.values[k].room)
	if s.Loading() {
		if n < len(m.values[k].keys) && s.Err() == nil {
			s.Fail("%d categories with %d shares", len(m.values[k].keys), n)
		}
		page = make([]float64, n*m.classes)
		m.shares.Set(k, page)
	}
	for i := range page {
		s.Float64(&page[i])
		if s.Loading() && !(page[i] >= 0 && page[i] <= math.MaxFloat64) {
			s.Fail("share %v", page[i])
			page[i] = 0
		}
	}
	nonNegative(s, "classes of a categorical column", m.totals.Own(k))
}

func (g *cell) state(s *codec.State) {
	s.Float64(&g.n)
	s.Float64(&g.mean)
	s.Float64(&g.squares)
	if s.Loading() {
		if !(g.n >= 0 && g.n <= math.MaxFloat64 && math.Abs(g.mean) <= limit && g.squares >= 0) {
			s.Fail("distribution of weight %v, mean %v, squares %v", g.n, g.mean, g.squares)
			*g = cell{}
		}
		g.invert()
	}
}

// Publish shares the distributions: the next example of a class copies that class's once.
func (m *Naive) Publish() models.Predictor {
	c := m.known
	c.weight, c.bias = slices.Clone(m.weight), slices.Clone(m.bias)
	c.cells, c.flags, c.shares, c.totals = m.cells.Share(), m.flags.Share(), m.shares.Share(), m.totals.Share()
	c.values = make([]dictionary, len(m.values))
	for i := range m.values {
		c.values[i] = m.values[i].share()
	}
	return &snapshot{c}
}

type snapshot struct{ known }

// Predict answers as the model did when it was published.
func (s *snapshot) Predict(dst []float64, e *models.Example) []float64 {
	return s.known.predict(dst, e)
}
