package neural

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/optim"
)

// withWindows makes a net with a buffer of eight windows and batches of three labels.
func withWindows(t testing.TB, name string, env models.Env) *Sequence {
	return sequence(t, name, env, func(o *SequenceOptions) {
		o.Replay, o.ReplayLabels, o.Batch, o.Rows, o.Entities, o.PreviousLabel, o.MinCount = 8, 2, 3, 512, 5, true, 2
	})
}

// drawn is a row with missing numbers and categories here and there; key 0 is nobody.
func drawn(rng *rand.Rand, i int) *models.Example {
	v := mixedRow(rng, 3, 2, 9)
	if i%7 == 0 {
		v[i%len(v)] = math.NaN()
	}
	return &models.Example{Row: models.Row{Value: v}, Key: uint64(rng.IntN(7)), Time: int64(i), Y: float64(rng.IntN(2)), Weight: 0.5 + rng.Float64()}
}

// TestWindowIsTheWalk: a window that is walked through again at once gives the scores of the walk that it was made of, to the bit; those that are drawn are the
// newest but the last one; and learning them changes no entity's memory.
func TestWindowIsTheWalk(t *testing.T) {
	for _, r := range recurrent {
		for _, env := range envs(mixedSchema(3, 2)) {
			n, rng := withWindows(t, r.name, env), rand.New(rand.NewPCG(1, 1))
			for i := range 200 {
				live(n, nil, drawn(rng, i))
			}
			for key := range uint64(7) {
				of := n.entities.find(key)
				if of == nil {
					continue
				}
				place := len(of.events) - 1
				n.walkTo(n.walk, &n.entities.entityShape, of, place, &n.known)
				n.held(&n.walk.parts[n.walk.n], &n.entities.entityShape, of, place, &n.known)
				n.recurrence.step(n.walk, &n.known)
				n.read(n.walk, &n.known, true, 0)
				want := slices.Clone(n.walk.scores)
				e := &models.Example{Y: float64(key % 2), Weight: 2}
				n.windows.keep(n.walk, e)
				if y, weight := n.again(&n.windows.list[(n.windows.seen-1)%9]); y != e.Y || weight != 2 {
					t.Errorf("label %v of weight %v", y, weight)
				}
				if n.read(n.walk, &n.known, true, 0); !sameNumbers(want, n.walk.scores) {
					t.Errorf("%s %s: scores %v, of the window %v", r.name, env.Task, want, n.walk.scores)
				}
			}
			newest, found := int((n.windows.seen-1)%9), map[int]bool{}
			for k := range 300 {
				found[n.windows.draw(uint64(k), k%2).place] = true
			}
			if found[newest] || len(found) != 8 {
				t.Errorf("%s: of nine places %v are drawn, the newest is %d", r.name, found, newest)
			}
		}
	}
}

// TestReplayOfWindows: a net with windows and batches goes on to the same bits after a load, wherever in a batch, and allocates nothing.
func TestReplayOfWindows(t *testing.T) {
	for _, r := range recurrent {
		env := envs(mixedSchema(3, 2))[2]
		for _, stop := range []int{1, 7, 40, 101} {
			a, b := withWindows(t, r.name, env), withWindows(t, r.name, env)
			rng := rand.New(rand.NewPCG(2, 2))
			es := make([]*models.Example, 160)
			for i := range es {
				es[i] = drawn(rng, i)
			}
			for i, e := range es {
				if i == stop {
					if err := codec.Load(b, codec.Save(a)); err != nil {
						t.Fatal(err)
					}
				}
				want := live(a, nil, e)
				if i >= stop && !sameNumbers(want, live(b, nil, e)) {
					t.Fatalf("%s: another answer after a load at %d", r.name, stop)
				}
			}
			if codec.Sum(a) != codec.Sum(b) {
				t.Errorf("%s: going on after a load at %d gives another state", r.name, stop)
			}
			if stop > 1 {
				continue
			}
			var out []float64
			i := 0
			if got := testing.AllocsPerRun(200, func() { out = live(a, out[:0], es[i%len(es)]); i++ }); got > 0 {
				t.Errorf("%s: %v allocations", r.name, got)
			}
		}
	}
}

// TestBatchOfEntities: a batch of two equal labels of two entities moves the weights as one label does.
func TestBatchOfEntities(t *testing.T) {
	make := func(batch int) *Sequence {
		return sequence(t, "gru", envs(&features.Schema{})[0], func(o *SequenceOptions) { // no inputs but the label before: no moments move within a batch
			o.Batch, o.Units, o.PreviousLabel = batch, 4, true
			o.Optimizer = func(n int) (*optim.Block, error) { return optim.NewBlock(optim.NewSGD(optim.Schedule{Rate: 0.1}), n) }
		})
	}
	one, two := make(1), make(2)
	for i := range 60 {
		y := float64(i / 3 % 2)
		live(one, nil, &models.Example{Key: 1, Time: int64(i), Y: y, Weight: 1})
		for _, key := range []uint64{1, 2} {
			live(two, nil, &models.Example{Key: key, Time: int64(i), Y: y, Weight: 1})
		}
	}
	for i := range one.w {
		if math.Abs(one.w[i]-two.w[i]) > 1e-9 {
			t.Fatalf("weight %d: %v by single labels, %v by batches", i, one.w[i], two.w[i])
		}
	}
}

// TestTooManyWindows: a buffer beyond a gigabyte is refused, with its place and the mend.
func TestTooManyWindows(t *testing.T) {
	o := SequenceDefaults()
	o.Replay = 1 << 24
	_, err := NewGRU(envs(mixedSchema(20, 2))[0], o)
	var errs models.SpecErrors
	if !errors.As(err, &errs) || errs[0].Path != "replay" || !strings.Contains(fmt.Sprint(err), "fewer") {
		t.Errorf("got %v", err)
	}
}
