package preprocess

import (
	"slices"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
)

// MissingIndicatorComponent is the catalogue entry of MissingIndicator.
var MissingIndicatorComponent = models.Component{
	Name: "missing_indicator", Kind: models.TransformerKind, Fold: 1, Params: []models.Param{columnsParam},
	Cost: "O(columns)", Memory: "none",
	Doc: "Replaces a missing value by 0 and sets an indicator column, named after the column with _missing, to 1. Put it after a scaler, so that 0 is the mean. " +
		"Its rows are sparse.",
	NewTransformer: func(a models.Args, env models.Env) (models.Transformer, error) {
		cols, err := selected(a, env, true)
		if err != nil {
			return nil, err
		}
		return NewMissingIndicator(env.Schema, cols), nil
	},
}

// MissingIndicator replaces missing values by 0 and says so in columns of their own.
type MissingIndicator struct {
	stateless
	in, out *features.Schema
	slot    []int // per incoming column the indicator's column, or -1
}

// NewMissingIndicator returns the transformer for the given columns.
func NewMissingIndicator(schema *features.Schema, columns []int) *MissingIndicator {
	t := &MissingIndicator{in: schema, slot: make([]int, len(schema.Columns))}
	var more []features.Column
	for i := range t.slot {
		t.slot[i] = -1
	}
	for _, i := range columns {
		t.slot[i] = len(schema.Columns) + len(more)
		more = append(more, features.Column{Name: schema.Columns[i].Name + "_missing"})
	}
	t.out = extended(schema, more...)
	return t
}

// Transform writes a sparse row: the values that are not 0, then the indicators that are set. A
// missing value of a column that it does not work on stays missing.
func (t *MissingIndicator) Transform(dst models.Row, e *models.Example) models.Row {
	dst = startSparse(dst)
	missing := 0
	for j, x := range e.Value {
		i := j
		if e.Index != nil {
			i = int(e.Index[j])
		}
		switch {
		case i >= len(t.slot):
			return t.indicate(dst, e, missing)
		case x != x && t.slot[i] >= 0:
			missing++
		case x != 0:
			dst.Index, dst.Value = append(dst.Index, uint32(i)), append(dst.Value, x)
		}
	}
	return t.indicate(dst, e, missing)
}

// indicate adds the indicators of the missing values, of which there are n.
func (t *MissingIndicator) indicate(dst models.Row, e *models.Example, n int) models.Row {
	for j := 0; n > 0; j++ {
		i := j
		if e.Index != nil {
			i = int(e.Index[j])
		}
		if x := e.Value[j]; x != x && t.slot[i] >= 0 {
			dst.Index, dst.Value = append(dst.Index, uint32(t.slot[i])), append(dst.Value, 1)
			n--
		}
	}
	return dst
}

// Schema is the incoming one with the indicators at its end.
func (t *MissingIndicator) Schema() *features.Schema { return t.out }

// Snapshot returns t itself: it never changes.
func (t *MissingIndicator) Snapshot() models.Transformer { return t }

// ImputeComponent is the catalogue entry of Impute.
var ImputeComponent = models.Component{
	Name: "impute", Kind: models.TransformerKind, Fold: 1,
	Params: []models.Param{columnsParam,
		{Name: "with", Default: "mean", Choices: []string{"mean", "constant"}, Doc: "what takes the place of a missing value"},
		{Name: "value", Default: 0.0, Doc: "the constant; also what is taken before a column has a mean"}},
	Cost: "O(columns)", Memory: "16 bytes per column",
	Doc: "Replaces missing values by the mean of the column so far, or by a constant.",
	NewTransformer: func(a models.Args, env models.Env) (models.Transformer, error) {
		cols, err := selected(a, env, true)
		if err != nil {
			return nil, err
		}
		return NewImpute(env.Schema, cols, a.Text("with") == "mean", a.Float("value")), nil
	},
}

// Impute replaces missing values.
type Impute struct {
	unlabelled
	schema  *features.Schema
	columns []int
	value   float64
	n, mean []float64 // nil for a constant
}

// NewImpute returns the transformer for the given columns. value is the constant, and what is taken
// before a column has a mean.
func NewImpute(schema *features.Schema, columns []int, mean bool, value float64) *Impute {
	t := &Impute{schema: schema, columns: columns, value: value}
	if mean {
		t.n, t.mean = make([]float64, len(columns)), make([]float64, len(columns))
	}
	return t
}

// Transform fills the columns and copies the others.
func (t *Impute) Transform(dst models.Row, e *models.Example) models.Row {
	dst = dense(dst, e.Row, len(t.schema.Columns))
	for j, i := range t.columns {
		if x := dst.Value[i]; x == x {
			continue
		}
		dst.Value[i] = t.value
		if t.mean != nil && t.n[j] > 0 {
			dst.Value[i] = t.mean[j]
		}
	}
	return dst
}

// Observe takes the values that are there in.
func (t *Impute) Observe(e *models.Example) {
	if t.mean == nil {
		return
	}
	for j, i := range t.columns {
		if x := e.At(i); x == x {
			t.n[j]++
			t.mean[j] += (bounded(x) - t.mean[j]) / t.n[j]
		}
	}
}

// State visits the means.
func (t *Impute) State(s *codec.State) {
	visit(s, "columns of impute", t.n)
	visit(s, "columns of impute", t.mean)
}

// Schema is that of the rows that come in.
func (t *Impute) Schema() *features.Schema { return t.schema }

// Snapshot copies the means.
func (t *Impute) Snapshot() models.Transformer {
	c := *t
	c.n, c.mean = slices.Clone(t.n), slices.Clone(t.mean)
	return &c
}
