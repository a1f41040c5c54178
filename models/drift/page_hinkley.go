package drift

import (
	"math"

	"github.com/freshet-ml/freshet/internal/codec"
)

// PageHinkley is the Page–Hinkley test (Page 1954) for a change of the mean, in both directions: it adds up the deviations from
// the running mean, less a tolerance, and reports when the sum has moved Threshold away from its extreme. It
// starts anew after a change. The defaults are scale-bound: they suit losses of about 1. O(1) in time and memory.
type PageHinkley struct {
	cfg      PageHinkleyConfig
	n        float64
	mean     float64
	up, down float64
	least    float64 // of up
	most     float64 // of down
	changes  uint64
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
	if cfg.Delta == 0 {
		cfg.Delta = 0.005
	}
	if cfg.Threshold == 0 {
		cfg.Threshold = 50
	}
	if cfg.Alpha == 0 {
		cfg.Alpha = 0.9999
	}
	if cfg.MinEvents < 0 || !(cfg.Delta > 0) || !(cfg.Threshold > 0) || !(cfg.Alpha > 0 && cfg.Alpha <= 1) {
		panic("drift: parameter of page_hinkley out of range")
	}
	return &PageHinkley{cfg: cfg}
}

// Update takes in the next value and reports whether the mean has changed.
func (p *PageHinkley) Update(x float64) bool {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return false
	}
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
	if p.up-p.least > p.cfg.Threshold || p.most-p.down > p.cfg.Threshold {
		*p = PageHinkley{cfg: p.cfg, changes: p.changes + 1}
		return true
	}
	return false
}

// Changes returns how often Update reported a change.
func (p *PageHinkley) Changes() uint64 { return p.changes }

// State visits the sums.
func (p *PageHinkley) State(c *codec.State) {
	c.Fixed("page_hinkley version", 1)
	for _, v := range []*float64{&p.n, &p.mean, &p.up, &p.down, &p.least, &p.most} {
		c.Float64(v)
	}
	c.Uint64(&p.changes)
}
