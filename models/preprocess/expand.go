package preprocess

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/models"
)

// maxExpanded bounds the columns that an expansion may make.
const maxExpanded = 1 << 16

// PolynomialComponent is the catalogue entry of Polynomial.
var PolynomialComponent = models.Component{
	Name: "polynomial", Kind: models.TransformerKind, Fold: 1,
	Params: []models.Param{columnsParam,
		{Name: "degree", Default: 2, Range: models.Between(2, 4), Doc: "greatest number of factors of a product"},
		{Name: "interactions", Default: false, Doc: "only products of different columns, no powers"}},
	Cost: "O(products)", Memory: "none; at most 65,536 columns", Source: "definition",
	Doc: "Adds all products of up to so many of the columns, named a*b, at the end. Put it behind a scaler: powers of great values are greater still; beyond 1e100 they count as 1e100. " +
		"A product with a missing factor is missing.",
	NewTransformer: func(a models.Args, env models.Env) (models.Transformer, error) {
		cols, err := selected(a, env, true)
		if err != nil {
			return nil, err
		}
		return NewPolynomial(env.Schema, cols, a.Int("degree"), a.Bool("interactions"))
	},
}

// Polynomial adds products of columns.
type Polynomial struct {
	stateless
	in, out *features.Schema
	left    []int // per product: an earlier column of the output, and the incoming one that it is multiplied by
	right   []int
}

// NewPolynomial returns the transformer for the given columns. More than 65,536 columns of output are an error.
func NewPolynomial(schema *features.Schema, columns []int, degree int, interactions bool) (*Polynomial, error) {
	t := &Polynomial{in: schema, out: extended(schema)}
	type term struct{ column, last int } // the output column of a product, and the place in columns of its last factor
	terms := make([]term, len(columns))
	for k, i := range columns {
		terms[k] = term{i, k}
	}
	for range degree - 1 {
		var more []term
		for _, p := range terms {
			first := p.last
			if interactions {
				first++
			}
			for k := first; k < len(columns); k++ {
				if len(t.out.Columns) == maxExpanded {
					return nil, models.SpecErrors{{Path: "polynomial", Reason: fmt.Sprintf("more than %d columns of products", maxExpanded), Mend: "name fewer columns, or lower the degree"}}
				}
				more = append(more, term{len(t.out.Columns), k})
				t.left, t.right = append(t.left, p.column), append(t.right, columns[k])
				t.out.Columns = append(t.out.Columns, features.Column{Name: t.out.Columns[p.column].Name + "*" + schema.Columns[columns[k]].Name})
			}
		}
		terms = more
	}
	return t, nil
}

// Transform writes a dense row.
func (t *Polynomial) Transform(dst models.Row, e *models.Example) models.Row {
	dst = dense(dst, e.Row, len(t.out.Columns))
	for k, to := 0, len(t.in.Columns); k < len(t.left); k, to = k+1, to+1 {
		dst.Value[to] = bounded(bounded(dst.Value[t.left[k]]) * bounded(dst.Value[t.right[k]]))
	}
	return dst
}

// Schema is the incoming one with the products at its end.
func (t *Polynomial) Schema() *features.Schema { return t.out }

// Snapshot returns t itself: it never changes.
func (t *Polynomial) Snapshot() models.Transformer { return t }

// RandomFourierComponent is the catalogue entry of RandomFourier.
var RandomFourierComponent = models.Component{
	Name: "random_fourier", Kind: models.TransformerKind, Fold: 1,
	Params: []models.Param{columnsParam,
		{Name: "components", Default: 64, Range: models.Between(1, 4096), Unit: "columns", Doc: "random features; the error of the kernel falls with their root"},
		{Name: "gamma", Default: 0.1, Range: models.Above(0), Doc: "the kernel is exp(−gamma·‖x − y‖²)"},
		{Name: "keep", Default: true, Doc: "keep the columns and add the random ones at the end"}},
	Cost: "O(columns · components)", Memory: "8 · columns · components bytes", Source: "Rahimi & Recht 2007, §3, Algorithm 1",
	Doc: "Cosines of random projections, whose dot products are those of a Gaussian kernel: makes a linear model a kernel machine. Put it behind a scaler. The projections come from the seed of the model. " +
		"Missing values count as 0.",
	NewTransformer: func(a models.Args, env models.Env) (models.Transformer, error) {
		cols, err := selected(a, env, true)
		if err != nil {
			return nil, err
		}
		return NewRandomFourier(env.Schema, cols, a.Int("components"), a.Float("gamma"), a.Bool("keep"), env.Seed), nil
	},
}

// RandomFourier adds random features of a Gaussian kernel.
type RandomFourier struct {
	stateless
	in, out *features.Schema
	columns []int
	place   []int // where a kept column goes; nil: all stay
	first   int   // of the random columns
	weights []float64
	phases  []float64
	scale   float64
}

// NewRandomFourier returns the transformer for the given columns.
func NewRandomFourier(schema *features.Schema, columns []int, components int, gamma float64, keep bool, seed uint64) *RandomFourier {
	t := &RandomFourier{in: schema, columns: columns, scale: math.Sqrt(2 / float64(components)),
		weights: make([]float64, components*len(columns)), phases: make([]float64, components)}
	if keep {
		t.out, t.first = extended(schema), len(schema.Columns)
	} else {
		t.out = &features.Schema{}
		t.place, t.first = split(schema, columns, t.out)
	}
	rng := rand.New(rand.NewPCG(seed, 0x72666f7572696572))
	for k := range components {
		t.out.Columns = append(t.out.Columns, features.Column{Name: fmt.Sprintf("fourier_%d", k)})
		for j := range columns {
			t.weights[k*len(columns)+j] = math.Sqrt(2*gamma) * rng.NormFloat64()
		}
		t.phases[k] = 2 * math.Pi * rng.Float64()
	}
	return t
}

// Transform writes a dense row.
func (t *RandomFourier) Transform(dst models.Row, e *models.Example) models.Row {
	n := len(t.columns)
	if t.place == nil {
		dst = dense(dst, e.Row, len(t.out.Columns))
	} else {
		dst = dense(dst, models.Row{}, len(t.out.Columns))
		for i, to := range t.place {
			if to >= 0 {
				dst.Value[to] = e.At(i)
			}
		}
	}
	for k, phase := range t.phases {
		w, dot := t.weights[k*n:(k+1)*n], phase
		for j, i := range t.columns {
			if x := e.At(i); x == x {
				dot += float64(w[j] * max(-1e12, min(1e12, x)))
			}
		}
		dst.Value[t.first+k] = t.scale * math.Cos(dot)
	}
	return dst
}

// Schema is the incoming one with the random columns at its end, or those instead of the columns.
func (t *RandomFourier) Schema() *features.Schema { return t.out }

// Snapshot returns t itself: it never changes.
func (t *RandomFourier) Snapshot() models.Transformer { return t }
