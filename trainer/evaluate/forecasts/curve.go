package forecasts

import (
	"fmt"
	"io"

	"github.com/freshet-ml/freshet/trainer/evaluate"
)

// CurvePoint is the metrics of all models after a number of series, in the order of the file.
type CurvePoint struct {
	Series int64          `json:"series"`
	Values int64          `json:"values"` // of these series
	Models []CurveMetrics `json:"models"` // in the order of the report, baselines last
}

// CurveMetrics are one model's metrics over the series of a point.
type CurveMetrics struct {
	Model   string           `json:"model"`
	Metrics evaluate.Metrics `json:"metrics"`
}

// CurveTable writes the points of a curve one by one.
type CurveTable struct {
	*evaluate.Lines
	named bool
}

// NewCurveTable returns an empty table.
func NewCurveTable(w io.Writer) *CurveTable { return &CurveTable{Lines: evaluate.NewLines(w)} }

// Point writes one point; before the first it names the columns.
func (t *CurveTable) Point(p *CurvePoint) error {
	shown := []string{"mae", "mase"}
	if !t.named {
		t.named = true
		head := []string{"series"}
		for i, m := range p.Models {
			for _, name := range shown {
				head = append(head, name+" of "+evaluate.ShortName(m.Model, i))
			}
		}
		if err := t.Row(head...); err != nil {
			return err
		}
	}
	cells := []string{fmt.Sprint(p.Series)}
	for _, m := range p.Models {
		for _, name := range shown {
			cells = append(cells, evaluate.Short(m.Metrics.Value(name)))
		}
	}
	return t.Row(cells...)
}
