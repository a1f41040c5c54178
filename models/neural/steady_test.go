package neural

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/optim"
)

func TestShorten(t *testing.T) {
	s := newSteady(steadyOptions{Norm: 10}, 0)
	for _, c := range []struct {
		square, factor float64
		ok             bool
	}{{0, 1, true}, {100, 1, true}, {400, 0.5, true}, {math.Inf(1), 0, false}, {math.NaN(), 0, false}} {
		if f, ok := s.shorten(c.square); f != c.factor || ok != c.ok {
			t.Errorf("norm² %v: factor %v, %v", c.square, f, ok)
		}
	}
	if s.Shortened != 1 || s.Skipped != 2 {
		t.Errorf("%+v", s.Counts)
	}
}

// TestRollBack: the weights go back when the recent loss is more than twice the reference, once: a loss that stays is taken as the stream's.
func TestRollBack(t *testing.T) {
	s := newSteady(steadyOptions{Shadow: 500}, 1)
	w := []float64{1}
	for range 2000 {
		s.watch(0.3, w)
	}
	w[0] = 99
	at := -1
	for i := range 3000 {
		if s.watch(1.5, w) {
			if at >= 0 {
				t.Fatalf("went back again after %d labels", i)
			}
			at = i
			if w[0] != 1 {
				t.Fatalf("went back to %v", w[0])
			}
		}
	}
	if at < 10 || at > 200 || s.RolledBack != 1 {
		t.Errorf("went back after %d labels; %+v", at, s.Counts)
	}
}

// TestRollBackFromBroken: weights that give no finite loss are replaced too.
func TestRollBackFromBroken(t *testing.T) {
	s := newSteady(steadyOptions{Shadow: 10}, 1)
	w := []float64{1}
	for range grace + 10 {
		s.watch(0.3, w)
	}
	w[0] = math.Inf(1)
	for range brokenLimit {
		s.watch(math.NaN(), w)
	}
	if w[0] != 1 {
		t.Errorf("weight %v", w[0])
	}
}

// TestNoRollBackOnRareErrors: one bad answer among good ones is no explosion.
func TestNoRollBackOnRareErrors(t *testing.T) {
	s := newSteady(steadyOptions{Shadow: 500}, 1)
	for i := range 20000 {
		l := 0.001
		if i%500 == 499 {
			l = 9
		}
		s.watch(l, []float64{1})
	}
	if s.RolledBack != 0 {
		t.Errorf("%+v", s.Counts)
	}
}

// TestDiverging: a net whose rate is far too high goes on answering with finite numbers.
func TestDiverging(t *testing.T) {
	o := small()
	o.Optimizer = func(n int) (*optim.Block, error) {
		return optim.NewBlock(optim.NewSGD(optim.Schedule{Rate: 1e30}), n)
	}
	for _, env := range envs(mixedSchema(3, 1)) {
		n, err := NewMLP(env, o)
		if err != nil {
			t.Fatal(err)
		}
		rng := rand.New(rand.NewPCG(1, 1))
		for range 3000 {
			e := &models.Example{Row: models.Row{Value: mixedRow(rng, 3, 1, 9)}, Y: float64(rng.IntN(2)), Weight: 1}
			if p := n.Predict(nil, e)[0]; !finite(p) {
				t.Fatalf("%s: the answer is %v", env.Task, p)
			}
			n.Observe(e)
			n.Learn(e, nil)
		}
		if !allFinite(n.w) && n.Counts().Skipped == 0 {
			t.Errorf("%s: %+v", env.Task, n.Counts())
		}
	}
}

// TestDropoutReplays: masks are a function of seed and event, and keep the share that they should.
func TestDropoutReplays(t *testing.T) {
	a, b := make([]float64, 10000), make([]float64, 10000)
	dropMask(a, 0.3, 1, 2)
	dropMask(b, 0.3, 1, 2)
	kept, sum := 0, 0.0
	for i := range a {
		if a[i] != b[i] {
			t.Fatal("two masks of one event differ")
		}
		if sum += a[i]; a[i] > 0 {
			kept++
		}
	}
	if math.Abs(float64(kept)-7000) > 4*math.Sqrt(10000*0.21) || math.Abs(sum/10000-1) > 0.03 {
		t.Errorf("%d of 10000 kept, mean %v", kept, sum/10000)
	}
	dropMask(b, 0.3, 1, 3)
	same := 0
	for i := range a {
		if a[i] == b[i] {
			same++
		}
	}
	if same > 7000 {
		t.Errorf("masks of two events agree in %d places", same)
	}
}

// TestBatchIsMean: a batch of two equal labels moves the weights as one label does.
func TestBatchIsMean(t *testing.T) {
	env := envs(mixedSchema(2, 0))[0]
	o := small()
	o.Optimizer = func(n int) (*optim.Block, error) {
		return optim.NewBlock(optim.NewSGD(optim.Schedule{Rate: 0.1}), n)
	}
	one, err := NewMLP(env, o)
	if err != nil {
		t.Fatal(err)
	}
	o.Batch = 2
	two, err := NewMLP(env, o)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 10 {
		e := &models.Example{Row: models.Row{Value: []float64{1, float64(i)}}, Y: float64(i % 2), Weight: 1}
		one.Learn(e, nil)
		two.Learn(e, nil)
		if i == 3 { // in the middle of a batch
			two.Learn(e, nil)
			again, err := NewMLP(env, o)
			if err != nil {
				t.Fatal(err)
			}
			two.Learn(e, nil)
			if err := codec.Load(again, codec.Save(two)); err != nil {
				t.Fatal(err)
			}
			two.Learn(e, nil)
			again.Learn(e, nil)
			if codec.Sum(two) != codec.Sum(again) {
				t.Error("going on in a batch after a load gives another state")
			}
			one.Learn(e, nil)
			continue
		}
		two.Learn(e, nil)
	}
	for i := range one.w {
		if math.Abs(one.w[i]-two.w[i]) > 1e-12 {
			t.Fatalf("weight %d: %v by single labels, %v by batches", i, one.w[i], two.w[i])
		}
	}
}

// TestReplay: the buffer hands out what it kept, and a net with one replays to the same bits after a load.
func TestReplay(t *testing.T) {
	o := small()
	o.Replay, o.ReplayLabels = 16, 3
	env := envs(mixedSchema(2, 1))[2]
	a, err := NewMLP(env, o)
	if err != nil {
		t.Fatal(err)
	}
	b, err := NewMLP(env, o)
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 1))
	es := make([]models.Example, 60)
	for i := range es {
		es[i] = models.Example{Row: models.Row{Value: mixedRow(rng, 2, 1, 4)}, Y: float64(i), Weight: 1, Time: int64(i)}
	}
	for i := range es[:40] {
		a.Learn(&es[i], nil)
	}
	for k := range 200 {
		if y := a.replay.draw(uint64(k), 0).Y; y < 24 || y > 39 {
			t.Fatalf("row %v is not among the newest 16", y)
		}
	}
	if err := codec.Load(b, codec.Save(a)); err != nil {
		t.Fatal(err)
	}
	for i := range es[40:] {
		a.Learn(&es[40+i], nil)
		b.Learn(&es[40+i], nil)
	}
	if codec.Sum(a) != codec.Sum(b) {
		t.Error("going on after a load gives another state")
	}
}
