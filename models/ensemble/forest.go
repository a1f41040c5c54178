package ensemble

import (
	"fmt"
	"math"

	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/drift"
	"github.com/freshet-ml/freshet/models/tree"
)

// forestConfig says how a forest samples, watches and grows.
type forestConfig struct {
	trees          int
	mean           float64 // of the Poisson weights
	warning, drift float64 // δ of the detectors of a tree
	fresh          func(seed uint64) models.Learner
	columns        int // of a patch; 0: trees see all
	width          int
}

// forest is a bag of trees, each guarded by two detectors on its errors: at a warning a tree is planted behind it, which
// takes its place when the drift is certain. It is a models.Learner and a models.Publisher.
//
// Trees have random streams of their own and touch nothing in common, so a large forest works on several processors, with the
// same bits as on one.
type forest struct {
	ballot
	cfg     forestConfig
	poisson *poisson
	trees   []forestTree
	crew    crew
	now     *models.Example
	teach   func(i int)
	ask     func(i int)
	take    func(i int)
	taken   []models.Predictor // the trees' snapshots, while they are taken
	answers []float64          // of the trees, one after the other, when they are asked in parallel
}

// forestTree is one place of the forest.
type forestTree struct {
	base
	dice       dice
	behind     base // the tree that grows behind; no learner: none
	warning    *drift.ADWIN
	drift      *drift.ADWIN
	hits, seen float64 // examples that the tree got right, of those it was asked about since it stands in this place
	errors     scale   // of a regression
	planted    uint64  // trees that were planted at a warning
	swapped    uint64  // changes of the tree in this place
}

func newForest(env models.Env, cfg forestConfig) *forest {
	f := &forest{ballot: newBallot(env, cfg.trees), cfg: cfg, poisson: newPoisson(cfg.mean)}
	f.trees = make([]forestTree, cfg.trees)
	f.weights = make([]float64, cfg.trees)
	used := map[string]int{}
	for i := range f.trees {
		t := &f.trees[i]
		t.dice = newDice(env.Seed, i)
		f.stand(i, newBase(cfg.fresh(f.seed(t, used))))
	}
	f.teach, f.ask, f.take = f.teachOne, f.askOne, f.takeOne
	return f
}

// seed draws a seed for one of the first trees. Patches are spread evenly: while there are subsets of the columns that fewer trees see,
// a seed of one of those is looked for, as with few columns some trees could otherwise all miss the same one.
func (f *forest) seed(t *forestTree, used map[string]int) uint64 {
	seed := t.dice.Uint64()
	if f.cfg.columns == 0 || f.cfg.columns >= f.cfg.width {
		return seed
	}
	best, least := seed, math.MaxInt
	for range patchTries {
		if n := used[patch(seed, f.cfg)]; n < least {
			best, least = seed, n
		}
		if least == 0 {
			break
		}
		seed = t.dice.Uint64()
	}
	used[patch(best, f.cfg)]++
	return best
}

// patchTries bounds the search of a seed: enough to meet each of 10 subsets with a probability of 1 − 10⁻⁶.
const patchTries = 150

func patch(seed uint64, cfg forestConfig) string {
	return fmt.Sprint(tree.Patch(seed, cfg.columns, cfg.width))
}

// plant makes a tree with a seed of its own.
func (f *forest) plant(t *forestTree) base { return newBase(f.cfg.fresh(t.dice.Uint64())) }

// stand puts a tree in the i-th place, with nothing known of its errors.
func (f *forest) stand(i int, b base) {
	t := &f.trees[i]
	t.base, t.behind = b, base{}
	t.warning, t.drift = drift.NewADWIN(f.cfg.warning), drift.NewADWIN(f.cfg.drift)
	t.hits, t.seen, t.errors = 0, 0, scale{}
	f.members[i], f.weights[i] = b.learner, 1
}

// Observe does nothing: trees learn from labels only.
func (f *forest) Observe(*models.Example) {}

// Predict appends the mean of the trees' answers; those of classifiers are weighted by their accuracy. Trees are asked on several
// processors when there are many. It does not allocate if dst has room for one tree's answer more.
func (f *forest) Predict(dst []float64, e *models.Example) []float64 {
	if len(f.trees) < 2*crewShare {
		return f.ballot.Predict(dst, e)
	}
	k := models.AnswerLen(f.task, f.classes)
	if f.answers == nil {
		f.answers = make([]float64, 0, k*len(f.trees))
	}
	f.now = e
	f.crew.each(len(f.trees), f.ask)
	f.now = nil
	return f.count(dst, f.answers[:k*len(f.trees)])
}

// askOne writes the answer of one tree to its place.
func (f *forest) askOne(i int) {
	t, k := &f.trees[i], models.AnswerLen(f.task, f.classes)
	t.answer = t.learner.Predict(t.answer[:0], f.now)
	copy(f.answers[i*k:(i+1)*k:(i+1)*k], t.answer[:k])
}

// Learn lets every tree learn the example with a weight of its own. Errors are judged with the trees as they are before
// they learn; the answer that was given earlier is not used.
func (f *forest) Learn(e *models.Example, _ []float64) {
	if !f.teaches(e) {
		return
	}
	f.now = e
	f.crew.each(len(f.trees), f.teach)
	f.now = nil
}

func (f *forest) teachOne(i int) {
	t := &f.trees[i]
	k := f.poisson.draw(&t.dice)
	if k == 0 {
		return
	}
	weight := f.now.Weight * float64(k)
	error := f.judge(t, weight)
	if t.behind.learner != nil {
		t.behind.train(f.now, weight)
	}
	if f.task != models.Regression {
		t.seen++
		t.hits += 1 - error
		f.weights[i] = t.hits / t.seen
	}
	if t.warning.Update(error) && t.warning.Rose() {
		next := f.plant(t)
		inherit(next, t.behind)
		t.behind, t.warning = next, drift.NewADWIN(f.cfg.warning)
		t.planted++
	}
	if t.drift.Update(error) && t.drift.Rose() {
		next := t.behind
		if next.learner == nil {
			next = f.plant(t)
		}
		t.swapped++
		inherit(next, t.base)
		f.stand(i, next)
	}
}

// judge lets a tree learn and returns its error before that, between 0 and 1.
func (f *forest) judge(t *forestTree, weight float64) float64 {
	if f.task != models.Regression {
		return wrong(t.trainJudged(f.now, weight, models.AnswerLen(f.task, f.classes)))
	}
	t.answer = t.learner.Predict(t.answer[:0], f.now)
	t.train(f.now, weight)
	return t.errors.share(math.Abs(f.now.Y - t.answer[0]))
}

// scale brings the absolute errors of a regression into [0, 1]: 1 is three times their root mean square so far, and more.
type scale struct{ n, squares float64 }

func (s *scale) share(x float64) float64 {
	x = min(x, maxLabel)
	s.n++
	s.squares += float64(x * x)
	if !(s.squares > 0) {
		return 0
	}
	return min(1, x/(3*math.Sqrt(s.squares/s.n)))
}

// Publish snapshots the trees, on several processors when there are many. Cost: the leaves that have learned since the last snapshot, and O(trees).
func (f *forest) Publish() models.Predictor {
	f.taken = make([]models.Predictor, len(f.trees))
	f.crew.each(len(f.trees), f.take)
	b := f.ballot
	b.members, b.weights = f.taken, append([]float64(nil), f.weights...)
	f.taken = nil
	return &b
}

// takeOne takes the snapshot of one tree.
func (f *forest) takeOne(i int) { f.taken[i] = f.trees[i].learner.(models.Publisher).Publish() }

// Swaps returns how many trees were planted behind others at a warning, and how many trees were replaced.
func (f *forest) Swaps() (planted, swapped uint64) {
	for i := range f.trees {
		planted += f.trees[i].planted
		swapped += f.trees[i].swapped
	}
	return planted, swapped
}

// Dropped adds what the bounds have cost the trees; one that takes another's place has inherited its counts.
func (f *forest) Dropped(d *models.Drops) {
	for i := range f.trees {
		d.Of(f.trees[i].learner, f.trees[i].behind.learner)
	}
}

// inherit adds the counts of a tree that is to go, if there is one, to another's.
func inherit(to, from base) {
	if from.learner != nil {
		to.learner.(interface{ Inherit(d models.Drops) }).Inherit(models.DroppedBy(from.learner))
	}
}

// State visits the trees with their detectors.
func (f *forest) State(s *codec.State) {
	s.Fixed("forest version", 1)
	s.Fixed("number of trees", len(f.trees))
	for i := range f.trees {
		f.visit(s, i)
	}
}

func (f *forest) visit(s *codec.State, i int) {
	t := &f.trees[i]
	t.dice.State(s)
	t.learner.State(s)
	has := t.behind.learner != nil
	s.Bool(&has)
	if s.Loading() {
		t.behind = base{}
		if has {
			t.behind = newBase(f.cfg.fresh(0))
		}
	}
	if has {
		t.behind.learner.State(s)
	}
	t.warning.State(s)
	t.drift.State(s)
	for _, v := range []*float64{&t.hits, &t.seen, &t.errors.n, &t.errors.squares} {
		if s.Float64(v); s.Loading() && !(*v >= 0 && !math.IsInf(*v, 1)) {
			s.Fail("count %v of tree %d", *v, i)
			*v = 0
		}
	}
	s.Uint64(&t.planted)
	s.Uint64(&t.swapped)
	if s.Loading() {
		if t.hits > t.seen {
			s.Fail("tree %d was right %v times of %v", i, t.hits, t.seen)
			t.hits = 0
		}
		f.weights[i] = 1
		if t.seen > 0 {
			f.weights[i] = t.hits / t.seen
		}
	}
}
