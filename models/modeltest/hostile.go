package modeltest

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
)

// checkAnswer reports an answer that is not finite or not what the task promises.
func (r *runner) checkAnswer(t *testing.T, what string, out []float64) {
	t.Helper()
	n := models.AnswerLen(r.c.Env.Task, r.c.Env.Classes)
	if len(out) < n {
		t.Fatalf("%s: %d numbers, an answer has %d", what, len(out), n)
	}
	sum := 0.0
	for _, p := range out[:n] {
		sum += p
		if math.IsNaN(p) || math.IsInf(p, 0) || r.c.Env.Task != models.Regression && (p < 0 || p > 1) {
			t.Fatalf("%s: the answer is %v", what, out[:n])
		}
	}
	if r.c.Env.Task == models.Multiclass && math.Abs(sum-1) > 1e-6 {
		t.Fatalf("%s: the probabilities %v sum to %v", what, out[:n], sum)
	}
}

func (r *runner) labelDelay(t *testing.T) {
	l := r.learner(t)
	es := r.examples(400, 7)
	pasts := make([][]float64, len(es))
	const delay = 60
	for i := range es {
		pasts[i] = l.Predict(nil, &es[i])
		r.checkAnswer(t, "under label delay", pasts[i])
		l.Observe(&es[i])
		if i < delay {
			continue
		}
		if past := pasts[i-delay]; i%7 == 0 {
			l.Learn(&es[i-delay], nil)
		} else {
			l.Learn(&es[i-delay], past)
		}
	}
}

func (r *runner) hostileInputs(t *testing.T) {
	base := r.examples(300, 8)
	hostile := map[string]func(i int, e *models.Example){
		"all missing": func(_ int, e *models.Example) { fill(e, math.NaN()) },
		"huge":        func(i int, e *models.Example) { fill(e, math.Copysign(1e300, float64(i%2)-0.5)) },
		"tiny":        func(_ int, e *models.Example) { fill(e, 5e-324) },
		"constant":    func(_ int, e *models.Example) { fill(e, 3) },
		"sudden": func(i int, e *models.Example) {
			if i%50 == 49 {
				fill(e, 1e18)
			}
		},
		"new categories": func(i int, e *models.Example) { e.Value[len(e.Value)-1] = float64(i * 977) },
		"one class":      func(_ int, e *models.Example) { e.Y = 0 },
		"heavy":          func(_ int, e *models.Example) { e.Weight = 1e6 },
		"light":          func(_ int, e *models.Example) { e.Weight = 1e-9 },
		"huge label": func(i int, e *models.Example) {
			if r.c.Env.Task == models.Regression && i%3 == 0 {
				e.Y = math.Copysign(1e300, e.Y-12)
			}
		},
	}
	for what, f := range hostile {
		l := r.learner(t)
		var out []float64
		for i := range base {
			e := base[i]
			e.Value = append([]float64(nil), e.Value...)
			f(i, &e)
			out = step(l, out, &e)
			r.checkAnswer(t, what, out)
		}
		for i := range base[:50] {
			r.checkAnswer(t, what+", afterwards", l.Predict(nil, &base[i]))
		}
	}
}

func fill(e *models.Example, x float64) {
	for i := range e.Value {
		e.Value[i] = x
	}
}

func (r *runner) damagedState(t *testing.T) {
	l := r.learner(t)
	es := r.examples(200, 9)
	feed(l, es)
	saved := codec.Save(l)
	rng := rand.New(rand.NewPCG(9, 9))
	for i := range 200 {
		cut := saved[:rng.IntN(len(saved))]
		err := codec.Load(r.learner(t), cut)
		if err == nil {
			t.Fatalf("a state cut to %d of %d bytes was loaded", len(cut), len(saved))
		}
		if !errors.Is(err, codec.ErrDamaged) {
			t.Fatalf("a cut state gives %v, which is not codec.ErrDamaged", err)
		}
		// A flipped byte may be another valid state; it must not panic, when loaded or when used.
		flipped := append([]byte(nil), saved...)
		flipped[rng.IntN(len(flipped))] ^= byte(1 + rng.IntN(255))
		m := r.learner(t)
		if codec.Load(m, flipped) == nil && i < 50 {
			step(m, nil, &es[i])
		}
	}
	if err := codec.Load(r.learner(t), append(append([]byte(nil), saved...), 0)); err == nil {
		t.Error("a state with a byte more was loaded")
	}
}

func (r *runner) noAllocation(t *testing.T) {
	if r.c.Grows || raceEnabled {
		return
	}
	l := r.learner(t)
	es := r.examples(500, 10)
	out := make([]float64, 0, 256)
	for round := range 4 {
		for i := range es {
			es[i].Time += int64(round)
			out = step(l, out, &es[i])
		}
	}
	i := 0
	if n := testing.AllocsPerRun(200, func() {
		out = step(l, out, &es[i%len(es)])
		i++
	}); n != 0 {
		t.Errorf("%v allocations per event", n)
	}
	p, ok := l.(models.Publisher)
	if !ok {
		return
	}
	snap := p.Publish()
	if n := testing.AllocsPerRun(200, func() {
		out = snap.Predict(out[:0], &es[i%len(es)])
		i++
	}); n >= 1 {
		t.Errorf("%v allocations per answer of a snapshot", n)
	}
}

// zeroFeatures checks that a model without columns still answers.
func zeroFeatures(t *testing.T, c Case) {
	c.Env.Schema = &features.Schema{}
	l, err := c.New(c.Env)
	if err != nil {
		t.Fatal(err)
	}
	r := runner{c: c}
	var out []float64
	for i := range 100 {
		e := models.Example{Y: r.label(float64(i%3) - 0.5), Weight: 1, Time: int64(i)}
		out = step(l, out, &e)
		r.checkAnswer(t, "zero features", out)
	}
}
