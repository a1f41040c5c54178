package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/trainer/evaluate"
)

// lateBy is the label delay, in events, of the second half of a table.
const lateBy = 48

// measured is what one model reached on one stream.
type measured struct {
	regression bool
	now, late  []evaluate.Metrics // by seed, at label delay 0 and lateBy
	idle       [2]evaluate.Metrics
	ns         float64 // predict and learn, the least of all runs
	bytes      int
	events     int64
	seeds      int    // that were asked for
	failed     string // why there is nothing
}

// measure runs a model with up to so many seeds, at both delays. One seed is enough for a model that draws nothing: a second one ends in the same state. What was measured
// in this run already is not measured again.
func (b *bench) measure(o evaluate.Options, specs []string, seeds int) (*measured, error) {
	key := fmt.Sprint(o.Path, o.Drop, o.Categorical, o.Key, specs[0])
	if m := b.known[key]; m != nil && m.seeds >= seeds {
		return m, nil
	}
	m := &measured{ns: math.Inf(1), seeds: seeds}
	b.known[key] = m
	if err := spec(&o, specs); err != nil {
		m.failed = "not in this build"
		return m, nil
	}
	state := ""
	for seed := range uint64(max(seeds, 1)) {
		o.Seed, o.Delay = seed+1, evaluate.Delay{}
		now, err := evaluate.Run(b.ctx, o, nil)
		if errors.Is(err, context.Canceled) {
			return nil, err
		}
		if err != nil {
			m.failed = strings.ReplaceAll(err.Error(), "|", "/")
			return m, nil
		}
		if m.ns = min(m.ns, now.PredictNS+now.LearnNS); state == now.StateSHA256 {
			break
		}
		o.Delay.Events = lateBy
		late, err := evaluate.Run(b.ctx, o, nil)
		if err != nil {
			return nil, err
		}
		state, m.bytes, m.events, m.regression = now.StateSHA256, now.StateBytes, now.Events, now.Task == models.Regression.String()
		m.now, m.late = append(m.now, now.Metrics), append(m.late, late.Metrics)
		m.idle = [2]evaluate.Metrics{now.Baselines[0].Metrics, late.Baselines[0].Metrics}
	}
	return m, nil
}

// values are those of one metric.
func values(of []evaluate.Metrics, metric string) []float64 {
	out := make([]float64, len(of))
	for i, m := range of {
		out[i] = m.Value(metric)
	}
	return out
}

// cells are a metric as mean ± standard deviation over seeds, in percent if it is the accuracy, and the means of what stands beside it.
func cells(of []evaluate.Metrics, metric string, digits int) string {
	return "**" + figures(values(of, metric), metric, digits) + "** | " + besides(of, metric)
}

// besides are the means of what stands beside a metric.
func besides(of []evaluate.Metrics, metric string) string {
	var out []string
	for _, name := range beside(metric) {
		out = append(out, figures([]float64{mean(values(of, name))}, name, 3))
	}
	return strings.Join(out, " | ")
}

// beside are the metrics that stand beside another.
func beside(metric string) []string {
	if metric == "accuracy" {
		return []string{"kappa_t", "log_loss", "ece"}
	}
	return slices.DeleteFunc([]string{"mae", "rmse", "r2"}, func(name string) bool { return name == metric })
}

// figures is mean ± standard deviation.
func figures(x []float64, metric string, digits int) string {
	scale := 1.0
	if metric == "accuracy" {
		scale = 100
	}
	m, squares := mean(x), 0.0
	for _, v := range x {
		squares += (v - m) * (v - m)
	}
	text := fmt.Sprintf("%.*f", digits, scale*m)
	if math.IsNaN(m) {
		return "–"
	}
	if len(x) > 1 {
		text += fmt.Sprintf(" ± %.*f", digits, scale*math.Sqrt(squares/float64(len(x)-1)))
	}
	return text
}

func mean(x []float64) float64 {
	sum := 0.0
	for _, v := range x {
		sum += v
	}
	return sum / float64(len(x))
}

// accuracy prints the tables of metrics, one for classes and one for numbers.
func (b *bench) accuracy() error {
	const about = "Mean ± standard deviation over the seeds 1 to %d, of models that draw nothing one run; what stands beside is the mean. One pass, predict before learn, the first row counts, labels at once and %d rows late; µs is processor time for predict and learn of a row, the least of the runs without delay. " +
		"References: MOA with its number of seeds where it was run on the same rows (late: labels %d rows late), else as published for one seed.\n\n"
	classes := b.heading(fmt.Sprintf("### Accuracy of classifiers, in percent\n\n"+about+
		"| data | model | reference | delay 0 | kappa_t | log-loss | ECE | delay %d | kappa_t | log-loss | ECE | µs | state |\n|"+strings.Repeat("---|", 13)+"\n", b.seeds, lateBy, lateBy, lateBy))
	numbers := b.heading(fmt.Sprintf("### Errors of regressions\n\n"+about+
		"| data | model | metric, the other | reference | delay 0 | other | R² | delay %d | other | R² | µs | state |\n|"+strings.Repeat("---|", 12)+"\n", b.seeds, lateBy, lateBy, lateBy))
	rows := byStream(accuracyRows)
	for _, regression := range []bool{false, true} {
		seen := map[string]bool{}
		for _, r := range rows {
			if (r.metric != "accuracy") != regression || b.skip("accuracy "+r.data, r.models[0], r.heavy) {
				continue
			}
			o, ok := b.options(r.data, r.target, r.drop, r.categorical)
			if !ok {
				continue
			}
			o.Key = r.key
			m, err := b.measure(o, r.models, b.seeds)
			if err != nil {
				return err
			}
			if regression {
				numbers.regressionRows(r, m, !seen[r.data])
			} else {
				classes.classRows(r, m, b.reference(r, o), !seen[r.data])
			}
			seen[r.data] = seen[r.data] || m.failed == ""
		}
		if !regression {
			classes.end()
		}
	}
	numbers.end()
	return nil
}

// classRows prints a row of a classifier; the first of its stream with no_change before it.
func (h *heading) classRows(r accuracyRow, m *measured, reference string, first bool) {
	if m.failed != "" {
		h.row("| %s | `%s` | %s | %s%s", r.name(), r.models[0], reference, m.failed, strings.Repeat(" |", 10))
		return
	}
	if first {
		h.row("| %s | no_change | – | %s | %s | – | – |", r.data, cells(m.idle[:1], r.metric, 2), cells(m.idle[1:], r.metric, 2))
	}
	digits := max(2, r.digits)
	h.row("| %s | `%s` | %s | %s | %s | %.3g | %s |", r.name(), r.models[0], reference, cells(m.now, r.metric, digits), cells(m.late, r.metric, digits), m.ns/1e3, size(m.bytes))
}

// regressionRows prints a row of a regression; the first of its stream with no_change before it.
func (h *heading) regressionRows(r accuracyRow, m *measured, first bool) {
	if m.failed != "" {
		h.row("| %s | `%s` | %s | %s | %s%s", r.name(), r.models[0], r.metric, r.reference, m.failed, strings.Repeat(" |", 8))
		return
	}
	digits, names := 2, strings.ToUpper(r.metric+", "+beside(r.metric)[0])
	if math.Abs(m.now[0].Value(r.metric)) < 10 {
		digits = 3
	}
	if first {
		h.row("| %s | no_change | %s | – | %s | %s | – | – |", r.data, names, cells(m.idle[:1], r.metric, digits), cells(m.idle[1:], r.metric, digits))
	}
	h.row("| %s | `%s` | %s | %s | %s | %s | %.3g | %s |", r.name(), r.models[0], names, r.reference, cells(m.now, r.metric, digits), cells(m.late, r.metric, digits), m.ns/1e3, size(m.bytes))
}

// name is the stream with the columns that are categories.
func (r accuracyRow) name() string {
	if r.categorical != "" {
		return r.data + ", `" + r.categorical + "` a category"
	}
	return r.data
}

// byStream puts the rows of a stream together, in the order of first occurrence.
func byStream(rows []accuracyRow) []accuracyRow {
	place := map[string]int{}
	for i, r := range rows {
		if _, ok := place[r.data]; !ok {
			place[r.data] = i
		}
	}
	out := slices.Clone(rows)
	slices.SortStableFunc(out, func(a, b accuracyRow) int { return place[a.data] - place[b.data] })
	return out
}

// reference is what MOA reaches on the stream in this run with as many seeds, at both delays; where it is not found or fails, what was published.
func (b *bench) reference(r accuracyRow, o evaluate.Options) string {
	moa := os.Getenv("FRESHET_MOA")
	if moa == "" || r.moa == "" || b.quick {
		return r.reference
	}
	stream, limit := o.Path, int64(0)
	if command, ok := moaStreams[r.data]; ok {
		stream, limit = "generator:"+command, 100_000
	}
	found := map[string]float64{}
	b.peer(found, "java", "-cp", moa, filepath.Join("internal", "benchmodels", "peers", "MoaAccuracy.java"), stream, r.categorical, strconv.Itoa(b.seeds), strconv.Itoa(lateBy), strconv.FormatInt(limit, 10), r.moa)
	var now, late []float64
	for seed := 1; ; seed++ {
		x, ok := found[fmt.Sprintf("moa %d 0", seed)]
		y, both := found[fmt.Sprintf("moa %d %d", seed, lateBy)]
		if !ok || !both {
			break
		}
		now, late = append(now, x), append(late, y)
	}
	switch {
	case len(now) == 0:
		return r.reference
	case slices.Min(now) == slices.Max(now): // it draws nothing
		return fmt.Sprintf("%s, late %s (MOA)", figures(now[:1], r.metric, 2), figures(late[:1], r.metric, 2))
	}
	return fmt.Sprintf("%s, late %s (MOA, %d seeds)", figures(now, r.metric, 2), figures(late, r.metric, 2), len(now))
}
