package drift

import (
	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
)

// CUSUMComponent is the catalogue entry of CUSUM.
var CUSUMComponent = component("cusum", "Cumulative sums of deviations from the running mean beyond a tolerance, one for rises and one for falls. "+
	"The defaults suit losses of about 1: threshold and delta are in units of the input.",
	"O(1)", "120 bytes", "Page 1954", []models.Param{
		{Name: "warm_up", Default: 30, Range: models.AtLeast(1), Unit: "events", Doc: "values before the first test"},
		{Name: "delta", Default: 0.005, Range: models.Above(0), Unit: "units of the input", Doc: "deviation that is tolerated"},
		{Name: "threshold", Default: 50.0, Range: models.Above(0), Unit: "units of the input", Doc: "sum at which the mean has changed; it warns at half of it"},
		directionParam},
	func(a models.Args, _ models.Env) Detector {
		return Of(NewCUSUM(CUSUMConfig{WarmUp: a.Int("warm_up"), Delta: a.Float("delta"), Threshold: a.Float("threshold")}), a.Text("direction"))
	})

// CUSUMConfig are the parameters of CUSUM; zero fields take the default.
type CUSUMConfig struct {
	WarmUp           int     // values before the first test, 30
	Delta, Threshold float64 // 0.005 and 50, in units of the input
}

// CUSUM is Page's (1954) cumulative sum test for a change of the mean: g ← max(0, g + (x − mean) − δ) for rises and its mirror for
// falls, with the running mean since the last change. It has changed at g > Threshold and warns at half of it. It starts anew
// after a change. O(1) in time and memory.
type CUSUM struct {
	history
	cfg      CUSUMConfig
	n, mean  float64
	up, down float64
}

// NewCUSUM returns a test that has seen nothing. It panics for parameters out of range.
func NewCUSUM(cfg CUSUMConfig) *CUSUM {
	if cfg.WarmUp == 0 {
		cfg.WarmUp = 30
	}
	cfg.Delta, cfg.Threshold = zeroTo(cfg.Delta, 0.005), zeroTo(cfg.Threshold, 50)
	if cfg.WarmUp < 0 || !(cfg.Delta > 0) || !(cfg.Threshold > 0) {
		panic("drift: parameter of cusum out of range")
	}
	return &CUSUM{cfg: cfg}
}

// Update takes in the next value and reports whether the mean has changed. Magnitudes above 1e100 count as 1e100.
func (d *CUSUM) Update(x float64) bool {
	if !finite(x) {
		return false
	}
	x = bounded(x)
	d.n++
	d.mean += (x - d.mean) / d.n
	d.up = max(0, d.up+(x-d.mean)-d.cfg.Delta)
	d.down = max(0, d.down-(x-d.mean)-d.cfg.Delta)
	if d.n < float64(d.cfg.WarmUp) {
		return false
	}
	most, rose := max(d.up, d.down), d.up > d.down
	if most > d.cfg.Threshold {
		*d = CUSUM{cfg: d.cfg, history: d.history}
		return d.changed(rose)
	}
	return d.warn(most > d.cfg.Threshold/2, rose)
}

// State visits the sums.
func (d *CUSUM) State(c *codec.State) {
	parameters(c, "cusum", 1, float64(d.cfg.WarmUp), d.cfg.Delta, d.cfg.Threshold)
	visit(c, &d.n, &d.mean, &d.up, &d.down)
	d.history.state(c)
}
