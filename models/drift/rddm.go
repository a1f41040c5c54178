package drift

import (
	"math"

	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
)

// RDDMComponent is the catalogue entry of RDDM.
var RDDMComponent = component("rddm", "Reactive drift detection method: ddm that forgets the oldest values of long concepts, so that it stays sensitive, and takes a warning that lasts for a change. Reports rises only; values above 0.5 are errors.",
	"O(1), amortised", "150 bytes + stable / 8", "Barros et al. 2017, Algorithm 1", []models.Param{
		{Name: "warm_up", Default: 129, Range: models.AtLeast(1), Unit: "events", Doc: "values before the first test"},
		{Name: "warning", Default: 1.773, Range: models.Above(0), Unit: "deviations", Doc: "warns that far above the least rate"},
		{Name: "drift", Default: 2.258, Range: models.Above(0), Unit: "deviations", Doc: "has changed that far above the least rate"},
		{Name: "longest", Default: 40000, Range: models.AtLeast(2), Unit: "events", Doc: "a concept without warning is shortened when it is longer"},
		{Name: "stable", Default: 7000, Range: models.Between(1, 1<<20), Unit: "events", Doc: "to so many of its newest values"},
		{Name: "patience", Default: 1400, Range: models.AtLeast(1), Unit: "events", Doc: "a warning that lasts so long is a change"}},
	func(a models.Args, _ models.Env) Detector {
		return NewRDDM(RDDMConfig{WarmUp: a.Int("warm_up"), Warning: a.Float("warning"), Drift: a.Float("drift"),
			Longest: a.Int("longest"), Stable: a.Int("stable"), Patience: a.Int("patience")})
	})

// RDDMConfig are the parameters of RDDM; zero fields take the default.
type RDDMConfig struct {
	WarmUp         int     // values before the first test, 129
	Warning, Drift float64 // deviations above the least rate, 1.773 and 2.258
	Longest        int     // a concept without warning that is longer is shortened, 40,000
	Stable         int     // to so many newest values, 7,000
	Patience       int     // a warning that lasts so long is a change, 1,400
}

// RDDM is the reactive drift detection method of Barros et al. (2017): ddm with three amendments. A concept that has grown longer than
// Longest without a warning is recomputed from its newest Stable values; after a change the values since the
// warning began are taken over; and a warning that lasts Patience values is a change. O(1) time amortised; values are kept as bits.
type RDDM struct {
	history
	cfg           RDDMConfig
	n, rate       float64
	least         float64 // p_min + s_min
	rateAt, devAt float64 // p_min and s_min
	since         int     // values since the warning began, 0 without one
	bits          ring
}

// NewRDDM returns a detector that has seen nothing. It panics for parameters below 0.
func NewRDDM(cfg RDDMConfig) *RDDM {
	for _, p := range []struct {
		v        *int
		fallback int
	}{{&cfg.WarmUp, 129}, {&cfg.Longest, 40000}, {&cfg.Stable, 7000}, {&cfg.Patience, 1400}} {
		if *p.v == 0 {
			*p.v = p.fallback
		}
		if *p.v < 0 {
			panic("drift: parameter of rddm out of range")
		}
	}
	cfg.Warning, cfg.Drift = zeroTo(cfg.Warning, 1.773), zeroTo(cfg.Drift, 2.258)
	if !(cfg.Warning > 0) || !(cfg.Drift > 0) {
		panic("drift: parameter of rddm out of range")
	}
	return &RDDM{cfg: cfg, least: math.Inf(1), bits: newRing(cfg.Stable)}
}

// Update takes in the next error and reports whether the error rate has risen. Values above 0.5 count as 1, others as 0.
func (d *RDDM) Update(x float64) bool {
	if !finite(x) {
		return false
	}
	wrong := isError(x)
	d.bits.push(wrong)
	d.add(wrong)
	if d.n <= float64(d.cfg.WarmUp) {
		return false
	}
	level := d.measure()
	if d.since > 0 {
		d.since++
	}
	warned := level > d.rateAt+float64(d.cfg.Warning*d.devAt)
	if level > d.rateAt+float64(d.cfg.Drift*d.devAt) || warned && d.since > d.cfg.Patience {
		kept := max(d.since, 1)
		if warned && d.since > d.cfg.Patience {
			kept = 1
		}
		d.recompute(kept, true)
		return d.changed(true)
	}
	switch {
	case !warned:
		d.since = 0
	case d.since == 0:
		d.since = 1
	}
	if !warned && d.n > float64(d.cfg.Longest) {
		d.recompute(d.cfg.Stable, false)
	}
	return d.warn(warned, true)
}

func (d *RDDM) add(wrong float64) {
	d.n++
	d.rate += (wrong - d.rate) / d.n
}

// measure returns p + s and keeps its least.
func (d *RDDM) measure() float64 {
	s := math.Sqrt(d.rate * (1 - d.rate) / d.n)
	if d.rate+s < d.least {
		d.least, d.rateAt, d.devAt = d.rate+s, d.rate, s
	}
	return d.rate + s
}

// recompute starts the concept anew from its newest k values. After a change the least rate is found among them; else it is found
// from now on.
func (d *RDDM) recompute(k int, changed bool) {
	d.n, d.rate, d.least, d.since = 0, 0, math.Inf(1), 0
	for i := min(k, d.cfg.Stable) - 1; i >= 0; i-- {
		d.add(d.bits.back(i))
		if changed && d.n > float64(d.cfg.WarmUp) {
			d.measure()
		}
	}
}

// State visits the rates and the newest values.
func (d *RDDM) State(c *codec.State) {
	parameters(c, "rddm", 1, float64(d.cfg.WarmUp), d.cfg.Warning, d.cfg.Drift, float64(d.cfg.Longest), float64(d.cfg.Stable), float64(d.cfg.Patience))
	visit(c, &d.n, &d.rate, &d.least, &d.rateAt, &d.devAt)
	c.Int(&d.since)
	if d.since < 0 || d.since > d.cfg.Patience || !(d.rate >= 0 && d.rate <= 1) {
		c.Fail("rddm: %d values since a warning, rate %g", d.since, d.rate)
		d.since, d.rate = 0, 0
	}
	d.bits.state(c)
	d.history.state(c)
}
