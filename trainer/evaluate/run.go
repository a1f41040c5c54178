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
	calls   stopwatch // predict, observe and learn, by row
	predict stopwatch // predict alone, on some batches
	curve   *curve
}

// pending is a row whose label has not come or was not used up.
type pending struct {
	line    int
	due     int64 // index of the row, or event time, from which the label is known
	y       float64
	example models.Example
	answers [][]float64 // by runner
}

// step is one call of every model: predict a row, or learn it.
type step struct {
	row   *pending
	learn bool
}

// run is the state of one evaluation. Rows are read in batches, so that reading is not in the times of the models: the steps of a batch are made
// first, then each model takes all of them, then the answers are scored.
type run struct {
	ctx      context.Context
	o        *Options
	table    *table
	rows     *rows
	record   row
	runners  []*runner // the models, then the baselines
	models   int
	queue    []*pending // predicted, label to come; from head on
	head     int
	free     []*pending
	used     []*pending // to be free after the batch
	steps    []step
	size     int // rows of a batch
	most     int // the greatest size
	batch    int
	index    int64
	now      int64 // event time of the row
	width    int
	learned  int64
	paired   []*paired // by model after the first
	out      *predictions
	progress Progress
}

// Run evaluates models on a file. It reads the data twice: first to find types, labels and the number of rows.
//
// For each row it asks for the answer, lets the model observe the row, and keeps both until the label comes: at once, after Delay.Events more rows
// were predicted, or before the first row whose event time is Delay.Duration or more later. Then that answer is scored, and the row is learned. Labels
// that are open at the end come then. Rows without a label are predicted and observed only. Baselines (no_change, and prior or mean)
// see the same rows and labels.
//
// progress may be nil. Errors say what is wrong, where, and how to mend it; ctx ends the run between batches.
func Run(ctx context.Context, o Options, progress Progress) (*Report, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	var state *saved
	var head *header
	if o.Load != "" {
		var err error
		if state, err = readState(o.Load); err != nil {
			return nil, err
		}
		head = &state.header
	}
	src, err := newSource(&o, pace{ctx, progress})
	if err != nil {
		return nil, err
	}
	defer src.close()
	t, err := look(src, &o, head)
	if err != nil {
		return nil, err
	}
	r := &run{ctx: ctx, o: &o, table: t, width: models.AnswerLen(t.task, max(2, len(t.labels))), progress: progress, now: math.MinInt64}
	env := models.Env{Schema: t.schema, Task: t.task, Classes: max(2, len(t.labels)), Seed: o.Seed}
	if err := r.build(env, state); err != nil {
		return nil, err
	}
	if r.rows, err = src.rows(); err != nil {
		return nil, err
	}
	defer r.rows.close()
	if r.out, err = newPredictions(o.Predictions, t, r.models); err != nil {
		return nil, err
	}
	began := time.Now()
	err = r.all()
	if closing := r.out.close(); err == nil {
		err = closing
	}
	if err != nil {
		return nil, err
	}
	took := time.Since(began)
	if o.Save != "" {
		total := r.learned
		if head != nil {
			total += head.Learned
		}
		if err := r.save(env, total); err != nil {
			return nil, err
		}
	}
	return r.report(took), nil
}

// check finds options that do not go together.
func (o *Options) check() error {
	switch {
	case o.Delay.Duration > 0 && o.Time == "":
		return errors.New("label delay: a duration needs event times: name their column with --time, or give a number of events")
	case o.Recent.Duration > 0 && o.Time == "":
		return errors.New("recent: a duration needs event times: name their column with --time, or give a number of events")
	case o.Recent != (Recent{}) && o.Every == 0:
		return errors.New("recent: say how often with --every")
	case len(o.Others) > 0 && (o.Save != "" || o.Load != ""):
		return errors.New("save and load are for one model: run the models one by one")
	case o.Every < 0 || o.MaxCategories < 0 || o.Limit < 0:
		return errors.New("every, limit and max-categories are 0 or more")
	}
	return nil
}

// build makes the models and the baselines, the first model from a state if there is one.
func (r *run) build(env models.Env, state *saved) error {
	add := func(name string, spec models.Spec) error {
		l, err := catalog.Build(spec, env)
		if err != nil {
			return fmt.Errorf("model %s: %w", name, err)
		}
		m := &runner{name: name, learner: l, scores: metric.New(env.Task, env.Classes)}
		if r.o.Every > 0 {
			if m.curve, err = newCurve(r.o, env, r.table.rows); err != nil {
				return err
			}
		}
		r.runners = append(r.runners, m)
		return nil
	}
	if err := add(r.modelName(), r.o.Spec); err != nil {
		return err
	}
	for _, c := range r.o.Others {
		if err := add(c.Model, c.Spec); err != nil {
			return err
		}
		r.paired = append(r.paired, newPaired(env.Task))
	}
	r.models = len(r.runners)
	for _, b := range baselines(env.Task) {
		if err := add(b, models.Named(b)); err != nil {
			return err
		}
	}
	// About 2^16 values a batch: enough calls for a clock of microseconds, and small beside what models hold.
	r.most = min(max(1<<16/max(len(env.Schema.Columns), 1), leastBatch), 1024)
	r.size = r.most
	if state != nil {
		return r.load(state, env)
	}
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
func (r *run) all() error {
	for more := true; more; {
		began := time.Now()
		r.steps, r.used = r.steps[:0], r.used[:0]
		var err error
		for range r.size {
			if more, err = r.row(); err != nil {
				return err
			}
			if !more {
				r.settle(math.MaxInt64)
				break
			}
		}
		for i, m := range r.runners {
			m.take(r.steps, i, i < r.models && r.batch%16 == 0)
		}
		if err := r.score(); err != nil {
			return err
		}
		r.free = append(r.free, r.used...)
		r.batch++
		if err := r.ctx.Err(); err != nil {
			return err
		}
		if r.progress != nil {
			r.progress(&Standing{Rows: r.index, All: r.table.rows, SoFar: r.soFar})
		}
		r.fit(time.Since(began))
	}
	return nil
}

// soFar are the metrics of the first model.
func (r *run) soFar() Metrics { return r.runners[0].scores.Values() }

const (
	leastBatch = 16
	longBatch  = 200 * time.Millisecond
)

// fit sets the rows of the next batch by the time that one took: with models that are slow a run still tells of itself, and can be stopped, several times a second. The size of
// batches changes no result.
func (r *run) fit(took time.Duration) {
	switch {
	case took > longBatch:
		r.size = max(leastBatch, r.size/2)
	case took < longBatch/4:
		r.size = min(r.most, 2*r.size)
	}
}

// row reads one row and appends its steps, and those of labels that are due before and after it; false after the last row.
func (r *run) row() (bool, error) {
	if r.o.Limit > 0 && r.index >= r.o.Limit {
		return false, nil
	}
	err := r.rows.next(&r.record)
	if err == io.EOF {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	p := r.place()
	p.line = r.record.line
	r.table.fill(&p.example.Row, &r.record)
	p.y, p.example.Weight = r.table.label(&r.record), r.record.weight
	if err := r.stamp(p); err != nil {
		return false, err
	}
	if r.o.Delay.Duration > 0 {
		r.settle(r.now)
	}
	r.steps = append(r.steps, step{row: p})
	if math.IsNaN(p.y) {
		r.used = append(r.used, p)
	} else {
		r.queue = append(r.queue, p)
	}
	if r.o.Delay.Duration == 0 {
		r.settle(r.index)
	}
	r.index++
	return true, nil
}

// keyOf is the key of the entity of that name, 0 for an empty one.
func keyOf(name string) uint64 {
	if name == "" {
		return 0
	}
	return max(1, features.Hash(name))
}

// stamp sets time, key and due place of a row.
func (r *run) stamp(p *pending) error {
	p.due = r.index + r.o.Delay.Events
	p.example.Key = 1 // without keys all rows are those of one entity
	if r.table.key >= 0 {
		p.example.Key = keyOf(r.record.fields[r.table.key])
	}
	if r.table.time < 0 {
		return nil
	}
	text := r.record.fields[r.table.time]
	t, err := parseTime(text)
	if err != nil {
		return fmt.Errorf("%s:%d: column %s: %w", r.rows.name, p.line, r.o.Time, err)
	}
	if t < r.now {
		return fmt.Errorf("%s:%d: column %s: %s is before the row above: sort the file by time", r.rows.name, p.line, r.o.Time, text)
	}
	r.now, p.example.Time = t, t
	if r.o.Delay.Duration > 0 {
		p.due = t + r.o.Delay.Duration.Microseconds()
	}
	return nil
}

// place returns an empty row to fill.
func (r *run) place() *pending {
	if n := len(r.free); n > 0 {
		p := r.free[n-1]
		r.free = r.free[:n-1]
		return p
	}
	p := &pending{answers: make([][]float64, len(r.runners))}
	if n := len(r.table.schema.Columns); !r.table.sparse || n <= denseColumns {
		p.example.Value = make([]float64, n)
	} else {
		p.example.Index = []uint32{} // sparse also when it is empty
	}
	return p
}

// settle appends the steps that learn the rows at the head of the queue whose labels are known at now.
func (r *run) settle(now int64) {
	for r.head < len(r.queue) && r.queue[r.head].due <= now {
		r.steps = append(r.steps, step{row: r.queue[r.head], learn: true})
		r.used = append(r.used, r.queue[r.head])
		r.head++
	}
	if r.head > 4096 && r.head > len(r.queue)/2 || r.head == len(r.queue) {
		n := copy(r.queue, r.queue[r.head:])
		r.queue, r.head = r.queue[:n], 0
	}
}

// take makes the steps of a batch; the label is hidden while a row is predicted. Prediction alone is timed by asking again at the end of a
// batch, which changes nothing in the model.
func (m *runner) take(steps []step, at int, ask bool) {
	asked := 0
	begin := processorTime()
	for _, s := range steps {
		p := s.row
		if s.learn {
			p.example.Y = p.y
			m.learner.Learn(&p.example, p.answers[at])
			continue
		}
		p.example.Y = math.NaN()
		p.answers[at] = m.learner.Predict(p.answers[at][:0], &p.example)
		m.learner.Observe(&p.example)
		asked++
	}
	m.calls.add(begin, asked)
	if !ask {
		return
	}
	var again []float64
	begin = processorTime()
	for _, s := range steps {
		if !s.learn {
			again = m.learner.Predict(again[:0], &s.row.example)
		}
	}
	m.predict.add(begin, asked)
}

// score scores the answers of a batch whose labels have come, in the order of the labels.
func (r *run) score() error {
	for _, s := range r.steps {
		if !s.learn {
			continue
		}
		p := s.row
		r.learned++
		for i, m := range r.runners {
			answer := p.answers[i][:r.width]
			m.scores.Add(p.y, answer, p.example.Weight)
			if m.curve != nil {
				m.curve.add(p, answer, m.scores, r.learned)
			}
			if i > 0 && i < r.models {
				r.paired[i-1].add(p.y, answer, p.answers[0][:r.width])
			}
		}
		if r.o.OnPoint != nil && r.o.Every > 0 && r.learned%r.o.Every == 0 {
			if err := r.o.OnPoint(joinPoint(r.runners, len(r.runners[0].curve.points)-1)); err != nil {
				return err
			}
		}
		if err := r.out.write(p, r.width); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) report(took time.Duration) *Report {
	first := r.runners[0]
	rep := &Report{Task: r.table.task.String(), Events: r.index, EventsPerSecond: float64(r.index) / max(took.Seconds(), 1e-9),
		Labeled: r.learned, Classes: r.table.labels}
	rep.Result = first.result()
	for i, m := range r.runners[1:r.models] {
		rep.Others = append(rep.Others, Other{Result: m.result(), Differences: r.paired[i].bands(r.o)})
	}
	for _, b := range r.runners[r.models:] {
		rep.Baselines = append(rep.Baselines, Baseline{Model: b.name, Metrics: b.scores.Values()})
	}
	if first.curve != nil {
		rep.Curve = joinCurves(r.runners)
	}
	return rep
}

func (m *runner) result() Result {
	state := codec.Save(m.learner)
	sum := sha256.Sum256(state)
	predict := min(m.predict.mean(), m.calls.mean())
	return Result{Model: m.name, Metrics: m.scores.Values(), LearnNS: m.calls.mean() - predict, PredictNS: predict,
		StateBytes: len(state), StateSHA256: hex.EncodeToString(sum[:]), Dropped: models.DroppedBy(m.learner), Invalid: m.scores.Invalid()}
}
