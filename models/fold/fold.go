package fold

import (
	"fmt"
	"math"
	"slices"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/drift"
)

// Member is one model of a trigger: the champion, a challenger or a baseline. All see the same
// examples, each through its own columns.
type Member struct {
	Name       string
	Of         string // the model that it challenges; its own name for a champion
	Task       models.Task
	Classes    []string // of a classifier with declared classes
	Label      int      // which label of the trigger it learns
	Columns    []int    // slots of the union vector that it sees; strictly increasing
	LearnUntil int64    // event time from which it neither observes nor learns; 0: never
	Baseline   bool
	// Build makes a fresh learner for the columns of the member.
	Build func(schema *features.Schema) (models.Learner, error)
	// Fingerprint names the pipeline with all its parameters and fold versions.
	Fingerprint uint64
}

// Schema returns the schema of the member's columns of the union vector.
func (m *Member) Schema(union *features.Schema) *features.Schema {
	s := &features.Schema{Columns: make([]features.Column, len(m.Columns))}
	for i, c := range m.Columns {
		s.Columns[i] = union.Columns[c]
	}
	return s
}

// Answer is told of each answer at a predict entry; it borrows everything.
type Answer func(m *Member, e *Entry, answer []float64)

// Fold is the state of a set of members at a place of an example log.
type Fold struct {
	members  []*member
	position uint64 // Seq of the next entry
	row      []float64
	example  models.Example
	answer   Answer
	psi      *drift.PSI // of the union vector; nil: not watched
}

// Watch makes the fold compare the distribution of every column of the union vector with a frozen reference of the
// first examples. Where several folds share a log, one watches. Call it before the first entry.
func (f *Fold) Watch(union *features.Schema) { f.psi = drift.NewPSI(union, drift.PSIConfig{}) }

// Drift returns what the last finished window says of each column; nil before that, or when the fold does not watch.
func (f *Fold) Drift() []drift.Score {
	if f.psi == nil || !f.psi.Frozen() || f.psi.Windows() == 0 {
		return nil
	}
	return f.psi.Scores(nil)
}

// New returns the fold of these members at the beginning of the log. Errors name the member whose
// pipeline cannot be built.
func New(union *features.Schema, members []Member) (*Fold, error) {
	f := &Fold{}
	for i := range members {
		m, err := newMember(&members[i], union)
		if err != nil {
			return nil, fmt.Errorf("model %s: %w", members[i].Name, err)
		}
		f.members = append(f.members, m)
	}
	return f, nil
}

// OnAnswer sets what is told of each answer; nil: nobody.
func (f *Fold) OnAnswer(a Answer) { f.answer = a }

// Position returns the Seq of the next entry.
func (f *Fold) Position() uint64 { return f.position }

// Apply folds one entry. Entries come in the order of their Seq; one that is missing is an error, and
// one before the position is skipped.
func (f *Fold) Apply(e *Entry) error {
	if e.Seq != f.position {
		if e.Seq < f.position {
			return nil
		}
		return fmt.Errorf("example log entry %d: entry %d is missing", e.Seq, f.position)
	}
	f.position++
	if e.Kind == Predict && f.psi != nil {
		f.psi.Observe(models.Row{Value: e.Vector})
	}
	for _, m := range f.members {
		switch e.Kind {
		case Predict:
			f.load(m, e)
			f.predict(m, e)
		case Learn:
			if m.spec.Label == int(e.Label) {
				f.load(m, e)
				m.learn(&f.example, e)
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
	return nil
}

// load projects the vector of e on the member's columns.
func (f *Fold) load(m *member, e *Entry) {
	f.row = f.row[:0]
	for _, c := range m.spec.Columns {
		v := math.NaN()
		if c < len(e.Vector) {
			v = e.Vector[c]
		}
		f.row = append(f.row, v)
	}
	f.example = models.Example{Row: models.Row{Value: f.row}, Key: e.Key, Time: e.Time, Weight: 1}
	if e.Kind == Learn {
		f.example.Y, f.example.Time = e.Y, e.Taken
	}
}

func (f *Fold) predict(m *member, e *Entry) {
	answer := m.predict(&f.example, e)
	if f.answer != nil {
		f.answer(m.spec, e, answer)
	}
}

// Names returns the names of the members in their order.
func (f *Fold) Names() []string {
	names := make([]string, len(f.members))
	for i, m := range f.members {
		names[i] = m.spec.Name
	}
	return names
}

func (f *Fold) find(name string) *member {
	i := slices.IndexFunc(f.members, func(m *member) bool { return m.spec.Name == name })
	if i < 0 {
		return nil
	}
	return f.members[i]
}

// State visits the position and every member: weights, pending answers and scores.
func (f *Fold) State(s *codec.State) {
	s.Fixed("fold version", foldVersion)
	s.Fixed("number of models", len(f.members))
	s.Uint64(&f.position)
	watched := f.psi != nil
	s.Bool(&watched)
	if watched != (f.psi != nil) {
		s.Fail("drift watched: %t in the state", watched)
		return
	}
	if f.psi != nil {
		f.psi.State(s)
	}
	for _, m := range f.members {
		m.state(s)
	}
}
