// Package modeltest is the conformance suite of the models: what the contract in package models
// promises, checked on whatever the catalogue lists. In the flow it stands beside the catalogue; a new
// model gets the whole battery for its one line there. Besides it reads reference streams and validates models on them progressively, for the
// tests that hold models to the figures of other libraries. Only tests use it, so it may read files.
package modeltest

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
)

// Case is one model to check: a spec's learner for one task.
type Case struct {
	Name string
	Env  models.Env
	// New makes a fresh learner; every call must make the same one.
	New func(env models.Env) (models.Learner, error)
	// Grows is set for models whose state grows with the data, such as trees: they may allocate.
	Grows bool
	// Bounds are the counts that it may have, see models.Bounded; nil: not checked.
	Bounds []models.Bound
}

// Run runs the whole suite on the case.
func Run(t *testing.T, c Case) {
	for _, shape := range []string{"dense", "sparse"} {
		t.Run(shape, func(t *testing.T) {
			r := runner{c: c, sparse: shape == "sparse"}
			t.Run("same order, same bits", r.deterministic)
			t.Run("predict changes nothing", r.predictIsPure)
			t.Run("observe ignores the label", r.observeIgnoresLabel)
			t.Run("snapshot is isolated", r.snapshotIsIsolated)
			t.Run("load and go on", r.loadAndGoOn)
			t.Run("weight 0 changes nothing", r.weightZero)
			t.Run("answers under label delay", r.labelDelay)
			t.Run("hostile inputs", r.hostileInputs)
			t.Run("damaged state", r.damagedState)
			t.Run("counts never fall", r.countsNeverFall)
			t.Run("no allocation", r.noAllocation)
		})
	}
	t.Run("zero features", func(t *testing.T) { zeroFeatures(t, c) })
	if c.Env.Task == models.Binary || c.Env.Task == models.Multiclass {
		t.Run("random labels", func(t *testing.T) { randomLabels(t, c) })
	}
}

// Schema is what the suite's rows mean: numbers of different scale, one with missing values, one
// constant, and two categories.
func Schema() *features.Schema {
	return &features.Schema{Columns: []features.Column{
		{Name: "small"}, {Name: "large"}, {Name: "holes"}, {Name: "constant"},
		{Name: "colour", Kind: features.Categorical}, {Name: "town", Kind: features.Categorical},
	}}
}

type runner struct {
	c      Case
	sparse bool
}

func (r *runner) learner(t *testing.T) models.Learner {
	t.Helper()
	r.c.Env.Schema = Schema()
	l, err := r.c.New(r.c.Env)
	if err != nil {
		t.Fatalf("make %s: %v", r.c.Name, err)
	}
	return l
}

// examples makes n examples: the label depends on the columns, so that models have something to learn.
func (r *runner) examples(n int, seed uint64) []models.Example {
	rng := rand.New(rand.NewPCG(seed, 1))
	out := make([]models.Example, n)
	for i := range out {
		small, large := rng.NormFloat64(), 1000*rng.ExpFloat64()
		colour, town := features.Category(fmt.Sprint("c", rng.IntN(3))), features.Category(fmt.Sprint("t", rng.IntN(60)))
		v := []float64{small, large, rng.NormFloat64(), 7, colour, town}
		if rng.IntN(4) == 0 {
			v[2] = math.NaN()
		}
		if rng.IntN(20) == 0 {
			v[5] = math.NaN()
		}
		score := small + large/1000 + 0.3*rng.NormFloat64()
		e := models.Example{Row: models.Row{Value: v}, Key: uint64(rng.IntN(5)), Time: int64(i) * 1e6, Weight: 1}
		e.Y = r.label(score)
		if r.sparse {
			e.Row = sparse(v)
		}
		out[i] = e
	}
	return out
}

func (r *runner) label(score float64) float64 {
	switch r.c.Env.Task {
	case models.Binary:
		if score > 1 {
			return 1
		}
		return 0
	case models.Multiclass:
		return float64(min(r.c.Env.Classes-1, max(0, int(score+1))))
	case models.Anomaly:
		if score > 5 {
			return 1
		}
		return 0
	}
	return 10 + 5*score
}

// sparse turns a dense row into one that leaves out zeros.
func sparse(v []float64) models.Row {
	row := models.Row{Index: []uint32{}}
	for i, x := range v {
		if x != 0 {
			row.Index, row.Value = append(row.Index, uint32(i)), append(row.Value, x)
		}
	}
	return row
}

// step is one event without label delay.
func step(l models.Learner, dst []float64, e *models.Example) []float64 {
	dst = l.Predict(dst[:0], e)
	l.Observe(e)
	l.Learn(e, dst)
	return dst
}

// feed runs the examples through the learner and returns all that it answered.
func feed(l models.Learner, es []models.Example) []float64 {
	var all, one []float64
	for i := range es {
		one = step(l, one, &es[i])
		all = append(all, one...)
	}
	return all
}

func sameBits(a, b []float64) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if math.Float64bits(a[i]) != math.Float64bits(b[i]) {
			return false
		}
	}
	return true
}

func (r *runner) deterministic(t *testing.T) {
	a, b := r.learner(t), r.learner(t)
	es := r.examples(400, 1)
	if !sameBits(feed(a, es), feed(b, es)) || codec.Sum(a) != codec.Sum(b) {
		t.Error("two learners of one spec and one order differ")
	}
	start := codec.Sum(a)
	feed(a, es[:50])
	if _, baseline := constant[r.c.Name]; codec.Sum(a) == start && !baseline {
		t.Error("fifty more examples left the state as it was")
	}
}

// constant lists models whose state may stay the same over many examples.
var constant = map[string]bool{"no_change": true}

func (r *runner) predictIsPure(t *testing.T) {
	l := r.learner(t)
	es := r.examples(300, 2)
	feed(l, es[:200])
	before := codec.Sum(l)
	first := l.Predict(nil, &es[200])
	for i := range es {
		l.Predict(nil, &es[i])
	}
	if codec.Sum(l) != before {
		t.Error("predict changed the state")
	}
	if again := l.Predict(nil, &es[200]); !sameBits(first, again) {
		t.Errorf("the same question was answered %v, then %v", first, again)
	}
	prefix := []float64{1, 2, 3}
	if got := l.Predict(prefix, &es[200]); !sameBits(got[:3], prefix) || !sameBits(got[3:], first) {
		t.Errorf("predict does not append to dst: %v", got)
	}
}

func (r *runner) observeIgnoresLabel(t *testing.T) {
	a, b := r.learner(t), r.learner(t)
	es := r.examples(100, 3)
	for i := range es {
		a.Observe(&es[i])
		es[i].Y = math.NaN()
		b.Observe(&es[i])
	}
	if codec.Sum(a) != codec.Sum(b) {
		t.Error("observe looked at the label")
	}
}

func (r *runner) snapshotIsIsolated(t *testing.T) {
	l := r.learner(t)
	p, ok := l.(models.Publisher)
	if !ok {
		return
	}
	es := r.examples(600, 4)
	feed(l, es[:300])
	snap := p.Publish()
	want := make([][]float64, 100)
	for i := range want {
		want[i] = l.Predict(nil, &es[300+i])
		if got := snap.Predict(nil, &es[300+i]); !sameBits(got, want[i]) {
			t.Fatalf("the snapshot answers %v, its learner %v", got, want[i])
		}
	}
	done := make(chan error, 2)
	for range 2 {
		go func() {
			for round := range 20 {
				for i := range want {
					if got := snap.Predict(nil, &es[300+i]); !sameBits(got, want[i]) {
						done <- fmt.Errorf("round %d: the snapshot answers %v, before %v", round, got, want[i])
						return
					}
				}
			}
			done <- nil
		}()
	}
	for i := 300; i < 600; i++ {
		step(l, nil, &es[i])
		if i%50 == 0 {
			p.Publish()
		}
	}
	for range 2 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func (r *runner) loadAndGoOn(t *testing.T) {
	es := r.examples(500, 5)
	for _, cut := range []int{0, 1, 37, 300} {
		never, stopped := r.learner(t), r.learner(t)
		feed(never, es[:cut])
		feed(stopped, es[:cut])
		saved := codec.Save(stopped)
		loaded := r.learner(t)
		feed(loaded, es[400:450]) // what was there before must not shine through
		if err := codec.Load(loaded, saved); err != nil {
			t.Fatalf("load after %d examples: %v", cut, err)
		}
		if !bytes.Equal(codec.Save(loaded), saved) {
			t.Fatalf("saving what was loaded after %d examples gives other bytes", cut)
		}
		if !sameBits(feed(never, es[cut:]), feed(loaded, es[cut:])) {
			t.Fatalf("going on after a load at %d gives other answers than never stopping", cut)
		}
		if codec.Sum(never) != codec.Sum(loaded) {
			t.Fatalf("going on after a load at %d gives another state than never stopping", cut)
		}
	}
}

func (r *runner) weightZero(t *testing.T) {
	l := r.learner(t)
	es := r.examples(300, 6)
	feed(l, es[:200])
	before := codec.Sum(l)
	for i := 200; i < 300; i++ {
		past := l.Predict(nil, &es[i])
		es[i].Weight = 0
		l.Learn(&es[i], past)
		l.Learn(&es[i], nil)
	}
	if codec.Sum(l) != before {
		t.Error("an example of weight 0 changed the state")
	}
}
