package serving

import (
	"sync"

	"github.com/freshet-ml/freshet/models/drift"
	"github.com/freshet-ml/freshet/models/fold"
	"github.com/freshet-ml/freshet/models/metric"
	freshetv1 "github.com/freshet-ml/freshet/proto/freshet/v1"
)

// Bounds of what is remembered for each model and trigger.
const (
	maxMarks   = 500
	maxWindows = 200
	// maxWindowValues bounds the scores that the windows of a trigger hold together: those of wide vectors are fewer.
	maxWindowValues = 200_000
)

// Curves remembers what learners say while they fold: scores over event time, changes of the loss, drift of each window of
// features. It begins anew with the process and is no part of any state. Memory: at most 300 KB a model and 1.6 MB a trigger. It is safe
// for concurrent use; a nil *Curves remembers nothing.
type Curves struct {
	mu       sync.Mutex
	models   map[string]*modelCurve
	triggers map[string]*windowRing
}

type modelCurve struct {
	mu    sync.Mutex
	next  uint64 // entries before it were counted, by an earlier session
	curve *metric.Curve
	marks []mark // of changes, the newest last
	warns []mark // of warnings
	losses
}

type mark struct {
	at   int64
	rose bool
}

type windowRing struct{ list []window }

type window struct {
	until  int64
	scores []float64
}

// NewCurves returns empty curves.
func NewCurves() *Curves {
	return &Curves{models: map[string]*modelCurve{}, triggers: map[string]*windowRing{}}
}

// Scored takes in a scored answer; it is a function for fold.Fold.OnScored. An entry that a new session folds again is not counted twice.
func (c *Curves) Scored(s *fold.Scoring) {
	m := c.model(s.Model)
	m.mu.Lock()
	defer m.mu.Unlock()
	if s.Seq < m.next {
		return
	}
	m.next = s.Seq + 1
	m.add(s.Seq, s.Loss)
	m.curve.Add(s.Taken, s.Y, s.Loss, s.Answer)
	if s.Changed {
		m.marks = marked(m.marks, s)
	}
	if s.Warned {
		m.warns = marked(m.warns, s)
	}
}

// marked adds a mark; when there are too many the oldest goes.
func marked(list []mark, s *fold.Scoring) []mark {
	if len(list) == maxMarks {
		list = append(list[:0], list[1:]...)
	}
	return append(list, mark{s.Taken, s.Rose})
}

func (c *Curves) model(spec *fold.Member) *modelCurve {
	c.mu.Lock()
	defer c.mu.Unlock()
	m := c.models[spec.Name]
	if m == nil {
		m = &modelCurve{curve: metric.NewCurve(spec.Task, 0)}
		c.models[spec.Name] = m
	}
	return m
}

// Window takes in the drift scores of a finished window of a trigger whose last example has event time t (µs).
func (c *Curves) Window(trigger string, t int64, scores []drift.Score) {
	w := window{until: t, scores: make([]float64, len(scores))}
	for i := range scores {
		w.scores[i] = scores[i].Value
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.triggers[trigger]
	if r == nil {
		r = &windowRing{}
		c.triggers[trigger] = r
	}
	// A session that begins at an earlier place says again what is known.
	for len(r.list) > 0 && r.list[len(r.list)-1].until >= t {
		r.list = r.list[:len(r.list)-1]
	}
	if keep := min(maxWindows, max(1, maxWindowValues/max(1, len(scores)))); len(r.list) >= keep {
		r.list = append(r.list[:0], r.list[len(r.list)-keep+1:]...)
	}
	r.list = append(r.list, w)
}

// fill adds points and marks of a model.
func (c *Curves) fill(h *freshetv1.MemberHistory, points int) {
	if c == nil {
		return
	}
	c.mu.Lock()
	m := c.models[h.Name]
	c.mu.Unlock()
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, p := range m.curve.Points(points) {
		h.Points = append(h.Points, &freshetv1.HistoryPoint{From: timestamp(p.From), Span: micros(p.Span), Labels: p.Labels, Scores: scores(p.Values), HalfBand: p.HalfBand})
	}
	for _, d := range m.marks {
		h.Marks = append(h.Marks, &freshetv1.DriftMark{At: timestamp(d.at), Rose: d.rose})
	}
	for _, d := range m.warns {
		h.Warnings = append(h.Warnings, &freshetv1.DriftMark{At: timestamp(d.at), Rose: d.rose})
	}
}

// windows adds the windows of a trigger.
func (c *Curves) windows(trigger string, to *freshetv1.TriggerDistributions) {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if r := c.triggers[trigger]; r != nil {
		for i := range r.list {
			to.Windows = append(to.Windows, &freshetv1.DriftWindow{Until: timestamp(r.list[i].until), Scores: r.list[i].scores})
		}
	}
}
