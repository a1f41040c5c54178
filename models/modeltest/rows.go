package modeltest

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/models"
)

// Columns makes a schema with the columns x0, x1, …: a category where kinds has a c, a number anywhere else.
func Columns(kinds string) *features.Schema {
	s := &features.Schema{}
	for i, k := range kinds {
		c := features.Column{Name: fmt.Sprint("x", i)}
		if k == 'c' {
			c.Kind = features.Categorical
		}
		s.Columns = append(s.Columns, c)
	}
	return s
}

// Bench measures predict, learn and then each (nil: nothing) of one event of 8 numeric columns, of which two decide on the class by their product;
// before, the model learns so many events. It is for models of two classes or of numbers.
func Bench(b *testing.B, m models.Learner, warm int, each func()) {
	const rows = 8192
	rng := rand.New(rand.NewPCG(9, 9))
	es := make([]models.Example, rows)
	for i := range es {
		x := make([]float64, 8)
		for j := range x {
			x[j] = rng.Float64()
		}
		es[i] = models.Example{Row: models.Row{Value: x}, Y: float64(int(3*x[0]*x[1]+rng.Float64()) % 2), Weight: 1}
	}
	out := make([]float64, 0, 8)
	event := func(i int) {
		e := &es[i%rows]
		out = m.Predict(out[:0], e)
		m.Learn(e, out)
	}
	for i := range warm {
		event(i)
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		event(i)
		if each != nil {
			each()
		}
	}
}
