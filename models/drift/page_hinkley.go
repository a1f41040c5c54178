package drift

import (
	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
)

// PageHinkleyComponent is the catalogue entry of PageHinkley.
var PageHinkleyComponent = component("page_hinkley", "Page–Hinkley test: sums of deviations from the running mean that move away from their extreme. "+
	"The defaults suit losses of about 1: threshold and delta are in units of the input.",
	"O(1)", "150 bytes", "Page 1954; Gama et al. 2013, §2", []models.Param{
		{Name: "warm_up", Default: 30, Range: models.AtLeast(1), Unit: "events", Doc: "values before the first test"},
		{Name: "delta", Default: 0.005, Range: models.Above(0), Unit: "units of the input", Doc: "deviation that is tolerated"},
		{Name: "threshold", Default: 50.0, Range: models.Above(0), Unit: "units of the input", Doc: "distance of the sum from its extreme at which the mean has changed; it warns at half of it"},
		{Name: "alpha", Default: 0.9999, Range: models.AboveTo(0, 1), Doc: "forgetting factor of the sums"},
		directionParam},
	func(a models.Args, _ models.Env) Detector {
		return Of(NewPageHinkley(PageHinkleyConfig{MinEvents: a.Int("warm_up"), Delta: a.Float("delta"), Threshold: a.Float("threshold"), Alpha: a.Float("alpha")}), a.Text("direction"))
	})

// PageHinkley is the Page–Hinkley test (Page 1954) for a change of the mean, in both directions: it adds up the deviations from
// the running mean, less a tolerance, and reports when the sum has moved Threshold away from its extreme; half of
// that is a warning. It starts anew after a change. The defaults are scale-bound: they suit losses of about 1. O(1) in time and memory.
type PageHinkley struct {
	history
	cfg      PageHinkleyConfig
	n        float64
	mean     float64
	up, down float64
	least    float64 // of up
	most     float64 // of down
}

// PageHinkleyConfig are the parameters of the test; zero fields take the default.
type PageHinkleyConfig struct {
	MinEvents int     // values before the first test, 30
	Delta     float64 // deviation that is tolerated, 0.005, in units of the input
	Threshold float64 // λ, 50, in units of the input
	Alpha     float64 // forgetting factor of the sums, 0.9999, in (0, 1]
}

// NewPageHinkley returns a test with that configuration. It panics for parameters out of range.
func NewPageHinkley(cfg PageHinkleyConfig) *PageHinkley {
	if cfg.MinEvents == 0 {
		cfg.MinEvents = 30
	}
	cfg.Delta, cfg.Threshold, cfg.Alpha = zeroTo(cfg.Delta, 0.005), zeroTo(cfg.Threshold, 50), zeroTo(cfg.Alpha, 0.9999)
	if cfg.MinEvents < 0 || !(cfg.Delta > 0) || !(cfg.Threshold > 0) || !(cfg.Alpha > 0 && cfg.Alpha <= 1) {
		panic("drift: parameter of page_hinkley out of range")
	}
	return &PageHinkley{cfg: cfg}
}

// Update takes in the next value and reports whether the mean has changed. Magnitudes above 1e100 count as 1e100.
func (p *PageHinkley) Update(x float64) bool {
	if !finite(x) {
		return false
	}
	x = bounded(x)
	p.n++
	p.mean += (x - p.mean) / p.n
	d := x - p.mean
	p.up = float64(p.cfg.Alpha*p.up) + (d - p.cfg.Delta)
	p.down = float64(p.cfg.Alpha*p.down) + (d + p.cfg.Delta)
	if p.n == 1 {
		p.least, p.most = p.up, p.down
	}
	p.least, p.most = min(p.least, p.up), max(p.most, p.down)
	if p.n < float64(p.cfg.MinEvents) {
		return false
	}
	rise, fall := p.up-p.least, p.most-p.down
	if max(rise, fall) > p.cfg.Threshold {
		*p = PageHinkley{cfg: p.cfg, history: p.history}
		return p.changed(rise > fall)
	}
	return p.warn(max(rise, fall) > p.cfg.Threshold/2, rise > fall)
}

// State visits the sums.
func (p *PageHinkley) State(c *codec.State) {
	parameters(c, "page_hinkley", 2, float64(p.cfg.MinEvents), p.cfg.Delta, p.cfg.Threshold, p.cfg.Alpha)
	visit(c, &p.n, &p.mean, &p.up, &p.down, &p.least, &p.most)
	p.history.state(c)
}

// limit is the greatest magnitude that sums are computed with.
const limit = 1e100

func bounded(x float64) float64 { return max(-limit, min(limit, x)) }
