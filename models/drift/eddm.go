package drift

import (
	"math"

	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
)

// EDDMComponent is the catalogue entry of EDDM.
var EDDMComponent = component("eddm", "Early drift detection method: errors that come closer together than they used to. Made for slow changes; reports rises only; values above 0.5 are errors.",
	"O(1)", "100 bytes", "Baena-García et al. 2006, §3", []models.Param{
		{Name: "warm_up", Default: 30, Range: models.AtLeast(1), Unit: "errors", Doc: "errors before the first test"},
		{Name: "warning", Default: 0.95, Range: models.AboveTo(0, 1), Doc: "warns when the distance is below this share of its greatest"},
		{Name: "drift", Default: 0.9, Range: models.AboveTo(0, 1), Doc: "has changed when the distance is below this share of its greatest"}},
	func(a models.Args, _ models.Env) Detector {
		return NewEDDM(EDDMConfig{WarmUp: a.Int("warm_up"), Warning: a.Float("warning"), Drift: a.Float("drift")})
	})

// EDDMConfig are the parameters of EDDM; zero fields take the default.
type EDDMConfig struct {
	WarmUp  int     // errors before the first test, 30
	Warning float64 // share of the greatest distance below which it warns, 0.95
	Drift   float64 // share below which it has changed, 0.9
}

// EDDM is the early drift detection method of Baena-García et al. (2006, §3): it follows the mean p′ and deviation s′ of the number of
// values from one error to the next, and compares p′ + 2s′ with its greatest. It starts anew after a change. O(1) in time and memory.
type EDDM struct {
	history
	cfg      EDDMConfig
	n, last  float64 // values so far, and the last error among them
	errors   float64
	mean, m2 float64 // of the distances (Welford 1962)
	greatest float64 // p′ + 2s′
}

// NewEDDM returns a detector that has seen nothing. It panics for parameters out of range.
func NewEDDM(cfg EDDMConfig) *EDDM {
	if cfg.WarmUp == 0 {
		cfg.WarmUp = 30
	}
	cfg.Warning, cfg.Drift = zeroTo(cfg.Warning, 0.95), zeroTo(cfg.Drift, 0.9)
	if cfg.WarmUp < 0 || !(cfg.Warning > 0 && cfg.Warning <= 1) || !(cfg.Drift > 0 && cfg.Drift <= 1) {
		panic("drift: parameter of eddm out of range")
	}
	return &EDDM{cfg: cfg}
}

// Update takes in the next error and reports whether errors have become more frequent. Values above 0.5 count as 1, others as 0.
func (d *EDDM) Update(x float64) bool {
	if !finite(x) {
		return false
	}
	d.n++
	if isError(x) == 0 {
		return false
	}
	d.errors++
	gap := d.n - d.last
	delta := gap - d.mean
	d.mean += delta / d.errors
	d.m2 += float64(delta * (gap - d.mean))
	d.last = d.n
	if d.n <= float64(d.cfg.WarmUp) || d.errors < 2 {
		return false
	}
	level := d.mean + float64(2*math.Sqrt(d.m2/(d.errors-1)))
	if level > d.greatest {
		d.greatest = level
		return d.warn(false, true)
	}
	if d.errors <= float64(d.cfg.WarmUp) {
		return false
	}
	if level < d.cfg.Drift*d.greatest {
		*d = EDDM{cfg: d.cfg, history: d.history}
		return d.changed(true)
	}
	return d.warn(level < d.cfg.Warning*d.greatest, true)
}

// State visits the distances.
func (d *EDDM) State(c *codec.State) {
	parameters(c, "eddm", 1, float64(d.cfg.WarmUp), d.cfg.Warning, d.cfg.Drift)
	visit(c, &d.n, &d.last, &d.errors, &d.mean, &d.m2, &d.greatest)
	d.history.state(c)
}
