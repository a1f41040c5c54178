package main

import "github.com/freshet-ml/freshet/models"

// tasksOf lists the tasks that a spec may be for.
func tasksOf(t models.Task) []models.Task {
	if t != 0 {
		return []models.Task{t}
	}
	return []models.Task{models.Binary, models.Multiclass, models.Regression, models.Anomaly}
}

// accuracyRow is a model on a stream, with what another library reaches.
type accuracyRow struct {
	data, target, drop, categorical string
	key                             string   // the column of entities
	models                          []string // the first that this build knows
	metric, reference               string
	moa                             string // the reference as a command line of MOA
	digits                          int    // decimal places; 0: 2
	heavy                           bool
}

const (
	riverLogistic = "[standard_scaler, {logistic_regression: {optimizer: {sgd: {learning_rate: 0.005}}}}]"
	knn           = "k_nearest_neighbors"
	// sklearnLogistic has the settings of scikit-learn's SGDClassifier, which is CapyMOA's: raw columns, l2 0.0001, steps that begin at 10 (Bottou's schedule for that l2) and fall to a third within 2,000 rows.
	sklearnLogistic = "{logistic_regression: {optimizer: {sgd: {learning_rate: 10}}, l2: 0.0001, intercept_learning_rate: 0}}"
)

func elec(reference string, models ...string) accuracyRow {
	return accuracyRow{data: "elec2", target: "class", categorical: "day", models: models, metric: "accuracy", reference: reference}
}

func heavy(r accuracyRow) accuracyRow { r.heavy = true; return r }

// by names the reference of a row in MOA, which is run beside it where it is found.
func by(moa string, r accuracyRow) accuracyRow { r.moa = moa; return r }

// exact is a row whose reference is met to the digit.
func exact(r accuracyRow) accuracyRow { r.digits = 5; return r }

// echo is a model with a memory of entities on a stream that asks for one.
func echo(model string) accuracyRow {
	r := on("generator:echo?n=40000", "", "accuracy", "97.14 (best possible)", model)
	r.key = "entity"
	return r
}

func on(data, target, metric, reference string, models ...string) accuracyRow {
	return accuracyRow{data: data, target: target, models: models, metric: metric, reference: reference}
}

func bikes(reference string, models ...string) accuracyRow {
	return accuracyRow{data: "bike_sharing_hour", target: "cnt", drop: "instant,dteday,casual,registered", models: models, metric: "mae", reference: reference}
}

const ledDrift = "generator:gradual?first=led(drift_attributes=1)&second=led(drift_attributes=3)&at=50000&width=50&n=100000"

// moaStreams are generated streams as MOA's command line, of 100,000 rows.
var moaStreams = map[string]string{
	"generator:random_tree": "generators.RandomTreeGenerator -o 5 -u 5 -c 2 -d 5 -i 1 -r 1",
	ledDrift:                "ConceptDriftStream -s (generators.LEDGeneratorDrift -d 1) -d (generators.LEDGeneratorDrift -d 3) -p 50000 -w 50",
}

// sized are the specs of an ensemble of a size, by the names that its parameter may have.
func sized(name, n string, params ...string) []string {
	var out []string
	for _, p := range params {
		out = append(out, "{"+name+": {"+p+": "+n+"}}")
	}
	return out
}

var accuracyRows = []accuracyRow{
	exact(on("elec2", "class", "accuracy", "82.21442 (River)", riverLogistic)),
	exact(on("phishing", "is_phishing", "accuracy", "88.72000 (River)", riverLogistic)),
	exact(on("bananas", "label", "accuracy", "54.32075 (River)", riverLogistic)),
	on("elec2", "class", "accuracy", "–", "mlp"),
	on("sea_stream", "class", "accuracy", "–", "mlp"),
	on("fried", "target", "rmse", "–", "mlp"),
	on("elec2", "class", "accuracy", "–", "hedge_backpropagation"),
	by("bayes.NaiveBayes", elec("73.36 (MOA)", "gaussian_nb")),
	by("trees.HoeffdingTree", elec("79.20 (MOA)", "hoeffding_tree")),
	by("trees.HoeffdingAdaptiveTree", elec("83.39 (MOA)", "hoeffding_adaptive_tree")),
	by("trees.EFDT", elec("80.64 (MOA)", "extremely_fast_decision_tree")),
	by("meta.LeveragingBag -s 10", elec("89.80 (MOA)", "leveraging_bagging")),
	by("meta.AdaptiveRandomForest -s 10", elec("89.33 (MOA)", "adaptive_random_forest")),
	heavy(elec("90.05 (MOA)", sized("adaptive_random_forest", "100", "trees", "members")...)),
	by("meta.StreamingRandomPatches -s 10", elec("88.82 (MOA)", "streaming_random_patches")),
	heavy(elec("88.52 (MOA)", "gradient_boosted_trees")),
	by("meta.BOLE", elec("90.83 (MOA)", "bole")),
	on("elec2", "class", "accuracy", "92.27 (River)", "[standard_scaler, passive_aggressive]"),
	by("trees.HoeffdingTree", on("sea_stream", "class", "accuracy", "87.52 (MOA)", "hoeffding_tree")),
	by("meta.AdaptiveRandomForest -s 10", on("sea_stream", "class", "accuracy", "89.04 (MOA)", "adaptive_random_forest")),
	by("meta.LeveragingBag -s 10", on("sea_stream", "class", "accuracy", "88.86 (MOA)", "leveraging_bagging")),
	on("segment", "category", "accuracy", "94.20 (River)", "mondrian_forest"),
	on("segment", "category", "accuracy", "79.40 (River)", "adaptive_random_forest"),
	by("lazy.kNN -k 10 -w 1000", on("segment", "category", "accuracy", "90.80 (MOA)", knn)),
	by("trees.EFDT", on("segment", "category", "accuracy", "79.70 (MOA)", "extremely_fast_decision_tree")),
	by("meta.AdaptiveRandomForest -s 10", on("bananas", "label", "accuracy", "88.40 (MOA)", "adaptive_random_forest")),
	on("bananas", "label", "accuracy", "88.70 (River)", "mondrian_forest"),
	on("fried", "target", "rmse", "2.15 (River)", "hoeffding_tree_regressor"),
	on("fried", "target", "rmse", "1.98 (River)", "adaptive_random_forest"),
	heavy(on("fried", "target", "rmse", "1.70 (MOA)", "gradient_boosted_trees")),
	bikes("diverges (River, MOA)", "[standard_scaler, linear_regression]", "linear_regression"),
	bikes("61 (MOA)", "adaptive_random_forest"),
	bikes("30.1 (MOA)", "gradient_boosted_trees"),
	on("trump_approval", "five_thirty_eight", "mae", "0.8004 (River)", "adaptive_random_forest"),
	on("trump_approval", "five_thirty_eight", "mae", "0.2685 (River)", "mondrian_forest"),
	by("bayes.NaiveBayes", on("generator:random_tree", "", "accuracy", "73.386 (MOA)", "gaussian_nb")),
	by("trees.HoeffdingTree", on("generator:random_tree", "", "accuracy", "88.991 (MOA)", "hoeffding_tree")),
	by("trees.HoeffdingAdaptiveTree", on("generator:random_tree", "", "accuracy", "89.500 (MOA)", "hoeffding_adaptive_tree")),
	by("trees.EFDT", on("generator:random_tree", "", "accuracy", "90.005 (MOA)", "extremely_fast_decision_tree")),
	by("meta.LeveragingBag -s 10", on("generator:random_tree", "", "accuracy", "92.776 (MOA)", "leveraging_bagging")),
	by("meta.AdaptiveRandomForest -s 10", on("generator:random_tree", "", "accuracy", "90.023 (MOA)", "adaptive_random_forest")),
	by("bayes.NaiveBayes", on(ledDrift, "", "accuracy", "64.184 (MOA)", "gaussian_nb")),
	by("trees.HoeffdingTree", on(ledDrift, "", "accuracy", "70.340 (MOA)", "hoeffding_tree")),
	by("trees.HoeffdingAdaptiveTree", on(ledDrift, "", "accuracy", "72.828 (MOA)", "hoeffding_adaptive_tree")),
	by("meta.AdaptiveRandomForest -s 10", on(ledDrift, "", "accuracy", "73.245 (MOA)", "adaptive_random_forest")),
	by("meta.LeveragingBag -s 10", on(ledDrift, "", "accuracy", "73.602 (MOA)", "leveraging_bagging")),
	by("meta.StreamingRandomPatches -s 10", on(ledDrift, "", "accuracy", "72.545 (MOA)", "streaming_random_patches")),
	echo("mlp"), echo("gru"), echo("rnn"), echo("linear_recurrence"),
	elec("–", "{gru: {previous_label: true}}"), elec("–", "gru"), elec("–", "rnn"), elec("–", "linear_recurrence"),
	on("sea_stream", "class", "accuracy", "–", "gru"), on("sea_stream", "class", "accuracy", "–", "rnn"), on("sea_stream", "class", "accuracy", "–", "linear_recurrence"),
	tiny("84.00", "gaussian_nb"), tiny("82.65", "{hoeffding_tree: {delta: 0.001}}", "hoeffding_tree"), tiny("84.15", "hoeffding_adaptive_tree"),
	tiny("82.69", "extremely_fast_decision_tree"), tiny("81.60", "{k_nearest_neighbors: {k: 3, window: 1000}}", "{k_nearest_neighbors: {neighbors: 3}}", knn), tiny("82.65", "sam_knn"),
	tiny("84.60", sized("oza_bagging", "5", "members", "trees")...), tiny("89.95", "oza_boost"), heavy(tiny("86.70", sized("leveraging_bagging", "100", "members")...)), heavy(tiny("85.25", sized("adwin_bagging", "100", "members")...)),
	tiny("84.05", "dynamic_weighted_majority"), heavy(tiny("89.00", sized("adaptive_random_forest", "100", "trees", "members")...)),
	heavy(tiny("90.20", sized("streaming_random_patches", "100", "trees", "members")...)), heavy(tiny("88.75", "gradient_boosted_trees")),
	tiny("85.95", "no_change"), tiny("60.20", "majority_class"), tiny("85.75", sklearnLogistic), tiny("85.75", "[standard_scaler, logistic_regression]"), tiny("84.70", "passive_aggressive"),
}

func tiny(reference string, models ...string) accuracyRow {
	return on("electricity_tiny", "class", "accuracy", reference+" (CapyMOA)", models...)
}

// speedRow is a model whose processor time is measured; the figures of peers are in µs, 0 where there is none.
type speedRow struct {
	name   string // by which the peers know it
	models []string
	moa    float64
	river  float64
	heavy  bool
}

var speedRows = []speedRow{
	{"logistic", []string{riverLogistic}, 0.19, 8.9, false},
	{"gaussian_nb", []string{"gaussian_nb"}, 0.43, 57, false},
	{"hoeffding_tree", []string{"hoeffding_tree"}, 0.99, 27.5, false},
	{"hoeffding_adaptive_tree", []string{"hoeffding_adaptive_tree"}, 2.5, 77, false},
	{"knn", []string{knn}, 47, 293, false},
	{"leveraging_bagging", sized("leveraging_bagging", "10", "members", "trees"), 34, 1404, false},
	{"adaptive_random_forest", sized("adaptive_random_forest", "10", "trees", "members"), 83, 705, false},
	{"adaptive_random_forest_100", sized("adaptive_random_forest", "100", "trees", "members"), 901, 0, true},
	{"streaming_random_patches", sized("streaming_random_patches", "10", "trees", "members"), 135, 2512, false},
	{"gradient_boosted_trees", sized("gradient_boosted_trees", "100", "trees", "steps", "members"), 643, 0, true},
	{"passive_aggressive", []string{"[standard_scaler, passive_aggressive]"}, 0, 10.9, false},
	{"mondrian_forest", []string{"mondrian_forest"}, 0, 399, false},
	{"auto", []string{"auto"}, 0, 0, false},
	{"mlp", []string{"mlp"}, 0, 202, false},
	{"hedge_backpropagation", []string{"hedge_backpropagation"}, 0, 0, false},
	{"gru", []string{"gru"}, 0, 0, false},
	{"rnn", []string{"rnn"}, 0, 0, false},
	{"linear_recurrence", []string{"linear_recurrence"}, 0, 0, false},
}
