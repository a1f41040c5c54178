package backtest

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/drift"
	"github.com/freshet-ml/freshet/models/fold"
	"github.com/freshet-ml/freshet/models/metric"
)

// Bounds of the details.
const (
	maxPoints   = 60      // of a curve
	maxValues   = 1024    // values of a segment column that are told apart while counting
	topSegments = 12      // of a column in the report; the rest is one more
	autoColumns = 8       // segment columns when none are named
	autoValues  = 50      // a column with more values is not taken unless it is named
	maxMarks    = 200     // changes of the loss that are kept, and warnings
	maxNamed    = 100     // bytes of a category's text; longer ones are no names
	maxTexts    = 100_000 // category texts that are remembered
	delayBins   = 20
)

// Point is the scores of the triggers with From ≤ event time < To.
type Point struct {
	From    time.Time `json:"from"`
	To      time.Time `json:"to"`
	Scored  uint64    `json:"scored"`
	Metrics Metrics   `json:"metrics"`
}

// CalibrationBin is the answers of one bin of confidence, of fifteen: how sure they were, and how often they were right.
type CalibrationBin struct {
	Answers    uint64  `json:"answers"`
	Confidence float64 `json:"mean_confidence"`
	Right      float64 `json:"share_right"`
}

// Change is a place where the detector on the loss of a model (Model.Detector) said that the loss had changed, or began to suspect it: the event time of
// the trigger whose loss told it.
type Change struct {
	Time time.Time `json:"time"`
	Rose bool      `json:"rose"`
}

// SegmentColumn is the scores by the values of one categorical column.
type SegmentColumn struct {
	Column string    `json:"column"`
	Values []Segment `json:"values"` // most examples first; the last may be Rest
}

// Segment is the examples with one value of a column.
type Segment struct {
	Value   string `json:"value"`
	Missing bool   `json:"missing,omitempty"`
	Rest    bool   `json:"rest,omitempty"` // all values that are not listed
	Scored  uint64 `json:"scored"`
	Label   Number `json:"mean_label"`  // null for classes
	Answer  Number `json:"mean_answer"` // null for classes
	Loss    Number `json:"mean_loss"`   // log-loss of classifiers, else the absolute error
}

// DelayBin counts the labels that took more than From and at most To seconds.
type DelayBin struct {
	From   float64 `json:"from_seconds"`
	To     float64 `json:"to_seconds"`
	Labels uint64  `json:"labels"`
}

// ColumnDrift is the distance of a column of the union vector from the first examples (drift.Watch).
type ColumnDrift struct {
	Column    string    `json:"column"`
	Measure   string    `json:"measure"`  // psi, jensen_shannon, ks or wasserstein
	Distance  float64   `json:"distance"` // of the last window
	Threshold float64   `json:"threshold"`
	Missing   float64   `json:"missing_share"`
	Greatest  float64   `json:"greatest_distance"` // of all windows
	At        time.Time `json:"greatest_at"`       // event time at the end of that window
	Drifted   uint64    `json:"windows_drifted"`
	Windows   uint64    `json:"windows"`
}

// texts remembers what the categories of events are called.
type texts map[uint64]string

func (t texts) take(it *features.Item) {
	if t == nil || it.Kind != features.EventItem {
		return
	}
	for i := range it.Fields {
		s := it.Fields[i].Str()
		if it.Fields[i].Kind() != features.String || len(t) >= maxTexts || len(s) > maxNamed {
			continue
		}
		if id := uint64(features.Category(s)); t[id] == "" {
			t[id] = strings.Clone(s)
		}
	}
}

// of names a category; numbers of a derived feature stand for themselves. It returns false for the hash of an unknown text.
func (t texts) of(category float64) (string, bool) {
	if s, ok := t[uint64(category)]; ok {
		return s, true
	}
	if category < 1<<32 { // hashes have 53 bits
		return strconv.FormatFloat(category, 'f', -1, 64), true
	}
	return fmt.Sprintf("#%x", uint64(category)), false
}

// detail collects what a report draws of one example log. nil collects nothing.
type detail struct {
	columns []int // of the union vector, by which scores are taken apart
	named   bool  // columns were asked for
	width   int   // of the union vector
	watch   *drift.Watch
	scores  []drift.Score
	drift   []ColumnDrift
}

// newDetail checks the columns that were asked for.
func (o *Options) newDetail(t trigger) *detail {
	d := &detail{width: len(t.schema.Columns), watch: drift.NewWatch(t.schema, drift.WatchConfig{Measures: t.measures}), named: len(o.Segments) > 0}
	for i, c := range t.schema.Columns {
		if c.Kind == features.Categorical && (!d.named || slices.ContainsFunc(o.Segments, func(s string) bool { return t.means(s, c.Name) })) {
			d.columns = append(d.columns, i)
		}
	}
	return d
}

// trigger is a trigger as names of columns see it.
type trigger struct {
	name     string
	schema   *features.Schema
	measures []drift.Measure // of the columns; nil: the usual ones
}

// means reports whether a name stands for a column: the whole name, or that of a field of the trigger.
func (t trigger) means(name, column string) bool { return name == column || t.name+"."+name == column }

// checkSegments reports names that are no categorical column of any candidate.
func (o *Options) checkSegments() (errs []error) {
	for _, name := range o.Segments {
		found, numeric, text := false, false, false
		var known []string
		for _, c := range o.Candidates {
			for _, tr := range c.Program.Triggers {
				t := trigger{tr.Name, tr.Vector.Schema, tr.Measures}
				for _, col := range t.schema.Columns {
					category := col.Kind == features.Categorical
					found = found || category && t.means(name, col.Name)
					numeric = numeric || col.Kind == features.Numeric && t.means(name, col.Name)
					text = text || col.Kind == features.Text && t.means(name, col.Name)
					if category && !slices.Contains(known, col.Name) {
						known = append(known, col.Name)
					}
				}
			}
		}
		switch {
		case found:
		case numeric:
			errs = append(errs, fmt.Errorf("segment %s: the column holds numbers: segments go by the values of a categorical one: %s: %w", name, listed(known), ErrUnknown))
		case text:
			errs = append(errs, fmt.Errorf("segment %s: the column holds texts: segments go by the values of a categorical one: %s: %w", name, listed(known), ErrUnknown))
		default:
			errs = append(errs, fmt.Errorf("segment %s: no such column; categorical ones are %s: %w", name, listed(known), ErrUnknown))
		}
	}
	return errs
}

func listed(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

// predicted takes the vector of a prediction.
func (d *detail) predicted(e *fold.Entry) {
	if d == nil || len(e.Vector) < d.width || !d.watch.Observe(models.Row{Value: e.Vector[:d.width]}) { // behind the columns stand keys
		return
	}
	d.scores = d.watch.Scores(d.scores[:0])
	if d.drift == nil {
		d.drift = make([]ColumnDrift, len(d.scores))
	}
	for i, s := range d.scores {
		c := &d.drift[i]
		c.Column, c.Measure, c.Distance, c.Threshold, c.Missing, c.Windows = s.Feature, s.Measure, s.Value, s.Threshold, s.Missing, c.Windows+1
		if s.Drifted {
			c.Drifted++
		}
		if c.Windows == 1 || s.Value > c.Greatest {
			c.Greatest, c.At = s.Value, utc(e.Time)
		}
	}
}

// ranked is the drift of all columns, the farthest above its threshold first.
func (d *detail) ranked() []ColumnDrift {
	out := slices.Clone(d.drift)
	slices.SortStableFunc(out, func(a, b ColumnDrift) int {
		return cmp.Or(cmp.Compare(b.Distance/b.Threshold, a.Distance/a.Threshold), cmp.Compare(b.Greatest, a.Greatest), strings.Compare(a.Column, b.Column))
	})
	return out
}

// scorerDetail collects what a report draws of one model.
type scorerDetail struct {
	curve    *metric.Curve
	changes  []Change
	warnings []Change
	segments []segmentSums // by column of the detail
}

type segmentSums struct {
	values map[uint64]*sums // by the bits of the category; NaN as missing
	rest   sums
}

type sums struct {
	n                   uint64
	label, answer, loss float64
}

func (s *sums) add(y, answer, loss float64) {
	s.n++
	s.label += y
	s.answer += answer
	s.loss += loss
}

func newScorerDetail(task models.Task, columns int) *scorerDetail {
	d := &scorerDetail{curve: metric.NewCurve(task, 0), segments: make([]segmentSums, columns)}
	for i := range d.segments {
		d.segments[i].values = map[uint64]*sums{}
	}
	return d
}

const missingCategory = math.MaxUint64

// add takes a scored answer.
func (s *scorerDetail) add(d *detail, e *fold.Entry, answer []float64, loss float64) {
	s.curve.Add(e.Taken, e.Y, loss, answer)
	for i, col := range d.columns {
		if col >= len(e.Vector) {
			continue
		}
		s.segments[i].of(e.Vector[col]).add(e.Y, answer[0], loss)
	}
}

// heard takes what the detector on the loss said of a scored answer.
func (s *scorerDetail) heard(told *fold.Scoring) {
	c := Change{Time: utc(told.Taken), Rose: told.Rose}
	switch {
	case told.Changed && len(s.changes) < maxMarks:
		s.changes = append(s.changes, c)
	case told.Warned && len(s.warnings) < maxMarks:
		s.warnings = append(s.warnings, c)
	}
}

func (s *segmentSums) of(category float64) *sums {
	id := uint64(missingCategory)
	if category == category {
		id = uint64(category)
	}
	if v, ok := s.values[id]; ok {
		return v
	}
	if len(s.values) >= maxValues {
		return &s.rest
	}
	v := &sums{}
	s.values[id] = v
	return v
}

// report fills in the details of a model.
func (s *scorerDetail) report(m *Model, d *detail, set *metric.Set, t *scorerNames) {
	for _, p := range s.curve.Points(maxPoints) {
		m.Curve = append(m.Curve, Point{From: utc(p.From), To: utc(p.From + p.Span), Scored: p.Labels, Metrics: p.Values})
	}
	for _, b := range set.Calibration() {
		m.Calibration = append(m.Calibration, CalibrationBin{Answers: uint64(b.Weight), Confidence: b.Confidence, Right: b.Share})
	}
	m.Changes, m.Warnings = s.changes, s.warnings
	for i, col := range d.columns {
		n := len(s.segments[i].values)
		if !d.named && (n < 2 || n > autoValues || len(m.Segments) >= autoColumns) {
			continue
		}
		c, named := s.segments[i].column(t, t.schema.Columns[col].Name)
		if named || d.named {
			m.Segments = append(m.Segments, c)
		}
	}
}

// scorerNames is how segments are called.
type scorerNames struct {
	schema  *features.Schema
	texts   texts
	classes bool // labels are classes, whose mean means nothing
}

// column returns false when most values of the column have no name, as the hashes of crossed columns.
func (s *segmentSums) column(t *scorerNames, name string) (out SegmentColumn, named bool) {
	out.Column = name
	unknown := 0
	ids := make([]uint64, 0, len(s.values))
	for id := range s.values {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(a, b uint64) int { return cmp.Or(cmp.Compare(s.values[b].n, s.values[a].n), cmp.Compare(a, b)) })
	rest := s.rest
	for k, id := range ids {
		v := s.values[id]
		if k >= topSegments {
			rest.n, rest.label, rest.answer, rest.loss = rest.n+v.n, rest.label+v.label, rest.answer+v.answer, rest.loss+v.loss
			continue
		}
		seg := v.segment(t.classes)
		if seg.Missing = id == missingCategory; !seg.Missing {
			var ok bool
			if seg.Value, ok = t.texts.of(float64(id)); !ok {
				unknown++
			}
		}
		out.Values = append(out.Values, seg)
	}
	if rest.n > 0 {
		seg := rest.segment(t.classes)
		seg.Rest = true
		out.Values = append(out.Values, seg)
	}
	return out, unknown <= len(out.Values)/2
}

func (s *sums) segment(classes bool) Segment {
	n := float64(s.n)
	out := Segment{Scored: s.n, Label: Number(s.label / n), Answer: Number(s.answer / n), Loss: Number(s.loss / n)}
	if classes {
		out.Label, out.Answer = Number(math.NaN()), Number(math.NaN())
	}
	return out
}

// delays counts label delays in bins that are equally wide, or equally wide on a log scale when they span more than a hundredfold.
func delays(seconds []float32) []DelayBin {
	if len(seconds) == 0 {
		return nil
	}
	least, most := float64(slices.Min(seconds)), float64(slices.Max(seconds))
	edge := func(i int) float64 { return least + (most-least)*float64(i)/delayBins }
	if least > 0 && most > 100*least {
		edge = func(i int) float64 { return least * math.Pow(most/least, float64(i)/delayBins) }
	}
	var edges []float64
	for i := 1; i <= delayBins; i++ {
		edges = append(edges, edge(i))
	}
	edges[delayBins-1] = most
	bins := make([]DelayBin, delayBins)
	for i := range bins {
		bins[i].From, bins[i].To = least, edges[i]
		if i > 0 {
			bins[i].From = edges[i-1]
		}
	}
	for _, s := range seconds {
		i, _ := slices.BinarySearch(edges, float64(s))
		bins[min(i, delayBins-1)].Labels++
	}
	if least == most {
		return []DelayBin{{From: least, To: most, Labels: uint64(len(seconds))}}
	}
	return bins
}
