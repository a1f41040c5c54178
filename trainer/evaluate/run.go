package evaluate

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/catalog"
	"github.com/freshet-ml/freshet/models/metric"
)

// runner is one model on its way through the rows.
type runner struct {
	name    string
	learner models.Learner
	scores  *metric.Set
}

// pending is a row that was predicted and whose label has not come.
type pending struct {
	line    int
	due     int64 // index of the row, or event time, from which the label is known
	example models.Example
	answers [][]float64 // by runner
}

// run is the state of one evaluation.
type run struct {
	o        *Options
	table    *table
	rows     *rows
	runners  []*runner // the model, then the baselines
	queue    []*pending
	free     []*pending
	head     int // of the queue
	index    int64
	now      int64 // event time of the row
	width    int
	predict  stopwatch
	learn    stopwatch
	learned  int64
	out      *predictions
	progress Progress
}

// Run evaluates a model on a file. It reads the file twice: first to find types, labels and the number of rows.
//
// For each row it asks for the answer, lets the model observe the row, and keeps both until the label comes: at once, after Delay.Events more rows
// were predicted, or before the first row whose event time is Delay.Duration or more later. Then that answer is scored, and the row is learned. Labels
// that are open at the end come then. Rows without a label are predicted and observed only. Baselines (no_change, and prior or mean)
// see the same rows and labels; they are not timed.
//
// progress may be nil. Errors say what is wrong, where, and how to mend it; ctx ends the run between rows.
func Run(ctx context.Context, o Options, progress Progress) (*Report, error) {
	src, err := newSource(&o)
	if err != nil {
		return nil, err
	}
	if o.Delay.Duration > 0 && o.Time == "" {
		return nil, errors.New("label delay: a duration needs event times: name their column with --time, or give a number of events")
	}
	t, err := look(src, &o)
	if err != nil {
		return nil, err
	}
	r := &run{o: &o, table: t, width: models.AnswerLen(t.task, max(2, len(t.labels))), progress: progress, now: math.MinInt64}
	if err := r.build(); err != nil {
		return nil, err
	}
	if r.rows, err = src.rows(); err != nil {
		return nil, err
	}
	defer r.rows.close()
	if r.out, err = newPredictions(o.Predictions, t); err != nil {
		return nil, err
	}
	if o.Watch != nil {
		o.Watch(func() Metrics { return r.runners[0].scores.Values() })
	}
	began := time.Now()
	err = r.all(ctx)
	if closing := r.out.close(); err == nil {
		err = closing
	}
	if err != nil {
		return nil, err
	}
	return r.report(time.Since(began)), nil
}

// build makes the model and the baselines.
func (r *run) build() error {
	classes := max(2, len(r.table.labels))
	env := models.Env{Schema: r.table.schema, Task: r.table.task, Classes: classes, Seed: r.o.Seed}
	add := func(name string, spec models.Spec) error {
		l, err := catalog.Build(spec, env)
		if err != nil {
			return fmt.Errorf("model %s: %w", name, err)
		}
		r.runners = append(r.runners, &runner{name: name, learner: l, scores: metric.New(env.Task, classes)})
		return nil
	}
	if err := add(r.modelName(), r.o.Spec); err != nil {
		return err
	}
	for _, b := range baselines(env.Task) {
		if err := add(b, models.Named(b)); err != nil {
			return err
		}
	}
	cost := calibrate()
	r.predict.cost, r.learn.cost = cost, cost
	return nil
}

func baselines(task models.Task) []string {
	switch task {
	case models.Binary, models.Multiclass:
		return []string{"no_change", "prior"}
	case models.Regression:
		return []string{"no_change", "mean"}
	}
	return nil
}

func (r *run) modelName() string {
	if r.o.Model != "" {
		return r.o.Model
	}
	if n := len(r.o.Spec.Stages); n > 0 {
		return r.o.Spec.Stages[n-1].Name
	}
	return ""
}

// all goes through the rows.
func (r *run) all(ctx context.Context) error {
	for r.o.Limit == 0 || r.index < r.o.Limit {
		record, err := r.rows.next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		if err := r.row(record); err != nil {
			return err
		}
		if r.index++; r.index%4096 == 0 {
			if err := ctx.Err(); err != nil {
				return err
			}
			if r.progress != nil {
				r.progress(r.index, r.table.rows)
			}
		}
	}
	for r.head < len(r.queue) {
		if err := r.settle(); err != nil {
			return err
		}
	}
	if r.progress != nil {
		r.progress(r.index, r.table.rows)
	}
	return nil
}

// row predicts one row, and settles the labels that are due before and after it.
func (r *run) row(record []string) error {
	p := r.take()
	p.line = r.rows.line()
	r.table.fill(p.example.Value, record)
	p.example.Y, p.example.Weight = r.table.label(record), 1
	if err := r.stamp(p, record); err != nil {
		return err
	}
	if r.o.Delay.Duration > 0 {
		if err := r.settleDue(r.now); err != nil {
			return err
		}
	}
	r.answer(p)
	if math.IsNaN(p.example.Y) {
		r.free = append(r.free, p)
		return r.settleEvents()
	}
	r.queue = append(r.queue, p)
	return r.settleEvents()
}

// settleEvents settles what a delay by events has made due after the row.
func (r *run) settleEvents() error {
	if r.o.Delay.Duration > 0 {
		return nil
	}
	return r.settleDue(r.index)
}

// stamp sets time, key and due place of a row.
func (r *run) stamp(p *pending, record []string) error {
	p.due = r.index + r.o.Delay.Events
	if r.table.key >= 0 {
		p.example.Key = features.Hash(record[r.table.key])
	}
	if r.table.time < 0 {
		return nil
	}
	t, err := parseTime(record[r.table.time])
	if err != nil {
		return fmt.Errorf("%s:%d: column %s: %w", r.rows.name, p.line, r.o.Time, err)
	}
	if t < r.now {
		return fmt.Errorf("%s:%d: column %s: %s is before the row above: sort the file by time", r.rows.name, p.line, r.o.Time, record[r.table.time])
	}
	r.now, p.example.Time = t, t
	if r.o.Delay.Duration > 0 {
		p.due = t + r.o.Delay.Duration.Microseconds()
	}
	return nil
}

// take returns an empty row to fill.
func (r *run) take() *pending {
	if n := len(r.free); n > 0 {
		p := r.free[n-1]
		r.free = r.free[:n-1]
		return p
	}
	p := &pending{answers: make([][]float64, len(r.runners))}
	p.example.Value = make([]float64, len(r.table.from))
	return p
}

// answer asks all runners, and shows them the row. The label is hidden from them.
func (r *run) answer(p *pending) {
	y := p.example.Y
	p.example.Y = math.NaN()
	model := r.runners[0]
	if r.index%sampleEvery == 0 {
		start := time.Now()
		p.answers[0] = model.learner.Predict(p.answers[0][:0], &p.example)
		r.predict.add(time.Since(start))
	} else {
		p.answers[0] = model.learner.Predict(p.answers[0][:0], &p.example)
	}
	model.learner.Observe(&p.example)
	for i, b := range r.runners[1:] {
		p.answers[i+1] = b.learner.Predict(p.answers[i+1][:0], &p.example)
		b.learner.Observe(&p.example)
	}
	p.example.Y = y
}

// settleDue settles the rows at the head of the queue whose labels are known at now.
func (r *run) settleDue(now int64) error {
	for r.head < len(r.queue) && r.queue[r.head].due <= now {
		if err := r.settle(); err != nil {
			return err
		}
	}
	if r.head > 4096 && r.head > len(r.queue)/2 || r.head == len(r.queue) {
		n := copy(r.queue, r.queue[r.head:])
		r.queue, r.head = r.queue[:n], 0
	}
	return nil
}

// settle scores and learns the row at the head of the queue.
func (r *run) settle() error {
	p := r.queue[r.head]
	r.head++
	for i, m := range r.runners {
		answer := p.answers[i]
		m.scores.Add(p.example.Y, answer[:r.width], p.example.Weight)
		if i == 0 && r.learned%sampleEvery == 0 {
			start := time.Now()
			m.learner.Learn(&p.example, answer)
			r.learn.add(time.Since(start))
		} else {
			m.learner.Learn(&p.example, answer)
		}
	}
	r.learned++
	err := r.out.write(p, r.width)
	r.free = append(r.free, p)
	return err
}

func (r *run) report(took time.Duration) *Report {
	model := r.runners[0]
	state := codec.Save(model.learner)
	sum := sha256.Sum256(state)
	rep := &Report{
		Model: model.name, Task: r.table.task.String(), Events: r.index, Metrics: model.scores.Values(),
		EventsPerSecond: float64(r.index) / max(took.Seconds(), 1e-9),
		LearnNS:         r.learn.mean(), PredictNS: r.predict.mean(),
		StateBytes: len(state), StateSHA256: hex.EncodeToString(sum[:]),
		Labeled: r.learned, Classes: r.table.labels, Invalid: model.scores.Invalid(),
	}
	for _, b := range r.runners[1:] {
		rep.Baselines = append(rep.Baselines, Baseline{Model: b.name, Metrics: b.scores.Values()})
	}
	return rep
}
