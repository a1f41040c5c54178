package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/freshet-ml/freshet/trainer/evaluate"
)

// bayes is the log-loss of the best possible model on the stream of categories, by seed (docs/adr/0012-categorical-generator.md, which also fixes the
// rows, the scores and the reference).
var bayes = []float64{0.502836, 0.497176, 0.501917}

const gapRows, gapLast = 500_000, 100_000

// gapModels begin with the reference.
var gapModels = []string{
	"{hashed_ftrl: {bits: 22}}",
	"{hashed_ftrl: {bits: 22, crosses: quadratic}}",
	"{factorization_machine: {bits: 22}}",
	"{field_aware_factorization_machine: {bits: 22}}",
	"mlp", "wide_and_deep", "{wide_and_deep: {max_categories: 4194304}}", "deep_fm", "{deep_fm: {pair_weights: false}}",
}

// gap is what one model reached.
type gap struct {
	all, last []float64 // log-loss by seed, of all rows and of the last ones
	ns        float64
	bytes     int
}

// gaps prints which share of the way from a model without interactions to the best possible one others go.
func (b *bench) gaps() error {
	if b.skip("generator:categorical", strings.Join(gapModels, " "), false) {
		return nil
	}
	rows, last := int64(gapRows), int64(gapLast)
	if b.quick {
		rows, last = 5000, 1000
	}
	seeds := bayes[:min(max(b.seeds, 1), len(bayes))]
	fmt.Fprintf(b.out, "### Categories that act together\n\n`generator:categorical`, %d rows, seeds 1 to %d: log-loss of all rows and of the last %d, and the share of the way from the first model to the Bayes log-loss (mean %s) that a model goes, mean ± standard deviation over seeds.\n\n",
		rows, len(seeds), last, spread(seeds))
	fmt.Fprint(b.out, "| model | log-loss | share | log-loss of the last | share of the last | ns per event | state |\n|---|---|---|---|---|---|---|\n")
	var reference gap
	for i, model := range gapModels {
		g, err := b.gap(model, len(seeds), rows, last)
		if errors.Is(err, errNotHere) {
			fmt.Fprintf(b.out, "| `%s` | not in this build | | | | | |\n", model)
			continue
		}
		if err != nil {
			return fmt.Errorf("%s: %w", model, err)
		}
		if i == 0 {
			reference = *g
		}
		fmt.Fprintf(b.out, "| `%s` | %s | %s | %s | %s | %.0f | %s |\n", model, spread(g.all), shares(seeds, reference.all, g.all), spread(g.last), shares(seeds, reference.last, g.last), g.ns, size(g.bytes))
	}
	fmt.Fprintln(b.out)
	return nil
}

var errNotHere = errors.New("not in this build")

func (b *bench) gap(model string, seeds int, rows, last int64) (*gap, error) {
	g := &gap{}
	for seed := range seeds {
		o := evaluate.Options{Path: fmt.Sprintf("generator:categorical?seed=%d&n=%d", seed+1, rows), Seed: uint64(seed + 1), Every: last}
		if spec(&o, []string{model}) != nil {
			return nil, errNotHere
		}
		r, err := evaluate.Run(b.ctx, o, nil)
		if err != nil {
			return nil, err
		}
		g.all = append(g.all, r.Metrics.Value("log_loss"))
		g.last = append(g.last, r.Curve[len(r.Curve)-1].Models[0].Recent.Value("log_loss"))
		g.ns, g.bytes = r.LearnNS+r.PredictNS, r.StateBytes
	}
	return g, nil
}

// shares is (reference − loss) / (reference − best) in percent, over seeds.
func shares(best, reference, loss []float64) string {
	var out []float64
	for i := range loss {
		out = append(out, 100*(reference[i]-loss[i])/(reference[i]-best[i]))
	}
	return spread(out) + " %"
}
