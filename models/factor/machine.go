package factor

import (
	"fmt"
	"math"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/loss"
)

// Components lists the models for the catalogue.
var Components = []models.Component{FTRLComponent,
	machine("factorization_machine", false, 16, 8, "Rendle 2010, equations 1 to 4; steps: Duchi, Hazan and Singer 2011",
		"O(features × rank)", "8 bytes × 2^bits × (1 + rank)",
		"Linear regression or logistic regression plus, for every pair of a row's features, the product of their latent vectors: it learns of pairs that it has never seen together."),
	machine("field_aware_factorization_machine", true, 14, 4, "Juan et al. 2016, §3 with AdaGrad",
		"O(features² × rank)", "8 bytes × 2^bits × (1 + columns × rank)",
		"A factorization machine in which every feature has one latent vector for each column that it may meet."),
}

const maxMachine = 1 << 28 // numbers in a table: 2 GB with their sums

func machine(name string, aware bool, bits, rank int, source, cost, memory, doc string) models.Component {
	b := bitsParam
	b.Default = bits
	return models.Component{
		Name: name, Kind: models.ModelKind, Tasks: []models.Task{models.Binary, models.Regression}, Fold: 1,
		Params: []models.Param{b,
			{Name: "rank", Default: rank, Range: models.Between(1, 256), Doc: "length of a latent vector"},
			{Name: "learning_rate", Default: 0.1, Range: models.Above(0), Doc: "of AdaGrad, for every number by itself"},
			{Name: "l2", Default: 0.00002, Range: models.AtLeast(0), Doc: "penalty l2/2 on the squares of what a row uses"},
			{Name: "spread", Default: 0.1, Range: models.AtLeast(0), Doc: "latent numbers begin within ±spread/√rank, drawn by seed and place"},
		},
		Cost: cost, Memory: memory, Source: source,
		Doc: doc + " Binary labels by the logistic loss, numbers by the squared one (put target_transform around it). A feature counts in pairs from its first label on. A missing value adds nothing. The table never grows; features that share a place share its numbers.",
		NewModel: func(a models.Args, env models.Env) (models.Learner, error) {
			o := MachineOptions{Bits: a.Int("bits"), Rank: a.Int("rank"), Rate: a.Float("learning_rate"), L2: a.Float("l2"), Spread: a.Float("spread"), FieldAware: aware}
			if n := o.stride(len(env.Schema.Columns)) << o.Bits; n > maxMachine {
				return nil, models.SpecErrors{{Path: name, Reason: fmt.Sprintf("a table of %d numbers, at most %d", n, maxMachine), Mend: "fewer bits or a lower rank"}}
			}
			return NewMachine(env, o), nil
		},
	}
}

// MachineOptions are the parameters of Machine; see the catalogue for their ranges.
type MachineOptions struct {
	Bits, Rank       int
	Rate, L2, Spread float64
	FieldAware       bool
}

func (o *MachineOptions) stride(columns int) int {
	if o.FieldAware {
		return 1 + columns*o.Rank
	}
	return 1 + o.Rank
}

// Machine is a factorization machine, field-aware or not.
type Machine struct {
	machineShape
	seed    uint64
	numbers []float32 // per place: weight, latent vectors
	sums    []float32 // squared gradients of each; a place was learned if the sum of its weight is > 0
	bias    [2]float64
	pages   *pages
	row     []feature
	sum     []float64 // scratch: Σ v·x per rank
}

type machineShape struct {
	MachineOptions
	fields
	columns int
	per     int // numbers per place
	mask    uint32
	binary  bool
}

// NewMachine returns the model for the columns and the task of env: Binary or Regression.
func NewMachine(env models.Env, o MachineOptions) *Machine {
	columns := len(env.Schema.Columns)
	per := o.stride(columns)
	return &Machine{machineShape: machineShape{MachineOptions: o, fields: newFields(env.Schema), columns: columns, per: per, mask: uint32(1<<o.Bits - 1), binary: env.Task == models.Binary},
		seed: env.Seed, numbers: make([]float32, per<<o.Bits), sums: make([]float32, per<<o.Bits), pages: newPages(per << o.Bits), sum: make([]float64, o.Rank)}
}

// score is the machine's equation over numbers that at finds.
func (m *machineShape) score(fs []feature, sum []float64, bias float64, at func(i int) float32) float64 {
	p := bias
	for i := range fs {
		p += float64(float64(at(m.place(&fs[i]))) * fs[i].x)
	}
	if m.FieldAware {
		for i := range fs {
			for j := range fs[:i] {
				a, b := m.latent(&fs[i], fs[j].field), m.latent(&fs[j], fs[i].field)
				dot := 0.0
				for f := range m.Rank {
					dot += float64(float64(at(a+f)) * float64(at(b+f)))
				}
				p += float64(dot * float64(fs[i].x*fs[j].x))
			}
		}
		return p
	}
	for f := range m.Rank {
		s, square := 0.0, 0.0
		for i := range fs {
			v := float64(float64(at(m.place(&fs[i])+1+f)) * fs[i].x)
			s += v
			square += float64(v * v)
		}
		if sum != nil {
			sum[f] = s
		}
		p += float64(0.5 * (float64(s*s) - square))
	}
	return p
}

func (m *machineShape) place(f *feature) int { return int(uint32(f.hash)&m.mask) * m.per }

// latent is where the vector of a feature for another field begins.
func (m *machineShape) latent(f *feature, other uint32) int {
	return m.place(f) + 1 + int(other)*m.Rank
}

func (m *machineShape) answer(p float64) float64 {
	if m.binary {
		return loss.Sigmoid(p)
	}
	if math.IsNaN(p) || math.IsInf(p, 0) {
		return 0
	}
	return p
}

func (m *Machine) now(i int) float32 { return m.numbers[i] }

// Predict appends the answer.
func (m *Machine) Predict(dst []float64, e *models.Example) []float64 {
	m.row = m.read(m.row[:0], &e.Row)
	return append(dst, m.answer(m.score(m.row, nil, m.bias[0], m.now)))
}

// Observe does nothing.
func (m *Machine) Observe(*models.Example) {}

// Learn takes one AdaGrad step in all that the row uses.
func (m *Machine) Learn(e *models.Example, _ []float64) {
	if e.Weight == 0 {
		return
	}
	m.row = m.read(m.row[:0], &e.Row)
	for i := range m.row {
		m.begin(m.place(&m.row[i]))
	}
	p := m.score(m.row, m.sum, m.bias[0], m.now)
	g := p - e.Y
	if m.binary {
		y := 0.0
		if e.Y > 0.5 {
			y = 1
		}
		g = loss.Sigmoid(p) - y
	}
	g *= e.Weight
	if g = max(-1e6, min(1e6, g)); g != g {
		return
	}
	m.bias[1] += float64(g * g)
	if m.bias[1] > 0 {
		m.bias[0] -= m.Rate * g / math.Sqrt(m.bias[1])
	}
	if m.FieldAware {
		m.learnAware(g)
	} else {
		m.learnPlain(g)
	}
}

// begin draws the latent numbers of a place at its first label.
func (m *Machine) begin(at int) {
	if m.sums[at] > 0 {
		return
	}
	m.sums[at] = math.SmallestNonzeroFloat32
	width := m.Spread / math.Sqrt(float64(m.Rank))
	for i := at + 1; i < at+m.per; i++ {
		u := float64(features.Mix(m.seed+uint64(i)*0x9e3779b97f4a7c15)>>11) / (1 << 53)
		m.numbers[i] = float32(width * (2*u - 1))
	}
	for i := at; i < at+m.per; i++ {
		m.pages.mark(uint32(i))
	}
}

// step moves one number against its gradient.
func (m *Machine) step(at int, g float64) {
	w := float64(m.numbers[at])
	g += float64(m.L2 * w)
	if g == 0 || g != g {
		return
	}
	sum := min(float64(m.sums[at])+float64(g*g), math.MaxFloat32)
	m.sums[at] = float32(sum)
	if sum = float64(m.sums[at]); sum > 0 {
		m.numbers[at] = float32(max(-1e15, min(1e15, w-m.Rate*g/math.Sqrt(sum))))
		m.pages.mark(uint32(at))
	}
}

// learnPlain: ∂/∂v_if = x_i (Σ_j v_jf x_j − v_if x_i), with the sums as they were.
func (m *Machine) learnPlain(g float64) {
	for i := range m.row {
		f, at := &m.row[i], m.place(&m.row[i])
		m.step(at, g*f.x)
		for k := range m.Rank {
			v := float64(m.numbers[at+1+k])
			m.step(at+1+k, g*f.x*(m.sum[k]-float64(v*f.x)))
		}
	}
}

// learnAware: ∂/∂v_i,field(j) = x_i x_j v_j,field(i); both vectors of a pair move from what they were.
func (m *Machine) learnAware(g float64) {
	for i := range m.row {
		m.step(m.place(&m.row[i]), g*m.row[i].x)
		for j := range m.row[:i] {
			a, b := m.latent(&m.row[i], m.row[j].field), m.latent(&m.row[j], m.row[i].field)
			both := g * m.row[i].x * m.row[j].x
			for f := range m.Rank {
				va, vb := float64(m.numbers[a+f]), float64(m.numbers[b+f])
				m.step(a+f, both*vb)
				m.step(b+f, both*va)
			}
		}
	}
}

// State visits the places that were learned.
func (m *Machine) State(s *codec.State) {
	s.Float64(&m.bias[0])
	s.Float64(&m.bias[1])
	if !(m.bias[1] >= 0) || math.IsNaN(m.bias[0]) || math.IsInf(m.bias[0], 0) {
		s.Fail("factorization machine: intercept %v, sum %v", m.bias[0], m.bias[1])
		m.bias = [2]float64{}
	}
	s.Fixed("numbers per place", m.per)
	visitCells(s, "places of the factorization machine", len(m.numbers)/m.per, func(i int) bool { return m.sums[i*m.per] > 0 }, func(i int) {
		for k := i * m.per; k < (i+1)*m.per; k++ {
			visitFloat32(s, &m.numbers[k])
			visitFloat32(s, &m.sums[k])
			if !(m.sums[k] >= 0) {
				s.Fail("factorization machine: sum %v", m.sums[k])
				m.sums[k] = 0
			}
		}
	}, func() { clear(m.numbers); clear(m.sums) })
	if s.Loading() {
		m.pages.reset(func(k int) bool {
			for i := k << lineBits; i < min(len(m.numbers), (k+1)<<lineBits); i++ {
				if m.numbers[i] != 0 {
					return true
				}
			}
			return false
		})
	}
}

// Publish shares with the version before all that was not learned since.
func (m *Machine) Publish() models.Predictor {
	return &machineSnapshot{machineShape: m.machineShape, bias: m.bias[0], table: m.pages.publish(m.now)}
}

type machineSnapshot struct {
	machineShape
	bias  float64
	table version
}

func (m *machineSnapshot) at(i int) float32 { return m.table.at(uint32(i)) }

// Predict appends the answer.
func (m *machineSnapshot) Predict(dst []float64, e *models.Example) []float64 {
	buf := rows.Get().(*[]feature)
	fs := m.read((*buf)[:0], &e.Row)
	dst = append(dst, m.answer(m.score(fs, nil, m.bias, m.at)))
	*buf = fs
	rows.Put(buf)
	return dst
}
