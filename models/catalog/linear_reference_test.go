package catalog_test

import (
	"testing"

	"github.com/freshet-ml/freshet/models/modeltest"
)

// TestPassiveAggressiveReference: River 0.26 reaches these accuracies with PA-I, C 1, behind a scaler.
func TestPassiveAggressiveReference(t *testing.T) {
	for name, want := range map[string]float64{"elec2num": 0.9227, "phishing": 0.8424, "bananas": 0.5111, "sea_stream": 0.7483} {
		t.Run(name, func(t *testing.T) {
			got := scored(t, modeltest.ReadReference(t, name), []any{"standard_scaler", "passive_aggressive"})
			if got.Accuracy < want-0.003 {
				t.Errorf("accuracy %.4f, want at least %.4f", got.Accuracy, want-0.003)
			}
			t.Logf("accuracy %.4f, log-loss %.4f", got.Accuracy, got.LogLoss)
		})
	}
}

// TestNormalizedReference: Vowpal Wabbit 9.11 with its defaults and the logistic loss reaches these accuracies on raw inputs.
func TestNormalizedReference(t *testing.T) {
	for name, want := range map[string]float64{"elec2num": 0.7307, "phishing": 0.8528, "bananas": 0.5402, "sea_stream": 0.8709} {
		t.Run(name, func(t *testing.T) {
			got := scored(t, modeltest.ReadReference(t, name), one("logistic_regression", map[string]any{"optimizer": "normalized_adaptive_gradient", "intercept_learning_rate": 0}))
			if got.Accuracy < want-0.005 {
				t.Errorf("accuracy %.4f, want at least %.4f", got.Accuracy, want-0.005)
			}
			t.Logf("accuracy %.4f, log-loss %.4f", got.Accuracy, got.LogLoss)
		})
	}
}

// TestBikeSharingStaysFinite: every optimizer on the stream that makes plain steps elsewhere diverge, behind a scaler.
func TestBikeSharingStaysFinite(t *testing.T) {
	s := modeltest.ReadReference(t, "bike")
	for _, opt := range []string{"sgd", "momentum", "nesterov", "adagrad", "adadelta", "rmsprop", "adam", "amsgrad", "nadam", "ftrl", "normalized_adaptive_gradient", "coin"} {
		got := scored(t, s, []any{"standard_scaler", one("linear_regression", map[string]any{"optimizer": opt})})
		if !(got.MAE < 250) { // the mean count is 189
			t.Errorf("%s: mae %v", opt, got.MAE)
		}
		if opt == "sgd" && !(got.MAE <= 110) {
			t.Errorf("the default: mae %v, want at most 110", got.MAE)
		}
		t.Logf("%s: mae %.2f, rmse %.2f", opt, got.MAE, got.RMSE)
	}
}
