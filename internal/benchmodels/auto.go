package main

import (
	"fmt"
	"strings"

	"github.com/freshet-ml/freshet/trainer/evaluate"
)

// single are the models beside which auto is judged, with their defaults.
var single = map[bool][]string{
	false: {"gaussian_nb", "hoeffding_tree", "hoeffding_adaptive_tree", "extremely_fast_decision_tree", "leveraging_bagging", "adaptive_random_forest", "streaming_random_patches", "bole",
		"gradient_boosted_trees", "mondrian_forest", knn, "[standard_scaler, passive_aggressive]", riverLogistic, "mlp"},
	true: {"hoeffding_tree_regressor", "adaptive_random_forest", "gradient_boosted_trees", "mondrian_forest", knn, "[standard_scaler, linear_regression]", "mlp"},
}

// autoRows are the streams of the table; dear ones are run with one seed by models that take long there.
var autoRows = []accuracyRow{
	on("elec2", "class", "accuracy", "", "auto"), elec("", "auto"),
	on("phishing", "is_phishing", "accuracy", "", "auto"), on("bananas", "label", "accuracy", "", "auto"), on("segment", "category", "accuracy", "", "auto"),
	on("sea_stream", "class", "accuracy", "", "auto"), on("electricity_tiny", "class", "accuracy", "", "auto"),
	on("generator:random_tree", "", "accuracy", "", "auto"), on(ledDrift, "", "accuracy", "", "auto"),
	on("fried", "target", "rmse", "", "auto"), bikes("", "auto"), on("trump_approval", "five_thirty_eight", "mae", "", "auto"),
}

// longStream is the number of rows from which a single model that is not in the table above runs with one seed only.
const longStream = 20_000

// autoBeside prints auto beside the best of the single models.
func (b *bench) autoBeside() error {
	h := b.heading(fmt.Sprintf("### auto beside the best single model\n\nOf %s with their defaults, the one with the best mean over the seeds 1 to %d at that delay (seed 1 on streams of 20,000 rows and more, unless the model stands in the table above). Behind: by how many points of accuracy, or percent of the error, auto is worse; below 0 it is better.\n\n"+
		"| data | metric | delay | auto | kappa_t | log-loss | ECE | best single | which | behind | auto, µs |\n|"+strings.Repeat("---|", 11)+"\n", joined(), b.seeds))
	for _, r := range autoRows {
		if b.skip("accuracy "+r.data, "beside auto", b.quick) {
			continue
		}
		o, ok := b.options(r.data, r.target, r.drop, r.categorical)
		if !ok {
			continue
		}
		auto, err := b.measure(o, r.models, b.seeds)
		if err != nil {
			return err
		}
		if auto.failed != "" {
			h.row("| %s | %s | %s%s", r.name(), r.metric, auto.failed, strings.Repeat(" |", 9))
			continue
		}
		seeds := b.seeds
		if auto.events >= longStream {
			seeds = 1
		}
		best := [2]*measured{}
		name := [2]string{}
		for _, model := range single[r.metric != "accuracy"] {
			m, err := b.measure(o, []string{model}, seeds)
			if err != nil {
				return err
			}
			for i := range best {
				if m.failed == "" && (best[i] == nil || r.better(m, best[i], i)) {
					best[i], name[i] = m, model
				}
			}
		}
		for i, delay := range []int{0, lateBy} {
			ours, theirs := auto.at(i), best[i].at(i)
			rest := "– | – | –"
			if r.metric == "accuracy" {
				rest = besides(ours, r.metric)
			}
			h.row("| %s | %s | %d | **%s** | %s | %s | `%s` | %s | %.3g |", r.name(), r.metric, delay, figures(values(ours, r.metric), r.metric, r.places()), rest,
				figures(values(theirs, r.metric), r.metric, r.places()), name[i], r.behind(mean(values(ours, r.metric)), mean(values(theirs, r.metric))), auto.ns/1e3)
		}
	}
	h.end()
	return nil
}

func joined() string {
	var names []string
	for _, regression := range []bool{false, true} {
		names = append(names, "`"+strings.Join(single[regression], "`, `")+"`")
	}
	return names[0] + " (numbers: " + names[1] + ")"
}

// places are the decimal places of a metric in this table.
func (r accuracyRow) places() int {
	if r.metric == "accuracy" {
		return 2
	}
	return 3
}

// at are the metrics at the first or second delay, by seed.
func (m *measured) at(delay int) []evaluate.Metrics {
	return [2][]evaluate.Metrics{m.now, m.late}[delay]
}

// better reports whether a has the better mean than b at a delay.
func (r accuracyRow) better(a, b *measured, delay int) bool {
	x, y := mean(values(a.at(delay), r.metric)), mean(values(b.at(delay), r.metric))
	if r.metric == "accuracy" {
		return x > y
	}
	return x < y
}

// behind is by how much ours is worse.
func (r accuracyRow) behind(ours, theirs float64) string {
	if r.metric == "accuracy" {
		return fmt.Sprintf("%.2f", 100*(theirs-ours))
	}
	return fmt.Sprintf("%.1f %%", 100*(ours/theirs-1))
}
