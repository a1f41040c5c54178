package fold

import (
	"fmt"
	"math"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/drift"
	"github.com/freshet-ml/freshet/models/metric"
)

// Member is one model of a trigger: the champion, a challenger or a baseline. All see the same
// examples, each through its own columns.
type Member struct {
	Name       string
	Of         string // the model that it challenges; its own name for a champion
	Task       models.Task
	Classes    []string  // of a classifier with declared classes
	Label      int       // which label of the trigger it learns; -1: none
	Levels     []float64 // forecasts: the quantiles that follow the mean in each answer, rising
	Columns    []int     // slots of the union vector that it sees; strictly increasing
	Entities   bool      // it remembers entities: the slot Entity of the union vector says whose an example is
	Entity     int       // with Entities
	LearnUntil int64     // event time from which it neither observes nor learns; 0: never
	Baseline   bool
	// Build makes a fresh learner for the columns of the member.
	Build func(schema *features.Schema) (models.Learner, error)
	// Detector watches the loss; nil: adwin with its defaults.
	Detector *Detector
	Pipeline string // its canonical text, for display
	// Fingerprint names the pipeline with all its parameters and fold versions.
	Fingerprint uint64
}

// AnswerLen is how many numbers an answer of the member has.
func (m *Member) AnswerLen() int {
	if m.Task == models.Forecast {
		return 1 + len(m.Levels)
	}
	return models.AnswerLen(m.Task, max(2, len(m.Classes)))
}

// Key is Example.Key of an example with that union vector and the hash of its id.
func (m *Member) Key(union []float64, id uint64) uint64 {
	switch {
	case !m.Entities:
		return id
	case m.Entity >= len(union):
		return 0
	}
	return EntityKey(union[m.Entity])
}

// EntityKey is Example.Key for a key as a vector has it: 0 for a missing one, never 0 for any other.
func EntityKey(key float64) uint64 {
	if math.IsNaN(key) {
		return 0
	}
	return max(1, features.Mix(math.Float64bits(key)))
}

// Scores returns empty scores of its answers, Months the same by month.
func (m *Member) Scores() *metric.Set {
	if m.Task == models.Forecast {
		return metric.NewForecast(m.Levels)
	}
	return metric.New(m.Task, max(2, len(m.Classes)))
}

// Months returns empty scores by month, the newest ones up to a limit.
func (m *Member) Months(limit int) *metric.Periods {
	if m.Task == models.Forecast {
		return metric.NewForecastPeriods(m.Levels, limit)
	}
	return metric.NewPeriods(m.Task, max(2, len(m.Classes)), limit)
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

// Scoring is an answer that was just scored against its label, with what the detector on the loss says. It is borrowed.
type Scoring struct {
	Model   *Member
	Seq     uint64 // of the learn entry
	Taken   int64  // event time of the example, µs
	Y, Loss float64
	Answer  []float64
	Changed bool // the mean loss has changed
	Warned  bool // the detector has become suspicious of a change
	Rose    bool // with Changed or Warned: the loss is greater now
}

// Fold is the state of a set of members at a place of an example log.
type Fold struct {
	members  []*member
	position uint64 // Seq of the next entry
	answer   Answer
	columns  *drift.Watch // on the union vector; nil: not watched
	watched  int          // columns of it; behind them stand keys
	windowed func(t int64, scores []drift.Score)
	next     atomic.Int32 // the member that the next free worker of ApplyAll takes
	saved    []byte       // reused by Score
}

// Watch makes the fold compare the distribution of every column of the union vector with a frozen reference of the
// first examples, by the measures of the columns (nil: the usual one). Where several folds share a log, one watches. Call it before the first entry.
func (f *Fold) Watch(union *features.Schema, measures []drift.Measure) {
	f.columns, f.watched = drift.NewWatch(union, drift.WatchConfig{Measures: measures}), len(union.Columns)
}

// Drift returns what the last finished window says of each column; nil before that, or when the fold does not watch.
func (f *Fold) Drift() []drift.Score {
	if f.columns == nil || !f.columns.Frozen() || f.columns.Windows() == 0 {
		return nil
	}
	return f.columns.Scores(nil)
}

// DriftSizes returns how many examples the frozen reference and a window have, and how many windows are finished; zeros
// when the fold does not watch.
func (f *Fold) DriftSizes() (reference, window int, windows uint64) {
	if f.columns == nil {
		return 0, 0, 0
	}
	reference, window = f.columns.Sizes()
	return reference, window, f.columns.Windows()
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

// OnScored sets what is told of each answer when it is scored; nil: nobody. It is called from several goroutines, for each member in
// order.
func (f *Fold) OnScored(told func(*Scoring)) {
	for _, m := range f.members {
		m.told = told
	}
}

// OnWindow sets what is told of each finished window of the columns' distributions, with the event time of its last example; nil: nobody. It may
// keep the scores.
func (f *Fold) OnWindow(told func(t int64, scores []drift.Score)) { f.windowed = told }

// Distributions returns the histograms of each column; nil before the reference is complete, or when the fold does not watch.
func (f *Fold) Distributions() []drift.Distribution {
	if f.columns == nil {
		return nil
	}
	return f.columns.Distributions()
}

// Position returns the Seq of the next entry.
func (f *Fold) Position() uint64 { return f.position }

// Apply folds one entry. Entries come in the order of their Seq; one that is missing is an error, and
// one before the position is skipped.
func (f *Fold) Apply(e *Entry) error {
	skip, err := f.advance(e)
	if skip || err != nil {
		return err
	}
	f.watch(e)
	for _, m := range f.members {
		m.apply(e, f.answer)
	}
	return nil
}

// ApplyAll folds entries like Apply, one after another, with the members spread over up to workers
// goroutines. Members do not see each other, so their states are the same bits for any number of
// workers. The function set by OnAnswer is then called from several goroutines, for each member in order.
func (f *Fold) ApplyAll(entries []Entry, workers int) error {
	first := 0
	for i := range entries {
		skip, err := f.advance(&entries[i])
		if err != nil {
			return err
		}
		if skip {
			first = i + 1
		}
	}
	entries = entries[first:]
	workers = max(1, min(workers, len(f.members)))
	f.next.Store(-1) // first the drift of the columns
	var wg sync.WaitGroup
	for w := 1; w < workers; w++ {
		wg.Go(func() { f.share(entries) })
	}
	f.share(entries)
	wg.Wait()
	return nil
}

// share applies entries to the members that no other worker has taken.
func (f *Fold) share(entries []Entry) {
	for {
		i := int(f.next.Add(1)) - 1
		if i >= len(f.members) {
			return
		}
		for j := range entries {
			if i < 0 {
				f.watch(&entries[j])
			} else {
				f.members[i].apply(&entries[j], f.answer)
			}
		}
	}
}

func (f *Fold) advance(e *Entry) (skip bool, err error) {
	switch {
	case e.Seq < f.position:
		return true, nil
	case e.Seq > f.position:
		return false, fmt.Errorf("example log entry %d: entry %d is missing", e.Seq, f.position)
	}
	f.position++
	return false, nil
}

func (f *Fold) watch(e *Entry) {
	if e.Kind == Predict && f.columns != nil {
		if f.columns.Observe(models.Row{Value: e.Vector[:min(f.watched, len(e.Vector))]}) && f.windowed != nil {
			f.windowed(e.Time, f.columns.Scores(nil))
		}
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

// State visits the position and every member: weights, pending answers and scores. States of version 1, which do not say when detectors spoke, are still read.
func (f *Fold) State(s *codec.State) {
	version := s.Len(foldVersion, 0, codec.MaxLen)
	if version < 1 || version > foldVersion {
		s.Fail("fold version is %d, not %d or below", version, foldVersion)
		return
	}
	f.state(s, version)
}

func (f *Fold) state(s *codec.State, version int) {
	s.Fixed("number of models", len(f.members))
	s.Uint64(&f.position)
	watched := f.columns != nil
	s.Bool(&watched)
	if watched != (f.columns != nil) {
		s.Fail("drift watched: %t in the state", watched)
		return
	}
	if f.columns != nil {
		f.columns.State(s)
	}
	for _, m := range f.members {
		m.state(s, version)
	}
}
