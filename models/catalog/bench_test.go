package catalog_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/catalog"
)

// benchRows makes rows of numeric columns, a few of them missing, and categorical ones.
func benchRows(numeric, categorical, n int) (*features.Schema, []models.Example) {
	s := &features.Schema{}
	for i := range numeric {
		s.Columns = append(s.Columns, features.Column{Name: fmt.Sprint("x", i)})
	}
	for i := range categorical {
		s.Columns = append(s.Columns, features.Column{Name: fmt.Sprint("c", i), Kind: features.Categorical})
	}
	rng := rand.New(rand.NewPCG(1, 1))
	es := make([]models.Example, n)
	for i := range es {
		v := make([]float64, numeric+categorical)
		for j := range v {
			if v[j] = rng.NormFloat64(); j >= numeric {
				v[j] = features.Category(fmt.Sprint(rng.IntN(100)))
			} else if categorical > 0 && rng.IntN(50) == 0 {
				v[j] = math.NaN()
			}
		}
		es[i] = models.Example{Row: models.Row{Value: v}, Weight: 1}
		if v[0]+rng.NormFloat64() > 0 {
			es[i].Y = 1
		}
	}
	return s, es
}

// benchEvents measures predict, observe and learn of one event.
func benchEvents(b *testing.B, spec any, numeric, categorical int) {
	schema, es := benchRows(numeric, categorical, 4096)
	sp, err := models.ParseSpec(spec)
	if err != nil {
		b.Fatal(err)
	}
	m, err := catalog.Build(sp, models.Env{Task: models.Binary, Schema: schema})
	if err != nil {
		b.Fatal(err)
	}
	var out []float64
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		e := &es[i%len(es)]
		out = m.Predict(out[:0], e)
		m.Observe(e)
		m.Learn(e, out)
	}
}

func BenchmarkLogistic8(b *testing.B) { benchEvents(b, riverLogistic(0.005), 8, 0) }

func BenchmarkAdaGrad70(b *testing.B) {
	benchEvents(b, []any{"signed_log", "ew_scaler", "clip", one("logistic_regression", map[string]any{"optimizer": "adagrad"})}, 70, 0)
}

func BenchmarkAuto70(b *testing.B) { benchEvents(b, "auto", 66, 4) }

func BenchmarkLinearAuto70(b *testing.B) {
	benchEvents(b, one("auto", map[string]any{"experts": []any{"prior", "steady", "quick", "coin"}}), 66, 4)
}

// BenchmarkSnapshot measures an answer of the snapshot and, apart from it, publishing.
func BenchmarkSnapshot(b *testing.B) {
	schema, es := benchRows(66, 4, 1024)
	m, err := catalog.Build(models.Named("auto"), models.Env{Task: models.Binary, Schema: schema})
	if err != nil {
		b.Fatal(err)
	}
	var out []float64
	for i := range es {
		out = m.Predict(out[:0], &es[i])
		m.Observe(&es[i])
		m.Learn(&es[i], out)
	}
	b.Run("publish", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			m.(models.Publisher).Publish()
		}
	})
	snap := m.(models.Publisher).Publish()
	b.Run("predict", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			out = snap.Predict(out[:0], &es[i%len(es)])
		}
	})
}
