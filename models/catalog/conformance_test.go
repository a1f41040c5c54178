package catalog_test

import (
	"testing"

	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/catalog"
	"github.com/freshet-ml/freshet/models/modeltest"
)

// grows lists the models whose state grows with the data; the others must not allocate per event.
var grows = map[string]bool{
	"hoeffding_tree": true,

	"hoeffding_adaptive_tree":           true,
	"extremely_fast_decision_tree":      true,
	"hoeffding_tree_regressor":          true,
	"hoeffding_adaptive_tree_regressor": true,
	"stochastic_gradient_tree":          true,

	"class_weights":             true,
	"auto":                      true,
	"gradient_boosted_trees":    true,
	"mondrian_forest":           true,
	"voting":                    true,
	"ewa":                       true,
	"stacking":                  true,
	"one_vs_rest":               true,
	"dynamic_weighted_majority": true,
	"oza_bagging":               true,
	"adwin_bagging":             true,
	"leveraging_bagging":        true,
	"oza_boost":                 true,
	"online_adaboost":           true,
	"bole":                      true,
	"adaptive_random_forest":    true,
	"streaming_random_patches":  true,
	"under_sampler":             true, // their default model is a tree
	"over_sampler":              true,
	"hard_sampler":              true,
	"calibrated":                true,
}

// TestConformance runs the suite on every model of the catalogue, for each of its tasks, and on every
// transformer in front of a model.
func TestConformance(t *testing.T) {
	for _, c := range catalog.All {
		tasks := c.Tasks
		if len(tasks) == 0 {
			tasks = []models.Task{models.Binary, models.Multiclass, models.Regression}
		}
		for _, task := range tasks {
			if task == models.Forecast {
				runForecaster(t, c.Name)
				continue
			}
			switch c.Kind {
			case models.ModelKind:
				run(t, c.Name, task, models.Spec{Stages: []models.Stage{{Name: c.Name, Params: small[c.Name]}}})
			case models.TransformerKind:
				run(t, c.Name, task, models.Spec{Stages: []models.Stage{{Name: c.Name}, {Name: behind(task)}}})
			case models.OptimizerKind, models.LossKind:
				params := map[string]any{string(c.Kind): c.Name}
				run(t, c.Name, task, models.Spec{Stages: []models.Stage{{Name: "standard_scaler"}, {Name: behind(task), Params: params}}})
			}
		}
	}
}

// runForecaster runs the suite of forecasters on one of them: without season, with one, with two and regressors.
func runForecaster(t *testing.T, name string) {
	plan, err := catalog.Resolve(models.Named(name), models.Forecast)
	if err != nil {
		t.Fatal(err)
	}
	for kind, env := range map[string]models.ForecastEnv{
		"plain":      {Horizon: 4, Seed: 1},
		"season":     {Horizon: 10, Seasons: []int{7}, Seed: 1},
		"two":        {Horizon: 6, Seasons: []int{4, 12}, Seed: 1},
		"regressors": {Horizon: 3, Seasons: []int{4}, Regressors: 2, Seed: 1},
	} {
		t.Run(name+"/forecast/"+kind, func(t *testing.T) {
			modeltest.RunForecaster(t, modeltest.ForecasterCase{Name: name, Env: env, New: plan.Forecaster, Uses: catalog.All.Find(name).Regressors})
		})
	}
}

func behind(task models.Task) string {
	switch task {
	case models.Multiclass:
		return "softmax_regression"
	case models.Regression:
		return "linear_regression"
	}
	return "logistic_regression"
}

// small are settings with which models of large states are checked, so that the suite stays quick.
var small = map[string]map[string]any{
	"sam_knn":                  {"max_examples": 200, "min_window": 20},
	"robust_random_cut_forest": {"trees": 3, "window": 24},
	"online_isolation_forest":  {"trees": 3, "window": 64, "max_leaf": 4},
	"half_space_trees":         {"trees": 4, "height": 6, "window": 50},
	"target_transform":         {"model": map[string]any{"auto": map[string]any{"effort": "low"}}},
	"class_weights":            {"model": map[string]any{"auto": map[string]any{"effort": "low"}}},
	"hard_sampler":             {"model": map[string]any{"auto": map[string]any{"effort": "low"}}},
	"two_tower":                {"left": []any{"small", "town"}, "hidden": []any{8}, "max_categories": 512},
	"mlp":                      {"hidden": []any{8, 4}, "max_categories": 512, "dropout": 0.1, "replay": 8},
	"deep_fm":                  {"hidden": []any{8, 4}, "max_categories": 512},
	"wide_and_deep":            {"hidden": []any{8, 4}, "max_categories": 512, "batch": 2},
	"hedge_backpropagation":    {"hidden": []any{8, 4}, "max_categories": 512},
	"autoencoder":              {"hidden": []any{4}},
	"loda":                     {"projections": 20, "bins": 16},
	"quantile_filter":          {"model": map[string]any{"half_space_trees": map[string]any{"trees": 2, "height": 4, "window": 50}}},
}

// encoded puts one_hot before a model that reads numbers only: the suite's rows have categories.
func encoded(spec models.Spec) models.Spec {
	last := len(spec.Stages) - 1
	if c := catalog.All.Find(spec.Stages[last].Name); c == nil || !c.NumbersOnly {
		return spec
	}
	stages := append([]models.Stage{}, spec.Stages[:last]...)
	return models.Spec{Stages: append(stages, models.Stage{Name: "one_hot"}, spec.Stages[last])}
}

func run(t *testing.T, name string, task models.Task, spec models.Spec) {
	spec = encoded(spec)
	plan, err := catalog.Resolve(spec, task)
	if err != nil {
		t.Fatal(err)
	}
	t.Run(name+"/"+task.String(), func(t *testing.T) {
		modeltest.Run(t, modeltest.Case{
			Name:  name,
			Env:   models.Env{Task: task, Classes: 3, Seed: 1},
			Grows: grows[name], Bounds: append([]models.Bound{}, plan.Bounds()...),
			New: func(env models.Env) (models.Learner, error) { return catalog.Build(spec, env) },
		})
	})
}

// TestAutoSteadyState: auto without the tree allocates nothing per event.
func TestAutoSteadyState(t *testing.T) {
	spec := models.Spec{Stages: []models.Stage{{Name: "auto", Params: map[string]any{"experts": []any{"prior", "steady", "quick", "coin"}}}}}
	for _, task := range []models.Task{models.Binary, models.Multiclass, models.Regression} {
		run(t, "linear auto", task, spec)
	}
}

// TestHistogramSplitters: trees and forests that split by histograms keep the contract too.
func TestHistogramSplitters(t *testing.T) {
	for name, params := range map[string]map[string]any{"hoeffding_adaptive_tree": {}, "extremely_fast_decision_tree": {}, "adaptive_random_forest": {"trees": 3}} {
		params["splitter"] = "histogram"
		run(t, name, models.Multiclass, models.Spec{Stages: []models.Stage{{Name: name, Params: params}}})
	}
}
