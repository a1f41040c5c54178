package trainer

import (
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/features/expr"
	"github.com/freshet-ml/freshet/features/vector"
	"github.com/freshet-ml/freshet/models/drift"
	"github.com/freshet-ml/freshet/models/fold"
	"github.com/freshet-ml/freshet/models/forecast"
)

// Missing says what becomes of an example whose label does not come in time.
type Missing uint8

// What can become of it.
const (
	Drop     Missing = iota // it is closed without being learned
	Negative                // it is learned with label 0, marked as assumed
)

// Label says where the label of an example comes from. Durations are µs of event time.
type Label struct {
	Source     int            // index of the source whose events carry it
	ID         int            // field of that source that names the example
	Value      *expr.Expr     // over the fields of that source; missing: no label yet
	Text       string         // of Value, for comparison and display
	Classes    map[string]int // of a multiclass label: text to class index; nil: the value is a number
	Model      int            // feedback: field that names the model, else -1
	Of         string         // feedback: the model
	Wait       int64          // how long after its trigger a label still counts
	Early      int64          // how long a label that comes before its example is kept
	CorrectFor int64          // how long after a label a second one still corrects it
	Missing    Missing

	// A label by key is the key's later value: that of the first event whose key fields are those of the example and whose step, of StepLength µs, lies Lead steps after
	// the example's. ID is then -1.
	Key, Asked []int // fields of the label's source, and of the trigger's, in the same order; nil: a label by id
	StepLength int64
	Lead       int64
	// Aggregate makes it what all values of the step come to, known when the watermark is Late µs behind the step's end. A sum of none is 0; else a step without values labels nothing.
	Aggregate forecast.Aggregate
	Late      int64
}

// Trigger is what examples are made of: an event of a source, or a served request.
type Trigger struct {
	Name   string // of the source, or of the request model
	Source int    // index of the source whose events are the examples
	ID     int    // field that names the example, -1 if none
	// Key are the fields that, with the event time, name the examples of a trigger whose ID is -1; none: they have no name, and cannot be learned.
	Key []int
	// Vector lays out the union vector. Of a served request the event carries the vector itself.
	Vector *vector.Spec
	Labels []Label
	// Request marks examples that a server took; Packed is then the field with the vector and Model the
	// one that names the trigger.
	Request       bool
	Packed, Model int
	// Members are the models that learn from these examples.
	Members []fold.Member
	// Measures are by what each column of Vector is compared with its reference; nil: all by the usual measure.
	Measures []drift.Measure
	// MaxPending bounds the examples that wait for a label; above it the oldest is closed. 0: 10 million.
	MaxPending int
}

// Watching names what the states of learners hold about drift beside what is usual: the detectors on the losses and the columns whose order is compared, as
// a text; "" where all is usual. States that differ in it are not each other's.
func (t *Trigger) Watching() string {
	var prints, named, inOrder []string
	for i := range t.Members {
		print := ""
		if d := t.Members[i].Detector; d != nil {
			print = d.Fingerprint
		}
		prints, named = append(prints, print), append(named, t.Members[i].Name+"="+print)
	}
	out := ""
	if all := slices.Compact(prints); len(all) == 1 {
		out = all[0]
	} else {
		out = strings.Join(named, "\n")
	}
	for i, m := range t.Measures {
		if m.Ordered() {
			inOrder = append(inOrder, t.Vector.Schema.Columns[i].Name)
		}
	}
	if inOrder != nil {
		out += "\nin order: " + strings.Join(inOrder, " ")
	}
	return out
}

// Expects reports whether the trigger makes an example of this item.
func (t *Trigger) Expects(it *features.Item) bool {
	if it.Kind != features.EventItem || it.Source != t.Source || it.Flags&features.Tombstone != 0 {
		return false
	}
	return !t.Request || it.Fields[t.Model].Str() == t.Name
}

func (l *Label) value(fields []features.Value) (float64, bool) {
	if l.Classes != nil {
		c, ok := l.Classes[l.Value.Value(fields).String()]
		return float64(c), ok
	}
	y := l.Value.Number(fields)
	return y, !math.IsNaN(y) && !math.IsInf(y, 0)
}

// Same reports whether two labels give the same label to every example.
func (l *Label) Same(o Label) bool {
	return l.Source == o.Source && l.ID == o.ID && l.Text == o.Text && maps.Equal(l.Classes, o.Classes) && l.Model == o.Model && (l.Model < 0 || l.Of == o.Of) &&
		slices.Equal(l.Key, o.Key) && slices.Equal(l.Asked, o.Asked) && l.StepLength == o.StepLength && l.Lead == o.Lead && l.Aggregate == o.Aggregate && l.Late == o.Late && l.Wait == o.Wait && l.Early == o.Early && l.CorrectFor == o.CorrectFor && l.Missing == o.Missing
}
