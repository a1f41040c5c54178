package forecasts

import (
	"math"

	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/metric"
)

// naive2 is the reference of OWA as a series: it keeps all values and looks at all of them at each forecast, so it is none that could run on a stream. It has no
// intervals.
type naive2 struct {
	season int
	y      []float64
	beyond bool // a gap that it does not hold
}

// maxGap bounds a gap that naive2 fills, maxHistory what it keeps.
const (
	maxGap     = 1 << 20
	maxHistory = 1 << 24
)

func (n *naive2) Advance(steps int64) {
	if steps > maxGap || n.beyond || len(n.y) > maxHistory {
		n.beyond = true
		return
	}
	for range steps {
		n.y = append(n.y, math.NaN())
	}
}

func (n *naive2) Observe(y float64, _ []float64) {
	if !n.beyond {
		n.y[len(n.y)-1] = y
	}
}

func (n *naive2) Forecast(o *models.Outlook, _ [][]float64) {
	for i := range o.Quantiles {
		o.Quantiles[i] = math.NaN()
	}
	if n.beyond {
		for i := range o.Mean {
			o.Mean[i] = math.NaN()
		}
		return
	}
	metric.Naive2(o.Mean, n.y, n.season)
}

// State is none: baselines are not saved.
func (n *naive2) State(*codec.State) {}

// naive2Work bounds what naive2 may cost, in values looked at times the season: rolling origins over a long series look at all of it again and again.
const naive2Work = 1e9

// naive2Cost estimates it for all series.
func naive2Cost(d *data, o *Options) float64 {
	total := 0.0
	for _, s := range d.series {
		for _, at := range o.origins(s) {
			total += float64(s.at(at.point)+1) * float64(o.scale())
		}
	}
	return total
}
