package main

import (
	"encoding/csv"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/catalog"
	"github.com/freshet-ml/freshet/models/drift"
	"github.com/freshet-ml/freshet/models/linear"
	"github.com/freshet-ml/freshet/models/loss"
	"github.com/freshet-ml/freshet/models/optim"
	"github.com/freshet-ml/freshet/trainer/evaluate"
)

// step is something fed by hand, without a file, scores or a log around it.
type step struct {
	name, peer string
	published  string // by others, elsewhere
	n          int    // events of a round
	make       func() (func(i int), error)
}

const (
	wideColumns, wideClasses, wideRows = 100, 10, 2000
	sparseRows, sparseEntries          = 4096, 80
	sparseBits                         = 20
)

// wideSet are rows around one centre for each class.
func wideSet() (models.Env, []models.Example) {
	rng := rand.New(rand.NewPCG(1, 2))
	env := models.Env{Schema: numbers(wideColumns), Task: models.Multiclass, Classes: wideClasses, Seed: 1}
	centres := make([][wideColumns]float64, wideClasses)
	for k := range centres {
		for j := range centres[k] {
			centres[k][j] = rng.NormFloat64()
		}
	}
	rows := make([]models.Example, wideRows)
	for i := range rows {
		k := rng.IntN(wideClasses)
		v := make([]float64, wideColumns)
		for j := range v {
			v[j] = centres[k][j] + 2*rng.NormFloat64()
		}
		rows[i] = models.Example{Row: models.Row{Value: v}, Time: int64(i) * 1e6, Y: float64(k), Weight: 1}
	}
	return env, rows
}

// plainSet are rows of eight numbers in [0, 1] whose label is noisy: what a forest does with them takes about as long as elec2.
func plainSet(n int) (models.Env, []models.Example) {
	rng := rand.New(rand.NewPCG(3, 4))
	rows := make([]models.Example, n)
	for i := range rows {
		v := make([]float64, 8)
		for j := range v {
			v[j] = rng.Float64()
		}
		y := 0.0
		if v[0]+v[1]*v[2]+0.3*rng.NormFloat64() > 0.8 {
			y = 1
		}
		rows[i] = models.Example{Row: models.Row{Value: v}, Time: int64(i) * 1e6, Y: y, Weight: 1}
	}
	return models.Env{Schema: numbers(8), Task: models.Binary, Classes: 2, Seed: 1}, rows
}

// sparseSet are rows of 80 entries among 2^20 columns.
func sparseSet() []models.Example {
	rng := rand.New(rand.NewPCG(1, 2))
	rows := make([]models.Example, sparseRows)
	for i := range rows {
		index, value := make([]uint32, sparseEntries), make([]float64, sparseEntries)
		for j := range index {
			index[j], value[j] = uint32(rng.IntN(1<<sparseBits)), 1
		}
		slices.Sort(index)
		rows[i] = models.Example{Row: models.Row{Index: index, Value: value}, Y: float64(rng.IntN(2)), Weight: 1}
	}
	return rows
}

// categories are rows of 80 columns of 2^20 categories.
func categories() (models.Env, []models.Example) {
	rng := rand.New(rand.NewPCG(1, 2))
	s := numbers(sparseEntries)
	for j := range s.Columns {
		s.Columns[j].Kind = features.Categorical
	}
	rows := make([]models.Example, sparseRows)
	for i := range rows {
		v := make([]float64, sparseEntries)
		for j := range v {
			v[j] = float64(rng.IntN(1 << sparseBits))
		}
		rows[i] = models.Example{Row: models.Row{Value: v}, Time: int64(i) * 1e6, Y: float64(rng.IntN(2)), Weight: 1}
	}
	return models.Env{Schema: s, Task: models.Binary, Classes: 2, Seed: 1}, rows
}

func numbers(n int) *features.Schema {
	s := &features.Schema{}
	for j := range n {
		s.Columns = append(s.Columns, features.Column{Name: fmt.Sprint("c", j), Kind: features.Numeric})
	}
	return s
}

func build(spec string, env models.Env) (models.Learner, error) {
	s, err := evaluate.ParseModel(spec)
	if err != nil {
		return nil, err
	}
	return catalog.Build(s, env)
}

// turns predicts, observes and learns event by event, over and over.
func turns(m models.Learner, rows []models.Example) func(int) {
	var out []float64
	return func(i int) {
		e := &rows[i%len(rows)]
		out = m.Predict(out[:0], e)
		m.Observe(e)
		m.Learn(e, out)
	}
}

// of is the model of that spec over the rows.
func of(spec string, set func() (models.Env, []models.Example)) func() (func(int), error) {
	return func() (func(int), error) {
		env, rows := set()
		m, err := build(spec, env)
		if err != nil {
			return nil, err
		}
		return turns(m, rows), nil
	}
}

func plain() (models.Env, []models.Example) { return plainSet(20_000) }

func wide(spec, peer string, n int) step {
	return step{fmt.Sprintf("`%s`, %d columns × %d classes", spec, wideColumns, wideClasses), peer, "", n, of(spec, wideSet)}
}

var steps = []step{
	{"adwin, a value", "adwin", "90 ns MOA, 210 ns River", 2_000_000, func() (func(int), error) {
		rng, a := rand.New(rand.NewPCG(1, 2)), drift.NewADWIN(0.002)
		errors := make([]float64, 4096)
		for i := range errors {
			if rng.Float64() < 0.2 {
				errors[i] = 1
			}
		}
		return func(i int) { a.Update(errors[i%len(errors)]) }, nil
	}},
	{"`half_space_trees`, 10 of height 8, 8 columns", "half_space_trees", "12 µs River", 50_000, func() (func(int), error) {
		env, rows := plain()
		env.Task, env.Classes = models.Anomaly, 0
		m, err := build("{half_space_trees: {trees: 10, height: 8}}", env)
		if err != nil {
			return nil, err
		}
		return turns(m, rows), nil
	}},
	{"`[standard_scaler, {logistic_regression: {optimizer: {sgd: {learning_rate: 0.005}}}}]`, 8 columns", "", "8.9 µs River", 500_000, of(riverLogistic, plain)},
	{"sparse logistic regression, 80 entries of 2^20 columns", "vw", "1.8 µs VW", 50_000, func() (func(int), error) {
		m := linear.NewLogistic(1<<sparseBits, loss.Logistic{}, optim.NewSGD(optim.Schedule{Rate: 0.05}), linear.Options{InterceptRate: 0.01})
		return turns(m, sparseSet()), nil
	}},
	{"`{hashed_ftrl: {bits: 20}}`, 80 categories", "vw_ftrl", "", 20_000, of("{hashed_ftrl: {bits: 20}}", categories)},
	wide("gaussian_nb", "gaussian_nb", 10_000),
	wide("[standard_scaler, softmax_regression]", "softmax", 20_000),
	wide("hoeffding_tree", "hoeffding_tree", 10_000),
	wide("hoeffding_adaptive_tree", "hoeffding_adaptive_tree", 10_000),
	wide("k_nearest_neighbors", "knn", 4000),
	wide("adaptive_random_forest", "adaptive_random_forest", 4000),
	wide("gradient_boosted_trees", "", 1000),
}

// cpuTime is the processor time of the process so far, in ns.
func cpuTime() float64 {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return math.NaN()
	}
	return float64(u.Utime.Nano() + u.Stime.Nano())
}

// perEvent is the processor time of an event, the least of some rounds; the first one, in which the model grows, is not among them.
func (b *bench) perEvent(turn func(i int), n int) float64 {
	rounds := 5
	if b.quick {
		n, rounds = max(n/20, 100), 2
	}
	at, best := 0, math.Inf(1)
	for round := range rounds + 1 {
		begin := cpuTime()
		for range n {
			turn(at)
			at++
		}
		if took := (cpuTime() - begin) / float64(n); round > 0 {
			best = min(best, took)
		}
		if b.ctx.Err() != nil {
			break
		}
	}
	return best
}

// singleSteps prints the table of what is fed by hand.
func (b *bench) singleSteps() error {
	var peers map[string]float64
	for _, s := range steps {
		if b.skip("single steps", s.name, false) {
			continue
		}
		if peers == nil {
			fmt.Fprint(b.out, "### Single steps\n\nProcessor time of predict, observe and learn, the collector's with it, on generated rows; the least of five rounds. MOA, River and VW (from its cache, by its own update) on the same rows in the same run where they are found.\n\n")
			fmt.Fprint(b.out, "| what | ours, ns | MOA, ns | River or VW, ns | MOA / ours | that / ours | published elsewhere |\n|---|---|---|---|---|---|---|\n")
			peers = b.stepPeers()
		}
		turn, err := s.make()
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		ours := b.perEvent(turn, s.n)
		moa, other := peers["moa "+s.peer], max(peers["river "+s.peer], peers[s.peer])
		fmt.Fprintf(b.out, "| %s | **%.3g** | %s | %s | %s | %s | %s |\n", s.name, ours, nanoseconds(moa), nanoseconds(other), ratio(moa, ours), ratio(other, ours), s.published)
	}
	if peers != nil {
		fmt.Fprintln(b.out)
	}
	return b.ctx.Err()
}

func nanoseconds(x float64) string {
	if x == 0 {
		return "–"
	}
	return fmt.Sprintf("%.4g", x)
}

// stepPeers runs the peers that are found on the rows of the steps, written to a folder of their own for as long.
func (b *bench) stepPeers() map[string]float64 {
	out := map[string]float64{}
	python, moa := os.Getenv("FRESHET_PYTHON"), os.Getenv("FRESHET_MOA")
	if b.quick || python == "" && moa == "" {
		return out
	}
	dir, err := os.MkdirTemp("", "benchmodels")
	if err != nil {
		return out
	}
	defer os.RemoveAll(dir)
	table, sparse := filepath.Join(dir, "wide.csv"), filepath.Join(dir, "sparse.vw")
	if err := writeWide(table); err != nil {
		fmt.Fprintln(os.Stderr, "rows for peers:", err)
		return out
	}
	if err := writeSparse(sparse); err != nil {
		fmt.Fprintln(os.Stderr, "rows for peers:", err)
		return out
	}
	folder := filepath.Join("internal", "benchmodels", "peers")
	if python != "" {
		b.peer(out, python, filepath.Join(folder, "river_times.py"), table, "0", "gaussian_nb,softmax,hoeffding_tree,hoeffding_adaptive_tree,knn,adaptive_random_forest")
		b.peer(out, python, filepath.Join(folder, "step_times.py"), sparse)
	}
	if moa != "" {
		b.peer(out, "java", "-cp", moa, filepath.Join(folder, "MoaTimes.java"), table, "0", "gaussian_nb,hoeffding_tree,hoeffding_adaptive_tree,knn,adaptive_random_forest")
	}
	return out
}

func writeWide(path string) error {
	env, rows := wideSet()
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	w := csv.NewWriter(f)
	var line []string
	for _, c := range env.Schema.Columns {
		line = append(line, c.Name)
	}
	if err := w.Write(append(line, "class")); err != nil {
		return err
	}
	for i := range rows {
		line = line[:0]
		for _, x := range rows[i].Value {
			line = append(line, strconv.FormatFloat(x, 'g', -1, 64))
		}
		if err := w.Write(append(line, fmt.Sprintf("k%.0f", rows[i].Y))); err != nil {
			return err
		}
	}
	w.Flush()
	return errorOf(w.Error(), f.Close())
}

func writeSparse(path string) error {
	var text strings.Builder
	for _, e := range sparseSet() {
		fmt.Fprintf(&text, "%d |", int(2*e.Y)-1)
		for _, i := range e.Index {
			fmt.Fprintf(&text, " %d", i)
		}
		text.WriteByte('\n')
	}
	return os.WriteFile(path, []byte(text.String()), 0o600)
}

func errorOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
