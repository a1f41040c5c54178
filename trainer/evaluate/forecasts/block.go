package forecasts

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"math"
	"time"

	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
)

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
		b.values.Add(int64(hi - lo))
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
