package app

import (
	"context"
	"encoding/json"
	"math"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/freshet-ml/freshet/internal/stage"
	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/fold"
	"github.com/freshet-ml/freshet/trainer"
)

// Sizes of what is allocated at once for records of predictions, and of the queue to the broker.
const (
	slabBytes        = 64 << 10
	slabRecords      = 256
	predictionsQueue = 1 << 16
	predictionsFlush = time.Second
)

// predictions writes the answers of a trigger's champions at their predict entries to the predictions
// topics, at least once: a record may come again after a failure, with the same id and seq. It belongs to
// one session of a learner.
type predictions struct {
	ctx      context.Context
	producer *stage.Producer
	by       map[string]*predictionWriter // by model; not changed after it was made
	next     fold.Answer
	flushed  time.Time
}

// openPredictions returns what writes the answers of a trigger's champions through a producer; nothing in a rerun.
// next is told of each answer too; nil: nobody.
func (a *App) openPredictions(ctx context.Context, t *trainer.Trigger, out *stage.Producer, next fold.Answer) *predictions {
	p := &predictions{ctx: ctx, producer: out, by: map[string]*predictionWriter{}, next: next, flushed: time.Now()}
	if a.o.Rerun != "" {
		return p
	}
	for i := range t.Members {
		m := &t.Members[i]
		topic := a.Topics.Predictions[m.Name]
		if declared := a.o.Program.Project.Model(m.Name); topic != "" && declared != nil && declared.Predictions {
			p.by[m.Name] = newPredictionWriter(m, topic, a.Topics.Logs[t.Name])
		}
	}
	return p
}

// told returns what a fold tells of answers; nil when nobody wants to know.
func (p *predictions) told() fold.Answer {
	if len(p.by) == 0 {
		return p.next
	}
	return p.answer
}

// answer is a fold.Answer.
func (p *predictions) answer(m *fold.Member, e *fold.Entry, answer []float64) {
	if w := p.by[m.Name]; w != nil {
		p.producer.Send(p.ctx, w.record(e, answer))
	}
	if p.next != nil {
		p.next(m, e, answer)
	}
}

// after flushes now and then, so that a failure shows soon.
func (p *predictions) after() error {
	if time.Since(p.flushed) < predictionsFlush {
		return nil
	}
	return p.flush(p.ctx)
}

// flush waits until the brokers have all answers so far.
func (p *predictions) flush(ctx context.Context) error {
	p.flushed = time.Now()
	return p.producer.Flush(ctx)
}

// predictionWriter makes the records of one model. Only one goroutine at a time folds a model, so it needs no
// lock. Records and their bytes come from slabs: an allocation for hundreds of them.
type predictionWriter struct {
	topic   string
	middle  string // of every record
	classes string // end of the records of a classifier with declared classes, or of forecasts with quantiles
	single  bool   // the answer is one number
	slab    []byte
	records []kgo.Record
}

func newPredictionWriter(m *fold.Member, topic, log string) *predictionWriter {
	w := &predictionWriter{topic: topic, single: m.AnswerLen() == 1 && m.Task != models.Forecast}
	name, _ := json.Marshal(m.Name)
	logName, _ := json.Marshal(log)
	w.middle = `,"model":` + string(name) + `,"log":` + string(logName) + `,"seq":`
	if len(m.Classes) > 0 {
		list, _ := json.Marshal(m.Classes)
		w.classes = `,"classes":` + string(list)
	}
	if len(m.Levels) > 0 {
		list, _ := json.Marshal(m.Levels)
		w.classes = `,"levels":` + string(list)
	}
	return w
}

// record makes the record of an answer. It borrows nothing of the entry.
func (w *predictionWriter) record(e *fold.Entry, answer []float64) *kgo.Record {
	if need := 2*len(e.ID) + len(w.middle) + len(w.classes) + 26*len(answer) + 192; cap(w.slab)-len(w.slab) < need {
		w.slab = make([]byte, 0, max(slabBytes, need))
	}
	if len(w.records) == 0 {
		w.records = make([]kgo.Record, slabRecords)
	}
	r := &w.records[0]
	w.records = w.records[1:]
	b, from := w.slab, len(w.slab)
	r.Topic, r.Partition = w.topic, 0
	if e.ID != "" {
		b = append(b, e.ID...)
		r.Key = b[from:len(b):len(b)]
	}
	from = len(b)
	b = w.append(b, e, answer)
	r.Value = b[from:len(b):len(b)]
	w.slab = b
	return r
}

// append writes {"id","model","log","seq","event","event_time","answer"} and, where they apply, "classes", "levels" (of the quantiles that follow the mean in the answer
// of a forecast) and "not_learned". seq is the ordinal of the predict entry: the answer is that of the model after all entries
// before it. Numbers read back as the same bits; one that is not finite is null.
func (w *predictionWriter) append(b []byte, e *fold.Entry, answer []float64) []byte {
	b = append(b, `{"id":`...)
	b = appendQuoted(b, e.ID)
	b = append(b, w.middle...)
	b = strconv.AppendUint(b, e.Seq, 10)
	b = append(b, `,"event":`...)
	b = strconv.AppendUint(b, e.Event, 10)
	b = append(b, `,"event_time":"`...)
	b = time.UnixMicro(e.Time).UTC().AppendFormat(b, time.RFC3339Nano)
	b = append(b, `","answer":`...)
	if w.single && len(answer) == 1 {
		b = appendNumber(b, answer[0])
	} else {
		b = append(b, '[')
		for i, x := range answer {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendNumber(b, x)
		}
		b = append(b, ']')
	}
	b = append(b, w.classes...)
	if e.Flags&fold.NotLearned != 0 {
		b = append(b, `,"not_learned":true`...)
	}
	return append(b, '}')
}

func appendNumber(b []byte, x float64) []byte {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return append(b, "null"...)
	}
	return strconv.AppendFloat(b, x, 'g', -1, 64)
}

// appendQuoted writes a JSON string; bytes that are no UTF-8 become U+FFFD.
func appendQuoted(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			b, _ = jsontext.AppendQuote(b, s) // its error only says that bytes were replaced
			return b
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}

// Prediction is a record of a predictions topic.
type Prediction struct {
	ID         string    `json:"id"`
	Model      string    `json:"model"`
	Log        string    `json:"log"`
	Seq        uint64    `json:"seq"`
	Event      uint64    `json:"event"`
	EventTime  time.Time `json:"event_time"`
	Answer     answers   `json:"answer"`
	Classes    []string  `json:"classes"`
	NotLearned bool      `json:"not_learned"`
}

// answers is one number or a list; null is NaN.
type answers []float64

// UnmarshalJSON reads both forms.
func (a *answers) UnmarshalJSON(b []byte) error {
	if len(b) == 0 || b[0] != '[' {
		b = append(append([]byte{'['}, b...), ']')
	}
	var list []*float64
	if err := json.Unmarshal(b, &list); err != nil {
		return err
	}
	*a = (*a)[:0]
	for _, x := range list {
		if x == nil {
			*a = append(*a, math.NaN())
			continue
		}
		*a = append(*a, *x)
	}
	return nil
}
