package main

import (
	"crypto/sha256"
	"fmt"
	"math"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/internal/program"
	"github.com/freshet-ml/freshet/internal/project"
	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/catalog"
	"github.com/freshet-ml/freshet/models/fold"
)

// projectFile asks for one model on eight numbers, as a user writes it.
const projectFile = `
version: 1
project: bench
sources:
  events: {time: at, fields: {id: string, c0: double, c1: double, c2: double, c3: double, c4: double, c5: double, c6: double, c7: double, y: int}}
models:
  model:
    task: binary
    on: events
    id: id
    use: [events.c0, events.c1, events.c2, events.c3, events.c4, events.c5, events.c6, events.c7]
    label: {from: events, by: id, value: y == 1, wait: 1h}
    pipeline: `

const forestOf100 = "{adaptive_random_forest: {trees: 100}}"

var foldModels = []struct {
	spec string
	n    int // events of a round
}{{riverLogistic, 100_000}, {"gaussian_nb", 50_000}, {"hoeffding_tree", 50_000}, {"adaptive_random_forest", 10_000}, {"gradient_boosted_trees", 4000}, {"auto", 10_000}}

// compiled is the fold of a project file with that pipeline.
func compiled(pipeline string) (*fold.Fold, []fold.Member, error) {
	p, err := project.Parse("freshet.yaml", []byte(projectFile+pipeline+"\n"), func(string) (string, bool) { return "", false })
	if err != nil {
		return nil, nil, err
	}
	prog, err := program.Compile(p, catalog.All)
	if err != nil {
		return nil, nil, err
	}
	t := prog.Triggers[0]
	f, err := fold.New(t.Vector.Schema, t.Members)
	if err != nil {
		return nil, nil, err
	}
	f.Watch(t.Vector.Schema, t.Measures)
	return f, t.Members, nil
}

// entries folds, as a learner does, the packed example of an event and at once its packed label.
func entries(f *fold.Fold) func(i int) {
	const n = 20_000
	_, rows := plainSet(n)
	packed := make([][2][]byte, n)
	for i := range rows {
		e := fold.Entry{Kind: fold.Predict, ID: fmt.Sprint("event", i), Time: rows[i].Time, Taken: rows[i].Time, Vector: rows[i].Value}
		packed[i][0] = fold.AppendEntry(nil, &e)
		e.Kind, e.Flags, e.Y = fold.Learn, fold.Final, rows[i].Y
		packed[i][1] = fold.AppendEntry(nil, &e)
	}
	var e fold.Entry
	apply := func(bytes []byte, i int) {
		if err := fold.DecodeEntry(bytes, &e); err != nil {
			panic(err)
		}
		if e.Seq = f.Position(); e.Kind == fold.Learn {
			e.Ref = e.Seq - 1
		}
		e.Time = int64(i) * 1e6
		e.Taken = e.Time
		if err := f.Apply(&e); err != nil {
			panic(err)
		}
	}
	return func(i int) {
		apply(packed[i%n][0], i)
		apply(packed[i%n][1], i)
	}
}

// production prints what the fold of a project costs around its model.
func (b *bench) production() error {
	first := true
	for _, m := range foldModels {
		if b.skip("production fold", m.spec, false) {
			continue
		}
		if first {
			first = false
			fmt.Fprint(b.out, "### Through the production fold\n\nProcessor time of an example and its label as the learner of a project file folds them: entries unpacked, predicted, kept until the label, scored overall, by month and for drift, learned; "+
				"all members that a project gets by itself, and the watch on the columns. Beside it the model alone on the same rows. The least of five rounds.\n\n| model | members | fold, ns | the model alone, ns | around it, ns |\n|---|---|---|---|---|\n")
		}
		f, members, err := compiled(m.spec)
		if err != nil {
			return fmt.Errorf("%s: %w", m.spec, err)
		}
		alone, err := of(m.spec, plain)()
		if err != nil {
			return fmt.Errorf("%s: %w", m.spec, err)
		}
		all, one := b.perEvent(entries(f), m.n), b.perEvent(alone, m.n)
		fmt.Fprintf(b.out, "| `%s` | %d | **%.4g** | %.4g | %.4g |\n", m.spec, len(members), all, one, all-one)
	}
	if !first {
		fmt.Fprintln(b.out)
	}
	return b.ctx.Err()
}

// scaling prints how a forest of 100 trees uses two processors.
func (b *bench) scaling() error {
	if b.skip("two processors", forestOf100, true) {
		return nil
	}
	fmt.Fprint(b.out, "### A forest of 100 trees on one and two processors\n\n20,000 rows of eight numbers. The shorter the wall time on two, the better; the state is to be the same.\n\n| processors | wall, µs per event | processor time, µs per event | times as fast | state (SHA-256) |\n|---|---|---|---|---|\n")
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	before := 0.0
	for _, n := range []int{1, 2} {
		runtime.GOMAXPROCS(n)
		env, rows := plain()
		m, err := build(forestOf100, env)
		if err != nil {
			return err
		}
		turn := turns(m, rows)
		begin, wall := cpuTime(), time.Now()
		for i := range rows {
			if turn(i); b.ctx.Err() != nil {
				return b.ctx.Err()
			}
		}
		took, cpu := float64(time.Since(wall))/float64(len(rows))/1e3, (cpuTime()-begin)/float64(len(rows))/1e3
		if before == 0 {
			before = took
		}
		s := codec.Saver(nil)
		m.State(s)
		fmt.Fprintf(b.out, "| %d | **%.4g** | %.4g | %.3g | %x |\n", n, took, cpu, before/took, sha256.Sum256(s.Bytes()))
	}
	fmt.Fprintln(b.out)
	return nil
}

// version is what readers see: a predictor with the time at which the oldest event in it that no version before had was learned.
type version struct {
	model models.Predictor
	first time.Time
	n     int
}

// published is a model that learns ten events in every millisecond and hands out a version after them.
type published struct {
	turn    func(i int)
	model   models.Publisher
	rows    []models.Example
	current atomic.Pointer[version]
	learned int
}

// run goes on for so long, on the clock; it answers the processor time of a millisecond, and how long after it was learned the oldest event of
// each version was with the reader, in ms.
func (p *published) run(length time.Duration, publish bool) (cpu float64, behind []float64) {
	stop := make(chan struct{})
	var reader sync.WaitGroup
	reader.Go(func() {
		seen, every := p.current.Load(), time.NewTicker(100*time.Microsecond)
		defer every.Stop()
		var out []float64
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			case <-every.C:
			}
			v := p.current.Load()
			if v == nil || v == seen {
				continue
			}
			seen = v
			behind = append(behind, float64(time.Since(v.first))/1e6)
			if i%16 == 0 { // some of what it is read for; the rest would be counted as learning
				out = v.model.Predict(out[:0], &p.rows[i%len(p.rows)])
			}
		}
	})
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	begin, start, batches := cpuTime(), time.Now(), 0
	for time.Since(start) < length {
		<-tick.C
		batches++
		first := time.Now()
		for range 10 {
			p.turn(p.learned)
			p.learned++
		}
		if publish {
			p.current.Store(&version{p.model.Publish(), first, p.learned})
		}
	}
	cpu = (cpuTime() - begin) / float64(batches)
	close(stop)
	reader.Wait()
	return cpu, behind
}

var versionModels = []struct {
	spec string
	set  func() (models.Env, []models.Example)
	warm int
}{{riverLogistic, plain, 20_000}, {forestOf100, plain, 10_000}, {"gradient_boosted_trees", plain, 10_000}, {"{hashed_ftrl: {bits: 20}}", categories, 40_000}}

// versions prints what a version every millisecond costs the learner, and how far behind readers are.
func (b *bench) versions() error {
	first, length := true, 5*time.Second
	if b.quick {
		length = 500 * time.Millisecond
	}
	for _, v := range versionModels {
		if b.skip("versions", v.spec, strings.Contains(v.spec, "100")) {
			continue
		}
		if first {
			first = false
			fmt.Fprint(b.out, "### A version every millisecond at 10,000 events a second\n\nOn the clock, 5 s without and 5 s with versions, twice, the smaller figure each; the collector's time with it. A reader looks every 0.1 ms: behind is how long after it was learned the oldest event of a version is with it, its wait for the version included.\n\n"+
				"| model | learning, µs of a millisecond | with versions | versions cost, of learning | of a processor | behind, median ms | p99 | greatest |\n|---|---|---|---|---|---|---|---|\n")
		}
		env, rows := v.set()
		m, err := build(v.spec, env)
		if err != nil {
			return err
		}
		publisher, ok := m.(models.Publisher)
		if !ok {
			return fmt.Errorf("%s is not published", v.spec)
		}
		p := &published{turn: turns(m, rows), model: publisher, rows: rows}
		for p.learned < v.warm && b.ctx.Err() == nil {
			p.turn(p.learned)
			p.learned++
		}
		without, with := math.Inf(1), math.Inf(1)
		var behind []float64
		for range 2 {
			alone, _ := p.run(length, false)
			publisher.Publish()
			beside, late := p.run(length, true)
			without, with, behind = min(without, alone), min(with, beside), append(behind, late...)
		}
		slices.Sort(behind)
		fmt.Fprintf(b.out, "| `%s` | %.4g | %.4g | **%.0f %%** | %.1f %% | %.2g | %.2g | %.2g |\n", v.spec, without/1e3, with/1e3, 100*(with/without-1), (with-without)/1e4, quantile(behind, 0.5), quantile(behind, 0.99), quantile(behind, 1))
	}
	if !first {
		fmt.Fprintln(b.out)
	}
	return b.ctx.Err()
}

// quantile is that of sorted values, NaN of none.
func quantile(x []float64, q float64) float64 {
	if len(x) == 0 {
		return math.NaN()
	}
	return x[int(q*float64(len(x)-1))]
}
