package drift

import (
	"math"

	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
)

// DDMComponent is the catalogue entry of DDM.
var DDMComponent = component("ddm", "Drift detection method: an error rate that is so many deviations above its least. Reports rises only; values above 0.5 are errors.",
	"O(1)", "100 bytes", "Gama et al. 2004, §3", []models.Param{
		{Name: "warm_up", Default: 30, Range: models.AtLeast(1), Unit: "events", Doc: "values before the first test"},
		{Name: "warning", Default: 2.0, Range: models.Above(0), Unit: "deviations", Doc: "warns that far above the least rate"},
		{Name: "drift", Default: 3.0, Range: models.Above(0), Unit: "deviations", Doc: "has changed that far above the least rate"}},
	func(a models.Args, _ models.Env) Detector {
		return NewDDMWith(DDMConfig{WarmUp: a.Int("warm_up"), Warning: a.Float("warning"), Drift: a.Float("drift")})
	})

// DDMConfig are the parameters of DDM; zero fields take the default.
type DDMConfig struct {
	WarmUp         int     // values before the first test, 30
	Warning, Drift float64 // deviations above the least rate, 2 and 3
}

// DDM is the drift detection method of Gama et al. (2004, §3) for a stream of errors, 1 wrong and 0 right: the error rate p with its
// deviation s = √(p(1−p)/n) warns at p + s > p_min + 2·s_min and has changed at p + s > p_min + 3·s_min. It starts anew
// after a change. O(1) in time and memory.
type DDM struct {
	history
	cfg           DDMConfig
	n, rate       float64
	least         float64 // p_min + s_min
	rateAt, devAt float64 // p_min and s_min
}

// NewDDM returns a detector with the defaults that has seen nothing.
func NewDDM() *DDM { return NewDDMWith(DDMConfig{}) }

// NewDDMWith returns a detector that has seen nothing. It panics for parameters below 0.
func NewDDMWith(cfg DDMConfig) *DDM {
	if cfg.WarmUp == 0 {
		cfg.WarmUp = 30
	}
	cfg.Warning, cfg.Drift = zeroTo(cfg.Warning, 2), zeroTo(cfg.Drift, 3)
	if cfg.WarmUp < 0 || !(cfg.Warning > 0) || !(cfg.Drift > 0) {
		panic("drift: parameter of ddm out of range")
	}
	return &DDM{cfg: cfg, least: math.Inf(1)}
}

// Update takes in the next error and reports whether the error rate has risen. Values above 0.5 count as 1, others as 0.
func (d *DDM) Update(x float64) bool {
	if !finite(x) {
		return false
	}
	d.n++
	d.rate += (isError(x) - d.rate) / d.n
	if d.n <= float64(d.cfg.WarmUp) {
		return false
	}
	s := math.Sqrt(d.rate * (1 - d.rate) / d.n)
	if d.rate+s <= d.least {
		d.least, d.rateAt, d.devAt = d.rate+s, d.rate, s
	}
	if d.rate+s > d.rateAt+float64(d.cfg.Drift*d.devAt) {
		*d = DDM{cfg: d.cfg, history: d.history, least: math.Inf(1)}
		return d.changed(true)
	}
	return d.warn(d.rate+s > d.rateAt+float64(d.cfg.Warning*d.devAt), true)
}

// State visits the rates.
func (d *DDM) State(c *codec.State) {
	parameters(c, "ddm", 2, float64(d.cfg.WarmUp), d.cfg.Warning, d.cfg.Drift)
	visit(c, &d.n, &d.rate, &d.least, &d.rateAt, &d.devAt)
	if !(d.rate >= 0 && d.rate <= 1) {
		c.Fail("ddm: rate %g", d.rate)
		d.rate = 0
	}
	d.history.state(c)
}
