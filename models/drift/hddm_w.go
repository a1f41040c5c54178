package drift

import (
	"math"

	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
)

// HDDMWComponent is the catalogue entry of HDDMW.
var HDDMWComponent = component("hddm_w", "McDiarmid's bound on the difference of two exponentially weighted averages: for gradual changes, without an assumption on the distribution. Values are limited to [0, 1].",
	"O(1)", "200 bytes", "Frías-Blanco et al. 2015, Algorithm 2 (W-test)",
	hddmParams(models.Param{Name: "lambda", Default: 0.05, Range: models.AboveTo(0, 1), Doc: "weight of the newest value"}),
	func(a models.Args, _ models.Env) Detector {
		return NewHDDMW(HDDMWConfig{Drift: a.Float("drift"), Warning: a.Float("warning"), Lambda: a.Float("lambda"), TwoSided: a.Bool("two_sided")})
	})

// HDDMWConfig are the parameters of HDDMW; zero fields take the default.
type HDDMWConfig struct {
	Drift, Warning float64 // confidences, 0.001 and 0.005
	Lambda         float64 // weight of the newest value, 0.05
	TwoSided       bool
}

// HDDMW is the W-test of Frías-Blanco et al. (2015): it splits the values since the last change where their exponentially weighted
// average plus McDiarmid's bound was least (for falls: less the bound, greatest) and tests whether the weighted average of the
// values after the cut differs from that before it by more than the bound. It starts anew after a change. O(1) in time and memory.
//
// The sum of squared weights of one value is 1, as in the paper; River counts it as λ² + (1−λ)².
type HDDMW struct {
	history
	cfg      HDDMWConfig
	all      weighted
	rise     cut
	fall     cut
	logDrift float64 // derived: ln(1/drift)/2
	logWarn  float64
}

// weighted is an exponentially weighted average and the sum of its squared weights, 0 before the first value.
type weighted struct{ mean, squares float64 }

func (w *weighted) add(x, lambda float64) {
	if w.squares == 0 {
		w.mean, w.squares = x, 1
		return
	}
	w.mean += float64(lambda * (x - w.mean))
	w.squares = float64(lambda*lambda) + float64((1-lambda)*(1-lambda)*w.squares)
}

// cut is the averages before and after the best cut so far; edge is what the next cut must beat.
type cut struct {
	edge          float64
	before, after weighted
}

// NewHDDMW returns a detector that has seen nothing. It panics for parameters out of range.
func NewHDDMW(cfg HDDMWConfig) *HDDMW {
	cfg.Drift, cfg.Warning, cfg.Lambda = zeroTo(cfg.Drift, 0.001), zeroTo(cfg.Warning, 0.005), zeroTo(cfg.Lambda, 0.05)
	if !(cfg.Drift > 0 && cfg.Drift < 1) || !(cfg.Warning > 0 && cfg.Warning < 1) || !(cfg.Lambda > 0 && cfg.Lambda <= 1) {
		panic("drift: parameter of hddm_w out of range")
	}
	d := &HDDMW{cfg: cfg, logDrift: math.Log(1/cfg.Drift) / 2, logWarn: math.Log(1/cfg.Warning) / 2}
	d.restart()
	return d
}

func (d *HDDMW) restart() {
	d.all = weighted{}
	d.rise, d.fall = cut{edge: math.Inf(1)}, cut{edge: math.Inf(1)}
}

// Update takes in the next value, limited to [0, 1], and reports whether the mean has changed.
func (d *HDDMW) Update(x float64) bool {
	if !finite(x) {
		return false
	}
	x = rate(x)
	d.all.add(x, d.cfg.Lambda)
	eps := math.Sqrt(d.all.squares * d.logDrift)
	d.rise.update(x, d.cfg.Lambda, d.all, d.all.mean+eps)
	d.fall.update(x, d.cfg.Lambda, d.all, eps-d.all.mean)
	switch {
	case d.rise.exceeds(1, d.logDrift):
		d.restart()
		return d.changed(true)
	case d.cfg.TwoSided && d.fall.exceeds(-1, d.logDrift):
		d.restart()
		return d.changed(false)
	case d.rise.exceeds(1, d.logWarn):
		return d.warn(true, true)
	}
	return d.warn(d.cfg.TwoSided && d.fall.exceeds(-1, d.logWarn), false)
}

// update moves the cut behind this value if its edge is less, else the value counts after the cut.
func (c *cut) update(x, lambda float64, all weighted, edge float64) {
	if edge < c.edge {
		*c = cut{edge: edge, before: all}
		return
	}
	c.after.add(x, lambda)
}

// exceeds tests sign·(after − before) against the bound.
func (c *cut) exceeds(sign, log float64) bool {
	if c.before.squares == 0 || c.after.squares == 0 {
		return false
	}
	return sign*(c.after.mean-c.before.mean) > math.Sqrt((c.before.squares+c.after.squares)*log)
}

// State visits the averages.
func (d *HDDMW) State(c *codec.State) {
	sides := 0.0
	if d.cfg.TwoSided {
		sides = 1
	}
	parameters(c, "hddm_w", 1, d.cfg.Drift, d.cfg.Warning, d.cfg.Lambda, sides)
	visit(c, &d.all.mean, &d.all.squares)
	for _, k := range []*cut{&d.rise, &d.fall} {
		visit(c, &k.edge, &k.before.mean, &k.before.squares, &k.after.mean, &k.after.squares)
	}
	d.history.state(c)
}
