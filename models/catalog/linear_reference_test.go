package catalog_test

import (
	"testing"

	"github.com/freshet-ml/freshet/models"
)

// TestPassiveAggressiveReference: River 0.26 reaches these accuracies with PA-I, C 1, behind a scaler.
func TestPassiveAggressiveReference(t *testing.T) {
	for _, c := range []struct {
		name, target, positive string
		want                   float64
	}{
		{"elec2", "class", "UP", 0.9227},
		{"phishing", "is_phishing", "1", 0.8424},
		{"bananas", "label", "1", 0.5111},
		{"sea_stream", "class", "1", 0.7483},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := readStream(t, c.name, c.target, is(c.positive))
			got := progressive(t, s, models.Env{Task: models.Binary}, []any{"standard_scaler", "passive_aggressive"})
			if got.accuracy < c.want-0.003 {
				t.Errorf("accuracy %.4f, want at least %.4f", got.accuracy, c.want-0.003)
			}
			t.Logf("accuracy %.4f, log-loss %.4f", got.accuracy, got.logLoss)
		})
	}
}

// TestNormalizedReference: Vowpal Wabbit 9.11 with its defaults and the logistic loss reaches these accuracies on raw inputs.
func TestNormalizedReference(t *testing.T) {
	for _, c := range []struct {
		name, target, positive string
		want                   float64
	}{
		{"elec2", "class", "UP", 0.7307},
		{"phishing", "is_phishing", "1", 0.8528},
		{"bananas", "label", "1", 0.5402},
		{"sea_stream", "class", "1", 0.8709},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := readStream(t, c.name, c.target, is(c.positive))
			got := progressive(t, s, models.Env{Task: models.Binary}, one("logistic_regression", map[string]any{"optimizer": "normalized_adaptive_gradient", "intercept_learning_rate": 0}))
			if got.accuracy < c.want-0.005 {
				t.Errorf("accuracy %.4f, want at least %.4f", got.accuracy, c.want-0.005)
			}
			t.Logf("accuracy %.4f, log-loss %.4f", got.accuracy, got.logLoss)
		})
	}
}

// TestBikeSharingStaysFinite: every optimizer on the stream that makes plain steps elsewhere diverge, behind a scaler.
func TestBikeSharingStaysFinite(t *testing.T) {
	s := readStream(t, "bike_sharing_hour", "cnt", number, "instant", "dteday", "casual", "registered")
	for _, opt := range []string{"sgd", "momentum", "nesterov", "adagrad", "adadelta", "rmsprop", "adam", "amsgrad", "nadam", "ftrl", "normalized_adaptive_gradient", "coin"} {
		got := progressive(t, s, models.Env{Task: models.Regression}, []any{"standard_scaler", one("linear_regression", map[string]any{"optimizer": opt})})
		if !(got.mae < 250) { // the mean count is 189
			t.Errorf("%s: mae %v", opt, got.mae)
		}
		if opt == "sgd" && !(got.mae <= 110) {
			t.Errorf("the default: mae %v, want at most 110", got.mae)
		}
		t.Logf("%s: mae %.2f, rmse %.2f", opt, got.mae, got.rmse)
	}
}
