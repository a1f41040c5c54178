package cluster

import (
	"fmt"

	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/anomaly"
)

// DistanceComponent is the catalogue entry of Distance.
var DistanceComponent = models.Component{
	Name: "cluster_distance", Kind: models.ModelKind, Tasks: []models.Task{models.Anomaly}, Fold: 1, NumbersOnly: true,
	Doc: "Takes an example as the stranger the farther it is from its cluster. An answer above ½ is an alarm. Labels are not used. Missing values: as the clusterer.",
	Params: []models.Param{
		{Name: "clusters", Part: models.TransformerKind, Default: models.Named("k_means"), Doc: "k_means, clustream, denstream or dbstream"},
		{Name: "false_alarm_rate", Default: 0.01, Range: models.Between(1e-6, 0.5), Unit: "share of examples", Doc: "so many answers are to be above ½"},
		{Name: "memory", Default: 10000, Range: models.Between(10, 1<<30), Unit: "examples", Doc: "what is older counts less than 1/e for the threshold"},
	},
	Cost: "twice that of the clusterer", Memory: "that of the clusterer, and 20 KB", Source: "definition",
	NewModel: func(a models.Args, env models.Env) (models.Learner, error) {
		t, err := a.Transformer("clusters", env)
		if err != nil {
			return nil, err
		}
		c, ok := t.(*Transformer)
		if !ok {
			return nil, models.SpecErrors{{Path: "clusters", Reason: fmt.Sprintf("%T is no clusterer", t), Mend: "one of k_means, clustream, denstream, dbstream"}}
		}
		return NewDistance(c, a.Float("false_alarm_rate"), a.Int("memory")), nil
	},
}

// Distance is a detector by the distance to the nearest cluster. It implements models.Learner and models.Publisher.
type Distance struct {
	clusters *Transformer
	limits   *anomaly.Threshold
}

// NewDistance returns the detector of a clusterer, which it owns.
func NewDistance(c *Transformer, rate float64, memory int) *Distance {
	return &Distance{c, anomaly.NewThreshold(rate, memory)}
}

func score(t *Transformer, e *models.Example) float64 {
	if _, d := t.place(e); d > 0 {
		return d
	}
	return 0 // no cluster yet, or at its centre
}

// Dropped adds the counts of the clusterer.
func (m *Distance) Dropped(d *models.Drops) { d.Of(m.clusters) }

// Predict appends how strange the example is.
func (m *Distance) Predict(dst []float64, e *models.Example) []float64 {
	return append(dst, m.limits.Answer(score(m.clusters, e)))
}

// Observe counts the distance and takes the example in.
func (m *Distance) Observe(e *models.Example) {
	m.limits.Add(score(m.clusters, e))
	m.clusters.Observe(e)
}

// Learn does nothing.
func (m *Distance) Learn(*models.Example, []float64) {}

// State visits clusters and threshold.
func (m *Distance) State(s *codec.State) {
	m.clusters.State(s)
	m.limits.State(s)
}

// Publish shares the clusters.
func (m *Distance) Publish() models.Predictor {
	return &distanceSnapshot{clusters: m.clusters.Snapshot().(*Transformer), answer: m.limits.Fixed()}
}

type distanceSnapshot struct {
	clusters *Transformer
	answer   func(float64) float64
}

// Predict answers as the model did when it was published.
func (p *distanceSnapshot) Predict(dst []float64, e *models.Example) []float64 {
	return append(dst, p.answer(score(p.clusters, e)))
}
