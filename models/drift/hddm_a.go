package drift

import (
	"math"

	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
)

func hddmParams(more ...models.Param) []models.Param {
	return append([]models.Param{
		{Name: "drift", Default: 0.001, Range: models.Inside(0, 1), Doc: "confidence at which the mean has changed"},
		{Name: "warning", Default: 0.005, Range: models.Inside(0, 1), Doc: "confidence at which it warns"}}, append(more,
		models.Param{Name: "two_sided", Default: false, Doc: "report falls too, not only rises"})...)
}

// HDDMAComponent is the catalogue entry of HDDMA.
var HDDMAComponent = component("hddm_a", "Hoeffding's bound on the difference of two averages: for abrupt changes, without an assumption on the distribution. Values are limited to [0, 1].",
	"O(1)", "120 bytes", "Frías-Blanco et al. 2015, Algorithm 1 (A-test)", hddmParams(),
	func(a models.Args, _ models.Env) Detector {
		return NewHDDMA(HDDMAConfig{Drift: a.Float("drift"), Warning: a.Float("warning"), TwoSided: a.Bool("two_sided")})
	})

// HDDMAConfig are the parameters of HDDMA; zero fields take the default.
type HDDMAConfig struct {
	Drift, Warning float64 // confidences, 0.001 and 0.005
	TwoSided       bool
}

// HDDMA is the A-test of Frías-Blanco et al. (2015): it keeps the mean of all values since the last change and the prefix whose
// mean plus Hoeffding bound was least (for falls: less the bound, greatest), and tests whether the mean of all exceeds that
// prefix's by more than the bound of their difference allows. It starts anew after a change. O(1) in time and memory.
type HDDMA struct {
	history
	cfg       HDDMAConfig
	all       average
	low, high average // the prefixes that rises and falls are measured from
	logCut    float64 // derived: ln(1/drift)/2
	logDrift  float64 // derived: ln(2/drift)/2
	logWarn   float64
}

type average struct{ n, mean float64 }

// NewHDDMA returns a detector that has seen nothing. It panics for parameters out of range.
func NewHDDMA(cfg HDDMAConfig) *HDDMA {
	cfg.Drift, cfg.Warning = zeroTo(cfg.Drift, 0.001), zeroTo(cfg.Warning, 0.005)
	if !(cfg.Drift > 0 && cfg.Drift < 1) || !(cfg.Warning > 0 && cfg.Warning < 1) {
		panic("drift: parameter of hddm_a out of range")
	}
	return &HDDMA{cfg: cfg, logCut: math.Log(1/cfg.Drift) / 2, logDrift: math.Log(2/cfg.Drift) / 2, logWarn: math.Log(2/cfg.Warning) / 2}
}

// Update takes in the next value, limited to [0, 1], and reports whether the mean has changed.
func (d *HDDMA) Update(x float64) bool {
	if !finite(x) {
		return false
	}
	d.all.n++
	d.all.mean += (rate(x) - d.all.mean) / d.all.n
	if d.low.n == 0 {
		d.low, d.high = d.all, d.all
	}
	eps := math.Sqrt(d.logCut / d.all.n)
	if d.low.mean+math.Sqrt(d.logCut/d.low.n) >= d.all.mean+eps {
		d.low = d.all
	}
	if d.high.mean-math.Sqrt(d.logCut/d.high.n) <= d.all.mean-eps {
		d.high = d.all
	}
	rise, fall := d.all.mean-d.low.mean, d.high.mean-d.all.mean
	switch {
	case d.exceeds(rise, d.low.n, d.logDrift):
		return d.restart(true)
	case d.cfg.TwoSided && d.exceeds(fall, d.high.n, d.logDrift):
		return d.restart(false)
	case d.exceeds(rise, d.low.n, d.logWarn):
		return d.warn(true, true)
	}
	return d.warn(d.cfg.TwoSided && d.exceeds(fall, d.high.n, d.logWarn), false)
}

// exceeds tests the difference of the mean of all and that of the first n against its bound √((N−n)/(n·N)·log).
func (d *HDDMA) exceeds(difference, n, log float64) bool {
	if n == d.all.n {
		return false
	}
	return difference >= math.Sqrt((d.all.n-n)/n/d.all.n*log)
}

func (d *HDDMA) restart(rose bool) bool {
	d.all, d.low, d.high = average{}, average{}, average{}
	return d.changed(rose)
}

// State visits the means.
func (d *HDDMA) State(c *codec.State) {
	sides := 0.0
	if d.cfg.TwoSided {
		sides = 1
	}
	parameters(c, "hddm_a", 1, d.cfg.Drift, d.cfg.Warning, sides)
	for _, a := range []*average{&d.all, &d.low, &d.high} {
		visit(c, &a.n, &a.mean)
		if a.n < 0 || a.n > d.all.n {
			c.Fail("hddm_a: %g of %g values", a.n, d.all.n)
			*a = average{}
		}
	}
	d.history.state(c)
}
