package neural

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"syscall"
	"testing"

	"github.com/freshet-ml/freshet/datasets/generator"
	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
)

// recurrent nets by name, with what the catalogue gives them.
var recurrent = []struct {
	name string
	make func(models.Env, SequenceOptions) (*Sequence, error)
}{{"gru", NewGRU}, {"rnn", NewRNN}, {"linear_recurrence", func(env models.Env, o SequenceOptions) (*Sequence, error) {
	if o.Hidden == nil {
		o.Hidden = []int{16}
	}
	return NewLinearRecurrence(env, o)
}}}

func sequence(t testing.TB, name string, env models.Env, change func(o *SequenceOptions)) *Sequence {
	t.Helper()
	o := SequenceDefaults()
	if change != nil {
		change(&o)
	}
	for _, r := range recurrent {
		if r.name == name {
			n, err := r.make(env, o)
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
	}
	t.Fatal(name)
	return nil
}

// live is an event without label delay.
func live(n models.Learner, dst []float64, e *models.Example) []float64 {
	dst = n.Predict(dst[:0], e)
	n.Observe(e)
	n.Learn(e, dst)
	return dst
}

// TestGradientThroughTime: the derivatives of the loss of a walk by all weights, by the state that it begins with, and by the vectors of the
// categories of every event, are those that differences say.
func TestGradientThroughTime(t *testing.T) {
	for _, r := range recurrent {
		for _, env := range envs(mixedSchema(2, 2)) {
			for _, layers := range [][]int{nil, {5}} {
				n := sequence(t, r.name, env, func(o *SequenceOptions) {
					o.Units, o.Steps, o.Held, o.Embedding, o.Rows, o.Hidden, o.PreviousLabel, o.MinCount = 4, 6, 6, 3, 512, layers, true, 3
					if layers == nil && r.name == "linear_recurrence" {
						o.Hidden = []int{}
					}
				})
				rng := rand.New(rand.NewPCG(1, 2))
				for range 30 {
					live(n, nil, &models.Example{Row: models.Row{Value: mixedRow(rng, 2, 2, 4)}, Key: 7, Y: float64(rng.IntN(2)), Weight: 1})
				}
				for length := 1; length <= 6; length += 2 {
					checkWalk(t, fmt.Sprint(r.name, " ", env.Task, " ", len(layers), " layers, ", length, " steps"), n, rng, length)
				}
			}
		}
	}
}

func checkWalk(t *testing.T, name string, n *Sequence, rng *rand.Rand, length int) {
	t.Helper()
	copy(n.w, normals(rng, len(n.w)))
	w, of, y := n.walk, n.entities.own(7), float64(rng.IntN(2))
	start := n.entities.before(of, 6-length)
	copy(start, normals(rng, len(start)))
	steps := n.steps
	n.steps = length
	defer func() { n.steps = steps }()
	run := func() float64 {
		n.walkTo(w, &n.entities.entityShape, of, 5, &n.known)
		n.held(&w.parts[w.n], &n.entities.entityShape, of, 5, &n.known)
		n.step(w, &n.known)
		n.read(w, &n.known, true, 0)
		return n.out.slopes(w.slopes, w.scores, y, &n.target)
	}
	run()
	if w.n != length {
		t.Fatalf("%s: %d steps were walked", name, w.n)
	}
	clear(n.params.g)
	n.back(w, &n.known, n.params.g)
	g, dstart := slices.Clone(n.params.g), slices.Clone(w.dh[length%2])
	clear(n.params.g)
	own := 0
	for i := range w.parts[:length] {
		for f, slot := range w.parts[i].slots {
			if slot >= 0 {
				own++
				checkRow(t, fmt.Sprint(name, ", category ", f, " of step ", i), n, slot, w, run)
			}
		}
	}
	checkGradient(t, name+", weights", n.w, g, func() float64 { return run() })
	checkGradient(t, name+", first state", start, dstart, func() float64 { return run() })
	if length == 5 && own == 0 {
		t.Errorf("%s: no category has a vector of its own", name)
	}
}

// checkRow compares the derivatives by the vector of a category, summed over all events that have it, with differences of fourth order.
func checkRow(t *testing.T, name string, n *Sequence, slot int, w *walk, run func() float64) {
	t.Helper()
	stride := n.inputs.stride()
	row := n.rows[0].row(slot)
	const h = 1.0 / 1024
	for k := range row {
		was := row[k]
		base := math.Round(float64(was)*4096) / 4096 // so that all steps from it are single precision exactly
		at := func(x float64) float64 {
			row[k] = float32(base + x)
			return run()
		}
		near, far := at(h)-at(-h), at(2*h)-at(-2*h)
		want := (8*near - far) / (12 * h)
		at(0)
		n.back(w, &n.known, n.params.g)
		clear(n.params.g)
		got := 0.0
		for i := range w.parts[:w.n] {
			for f, s := range w.parts[i].slots {
				if s == slot {
					got += w.parts[i].demb[f*stride+k]
				}
			}
		}
		row[k] = was
		if math.Abs(got-want) > tolerance*max(1, math.Abs(want)) {
			t.Fatalf("%s: derivative %d is %v, differences say %v", name, k, got, want)
		}
	}
	run()
}

// echoes runs a net over the echo and returns its accuracy over the second half.
func echoes(t testing.TB, spec string, n models.Learner, delay int) float64 {
	s, err := generator.Open(spec)
	if err != nil {
		t.Fatal(err)
	}
	x := make([]float64, 3)
	type waits struct {
		e    models.Example
		past []float64
	}
	var queue []waits
	right, seen := 0.0, 0.0
	for i := int64(0); ; i++ {
		y, ok := s.Vector(x)
		if !ok {
			return right / seen
		}
		e := models.Example{Row: models.Row{Value: slices.Clone(x[1:])}, Key: 1 + math.Float64bits(x[0]), Y: y, Weight: 1}
		past := n.Predict(nil, &e)
		if i >= s.Rows/2 {
			seen++
			if (past[0] > 0.5) == (y == 1) {
				right++
			}
		}
		n.Observe(&e)
		if queue = append(queue, waits{e, past}); len(queue) > delay {
			n.Learn(&queue[0].e, queue[0].past)
			queue = queue[1:]
		}
	}
}

var echoSchema = &features.Schema{Columns: []features.Column{{Name: "shift", Kind: features.Categorical}, {Name: "size"}}}

// TestEcho: what an entity did three events ago is found by recurrent nets and by no net without a memory; also when labels come late.
func TestEcho(t *testing.T) {
	env := models.Env{Schema: echoSchema, Task: models.Binary, Classes: 2, Seed: 1}
	for _, name := range []string{"gru", "rnn", "linear_recurrence"} {
		if got := echoes(t, "echo?n=30000", sequence(t, name, env, nil), 0); got < 0.96 { // nobody is right in more than 0.975
			t.Errorf("%s: accuracy %.4f", name, got)
		}
	}
	flat, err := NewMLP(env, Defaults())
	if err != nil {
		t.Fatal(err)
	}
	if got := echoes(t, "echo?n=30000", flat, 0); got > 0.53 {
		t.Errorf("a net without memory is right in %.4f", got)
	}
	if got := echoes(t, "echo?n=30000", sequence(t, "gru", env, nil), 300); got < 0.96 {
		t.Errorf("gru with labels 300 events late: accuracy %.4f", got)
	}
}

// TestWalkIsRemade: a learner whose walks are never kept has the same bits.
func TestWalkIsRemade(t *testing.T) {
	for _, r := range recurrent {
		for _, env := range envs(mixedSchema(3, 2)) {
			run := func(forget bool) (answers []float64, sum [32]byte) {
				n := sequence(t, r.name, env, func(o *SequenceOptions) { o.PreviousLabel, o.Rows, o.Entities = true, 512, 5 })
				rng := rand.New(rand.NewPCG(3, 4))
				var out []float64
				for i := range 600 {
					e := &models.Example{Row: models.Row{Value: mixedRow(rng, 3, 2, 40)}, Key: uint64(rng.IntN(7)), Time: int64(i / 3), Y: float64(rng.IntN(2)), Weight: 1}
					out = n.Predict(out[:0], e)
					answers = append(answers, out...)
					if forget || i%5 == 0 {
						other := *e
						other.Key++
						n.Predict(nil, &other)
					}
					n.Observe(e)
					if forget {
						n.walked = walked{}
					}
					n.Learn(e, out)
				}
				return answers, codec.Sum(n)
			}
			kept, sum := run(false)
			made, other := run(true)
			if !sameNumbers(kept, made) || sum != other {
				t.Errorf("%s %s: walks that are kept and walks that are made again differ", r.name, env.Task)
			}
		}
	}
}

// TestLateLabels: a label of an event that is held goes back through time, one that comes later teaches a step, one whose answer is lost too is counted.
func TestLateLabels(t *testing.T) {
	env := models.Env{Schema: mixedSchema(2, 0), Task: models.Binary, Classes: 2, Seed: 1}
	n := sequence(t, "gru", env, func(o *SequenceOptions) { o.Steps, o.Held, o.Entities = 2, 4, 2 })
	rng := rand.New(rand.NewPCG(5, 6))
	var es []*models.Example
	var pasts [][]float64
	for i := range 10 {
		e := &models.Example{Row: models.Row{Value: normals(rng, 2)}, Key: 1, Time: int64(i), Y: 1, Weight: 1}
		es, pasts = append(es, e), append(pasts, n.Predict(nil, e))
		n.Observe(e)
	}
	for _, c := range []struct {
		what                  string
		i                     int
		past                  []float64
		learned, late, missed uint64
	}{
		{"held", 7, pasts[7], 1, 0, 0},
		{"held, answer lost", 8, nil, 2, 0, 0},
		{"not held", 3, pasts[3], 3, 1, 0},
		{"not held, answer lost", 2, nil, 3, 1, 1},
		{"not held, answer damaged", 2, []float64{0.5, math.NaN()}, 3, 1, 2},
	} {
		n.Learn(es[c.i], c.past)
		if got := n.Counts(); got.Learned != c.learned || got.Late != c.late || got.Missed != c.missed {
			t.Errorf("%s: %+v", c.what, got)
		}
	}
	for k := range uint64(3) { // entity 1 makes room
		n.Observe(&models.Example{Row: models.Row{Value: normals(rng, 2)}, Key: 10 + k, Time: 100})
	}
	n.Learn(es[9], pasts[9])
	if got := n.Counts(); got.Late != 2 || got.Evicted != 2 || got.Entities != 2 {
		t.Errorf("after the entity went: %+v", got)
	}
}

// TestPreviousLabel: an answer knows the labels that were learned before it, and no other.
func TestPreviousLabel(t *testing.T) {
	for _, env := range envs(&features.Schema{}) {
		n := sequence(t, "gru", env, func(o *SequenceOptions) { o.PreviousLabel = true })
		right, seen := 0.0, 0.0
		rng, state := rand.New(rand.NewPCG(7, 8)), map[uint64]float64{}
		for i := range 20000 {
			k := uint64(rng.IntN(20))
			if rng.IntN(10) == 0 {
				state[k] = float64(rng.IntN(2))
			}
			e := &models.Example{Key: 1 + k, Y: state[k], Weight: 1}
			p := live(n, nil, e)
			if i > 10000 {
				seen++
				said := p[0]
				if env.Task == models.Multiclass {
					said = p[1]
				}
				if (said > 0.5) == (e.Y == 1) {
					right++
				}
			}
		}
		if right/seen < 0.94 { // changes in one of twenty cannot be foreseen
			t.Errorf("%s: right in %.4f", env.Task, right/seen)
		}
	}
}

// TestOneEntitysNaN: what one entity is fed changes no number of another's memory.
func TestOneEntitysNaN(t *testing.T) {
	env := models.Env{Schema: mixedSchema(2, 1), Task: models.Regression, Seed: 1}
	n := sequence(t, "linear_recurrence", env, nil)
	rng := rand.New(rand.NewPCG(9, 9))
	for i := range 400 {
		e := &models.Example{Row: models.Row{Value: mixedRow(rng, 2, 1, 5)}, Key: 1 + uint64(i%4), Y: rng.NormFloat64(), Weight: 1}
		if i%4 == 3 {
			e.Value = []float64{math.Inf(1 - 2*(i%8)/4), math.NaN(), math.Inf(1)}
			e.Y = 1e300
		}
		for _, v := range live(n, nil, e) {
			if !finite(v) {
				t.Fatalf("event %d: the answer has %v", i, v)
			}
		}
	}
	for k := range uint64(4) {
		if e := n.entities.find(1 + k); !allFinite(e.numbers) {
			t.Errorf("entity %d: %v", k, e.numbers)
		}
	}
	if !allFinite(n.w) {
		t.Error("weights are not finite")
	}
}

// TestWithoutEntity: an example whose key is 0 is answered and learned from without a memory, and leaves none.
func TestWithoutEntity(t *testing.T) {
	env := models.Env{Schema: echoSchema, Task: models.Binary, Classes: 2, Seed: 1}
	n := sequence(t, "gru", env, nil)
	rng := rand.New(rand.NewPCG(1, 1))
	draw := func(key uint64) *models.Example {
		v := []float64{features.Category(fmt.Sprint(rng.IntN(2))), rng.NormFloat64()}
		return &models.Example{Row: models.Row{Value: v}, Key: key, Y: float64(rng.IntN(2)), Weight: 1}
	}
	for range 500 {
		live(n, nil, draw(1+uint64(rng.IntN(5))))
	}
	e := draw(0)
	other := *e
	other.Key = 99 // a new entity finds what none does
	if a, b := n.Predict(nil, e), n.Predict(nil, &other); !sameNumbers(a, b) {
		t.Errorf("none is answered %v, a new entity %v", a, b)
	}
	live(n, nil, e)
	if got := n.Counts(); got.Entities != 5 || got.Learned != 501 || got.Late != 0 || got.Missed != 0 {
		t.Errorf("after a row without entity: %+v", got)
	}
}

// TestSequenceOptions: sizes that do not fit are refused.
func TestSequenceOptions(t *testing.T) {
	for _, wrong := range []SequenceOptions{{Held: 3}, {Units: 5}} {
		o := SequenceDefaults()
		o.Held, o.Units = max(o.Held*(1-min(1, wrong.Held)), wrong.Held), max(o.Units*(1-min(1, wrong.Units)), wrong.Units)
		_, err := NewLinearRecurrence(models.Env{Schema: echoSchema, Task: models.Binary, Classes: 2}, o)
		if err == nil {
			t.Errorf("%+v was taken", wrong)
		} else {
			t.Log(err)
		}
	}
}

// TestSequenceRandomLabels: labels that nothing predicts are predicted no better and no worse than by chance.
func TestSequenceRandomLabels(t *testing.T) {
	for _, r := range recurrent {
		env := models.Env{Schema: mixedSchema(4, 2), Task: models.Binary, Classes: 2, Seed: 1}
		n := sequence(t, r.name, env, func(o *SequenceOptions) { o.PreviousLabel = true })
		rng := rand.New(rand.NewPCG(10, 10))
		const rounds = 10000
		right := 0.0
		for range rounds {
			e := &models.Example{Row: models.Row{Value: mixedRow(rng, 4, 2, 50)}, Key: 1 + uint64(rng.IntN(30)), Y: float64(rng.IntN(2)), Weight: 1}
			if p := live(n, nil, e); (p[0] > 0.5) == (e.Y == 1) {
				right++
			}
		}
		if share := right / rounds; math.Abs(share-0.5) > 4*math.Sqrt(0.25/rounds) {
			t.Errorf("%s: %.4f of random labels were predicted", r.name, share)
		}
	}
}

func FuzzSequenceState(f *testing.F) {
	env := models.Env{Schema: mixedSchema(2, 1), Task: models.Multiclass, Classes: 3, Seed: 1}
	make := func(t testing.TB) *Sequence {
		return sequence(t, "gru", env, func(o *SequenceOptions) {
			o.Units, o.Steps, o.Held, o.Entities, o.Rows, o.Embedding, o.PreviousLabel = 2, 2, 3, 3, 512, 1, true
			o.Replay, o.Batch = 2, 2
		})
	}
	n := make(f)
	draw := func(i int) *models.Example {
		rng := rand.New(rand.NewPCG(uint64(i), 1))
		return &models.Example{Row: models.Row{Value: mixedRow(rng, 2, 1, 3)}, Key: 1 + uint64(i%4), Y: float64(i % 3), Weight: 1}
	}
	for i := range 40 {
		live(n, nil, draw(i))
	}
	f.Add(codec.Save(n))
	f.Fuzz(func(t *testing.T, b []byte) {
		m := make(t)
		if err := codec.Load(m, b); err != nil {
			if !errors.Is(err, codec.ErrDamaged) {
				t.Fatal(err)
			}
			return
		}
		for i := range 10 {
			live(m, nil, draw(i))
		}
		m.Publish()
	})
}

// BenchmarkSequence is an event of one of 1,000 entities with eight numbers, predicted and learned, the label at once or 64 events later, and with a publication after each.
func BenchmarkSequence(b *testing.B) {
	for _, r := range recurrent {
		for _, how := range []string{"now", "late", "publish"} {
			b.Run(r.name+"/"+how, func(b *testing.B) {
				n := sequence(b, r.name, models.Env{Schema: mixedSchema(8, 0), Task: models.Binary, Classes: 2, Seed: 1}, nil)
				rng := rand.New(rand.NewPCG(1, 1))
				es, pasts := make([]models.Example, 4096), make([][]float64, 4096)
				for i := range es {
					es[i] = models.Example{Row: models.Row{Value: normals(rng, 8)}, Key: 1 + uint64(rng.IntN(1000)), Y: float64(rng.IntN(2)), Weight: 1}
				}
				step := func(i int) {
					at := i % len(es)
					pasts[at] = n.Predict(pasts[at][:0], &es[at])
					n.Observe(&es[at])
					if how == "late" {
						if at = (i - 64) % len(es); i < 64 {
							return
						}
					}
					n.Learn(&es[at], pasts[at])
					if how == "publish" {
						n.Publish()
					}
				}
				for i := range 20_000 {
					step(i)
				}
				b.ReportAllocs()
				begin, i := cpuTime(), 20_000
				for b.Loop() {
					step(i)
					i++
				}
				b.ReportMetric(float64(cpuTime()-begin)/float64(b.N), "cpu-ns/op")
			})
		}
	}
}

// cpuTime is the processor time of the process in ns.
func cpuTime() int64 {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return u.Utime.Nano() + u.Stime.Nano()
}

// TestOrthogonal: each block is orthogonal: its product with its transpose is 1.
func TestOrthogonal(t *testing.T) {
	const n, blocks = 16, 3
	w := make([]float64, n*n*blocks)
	orthogonal(n, blocks)(w, &draws{seed: 1})
	for b := range blocks {
		for i := range n {
			for j := range n {
				dot, want := 0.0, 0.0
				for k := range n {
					dot += w[k*n*blocks+b*n+i] * w[k*n*blocks+b*n+j]
				}
				if i == j {
					want = 1
				}
				if math.Abs(dot-want) > 1e-14 {
					t.Fatalf("block %d, columns %d and %d: %v", b, i, j, dot)
				}
			}
		}
	}
}

// Machines drift in and out of a fault over several of their own readings, and are heard one at a time.
func ExampleNewGRU() {
	schema := &features.Schema{Columns: []features.Column{{Name: "sound"}}}
	o := SequenceDefaults()
	o.Units = 8
	net, err := NewGRU(models.Env{Schema: schema, Task: models.Binary, Classes: 2, Seed: 1}, o)
	if err != nil {
		fmt.Println(err)
		return
	}
	rng, loud := rand.New(rand.NewPCG(1, 1)), map[uint64]int{}
	right := 0
	for i := range 20_000 {
		machine, sound := 1+uint64(rng.IntN(50)), rng.NormFloat64() // 0 would be no machine
		if loud[machine]++; sound < 0 {
			loud[machine] = 0
		}
		e := &models.Example{Row: models.Row{Value: []float64{sound}}, Key: machine, Time: int64(i), Weight: 1}
		answer := net.Predict(nil, e)
		net.Observe(e)
		if loud[machine] >= 3 { // three readings above 0 in a row
			e.Y = 1
		}
		if i >= 10_000 && (answer[0] > 0.5) == (e.Y == 1) {
			right++
		}
		net.Learn(e, answer)
	}
	fmt.Println(right > 9800, net.Counts().Entities)
	// Output: true 50
}
