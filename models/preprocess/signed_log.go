package preprocess

import (
	"math"
	"slices"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
)

// SignedLogComponent is the catalogue entry of SignedLog.
var SignedLogComponent = models.Component{
	Name: "signed_log", Kind: models.TransformerKind, Fold: 1,
	Params: []models.Param{columnsParam,
		{Name: "scale", Default: 0.0, Range: models.AtLeast(0), Unit: "units of the column", Doc: "where the curve turns from linear to logarithmic; 0: found from the column"}},
	Cost: "O(columns)", Memory: "32 bytes per column with scale 0",
	Doc: "sign(x) · log(1 + |x| / scale): compresses heavy tails and keeps zero and sign. With scale 0 a column whose magnitudes fall off exponentially is bent at their mean, " +
		"a heavier tail earlier and a lighter one later: at mean · (2 mean² / mean square)³, the factor limited to [0.1, 8] and drawn towards 3 over the first thousand values. So what needs no compression is left nearly straight, whatever the unit, and nothing is switched on or off as data come. " +
		"Missing values stay missing and are not counted.",
	NewTransformer: func(a models.Args, env models.Env) (models.Transformer, error) {
		cols, err := selected(a, env, true)
		if err != nil {
			return nil, err
		}
		return NewSignedLog(env.Schema, cols, a.Float("scale")), nil
	},
}

// SignedLog compresses the tails of columns.
type SignedLog struct {
	unlabelled
	schema  *features.Schema
	columns []int
	scale   float64
	tails   []tail // per column; nil with a fixed scale
}

// NewSignedLog returns the transformer for the given columns. A scale of 0 finds each column's own.
func NewSignedLog(schema *features.Schema, columns []int, scale float64) *SignedLog {
	t := &SignedLog{schema: schema, columns: columns, scale: scale}
	if scale == 0 {
		t.tails = make([]tail, len(columns))
		for j := range t.tails {
			t.tails[j].measure()
		}
	}
	return t
}

// Transform compresses the columns and copies the others. A column whose values were all 0 so far is
// bent at 1.
func (t *SignedLog) Transform(dst models.Row, e *models.Example) models.Row {
	dst = dense(dst, e.Row, len(t.schema.Columns))
	for j, i := range t.columns {
		x := dst.Value[i]
		if x != x || x == 0 {
			continue
		}
		scale := t.scale
		if t.tails != nil {
			scale = t.tails[j].bend
		}
		dst.Value[i] = math.Copysign(log1p(math.Abs(bounded(x))/scale), x)
	}
	return dst
}

// log1p is log(1 + u) for u ≥ 0: two terms of its series below 1e-5, where 1 + u would lose digits, with
// a relative error below 1e-10 everywhere. It takes half the time of math.Log1p.
func log1p(u float64) float64 {
	if u < 1e-5 {
		return u - float64(u*u)/2
	}
	return math.Log(1 + u)
}

// tailWarm is how many values the initial factor of 3 counts for.
const tailWarm = 1000

// tail is what is known of one column's magnitudes.
type tail struct {
	n, mean, square float64 // count, mean of |x|, mean of x²
	bend            float64 // derived: where the curve turns
}

// measure derives the bend: mean · (2 mean² / square)³, that factor limited to [0.1, 8] and drawn
// towards 3 while the column is young. In brackets stands 1 for exponential magnitudes, 1.5 for even
// ones, less for heavier tails.
func (c *tail) measure() {
	c.bend = 1
	if c.mean > 0 && c.square > 0 {
		f := 2 * (c.mean / c.square) * c.mean
		c.bend = c.mean * (float64(c.n*max(0.1, min(8, f*f*f))) + 3*tailWarm) / (c.n + tailWarm)
	}
}

// Observe takes the magnitudes in.
func (t *SignedLog) Observe(e *models.Example) {
	if t.tails == nil {
		return
	}
	for j, i := range t.columns {
		if x := e.At(i); x == x {
			c := &t.tails[j]
			c.n++
			a := math.Abs(bounded(x))
			c.mean += (a - c.mean) / c.n
			c.square += (float64(a*a) - c.square) / c.n
			c.measure()
		}
	}
}

// State visits the magnitudes.
func (t *SignedLog) State(s *codec.State) {
	s.Fixed("columns of signed_log", len(t.tails))
	for j := range t.tails {
		c := &t.tails[j]
		s.Float64(&c.n)
		s.Float64(&c.mean)
		s.Float64(&c.square)
		c.measure()
	}
}

// Schema is that of the rows that come in.
func (t *SignedLog) Schema() *features.Schema { return t.schema }

// Snapshot copies what is known of the magnitudes.
func (t *SignedLog) Snapshot() models.Transformer {
	c := *t
	c.tails = slices.Clone(t.tails)
	return &c
}
