package serving

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/freshet-ml/freshet/internal/metrics"
)

// modelMetrics are the metrics of one model, resolved once.
type modelMetrics struct {
	ok       prometheus.Counter
	failed   *prometheus.CounterVec // by code
	duration prometheus.Observer
	score    prometheus.Observer
	cut      prometheus.Counter // texts
}

func newModelMetrics(m *metrics.Metrics, model string) modelMetrics {
	m.LogDropped.WithLabelValues(model).Add(0)
	return modelMetrics{ok: m.Predictions.WithLabelValues(model, "OK"), failed: m.Predictions.MustCurryWith(prometheus.Labels{"model": model}),
		duration: m.Duration.WithLabelValues(model), score: m.Score.WithLabelValues(model), cut: m.AskedCut.WithLabelValues(model)}
}

// done counts one Predict call of so many rows.
func (m *modelMetrics) done(rows int, code codes.Code, took time.Duration) {
	m.duration.Observe(took.Seconds())
	if code == codes.OK {
		m.ok.Add(float64(rows))
		return
	}
	m.failed.WithLabelValues(codeName(code)).Add(float64(max(1, rows)))
}

// timedStates measures the round trips to the store.
type timedStates struct {
	States
	seconds prometheus.Observer
}

// Read implements States.
func (t timedStates) Read(ctx context.Context, keys []EntityKey, out []EntityState) error {
	begin := time.Now()
	err := t.States.Read(ctx, keys, out)
	t.seconds.Observe(time.Since(begin).Seconds())
	return err
}

func statusCode(err error) codes.Code { return status.Code(toStatus(err)) }
