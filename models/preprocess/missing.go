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
		{Name: "with", Default: "mean", Choices: []string{"mean", "median", "last", "constant"}, Doc: "what takes the place of a missing value: the column's mean, its median (estimated in constant memory), its last value, or a constant"},
		{Name: "value", Default: 0.0, Doc: "the constant; also what is taken before a column has a value"},
		{Name: "indicator", Default: false, Doc: "add a column for each, named with _missing, that is 1 where the value was missing"}},
	Cost: "O(columns)", Memory: "16 bytes per column, 90 for the median",
	Doc: "Replaces missing values by the mean of the column so far, its median, its last value, or a constant, and may say so in columns of their own.",
	NewTransformer: func(a models.Args, env models.Env) (models.Transformer, error) {
		cols, err := selected(a, env, true)
		if err != nil {
			return nil, err
		}
		return NewImputeWith(env.Schema, cols, ImputeConfig{With: a.Text("with"), Value: a.Float("value"), Indicator: a.Bool("indicator")}), nil
	},
}

// ImputeConfig says what takes the place of missing values.
type ImputeConfig struct {
	With      string  // mean, median, last or constant
	Value     float64 // the constant, and what is taken before a column has a value
	Indicator bool    // add a column for each that says where a value was missing
}

// Impute replaces missing values.
type Impute struct {
	unlabelled
	in, out *features.Schema
	columns []int
	cfg     ImputeConfig
	n, fill []float64  // count and what is filled in; nil for a median or a constant
	medians []quantile // nil unless for a median
}

// NewImpute returns the transformer for the given columns, with means or a constant. value is the constant, and what is taken
// before a column has a mean.
func NewImpute(schema *features.Schema, columns []int, mean bool, value float64) *Impute {
	cfg := ImputeConfig{With: "constant", Value: value}
	if mean {
		cfg.With = "mean"
	}
	return NewImputeWith(schema, columns, cfg)
}

// NewImputeWith returns the transformer for the given columns.
func NewImputeWith(schema *features.Schema, columns []int, cfg ImputeConfig) *Impute {
	t := &Impute{in: schema, out: schema, columns: columns, cfg: cfg}
	switch cfg.With {
	case "mean", "last":
		t.n, t.fill = make([]float64, len(columns)), make([]float64, len(columns))
	case "median":
		t.medians = make([]quantile, len(columns))
		for j := range t.medians {
			t.medians[j].p = 0.5
		}
	}
	if cfg.Indicator {
		t.out = extended(schema)
		for _, i := range columns {
			t.out.Columns = append(t.out.Columns, features.Column{Name: schema.Columns[i].Name + "_missing"})
		}
	}
	return t
}

// Transform fills the columns and copies the others.
func (t *Impute) Transform(dst models.Row, e *models.Example) models.Row {
	dst = dense(dst, e.Row, len(t.out.Columns))
	for j, i := range t.columns {
		if x := dst.Value[i]; x == x {
			continue
		}
		dst.Value[i] = t.instead(j)
		if t.cfg.Indicator {
			dst.Value[len(t.in.Columns)+j] = 1
		}
	}
	return dst
}

// instead is what takes the place of a missing value of the jth of the columns.
func (t *Impute) instead(j int) float64 {
	switch {
	case t.fill != nil && t.n[j] > 0:
		return t.fill[j]
	case t.medians != nil && t.medians[j].n > 0:
		return t.medians[j].value()
	}
	return t.cfg.Value
}

// Observe takes the values that are there in.
func (t *Impute) Observe(e *models.Example) {
	if t.cfg.With == "constant" {
		return
	}
	for j, i := range t.columns {
		x := bounded(e.At(i))
		switch {
		case x != x:
		case t.medians != nil:
			t.medians[j].add(x)
		case t.cfg.With == "last":
			t.n[j], t.fill[j] = 1, x
		default:
			t.n[j]++
			t.fill[j] += (x - t.fill[j]) / t.n[j]
		}
	}
}

// State visits the means, medians or last values.
func (t *Impute) State(s *codec.State) {
	visit(s, "columns of impute", t.n)
	visit(s, "columns of impute", t.fill)
	for j := range t.medians {
		t.medians[j].state(s)
	}
}

// Schema is that of the rows that come in, with the indicators at its end if there are any.
func (t *Impute) Schema() *features.Schema { return t.out }

// Snapshot copies what is filled in.
func (t *Impute) Snapshot() models.Transformer {
	c := *t
	c.n, c.fill, c.medians = slices.Clone(t.n), slices.Clone(t.fill), slices.Clone(t.medians)
	return &c
}
