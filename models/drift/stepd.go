package drift

import (
	"math"

	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
)

// STEPDComponent is the catalogue entry of STEPD.
var STEPDComponent = component("stepd", "Statistical test of equal proportions: the error rate of the newest values against that of all before them since the last change. Reports rises only; values above 0.5 are errors.",
	"O(1)", "100 bytes + window / 8", "Nishida & Yamauchi 2007, §3", []models.Param{
		{Name: "window", Default: 30, Range: models.Between(2, 10000), Unit: "events", Doc: "newest values"},
		{Name: "drift", Default: 0.003, Range: models.Inside(0, 1), Doc: "significance at which the rate has changed"},
		{Name: "warning", Default: 0.05, Range: models.Inside(0, 1), Doc: "significance at which it warns"}},
	func(a models.Args, _ models.Env) Detector {
		return NewSTEPD(STEPDConfig{Window: a.Int("window"), Drift: a.Float("drift"), Warning: a.Float("warning")})
	})

// STEPDConfig are the parameters of STEPD; zero fields take the default.
type STEPDConfig struct {
	Window         int     // newest values, 30
	Drift, Warning float64 // significances of the two-sided test, 0.003 and 0.05
}

// STEPD is the test of equal proportions of Nishida & Yamauchi (2007, §3), with continuity correction, between the errors among the newest
// Window values and among all before them. It tests from twice the window on, reports when the newer rate is the greater one,
// and starts anew after a change. O(1) in time; the window is kept as bits.
type STEPD struct {
	history
	cfg       STEPDConfig
	n, errors float64 // since the last change
	recent    float64 // errors in the window
	bits      ring
	zDrift    float64 // derived
	zWarn     float64
}

// NewSTEPD returns a detector that has seen nothing. It panics for parameters out of range.
func NewSTEPD(cfg STEPDConfig) *STEPD {
	if cfg.Window == 0 {
		cfg.Window = 30
	}
	cfg.Drift, cfg.Warning = zeroTo(cfg.Drift, 0.003), zeroTo(cfg.Warning, 0.05)
	if cfg.Window < 2 || !(cfg.Drift > 0 && cfg.Drift < 1) || !(cfg.Warning > 0 && cfg.Warning < 1) {
		panic("drift: parameter of stepd out of range")
	}
	normal := func(alpha float64) float64 { return math.Sqrt2 * math.Erfinv(1-alpha) }
	return &STEPD{cfg: cfg, bits: newRing(cfg.Window), zDrift: normal(cfg.Drift), zWarn: normal(cfg.Warning)}
}

// Update takes in the next error and reports whether the error rate has risen. Values above 0.5 count as 1, others as 0.
func (d *STEPD) Update(x float64) bool {
	if !finite(x) {
		return false
	}
	wrong, w := isError(x), float64(d.cfg.Window)
	d.n++
	d.errors += wrong
	d.recent += wrong - d.bits.push(wrong)
	older := d.n - w
	if older < w {
		return false
	}
	p, q := (d.errors-d.recent)/older, d.recent/w
	inverse := 1/older + 1/w
	all := d.errors / d.n
	z := (math.Abs(p-q) - 0.5*inverse) / math.Sqrt(all*(1-all)*inverse) // NaN or −Inf when all are alike
	if q > p && z > d.zDrift {
		d.n, d.errors, d.recent = 0, 0, 0
		d.bits.clear()
		return d.changed(true)
	}
	return d.warn(q > p && z > d.zWarn, true)
}

// State visits the counts and the window.
func (d *STEPD) State(c *codec.State) {
	parameters(c, "stepd", 1, float64(d.cfg.Window), d.cfg.Drift, d.cfg.Warning)
	visit(c, &d.n, &d.errors)
	d.bits.state(c)
	d.recent = d.bits.sum()
	d.history.state(c)
}

// ring is the last values of a stream of bits; those that never came are 0.
type ring struct {
	words []uint64
	size  int
	at    int // where the next bit goes
}

func newRing(size int) ring { return ring{words: make([]uint64, (size+63)/64), size: size} }

// push replaces the oldest bit and returns it.
func (r *ring) push(bit float64) (oldest float64) {
	word, mask := &r.words[r.at/64], uint64(1)<<(r.at%64)
	if *word&mask != 0 {
		oldest = 1
	}
	*word &^= mask
	if bit != 0 {
		*word |= mask
	}
	if r.at++; r.at == r.size {
		r.at = 0
	}
	return oldest
}

// back returns the kth newest bit, 0 the newest; k < size.
func (r *ring) back(k int) float64 {
	i := r.at - 1 - k
	if i < 0 {
		i += r.size
	}
	return float64(r.words[i/64] >> (i % 64) & 1)
}

func (r *ring) clear() {
	clear(r.words)
	r.at = 0
}

func (r *ring) sum() (n float64) {
	for k := range r.size {
		n += r.back(k)
	}
	return n
}

func (r *ring) state(c *codec.State) {
	c.Int(&r.at)
	if r.at < 0 || r.at >= r.size {
		c.Fail("place %d in a window of %d", r.at, r.size)
		r.at = 0
	}
	for i := range r.words {
		c.Uint64(&r.words[i])
	}
	if last := r.size % 64; last != 0 && r.words[len(r.words)-1]>>last != 0 {
		c.Fail("bits beyond a window of %d", r.size)
	}
}
