package factor

import (
	"fmt"
	"math"
	"sync"

	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/loss"
)

// Greatest numbers of columns that are crossed: 130,816 pairs, 41,664 triples a row.
const (
	maxQuadratic = 512
	maxCubic     = 64
)

var bitsParam = models.Param{Name: "bits", Default: 18, Range: models.Between(4, 26), Unit: "bits", Doc: "the table has 2^bits places"}

// FTRLComponent is the catalogue entry of FTRL.
var FTRLComponent = models.Component{
	Name: "hashed_ftrl", Kind: models.ModelKind, Tasks: []models.Task{models.Binary}, Fold: 1,
	Params: []models.Param{bitsParam,
		{Name: "alpha", Default: 0.05, Range: models.Above(0), Doc: "rate alpha / (beta + √Σg²) of a place"},
		{Name: "beta", Default: 1.0, Range: models.AtLeast(0), Doc: "keeps the first steps short"},
		{Name: "l1", Default: 0.0, Range: models.AtLeast(0), Doc: "weights whose summed gradients stay within it are exactly 0"},
		{Name: "l2", Default: 1.0, Range: models.AtLeast(0), Doc: "draws weights to 0"},
		{Name: "crosses", Default: "none", Choices: []string{"none", "quadratic", "cubic"}, Doc: "quadratic: every pair of a row's features is a feature too; cubic: every triple as well"},
		{Name: "cross_columns", Default: []string(nil), Doc: "the columns that are crossed; none: all"},
	},
	Cost: "O(features), O(features²) with quadratic, O(features³) with cubic crosses", Memory: "12 bytes × 2^bits, and up to 10 bytes × 2^bits for snapshots",
	Source: "McMahan et al. 2013, algorithm 1; hashing: Weinberger et al. 2009",
	Doc: "Logistic regression over hashed features, by FTRL-Proximal, for rows of many categories such as clicks. Crosses are hashed as they are met and never stored. " +
		"A missing value adds nothing. The table never grows; features that share a place share a weight.",
	NewModel: func(a models.Args, env models.Env) (models.Learner, error) {
		order := 1
		switch a.Text("crosses") {
		case "quadratic":
			order = 2
		case "cubic":
			order = 3
		}
		o := FTRLOptions{Bits: a.Int("bits"), Alpha: a.Float("alpha"), Beta: a.Float("beta"), L1: a.Float("l1"), L2: a.Float("l2"), Order: order}
		crossed := len(env.Schema.Columns)
		if names := a.Texts("cross_columns"); len(names) > 0 {
			marks, err := models.SelectColumns(env, names, false)
			if err != nil {
				return nil, err
			}
			o.Cross, crossed = marks, len(names)
		}
		if limit := map[int]int{2: maxQuadratic, 3: maxCubic}[order]; order > 1 && crossed > limit {
			return nil, models.SpecErrors{{Path: "crosses", Reason: fmt.Sprintf("%d columns, at most %d can be crossed", crossed, limit), Mend: "name some in cross_columns"}}
		}
		return NewFTRL(env, o), nil
	},
}

// FTRLOptions are the parameters of FTRL; see the catalogue for their ranges.
type FTRLOptions struct {
	Bits                int
	Alpha, Beta, L1, L2 float64
	Order               int    // 1: no crosses, 2: pairs, 3: triples too
	Cross               []bool // columns that are crossed; nil: all
}

// FTRL is logistic regression over hashed features and their crosses.
type FTRL struct {
	ftrlShape
	cells []ftrlCell
	pages *pages
	row   []feature
}

// ftrlShape is what learner and snapshots share.
type ftrlShape struct {
	FTRLOptions
	fields
	mask uint32
}

type ftrlCell struct{ w, z, n float32 }

// NewFTRL returns the model for the columns of env.
func NewFTRL(env models.Env, o FTRLOptions) *FTRL {
	n := 1 << o.Bits
	return &FTRL{ftrlShape: ftrlShape{FTRLOptions: o, fields: newFields(env.Schema), mask: uint32(n - 1)}, cells: make([]ftrlCell, n), pages: newPages(n)}
}

// intercept is the hash of the feature that every row has.
const intercept = 0x51_7c_c1_b7_27_22_0a_95

// arrange puts the features that are crossed first and returns their number.
func (m *ftrlShape) arrange(fs []feature) int {
	if m.Order == 1 || m.Cross == nil {
		return len(fs)
	}
	n := 0
	for i := range fs {
		if m.Cross[fs[i].field] {
			fs[i], fs[n] = fs[n], fs[i]
			n++
		}
	}
	return n
}

// walk meets every feature and every cross once: it adds up weights or, with learn, moves them by the gradient g of the score.
func (m *FTRL) walk(fs []feature, learn bool, g float64) float64 {
	sum := m.visit(intercept, 1, learn, g)
	n := m.arrange(fs)
	for i := range fs {
		a := &fs[i]
		sum += m.visit(a.hash, a.x, learn, g)
		if m.Order == 1 || i >= n {
			continue
		}
		for j := range fs[:i] {
			b := &fs[j]
			h, x := meet(a.hash, b.hash), a.x*b.x
			sum += m.visit(h, x, learn, g)
			if m.Order == 2 {
				continue
			}
			for k := range fs[:j] {
				sum += m.visit(meet(h, fs[k].hash), x*fs[k].x, learn, g)
			}
		}
	}
	return sum
}

func (m *FTRL) visit(hash uint64, x float64, learn bool, g float64) float64 {
	at := uint32(hash) & m.mask
	c := &m.cells[at]
	if !learn {
		return float64(float64(c.w) * x)
	}
	g *= x
	if g == 0 {
		return 0
	}
	n := float64(c.n)
	before := math.Sqrt(n)
	n = min(n+float64(g*g), math.MaxFloat32)
	root := math.Sqrt(n)
	z := float64(c.z) + (g - float64((root-before)/m.Alpha*float64(c.w)))
	z = max(-math.MaxFloat32, min(math.MaxFloat32, z))
	c.n, c.z, c.w = float32(n), float32(z), 0
	if math.Abs(z) > m.L1 {
		c.w = float32(-(z - math.Copysign(m.L1, z)) / ((m.Beta+root)/m.Alpha + m.L2))
	}
	m.pages.mark(at)
	return 0
}

// Predict appends P(Y = 1).
func (m *FTRL) Predict(dst []float64, e *models.Example) []float64 {
	m.row = m.read(m.row[:0], &e.Row)
	return append(dst, loss.FastSigmoid(m.walk(m.row, false, 0)))
}

// Observe does nothing.
func (m *FTRL) Observe(*models.Example) {}

// Learn takes one step; a gradient is at most 10^6 in weight.
func (m *FTRL) Learn(e *models.Example, _ []float64) {
	if e.Weight == 0 {
		return
	}
	y := 0.0
	if e.Y > 0.5 {
		y = 1
	}
	m.row = m.read(m.row[:0], &e.Row)
	g := min(e.Weight, 1e6) * (loss.FastSigmoid(m.walk(m.row, false, 0)) - y)
	m.walk(m.row, true, g)
}

// State visits the places that were learned.
func (m *FTRL) State(s *codec.State) {
	visitCells(s, "places of hashed_ftrl", len(m.cells), func(i int) bool { return m.cells[i].n != 0 }, func(i int) {
		c := &m.cells[i]
		visitFloat32(s, &c.w)
		visitFloat32(s, &c.z)
		visitFloat32(s, &c.n)
		if !(c.n > 0) {
			s.Fail("hashed_ftrl: place %d has the sum %v", i, c.n)
		}
	}, func() { clear(m.cells) })
	if s.Loading() {
		m.pages.reset(func(k int) bool {
			for _, c := range m.cells[k<<lineBits : min(len(m.cells), (k+1)<<lineBits)] {
				if c.n != 0 {
					return true
				}
			}
			return false
		})
	}
}

// visitCells visits those of n cells that are used, with their places, in order.
func visitCells(s *codec.State, name string, n int, used func(i int) bool, visit func(i int), empty func()) {
	s.Fixed(name, n)
	if s.Loading() {
		empty()
		for at := -1; s.Err() == nil; {
			var i uint32
			s.Uint32(&i)
			if i == math.MaxUint32 || s.Err() != nil {
				return
			}
			if int(i) >= n || int(i) <= at {
				s.Fail("%s: place %d after %d of %d", name, i, at, n)
				return
			}
			at = int(i)
			visit(at)
		}
		return
	}
	for i := range n {
		if used(i) {
			at := uint32(i)
			s.Uint32(&at)
			visit(i)
		}
	}
	end := uint32(math.MaxUint32)
	s.Uint32(&end)
}

func visitFloat32(s *codec.State, x *float32) {
	b := math.Float32bits(*x)
	s.Uint32(&b)
	*x = math.Float32frombits(b)
	if *x != *x || math.IsInf(float64(*x), 0) {
		s.Fail("a number that is not finite")
		*x = 0
	}
}

// Publish shares with the version before all that was not learned since.
func (m *FTRL) Publish() models.Predictor {
	f := &ftrlSnapshot{ftrlShape: m.ftrlShape, table: m.pages.publish(func(i int) float32 { return m.cells[i].w })}
	return f
}

// rows is scratch for snapshots.
var rows = sync.Pool{New: func() any { return new([]feature) }}

type ftrlSnapshot struct {
	ftrlShape
	table version
}

func (m *ftrlSnapshot) at(hash uint64, x float64) float64 {
	return float64(float64(m.table.at(uint32(hash)&m.mask)) * x)
}

// Predict appends P(Y = 1).
func (m *ftrlSnapshot) Predict(dst []float64, e *models.Example) []float64 {
	buf := rows.Get().(*[]feature)
	fs := m.read((*buf)[:0], &e.Row)
	sum := m.at(intercept, 1)
	n := m.arrange(fs)
	for i := range fs {
		a := &fs[i]
		sum += m.at(a.hash, a.x)
		if m.Order == 1 || i >= n {
			continue
		}
		for j := range fs[:i] {
			h, x := meet(a.hash, fs[j].hash), a.x*fs[j].x
			sum += m.at(h, x)
			if m.Order == 2 {
				continue
			}
			for k := range fs[:j] {
				sum += m.at(meet(h, fs[k].hash), x*fs[k].x)
			}
		}
	}
	*buf = fs
	rows.Put(buf)
	return append(dst, loss.FastSigmoid(sum))
}
