package forecasts

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"math"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/metric"
	"github.com/freshet-ml/freshet/trainer/evaluate"
)

// Progress is told how far a run is: values taken in of all, and the metrics of the first model so far.
type Progress func(values, all int64, soFar func() evaluate.Metrics)

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
	done    atomic.Int64
	all     int64
	plotted map[string]int
	paired  []*paired // by model after the first
	panel   bool      // differences are by series, else by forecast

	// What is joined block by block, in order.
	turn     turnstile
	progress Progress
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
func Run(ctx context.Context, o Options, progress Progress) (*Report, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	r := &run{o: &o, levels: newLevels(o.Levels), progress: progress}
	if o.Load != "" {
		var err error
		if r.states, err = readStates(o.Load); err != nil {
			return nil, err
		}
	}
	var err error
	if r.data, err = readData(&o); err != nil {
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
				err := b.all(ctx, r.data.series[i*size:min((i+1)*size, n)])
				if !r.turn.wait(i) {
					return
				}
				if err == nil {
					err = r.add(b)
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

// turnstile lets blocks through in their order.
type turnstile struct {
	lock sync.Mutex
	wake *sync.Cond
	at   int
	err  error
}

// wait returns when it is the turn of block i, false if the run has failed.
func (t *turnstile) wait(i int) bool {
	t.lock.Lock()
	defer t.lock.Unlock()
	for t.at != i && t.err == nil {
		t.wake.Wait()
	}
	return t.err == nil
}

func (t *turnstile) mine(i int) bool {
	t.lock.Lock()
	defer t.lock.Unlock()
	return t.at == i && t.err == nil
}

func (t *turnstile) next() {
	t.lock.Lock()
	t.at++
	t.lock.Unlock()
	t.wake.Broadcast()
}

func (t *turnstile) fail(err error) {
	t.lock.Lock()
	if t.err == nil {
		t.err = err
	}
	t.lock.Unlock()
	t.wake.Broadcast()
}

func (t *turnstile) failed() error {
	t.lock.Lock()
	defer t.lock.Unlock()
	return t.err
}

// add joins a block; its turn has come.
func (r *run) add(b *block) error {
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
	r.tell()
	return nil
}

// tell shows progress; the caller has the turn.
func (r *run) tell() {
	if r.progress != nil {
		r.progress(r.done.Load(), r.all, r.soFar)
	}
}

// soFar are the metrics of the first model of the blocks that were joined.
func (r *run) soFar() evaluate.Metrics {
	var reference *scores
	if r.naive2 >= 0 {
		reference = r.scores[r.naive2]
	}
	return r.scores[0].metrics(reference)
}

// block is a stretch of series on one goroutine.
type block struct {
	*run
	index       int
	scores      []*scores
	tallies     []tally
	health      []Health
	bytes       []int64
	digests     [][]byte // by member: 32 bytes for each series
	differences [][]float64
	events      int64
	counts      counts
	tables      tableBuffer
	states      []byte
	plots       []plotSeries

	asking
	room int
	// stretches counts those of the present series that have a forecast.
	stretches int
	outlooks  [][]models.Outlook // by member and place in a stretch
	lanes     []lane
	whole     []errorsOf // of the present series, by member
	between   [][]float64
	y         []float64
	state     []byte
}

// newBlock makes room for the forecasts of a stretch.
func newBlock(r *run, index int) *block {
	n, h := len(r.members), r.o.Horizon
	b := &block{run: r, index: index, tallies: make([]tally, n), health: make([]Health, n), bytes: make([]int64, n), digests: make([][]byte, n), lanes: make([]lane, n),
		differences: make([][]float64, r.models-1), between: make([][]float64, r.models-1), y: make([]float64, h)}
	b.width, b.future = len(r.o.Regressors), make([][]float64, h)
	b.room = min(max(1<<16/(h*len(r.levels.all)), 1), 256)
	for range n {
		b.scores = append(b.scores, newScores(r.levels, h))
		b.outlooks = append(b.outlooks, make([]models.Outlook, 0, b.room))
	}
	return b
}

func (b *block) all(ctx context.Context, list []*series) error {
	for _, s := range list {
		if err := b.one(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

// one takes a series from its first value to its last.
func (b *block) one(ctx context.Context, s *series) error {
	at := b.o.origins(s)
	scale := math.NaN()
	if len(at) > 0 {
		b.counts.forecast++
		b.counts.forecasts += int64(len(at))
		if scale = seasonalError(s, at[0].point+1, b.o.scale()); !(scale > 0) {
			b.counts.unscaled++
		}
	} else {
		b.counts.short++
	}
	for i, m := range b.members {
		b.lanes[i] = lane{m.start(), -1}
	}
	if err := b.resume(s); err != nil {
		return err
	}
	b.whole, b.stretches = make([]errorsOf, len(b.members)), 0
	dense := len(at) > 4 && len(at)*sparse > len(s.points)
	for lo, k := 0, 0; lo < len(s.points); {
		hi, n := b.stretch(s, at[k:], lo, dense)
		for i := range b.members {
			b.take(i, s, lo, hi, at[k:k+n], dense)
		}
		if err := b.score(s, at[k:k+n], scale); err != nil {
			return err
		}
		if n > 0 {
			b.stretches++
		}
		b.done.Add(int64(hi - lo))
		lo, k = hi, k+n
		if err := ctx.Err(); err != nil {
			return err
		}
		if b.turn.mine(b.index) {
			b.tell()
		}
	}
	return b.finish(s, at, scale, dense)
}

// sparse is how many values lie between two origins at least where learning and forecasting are timed apart.
const sparse = 500

// stretch ends at the next origin, or where origins are dense after as many as there is room for.
func (b *block) stretch(s *series, at []origin, lo int, dense bool) (hi, n int) {
	if len(at) > 0 && at[0].point < lo {
		return lo, 1 // the end of a loaded state
	}
	const most = 1 << 14
	for hi = lo; hi < len(s.points) && hi-lo < most; hi++ {
		if n < len(at) && at[n].point == hi {
			if n++; !dense || n == b.room {
				return hi + 1, n
			}
		}
	}
	return hi, n
}

// take moves one member over a stretch, and keeps its forecasts. Where origins are dense, a forecast is timed by asking again at the end of a stretch, which changes
// nothing, and learning by itself afterwards.
func (b *block) take(i int, s *series, lo, hi int, at []origin, dense bool) {
	l, t := &b.lanes[i], &b.tallies[i]
	for k := range at {
		b.outlook(i, k, at[k].steps)
	}
	if !dense {
		begin := threadTime()
		l.learn(s, b.width, lo, hi)
		learned := threadTime()
		for k := range at {
			b.ask(l, &b.outlooks[i][k], s, at[k])
		}
		t.learned, t.asked = t.learned+int64(hi-lo), t.asked+int64(len(at))
		t.learnTime += learned - begin
		if len(at) > 0 {
			t.predictTime += threadTime() - learned
		}
		return
	}
	from := lo
	for k := range at {
		l.learn(s, b.width, from, at[k].point+1)
		b.ask(l, &b.outlooks[i][k], s, at[k])
		from = at[k].point + 1
	}
	l.learn(s, b.width, from, hi)
	if n := len(at); n > 0 && !b.members[i].baseline && b.stretches%16 == 0 && b.members[i].spent.Load() < budget {
		o := models.NewOutlook(at[n-1].steps, b.levels.all)
		took, times := b.members[i].timed(func() { b.ask(l, o, s, at[n-1]) })
		t.predictTime += took
		t.asked += times
	}
}

// budget is how long the calls of a member are made for the clock's sake alone, in ns.
const budget = int64(200 * time.Millisecond)

// timed does the same again and again until its time can be told, or it has taken long enough.
func (m *member) timed(do func()) (took time.Duration, times int64) {
	const enough, most = time.Millisecond, 1 << 12
	begin := threadTime()
	for n := int64(1); ; n *= 2 {
		for range n {
			do()
		}
		times += n
		if took = threadTime() - begin; took >= enough || times >= most {
			m.spent.Add(int64(took))
			return took, times
		}
	}
}

// outlook makes the k-th answer of a member ready for a number of steps.
func (b *block) outlook(i, k, steps int) {
	n := len(b.levels.all)
	if k == len(b.outlooks[i]) {
		b.outlooks[i] = append(b.outlooks[i], *models.NewOutlook(b.o.Horizon, b.levels.all))
	}
	o := &b.outlooks[i][k]
	o.Mean, o.Quantiles = o.Mean[:cap(o.Mean)][:steps], o.Quantiles[:cap(o.Quantiles)][:steps*n]
}

// score compares the forecasts of a stretch with what came.
func (b *block) score(s *series, at []origin, scale float64) error {
	for k := range at {
		y := b.y[:at[k].steps]
		truth(y, s, at[k].point)
		var first errorsOf
		for i := range b.members {
			this := b.scores[i].forecast(&b.whole[i], y, &b.outlooks[i][k], scale)
			switch {
			case i == 0:
				first = this
			case i < b.models:
				b.compare(i-1, &this, &first)
			}
		}
		b.tables.forecast(b, s, at[k], y, k)
		if b.tables.full() && b.turn.wait(b.index) {
			if err := b.flush(); err != nil {
				return err
			}
		}
	}
	if n := len(at); n > 0 {
		b.keepPlot(s, at[n-1], n-1)
	}
	return nil
}

// finish takes what is left of a series: scores by series, health and states.
func (b *block) finish(s *series, at []origin, scale float64, dense bool) error {
	width := b.width
	for i := range s.points {
		if !math.IsNaN(s.points[i].y) {
			b.events++
			if !finiteAll(s.x[i*width : (i+1)*width]) {
				b.counts.refused++
			}
		}
	}
	if len(s.points) == 0 {
		return nil
	}
	for i := range b.members {
		b.scores[i].series(&b.whole[i])
		if b.members[i].baseline {
			continue
		}
		if dense && b.members[i].spent.Load() < budget {
			b.learnAlone(i, s)
		}
		b.health[i].add(b.healthOf(i))
		b.keepState(i, s)
	}
	b.endComparison()
	b.tables.series(b, s, at, scale)
	return nil
}

// learnAlone times learning, by doing it once more on series that are thrown away.
func (b *block) learnAlone(i int, s *series) {
	const most = 20_000
	n := min(len(s.points), most)
	took, times := b.members[i].timed(func() {
		l := lane{b.members[i].start(), -1}
		l.learn(s, b.width, 0, n)
	})
	b.tallies[i].learnTime += took
	b.tallies[i].learned += times * int64(n)
}

// healthOf asks a member how it is.
func (b *block) healthOf(i int) models.Health {
	o := models.NewOutlook(1, nil)
	var x [][]float64
	if b.width > 0 {
		x = [][]float64{make([]float64, b.width)}
	}
	b.lanes[i].series.Forecast(o, x)
	return o.Health
}

// keepState hashes and measures the state of a series: its key, its place and what the model visits.
func (b *block) keepState(i int, s *series) {
	v := codec.Saver(b.state[:0])
	b.lanes[i].series.State(v)
	b.state = v.Bytes()
	b.bytes[i] += int64(len(b.state))
	h := sha256.New()
	var place [16]byte
	binary.LittleEndian.PutUint64(place[:], uint64(len(s.key)))
	binary.LittleEndian.PutUint64(place[8:], uint64(b.lanes[i].at))
	h.Write(place[:])
	h.Write([]byte(s.key))
	h.Write(b.state)
	b.digests[i] = h.Sum(b.digests[i])
	if i == 0 && b.saver != nil {
		b.states = appendState(b.states, s.key, s.base, b.lanes[i].at, b.state)
	}
}

// seasonalError is what errors of a series are scaled by: the mean of |y(t) − y(t−season)| over its first points. NaN where there is no pair.
func seasonalError(s *series, points, season int) float64 {
	var m mean
	for i, j := 0, 0; i < points; i++ {
		for s.points[j].t < s.points[i].t-int64(season) {
			j++
		}
		if d := math.Abs(s.points[i].y - s.points[j].y); s.points[j].t == s.points[i].t-int64(season) && !math.IsNaN(d) {
			m.add(d)
		}
	}
	return m.value()
}

// compared are the measures whose differences to the first model are taken.
var compared = [...]string{"mae", "smape", "mase", "crps"}

// compare takes the difference of one forecast.
func (b *block) compare(other int, this, first *errorsOf) {
	d := [len(compared)]float64{this.abs.value() - first.abs.value(), 200 * (this.relative.value() - first.relative.value()),
		this.scaled.value() - first.scaled.value(), this.crps.value() - first.crps.value()}
	b.between[other] = append(b.between[other], d[:]...)
}

// endComparison hands on the differences of a series: their mean, where series are the units.
func (b *block) endComparison() {
	for other, list := range b.between {
		if b.panel && len(list) > 0 {
			var sum [len(compared)]float64
			for i, d := range list {
				sum[i%len(compared)] += d
			}
			for i := range sum {
				sum[i] /= float64(len(list) / len(compared))
			}
			list = sum[:]
		}
		b.differences[other] = append(b.differences[other], list...)
		b.between[other] = b.between[other][:0]
	}
}

// paired keeps differences. Beyond maxPairs neighbours are added up, so that memory is bounded.
type paired struct {
	sums   [len(compared)][]float64
	counts [len(compared)]float64 // that are defined
	stride int
	filled int
	rows   int64
}

const maxPairs = 1 << 17

// fewest is how many forecasts differences need.
const fewest = 8

// add takes the differences of one unit; those that are not defined count 0, and are not in the mean.
func (p *paired) add(d [len(compared)]float64) {
	if p.filled == 0 {
		for i := range p.sums {
			p.sums[i] = append(p.sums[i], 0)
		}
	}
	for i := range p.sums {
		if !math.IsNaN(d[i]) {
			p.sums[i][len(p.sums[i])-1] += d[i]
			p.counts[i]++
		}
	}
	p.rows++
	if p.filled++; p.filled < p.stride {
		return
	}
	p.filled = 0
	if len(p.sums[0]) < maxPairs {
		return
	}
	for i, s := range p.sums {
		for j := range len(s) / 2 {
			s[j] = s[2*j] + s[2*j+1]
		}
		p.sums[i] = s[:len(s)/2]
	}
	p.stride *= 2
}

// bands are the mean differences with their bands, by the circular block bootstrap: over series, which are drawn one by one, or over forecasts in blocks that are
// as long as a horizon, or the cube root of their number. Of less than fewest units there is no band that means anything, and no difference.
func (p *paired) bands(o *Options, panel bool) []evaluate.Difference {
	var out []evaluate.Difference
	if p.rows < fewest {
		return []evaluate.Difference{}
	}
	block := 1.0
	if !panel {
		block = math.Max(math.Ceil(math.Cbrt(float64(p.rows))), math.Ceil(float64(o.Horizon)/float64(max(o.Origins.Stride, 1))))
	}
	for i, name := range compared {
		if p.counts[i] == 0 {
			continue
		}
		scaled := make([]float64, len(p.sums[i]))
		for j, s := range p.sums[i] {
			scaled[j] = s * float64(len(scaled)) / p.counts[i]
		}
		b := metric.PairedBand(scaled, int(math.Ceil(block/float64(p.stride))), 1000, o.Seed)
		out = append(out, evaluate.Difference{Metric: name, Mean: b.Mean, Low: b.Low, High: b.High})
	}
	return out
}

// Health counts series by how far their model trusts them at the end, and what happened to their values.
type Health struct {
	Unknown   int64 `json:"unknown"` // no value was seen
	Cold      int64 `json:"cold"`    // too few values for the season
	Good      int64 `json:"good"`
	Shifted   int64 `json:"shifted"`   // the level changed a short time ago
	Refused   int64 `json:"refused"`   // values that the model could not take
	Anomalies int64 `json:"anomalies"` // values that were damped
	Shifts    int64 `json:"shifts"`    // changes of level
	Restarts  int64 `json:"restarts"`  // times that numbers left their range
}

func (h *Health) add(m models.Health) {
	switch m.Status {
	case models.HealthCold:
		h.Cold++
	case models.HealthGood:
		h.Good++
	case models.HealthShifted:
		h.Shifted++
	default:
		h.Unknown++
	}
	h.Refused += m.Refused
	h.Anomalies += m.Anomalies
	h.Shifts += m.Shifts
	h.Restarts += m.Restarts
}

func (h *Health) join(o *Health) {
	h.Unknown += o.Unknown
	h.Cold += o.Cold
	h.Good += o.Good
	h.Shifted += o.Shifted
	h.Refused += o.Refused
	h.Anomalies += o.Anomalies
	h.Shifts += o.Shifts
	h.Restarts += o.Restarts
}

// seconds is a duration that may be divided by.
func seconds(d time.Duration) float64 { return max(d.Seconds(), 1e-9) }
