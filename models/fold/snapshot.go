package fold

import (
	"fmt"

	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/metric"
)

// Snapshot is one immutable version of a member, safe for any number of goroutines.
type Snapshot struct {
	Model     *Member
	Predictor models.Predictor
	Seq       uint64 // the version: the newest entry of the example log that it has folded
	Until     int64  // newest event time of a label that it learned; features.NoTime if none
	Learned   uint64 // labels learned
	Frozen    bool
	Held      bool // the guard refused a newer version
}

// Project copies the member's columns of a union vector to dst.
func (s *Snapshot) Project(dst, union []float64) []float64 {
	for _, c := range s.Model.Columns {
		dst = append(dst, union[c])
	}
	return dst
}

// Snapshot publishes the named member as it is now, or its last good version while the guard refuses
// it; nil when there is none, as after a restart until the guard lets a version pass. Publishing costs what
// changed.
func (f *Fold) Snapshot(name string) (*Snapshot, error) {
	m := f.find(name)
	if m == nil {
		return nil, fmt.Errorf("no model %q in this fold", name)
	}
	if m.spec.Task != models.Forecast && !m.guard.holds() { // forecasts come from the states of entities: no version of the learner makes them better
		if m.good == nil {
			return nil, nil
		}
		held := *m.good
		held.Held = true
		return &held, nil
	}
	p, err := m.publish()
	if err != nil {
		return nil, fmt.Errorf("model %s: publish: %w", name, err)
	}
	m.good = &Snapshot{Model: m.spec, Predictor: p, Seq: m.seq, Until: m.until, Learned: m.learned, Frozen: m.frozen}
	return m.good, nil
}

func (m *member) publish() (models.Predictor, error) {
	if p, ok := m.learner.(models.Publisher); ok {
		return p.Publish(), nil
	}
	return nil, fmt.Errorf("the pipeline cannot be published")
}

// Score is how good a member has been.
type Score struct {
	Name    string
	Values  []metric.Named
	Months  []Month
	Labels  uint64 // labels that were scored
	Learned uint64
	Said    Said    // by the detector on the loss
	Loss    float64 // mean of what the detector is given (Member.Watched) since about the last change
	Window  int     // labels in that window
	Watched string  // what the detector is given: log_loss, error or absolute_error
	Seq     uint64
	Until   int64
	Frozen  bool
	Pending int
	Bytes   int          // of the saved state
	Hash    string       // SHA-256 of the saved state
	Dropped models.Drops // what its bounds have cost
	// Calibration says how often what was said came true; none for answers that are no probabilities.
	Calibration []metric.Bin
}

// Metric returns one metric of a member so far, and false if there is none.
func (f *Fold) Metric(name, metric string) (float64, bool) {
	m := f.find(name)
	if m == nil {
		return 0, false
	}
	return m.scores.Value(metric)
}

// Between returns the metrics of a member over the calendar months from first to last, such as 2013-03 and
// 2013-12, and the number of labels in them.
func (f *Fold) Between(name, first, last string) ([]metric.Named, uint64) {
	m := f.find(name)
	if m == nil {
		return nil, 0
	}
	all := m.spec.Scores()
	for _, p := range m.months.List() {
		if s := p.Month.String(); s >= first && s <= last {
			all.Merge(p.Set)
		}
	}
	return all.Values(), all.Events()
}

// Month is the scores of one calendar month (UTC) of event time.
type Month struct {
	Name   string // 2006-01
	Labels uint64
	Values []metric.Named
}

// Score returns the scores of the named member, and false if there is none. Cost: a pass over the model's state and over
// the scores of the months that changed since the last call.
func (f *Fold) Score(name string) (Score, bool) {
	m := f.find(name)
	if m == nil {
		return Score{}, false
	}
	w := codec.Saver(f.saved[:0])
	m.learner.State(w)
	f.saved = w.Bytes()
	months := m.monthly()
	loss, window := m.loss.now()
	return Score{Name: name, Values: m.scores.Values(), Months: months, Labels: m.guard.n, Learned: m.learned,
		Said: m.said(), Loss: loss, Window: window, Watched: m.spec.Watched(), Seq: m.seq, Until: m.until, Frozen: m.frozen, Pending: len(m.pending), Bytes: len(f.saved), Hash: sum(f.saved), Dropped: models.DroppedBy(m.learner), Calibration: m.scores.Calibration()}, true
}

// monthly returns the scores of all months; what it returned before is used for those without a new label.
func (m *member) monthly() []Month {
	var list []Month
	for _, p := range m.months.List() {
		month := Month{Name: p.Month.String(), Labels: p.Events()}
		for _, known := range m.listed {
			if known.Name == month.Name && known.Labels == month.Labels {
				month.Values = known.Values
			}
		}
		if month.Values == nil {
			month.Values = p.Values()
		}
		list = append(list, month)
	}
	m.listed = list
	return list
}
