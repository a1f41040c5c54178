package forecasts

import (
	"context"
	"crypto/sha256"
	"hash"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/freshet-ml/freshet/trainer/evaluate"
)

// run is one evaluation.
type run struct {
	o       *Options
	data    *data
	levels  *levels
	members []*member
	models  int // members that are no baselines
	naive2  int // place of the reference of OWA, -1 without
	states  *loaded
	notes   []string
	values  atomic.Int64 // that were taken in
	all     int64
	plotted map[string]int
	paired  []*paired // by model after the first
	panel   bool      // differences are by series, else by forecast

	// What is joined block by block, in order.
	turn     turnstile
	progress evaluate.Progress
	done     int64 // series
	next     int64 // series at which the next point of the curve is due
	curve    []CurvePoint
	scores   []*scores
	tallies  []tally
	health   []Health
	bytes    []int64
	sums     []hash.Hash
	events   int64
	counts   counts
	out      *tables
	saver    *saver
	plots    []plotSeries
}

// counts are what became of the series.
type counts struct {
	forecast  int64 // series that were forecast
	forecasts int64
	unscaled  int64 // of them, those without a scale
	short     int64 // series without an origin
	refused   int64 // values with a missing regressor
}

func (c *counts) join(o *counts) {
	c.forecast += o.forecast
	c.forecasts += o.forecasts
	c.unscaled += o.unscaled
	c.short += o.short
	c.refused += o.refused
}

// Run evaluates forecasters on a file of series.
//
// Each series is read whole, then taken in value by value. At its origins each model is asked for the next Horizon steps, up to the last row that the files
// have; the answers are scored against the values that follow, which are then learned too. Models keep what they learned: nothing is fitted anew. Baselines
// (naive, seasonal_naive for each season, and naive2, the reference of OWA) run beside.
//
// Series are spread over goroutines, in blocks that depend on their number only and are joined in order: the result has the same bits for any number of
// processors. progress may be nil; it is called from one goroutine at a time. Errors say what is wrong, where, and how to mend it; ctx ends the run.
func Run(ctx context.Context, o Options, progress evaluate.Progress) (*Report, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	r := &run{o: &o, next: o.Every, levels: newLevels(o.Levels), progress: progress}
	if o.Load != "" {
		var err error
		if r.states, err = readStates(o.Load); err != nil {
			return nil, err
		}
	}
	var err error
	if r.data, err = readData(ctx, &o, progress); err != nil {
		return nil, err
	}
	r.notes = r.data.notes
	if err := r.build(); err != nil {
		return nil, err
	}
	if err := r.join(); err != nil {
		return nil, err
	}
	if err := r.data.checkRegressors(&o); err != nil {
		return nil, err
	}
	if err := r.prepare(); err != nil {
		return nil, err
	}
	if r.out, err = newTables(r); err != nil {
		return nil, err
	}
	if r.saver, err = newSaver(r); err != nil {
		r.out.abandon()
		return nil, err
	}
	began := elapsed()
	err = r.blocks(ctx)
	took := elapsed() - began
	if err == nil {
		err = r.out.close()
	}
	if err == nil {
		err = r.saver.close(r)
	}
	if err != nil {
		r.out.abandon()
		r.saver.abandon()
		return nil, err
	}
	report := r.report(took)
	if o.Plot != "" {
		err = report.plot(o.Plot, r.plots)
	}
	return report, err
}

// prepare counts and makes what blocks are joined to.
func (r *run) prepare() error {
	n, forecast := len(r.members), 0
	r.plotted = map[string]int{}
	for _, key := range r.o.PlotKeys {
		if r.data.index[key] == nil {
			return unknownKey(r.data, key)
		}
		r.plotted[key] = len(r.plotted)
	}
	for _, s := range r.data.series {
		r.all += int64(len(s.points))
		if len(r.o.origins(s)) == 0 {
			continue
		}
		if forecast++; r.o.Plot != "" && len(r.o.PlotKeys) == 0 && len(r.plotted) < defaultPlots {
			r.plotted[s.key] = len(r.plotted)
		}
	}
	if forecast == 0 {
		return r.nothing()
	}
	const panel = 30 // series from which on they are the units that are drawn
	r.panel = forecast >= panel
	for range r.models - 1 {
		r.paired = append(r.paired, &paired{stride: 1})
	}
	for range n {
		r.scores = append(r.scores, newScores(r.levels, r.o.Horizon))
		r.sums = append(r.sums, sha256.New())
	}
	r.tallies, r.health, r.bytes = make([]tally, n), make([]Health, n), make([]int64, n)
	return nil
}

// blocks goes through all series.
func (r *run) blocks(ctx context.Context) error {
	n := len(r.data.series)
	size := min(max(n/64, 1), 256)
	count := (n + size - 1) / size
	workers := r.o.Workers
	if workers <= 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	r.turn.wake = sync.NewCond(&r.turn.lock)
	stop := context.AfterFunc(ctx, func() { r.turn.fail(ctx.Err()) })
	defer stop()
	var next atomic.Int64
	var group sync.WaitGroup
	for range min(workers, count) {
		group.Go(func() {
			runtime.LockOSThread() // so that the time of the thread is that of the work
			defer runtime.UnlockOSThread()
			for {
				i := int(next.Add(1) - 1)
				if i >= count || r.turn.failed() != nil {
					return
				}
				b := newBlock(r, i)
				list := r.data.series[i*size : min((i+1)*size, n)]
				err := b.all(ctx, list)
				if !r.turn.wait(i) {
					return
				}
				if err == nil {
					err = r.add(b, len(list))
				}
				if err != nil {
					r.turn.fail(err)
					return
				}
				r.turn.next()
			}
		})
	}
	group.Wait()
	if err := r.turn.failed(); err != nil {
		return err
	}
	return ctx.Err()
}

// add joins a block of so many series; its turn has come.
func (r *run) add(b *block, series int) error {
	for i := range r.members {
		r.scores[i].join(b.scores[i])
		r.tallies[i].join(&b.tallies[i])
		r.health[i].join(&b.health[i])
		r.bytes[i] += b.bytes[i]
		r.sums[i].Write(b.digests[i])
	}
	for i, p := range r.paired {
		for j := 0; j < len(b.differences[i]); j += len(compared) {
			p.add([len(compared)]float64(b.differences[i][j : j+len(compared)]))
		}
	}
	r.events += b.events
	r.counts.join(&b.counts)
	r.plots = append(r.plots, b.plots...)
	if err := b.flush(); err != nil {
		return err
	}
	if err := r.saver.write(b.states); err != nil {
		return err
	}
	r.done += int64(series)
	r.tell()
	return r.point()
}

// point takes the metrics of all models when the series of the next point of the curve are done.
func (r *run) point() error {
	if r.o.Every == 0 || r.done < r.next {
		return nil
	}
	for r.next <= r.done {
		r.next += r.o.Every
	}
	p := CurvePoint{Series: r.done, Values: r.events}
	for i, m := range r.members {
		p.Models = append(p.Models, CurveMetrics{m.name, r.scores[i].metrics(r.reference())})
	}
	r.curve = append(r.curve, p)
	if r.o.OnPoint != nil {
		return r.o.OnPoint(&p)
	}
	return nil
}

// tell shows progress; the caller has the turn.
func (r *run) tell() {
	if r.progress != nil {
		r.progress(&evaluate.Standing{Rows: r.values.Load(), All: r.all, Series: r.done, AllSeries: int64(len(r.data.series)), SoFar: r.soFar})
	}
}

// soFar are the metrics of the first model of the blocks that were joined.
func (r *run) soFar() evaluate.Metrics {
	return r.scores[0].metrics(r.reference())
}

// seconds is a duration that may be divided by.
func seconds(d time.Duration) float64 { return max(d.Seconds(), 1e-9) }
