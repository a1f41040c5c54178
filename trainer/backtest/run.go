package backtest

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"time"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/fold"
	"github.com/freshet-ml/freshet/trainer"
)

// Run replays every candidate and reports. Errors wrap ErrOptions or ErrUnknown for what cannot be asked,
// ErrNoTrigger when nothing was predicted, and *ingest.FileError for a file that cannot be replayed. Memory: the states of all
// entities of one candidate, and 16 bytes for each scored answer of the first candidate and of the one that runs.
func Run(ctx context.Context, o Options) (*Report, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	if o.Workers <= 0 {
		o.Workers = 2
	}
	if o.Resamples <= 0 {
		o.Resamples = 1000
	}
	r := &Report{Mode: "from_sources", Availability: o.Availability.String(), From: timeOf(o.From), To: timeOf(o.To),
		Build: o.Build, Arch: runtime.GOARCH}
	if o.AsLive {
		r.Mode = "as_live"
	}
	if o.WarmUp > 0 {
		r.WarmUp = o.WarmUp.String()
	}
	var began time.Time
	if o.Now != nil {
		began = o.Now()
	}
	best := champions{}
	items := uint64(0)
	for i := range o.Candidates {
		c, err := o.replay(ctx, i)
		if err != nil {
			return nil, fmt.Errorf("candidate %s: %w", o.Candidates[i].Name, err)
		}
		run := c.report(&o)
		best.compare(run, c.lines, o.Resamples)
		if i == 0 && o.Live != nil {
			if r.Live, err = o.compareLive(ctx, c, run); err != nil {
				return nil, fmt.Errorf("candidate %s: compare with the live run: %w", run.Name, err)
			}
		}
		items += run.Items
		r.Candidates = append(r.Candidates, *run)
	}
	if o.Now != nil {
		seconds := o.Now().Sub(began).Seconds()
		r.Seconds, r.ItemsASecond = Number(seconds), Number(float64(items)/seconds)
	}
	for _, t := range o.Thresholds {
		r.Checks = append(r.Checks, t.judge(r))
	}
	return r, nil
}

func timeOf(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

// candidate is one that runs.
type candidate struct {
	*Candidate
	core    *trainer.Replay
	lines   []*line
	byName  map[*trainer.Trigger]*line
	refused map[string]uint64
	first   int64 // event time of the first event of a source that is no table
	window  window
	vectors []map[uint64]uint64 // by line: sums of vectors, when a live run is compared
	texts   texts               // nil: no details
}

// replay runs one candidate: items are made in one goroutine, folded into examples in a second, and into models in
// this one.
func (o *Options) replay(ctx context.Context, index int) (*candidate, error) {
	c := &candidate{Candidate: &o.Candidates[index], byName: map[*trainer.Trigger]*line{}, refused: map[string]uint64{}, first: features.NoTime}
	for _, t := range c.Program.Triggers {
		l, err := newLine(t, o.Months)
		if err != nil {
			return nil, fmt.Errorf("trigger %s: %w", t.Name, err)
		}
		l.candidate, l.tell = c.Name, o.Predictions
		if o.Details {
			l.collect(o)
		}
		if index == 0 && o.Live != nil {
			sums := map[uint64]uint64{}
			c.vectors = append(c.vectors, sums)
			l.vectors = func(key uint64, vector []float64) { sums[key] = vectorSum(vector) }
		}
		c.lines, c.byName[t] = append(c.lines, l), l
	}
	if o.Details {
		c.texts = texts{}
	}
	c.window = window{from: micros(o.From, features.NoTime), to: micros(o.To, endOfTime)}
	p := newPipe(ctx)
	core, err := trainer.NewReplayTo(c.Program, p.entry)
	if err != nil {
		return nil, err
	}
	c.core = core
	items := c.Items
	if !o.AsLive {
		items = available(between(items, c.Program, c.window.from, c.window.to), c.Candidate, o.Availability)
	}
	p.run(
		func(ctx context.Context) error { return items(ctx, p.item) },
		func(it *features.Item) error { return c.take(o, index, it) },
		func(b *entryBatch) error { return c.fold(o, b) })
	if err := p.wait(); err != nil {
		return nil, err
	}
	return c, c.predicted(o)
}

// take folds the next item into examples.
func (c *candidate) take(o *Options, index int, it *features.Item) error {
	it.Seq = c.core.Items()
	if it.Kind == features.RefusalItem {
		c.refused[strings.Clone(it.Reason)]++
	}
	c.texts.take(it)
	if s := &c.Program.Sources[it.Source]; c.first == features.NoTime && it.Kind == features.EventItem && !s.Table && !s.Plain {
		c.first = it.Time
		if o.WarmUp > 0 {
			c.window.from = max(c.first, c.window.from) + o.WarmUp.Microseconds()
		}
	}
	if err := c.core.Apply(it); err != nil {
		return err
	}
	if o.Progress != nil && it.Seq%8192 == 0 {
		o.Progress(Progress{Candidate: c.Name, Index: index, Of: len(o.Candidates), Items: it.Seq, EventTime: c.core.Head()})
	}
	return nil
}

// fold folds entries into models. The window is set before the first example, hence before its batch came here.
func (c *candidate) fold(o *Options, b *entryBatch) error {
	l := c.byName[b.trigger]
	l.window = c.window
	return l.apply(b.entries, o.Workers)
}

// predicted reports whether anything was asked.
func (c *candidate) predicted(o *Options) error {
	var names []string
	for _, l := range c.lines {
		if l.predicted > 0 {
			return nil
		}
		names = append(names, l.trigger.Name)
	}
	where := "between the times that were asked"
	if o.From.IsZero() && o.To.IsZero() {
		where = "in what was replayed"
	}
	return fmt.Errorf("%w: no event of %s %s (%d items)", ErrNoTrigger, strings.Join(names, ", "), where, c.core.Items())
}

func (c *candidate) report(o *Options) *Result {
	r := &Result{Name: c.Name, Items: c.core.Items(), First: utc(c.first), Last: utc(c.core.Head()), ScoredFrom: utc(max(c.window.from, c.first)),
		Golden: c.core.Golden()}
	if len(c.refused) > 0 {
		r.Refused = c.refused
	}
	for _, l := range c.lines {
		stats, joiner := c.core.Joiner(l.trigger.Name).Stats(), c.core.Joiner(l.trigger.Name)
		r.Triggers = append(r.Triggers, Trigger{Name: l.trigger.Name, Predictions: stats.Predicted, Labels: stats.Learned, Missing: stats.Missing,
			NotLearned: stats.NotLearned, Pending: joiner.Pending(), DelayP50: Number(quantile(l.seconds, 0.5)), DelayP99: Number(quantile(l.seconds, 0.99)),
			DelayP99Rows: int(quantile(l.delays, 0.99))})
		if l.detail != nil {
			t := &r.Triggers[len(r.Triggers)-1]
			t.Delays, t.Drift = delays(l.seconds), l.detail.ranked()
		}
		for _, s := range l.scorers {
			sums, _ := l.fold.Hashes(s.spec.Name)
			r.Golden.Weights[s.spec.Name], r.Golden.Scores[s.spec.Name] = sums.Weights, sums.Scores
			r.Models = append(r.Models, modelOf(l, s, sums, c.texts))
		}
	}
	r.Sum = r.Golden.Sum()
	return r
}

func utc(t int64) time.Time {
	if t == features.NoTime {
		return time.Time{}
	}
	return time.UnixMicro(t).UTC()
}

func modelOf(l *line, s *scorer, sums fold.Hashes, names texts) Model {
	kind := "challenger"
	switch {
	case s.spec.Baseline:
		kind = "baseline"
	case s.spec.Of == s.spec.Name:
		kind = "champion"
	}
	score, _ := l.fold.Score(s.spec.Name)
	m := Model{Name: s.spec.Name, Of: s.spec.Of, Kind: kind, Task: s.spec.Task.String(), Scored: s.set.Events(), Unscored: s.unscored,
		Invalid: Number(s.invalid), Metrics: s.set.Values(), Detector: s.spec.DetectorName(), Watched: s.spec.Watched(), Learned: score.Learned, Bytes: score.Bytes, Weights: sums.Weights}
	if s.months != nil {
		for _, p := range s.months.List() {
			m.Months = append(m.Months, Month{Month: p.Month.String(), Scored: p.Events(), Metrics: p.Values()})
		}
	}
	if l.detail != nil {
		s.detail.report(&m, l.detail, s.set, &scorerNames{schema: l.trigger.Vector.Schema, texts: names, classes: s.spec.Task == models.Multiclass})
	}
	return m
}

// compareLive folds the example logs of the live run, and compares.
func (o *Options) compareLive(ctx context.Context, c *candidate, run *Result) (*Comparison, error) {
	all := &Comparison{}
	for i, l := range c.lines {
		t, err := o.liveTrigger(ctx, c, l, c.vectors[i], run)
		if err != nil && !errors.Is(err, ErrNoLog) {
			return nil, fmt.Errorf("trigger %s: %w", l.trigger.Name, err)
		}
		all.Triggers = append(all.Triggers, *t)
	}
	return all, nil
}
