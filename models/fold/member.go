package fold

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"math"
	"slices"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/metric"
)

// foldVersion is raised when the fold's arithmetic, order or state changes. Version 1 did not say when detectors spoke.
const foldVersion = 2

// maxMonths bounds the calendar months that scores are kept for; the oldest go first.
const maxMonths = 120

type member struct {
	spec    *Member
	learner models.Learner
	frozen  bool
	pending map[uint64][]float64 // answers by Seq of their predict entry, until learn or close
	free    [][]float64
	seq     uint64 // of the newest entry
	learned uint64
	until   int64 // newest event time of a learned label
	scores  *metric.Set
	months  *metric.Periods
	listed  []Month // months as they were last asked for
	loss    lossWatch
	drifts  uint64 // changes that the detector on the loss has seen
	spoken  spoken // when it spoke
	guard   guard
	good    *Snapshot // the last one that the guard let pass
	width   int
	whole   bool // Columns are the first ones of the union, in their order: its vector is the row
	columns int
	row     []float64
	example models.Example
	told    func(*Scoring)
	scoring Scoring // reused
}

func newMember(spec *Member, union *features.Schema) (*member, error) {
	l, err := spec.Build(spec.Schema(union))
	if err != nil {
		return nil, err
	}
	whole := len(spec.Columns) > 0 && spec.Columns[len(spec.Columns)-1] == len(spec.Columns)-1 // they increase
	return &member{spec: spec, whole: whole, columns: len(spec.Columns), learner: l, pending: map[uint64][]float64{}, until: features.NoTime,
		scores: spec.Scores(), months: spec.Months(maxMonths), loss: newLossWatch(spec.Detector), spoken: silent(), width: spec.AnswerLen()}, nil
}

func (m *member) apply(e *Entry, told Answer) {
	switch e.Kind {
	case Predict:
		m.load(e)
		answer := m.predict(&m.example, e)
		if told != nil {
			told(m.spec, e, answer)
		}
	case Learn:
		if m.spec.Label == int(e.Label) {
			m.learn(e)
		}
	case Close:
		if m.spec.Label == int(e.Label) {
			m.forget(e.Ref)
		}
	case Control:
		m.control(e)
	}
	m.seq = e.Seq
}

// load projects the vector of e on the member's columns.
func (m *member) load(e *Entry) {
	row := e.Vector
	if !m.whole || len(row) != m.columns {
		m.row = m.row[:0]
		for _, c := range m.spec.Columns {
			v := math.NaN()
			if c < len(e.Vector) {
				v = e.Vector[c]
			}
			m.row = append(m.row, v)
		}
		row = m.row
	}
	m.example = models.Example{Row: models.Row{Value: row}, Key: m.spec.Key(e.Vector, e.Key), Time: e.Time, Weight: 1}
	if e.Kind == Learn {
		m.example.Y, m.example.Time = e.Y, e.Taken
	}
}

func (m *member) stopped(t int64) bool {
	return m.frozen || m.spec.LearnUntil != 0 && t >= m.spec.LearnUntil
}

func (m *member) predict(x *models.Example, e *Entry) []float64 {
	var buf []float64
	if n := len(m.free); n > 0 {
		buf, m.free = m.free[n-1], m.free[:n-1]
	}
	answer := m.learner.Predict(buf[:0], x)
	if m.spec.Task != models.Forecast { // a forecast of a series that is not known yet is missing, which says nothing of the model
		m.guard.answer(answer[:m.width])
	}
	if !m.stopped(e.Time) {
		m.learner.Observe(x)
	}
	if e.Flags&NotLearned != 0 || e.ID == "" || m.spec.Label < 0 {
		m.free = append(m.free, answer)
		return answer[:m.width]
	}
	m.pending[e.Seq] = answer
	return answer[:m.width]
}

func (m *member) learn(e *Entry) {
	past := m.pending[e.Ref]
	if past != nil && e.Flags&Correction == 0 && finite(past[:m.width]) {
		m.score(e.Y, past[:m.width], e)
	}
	if !m.stopped(e.Time) {
		m.load(e)
		m.learner.Learn(&m.example, past)
		m.learned++
		m.until = max(m.until, e.Time)
	}
	if e.Flags&Final != 0 {
		m.forget(e.Ref)
	}
}

func (m *member) score(y float64, past []float64, e *Entry) {
	m.scores.Add(y, past, 1)
	m.months.Add(e.Taken, y, past, 1)
	l := lossOf(m.spec.Task, y, past)
	m.guard.loss(l)
	changed := m.loss.update(m.spec.Task, y, past, l)
	if changed {
		m.drifts++
	}
	warned := m.spoken.hear(m.loss.detector(), changed, e.Taken)
	if m.told != nil {
		m.scoring = Scoring{Model: m.spec, Seq: e.Seq, Taken: e.Taken, Y: y, Loss: l, Answer: past, Changed: changed, Warned: warned, Rose: (changed || warned) && m.loss.detector().Rose()}
		m.told(&m.scoring)
	}
}

func (m *member) forget(ref uint64) {
	if a, ok := m.pending[ref]; ok {
		delete(m.pending, ref)
		m.free = append(m.free, a)
	}
}

func (m *member) control(e *Entry) {
	if e.ID != "" && e.ID != m.spec.Name {
		return
	}
	switch e.Verb {
	case "freeze":
		m.frozen = true
	case "thaw":
		m.frozen = false
	}
}

func finite(v []float64) bool {
	for _, x := range v {
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return false
		}
	}
	return true
}

func (m *member) state(s *codec.State, version int) {
	name := m.spec.Name
	s.Text(&name)
	print := m.spec.Fingerprint
	s.Uint64(&print)
	if s.Loading() && (name != m.spec.Name || print != m.spec.Fingerprint) {
		s.Fail("state of model %q with another pipeline than %q", name, m.spec.Name)
		return
	}
	m.learner.State(s)
	m.statePending(s)
	s.Bool(&m.frozen)
	s.Uint64(&m.seq)
	s.Uint64(&m.learned)
	s.Int64(&m.until)
	m.guard.state(s)
	m.stateScores(s)
	if version > 1 {
		m.spoken.state(s)
	} else if s.Loading() {
		m.spoken.guess(m.loss.detector(), m.loss.rose())
	}
}

func (m *member) statePending(s *codec.State) {
	seqs := slices.Sorted(maps.Keys(m.pending))
	s.Uint64s(&seqs)
	if s.Loading() {
		m.pending = make(map[uint64][]float64, len(seqs))
	}
	for _, seq := range seqs {
		a := m.pending[seq]
		s.Float64s(&a)
		if len(a) < m.width {
			s.Fail("pending answer of %d numbers", len(a))
		}
		if s.Err() != nil {
			return
		}
		m.pending[seq] = a
	}
}

func (m *member) stateScores(s *codec.State) {
	m.scores.State(s)
	m.months.State(s)
	m.loss.state(s)
	s.Uint64(&m.drifts)
}

// Hashes are the SHA-256 sums that attest a member at a place of the log.
type Hashes struct {
	Weights string // the learner's state
	Scores  string // the scores and the answers that wait for a label
}

// Hashes returns the sums of the named member, and false if there is none. Cost: a pass over its state.
func (f *Fold) Hashes(name string) (Hashes, bool) {
	m := f.find(name)
	if m == nil {
		return Hashes{}, false
	}
	w := codec.Saver(nil)
	m.learner.State(w)
	c := codec.Saver(nil)
	m.statePending(c)
	m.stateScores(c)
	return Hashes{Weights: sum(w.Bytes()), Scores: sum(c.Bytes())}, true
}

func sum(b []byte) string {
	h := sha256.Sum256(b)
	return hex.EncodeToString(h[:])
}
