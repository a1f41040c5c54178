package app

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/internal/frame"
	"github.com/freshet-ml/freshet/internal/stage"
	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/fold"
	freshetv1 "github.com/freshet-ml/freshet/proto/freshet/v1"
	"github.com/freshet-ml/freshet/serving"
	"github.com/freshet-ml/freshet/trainer"
	"github.com/freshet-ml/freshet/trainer/run"
)

// Audit finds the newest prediction of an id and computes it again from the logs: promise P6. model may be empty
// when only one model has a prediction of that id. It implements serving.Auditor.
//
// Cost: a pass over the example log, then a fold from the newest checkpoint at or before the prediction, or from
// the beginning. Nothing of it touches the stages that run.
func (a *App) Audit(ctx context.Context, model, id string) (*freshetv1.AuditResponse, error) {
	var found *audit
	for _, t := range a.o.Program.Triggers {
		m, err := audited(t, model)
		if err != nil {
			return nil, err
		}
		if m == nil {
			continue
		}
		x := &audit{app: a, trigger: t, member: m}
		ok, err := x.find(ctx, id)
		if err != nil {
			return nil, err
		}
		if ok && found != nil {
			return nil, fmt.Errorf("%s and %s: %w", found.member.Name, m.Name, serving.ErrManyPredictions)
		}
		if ok {
			found = x
		}
	}
	if found == nil {
		return nil, serving.ErrNoPrediction
	}
	if err := found.compute(ctx); err != nil {
		return nil, err
	}
	return found.response(), nil
}

// audited returns the model of a trigger that an audit is about; nil if it is none of this trigger's. Without a
// name it is the trigger's champion.
func audited(t *trainer.Trigger, model string) (*fold.Member, error) {
	var out *fold.Member
	for i := range t.Members {
		m := &t.Members[i]
		switch {
		case model == m.Name:
			return m, nil
		case model != "" || m.Of != m.Name:
		case out != nil:
			return nil, fmt.Errorf("%s and %s: %w", out.Name, m.Name, serving.ErrManyPredictions)
		default:
			out = m
		}
	}
	return out, nil
}

// audit is one prediction of one model that is computed again.
type audit struct {
	app     *App
	trigger *trainer.Trigger
	member  *fold.Member

	end     uint64     // of the example log when it was searched
	predict fold.Entry // owned
	label   *freshetv1.AuditLabel

	from   uint64 // entry at which the fold began
	until  int64
	answer []float64
	logged *freshetv1.AuditRecord
	served *freshetv1.AuditRecord
}

// find walks the whole example log, since a label may come any time after its example, and an id may come again.
func (x *audit) find(ctx context.Context, id string) (bool, error) {
	topic := x.app.Topics.Logs[x.trigger.Name]
	tail, err := tailOf(ctx, x.app.o.Transport, topic)
	if err != nil || tail.NextSeq == 0 {
		return false, err
	}
	x.end = tail.NextSeq
	ok := false
	err = eachEntry(ctx, x.app.o.Transport, topic, frame.Position{}, x.end, func(e *fold.Entry) error {
		switch {
		case e.Kind == fold.Predict && e.ID == id:
			ok, x.label = true, nil
			x.predict = *e
			x.predict.ID, x.predict.Vector = strings.Clone(e.ID), append([]float64(nil), e.Vector...)
		case ok && e.Kind == fold.Learn && e.Ref == x.predict.Seq && int(e.Label) == x.member.Label:
			x.learned(e)
		}
		return nil
	})
	return ok, err
}

func (x *audit) learned(e *fold.Entry) {
	corrections := uint32(0)
	if e.Flags&fold.Correction != 0 && x.label != nil {
		corrections = x.label.Corrections + 1
	}
	x.label = &freshetv1.AuditLabel{Value: e.Y, Time: stamp(e.Time), Delay: durationpb.New(time.Duration(e.Time-e.Taken) * time.Microsecond),
		Assumed: e.Flags&fold.Assumed != 0, Corrections: corrections}
	if c := int(e.Y); x.member.Task == models.Multiclass && c >= 0 && c < len(x.member.Classes) {
		x.label.Class = x.member.Classes[c]
	}
}

// compute folds the log up to the prediction, and compares with what is on record.
func (x *audit) compute(ctx context.Context) error {
	var err error
	if x.trigger.Request {
		if x.served, err = x.findServed(ctx); err != nil {
			return err
		}
	}
	first := x.predict.Seq
	if x.served != nil {
		first = min(first, x.served.Version.Seq)
	}
	f, pos, err := run.FoldAt(ctx, x.app.learnerOptions(x.trigger), first)
	if err != nil {
		return err
	}
	if f.Position() == 0 { // no checkpoint: the others need not be folded
		if f, err = fold.New(x.trigger.Vector.Schema, []fold.Member{*x.member}); err != nil {
			return err
		}
	}
	x.from = f.Position()
	f.OnAnswer(func(m *fold.Member, e *fold.Entry, answer []float64) {
		if e.Seq == x.predict.Seq && m.Name == x.member.Name {
			x.answer = append([]float64(nil), answer...)
		}
	})
	if x.served != nil && x.served.Version.Seq == 0 { // nothing may have been folded then
		if err := x.again(f); err != nil {
			return err
		}
	}
	err = eachEntry(ctx, x.app.o.Transport, x.app.Topics.Logs[x.trigger.Name], pos, x.predict.Seq+1, func(e *fold.Entry) error {
		if e.Seq == x.predict.Seq {
			score, _ := f.Score(x.member.Name)
			x.until = score.Until
		}
		if err := f.Apply(e); err != nil {
			return err
		}
		if x.served != nil && !x.served.Equal && e.Seq == x.served.Version.Seq {
			return x.again(f)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return x.findLogged(ctx)
}

// again answers a served request with the version that f stands at.
func (x *audit) again(f *fold.Fold) error {
	s, err := f.Snapshot(x.member.Name)
	if err != nil || s == nil {
		return err
	}
	e := models.Example{Row: models.Row{Value: s.Project(nil, x.predict.Vector)}, Key: x.member.Key(x.predict.Vector, features.Hash(x.predict.ID)), Time: x.predict.Time, Weight: 1}
	answer := s.Predictor.Predict(nil, &e)
	x.served.Again = answer[:min(len(answer), len(x.served.Answer))]
	x.served.Equal = sameBits(x.served.Again, x.served.Answer)
	return nil
}

// findServed reads what was served from the item that caused the example.
func (x *audit) findServed(ctx context.Context) (*freshetv1.AuditRecord, error) {
	var out *freshetv1.AuditRecord
	err := x.app.EachItem(ctx, x.predict.Event+1, func(it *features.Item) error {
		if it.Seq == x.predict.Event && len(it.Fields) > features.ServedAt {
			out = &freshetv1.AuditRecord{Answer: unpack(it.Fields[features.ServedAnswer].Str()),
				Version: &freshetv1.Version{Log: x.app.Topics.Logs[x.trigger.Name], Seq: uint64(it.Fields[features.ServedAt].Int())}}
		}
		return nil
	})
	return out, err
}

// findLogged looks the answer up in the predictions topic, where the retention may have passed it.
func (x *audit) findLogged(ctx context.Context) error {
	topic := x.app.Topics.Predictions[x.member.Name]
	if topic == "" {
		return nil
	}
	log, err := stage.OpenLog(x.app.o.Transport, topic, 0)
	if err != nil {
		return err
	}
	defer log.Close()
	first, err := log.First(ctx)
	if err != nil {
		return err
	}
	end, err := log.End(ctx)
	if err != nil {
		return err
	}
	prefix := append(appendQuoted([]byte(`{"id":`), x.predict.ID), ',')
	return log.Scan(ctx, first, end, func(_ int64, record []byte) error {
		var p Prediction
		if !bytes.HasPrefix(record, prefix) || json.Unmarshal(record, &p) != nil || p.Seq != x.predict.Seq || p.Log != x.app.Topics.Logs[x.trigger.Name] {
			return nil
		}
		x.logged = &freshetv1.AuditRecord{Answer: p.Answer, Version: x.version(), Again: x.answer, Equal: sameBits(p.Answer, x.answer)}
		return nil
	})
}

// version is the newest entry that the model had folded when it answered at the log's place; nil if none.
func (x *audit) version() *freshetv1.Version {
	if x.predict.Seq == 0 {
		return nil
	}
	return &freshetv1.Version{Log: x.app.Topics.Logs[x.trigger.Name], Seq: x.predict.Seq - 1}
}

func (x *audit) response() *freshetv1.AuditResponse {
	e := &x.predict
	out := &freshetv1.AuditResponse{Id: e.ID, Model: x.member.Name, Task: x.member.Task.String(), Version: x.version(), Event: e.Event,
		Example: &freshetv1.Version{Log: x.app.Topics.Logs[x.trigger.Name], Seq: e.Seq}, Time: stamp(e.Time), NewestEvent: stamp(e.Taken),
		TrainedUntil: stamp(x.until), Classes: x.member.Classes, Answer: x.answer, Logged: x.logged, Served: x.served, Label: x.label,
		NotLearned: e.Flags&fold.NotLearned != 0, FoldedFrom: x.from, Folded: e.Seq + 1 - x.from, Build: x.app.o.Build}
	out.Vector = x.columns(e.Vector)
	return out
}

// columns lists what the model saw of a vector, a text as one column.
func (x *audit) columns(vector []float64) (out []*freshetv1.AuditColumn) {
	for i := 0; i < len(x.member.Columns); {
		c := x.member.Columns[i]
		column := &x.trigger.Vector.Schema.Columns[c]
		n := 1
		for i+n < len(x.member.Columns) && column.Kind == features.Text {
			if _, first := x.trigger.Vector.Schema.Columns[x.member.Columns[i+n]].Base(); first {
				break
			}
			n++
		}
		i += n
		out = append(out, x.column(column, vector[min(c, len(vector)):min(c+n, len(vector))]))
	}
	return out
}

func (x *audit) column(column *features.Column, slots []float64) *freshetv1.AuditColumn {
	out := &freshetv1.AuditColumn{Name: column.Name, Value: math.NaN()}
	switch {
	case len(slots) == 0:
	case column.Kind == features.Text:
		out.Value = features.TextLen(slots)
		if b, _ := features.ReadText(nil, slots); !x.sensitive(column.Name) {
			out.Text = string(b)
		}
	default:
		out.Value = slots[0]
	}
	out.Missing = math.IsNaN(out.Value)
	return out
}

// sensitive reports whether a column is a field whose values are not shown.
func (x *audit) sensitive(column string) bool {
	source, field, _ := strings.Cut(column, ".")
	in := x.app.o.Program.Project.Input(source)
	return in != nil && slices.Contains(in.Sensitive, field)
}

// sameBits reports whether two answers are the same; all NaN are.
func sameBits(a, b []float64) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if math.Float64bits(a[i]) != math.Float64bits(b[i]) && !(math.IsNaN(a[i]) && math.IsNaN(b[i])) {
			return false
		}
	}
	return true
}

func unpack(s string) []float64 {
	out := []float64{}
	for b := []byte(s); len(b) >= 8; b = b[8:] {
		out = append(out, math.Float64frombits(binary.LittleEndian.Uint64(b)))
	}
	return out
}

func tailOf(ctx context.Context, t stage.Transport, topic string) (frame.Tail, error) {
	log, err := stage.OpenLog(t, topic, 0)
	if err != nil {
		return frame.Tail{}, err
	}
	defer log.Close()
	return frame.ReadTail(ctx, log)
}

// eachEntry visits the entries of an example log from a position to seq end; none when end is before it.
func eachEntry(ctx context.Context, t stage.Transport, topic string, from frame.Position, end uint64, visit func(e *fold.Entry) error) error {
	r, err := stage.OpenReader(ctx, t, topic, 0, from)
	if err != nil {
		return err
	}
	defer r.Close()
	var e fold.Entry
	for {
		c, err := r.Next(ctx)
		if err != nil {
			return fmt.Errorf("%s: %w", topic, err)
		}
		items := c.Each()
		items.Skip(c.Skip)
		for i := c.Skip; items.Next(); i++ {
			if err := fold.DecodeEntry(items.Item(), &e); err != nil {
				return fmt.Errorf("%s: offset %d, item %d: %w", topic, c.Offset, i, err)
			}
			if e.Seq = c.FirstSeq + uint64(i); e.Seq >= end {
				return nil
			}
			if err := visit(&e); err != nil {
				return err
			}
		}
		if c.NextSeq() >= end {
			return nil
		}
	}
}
