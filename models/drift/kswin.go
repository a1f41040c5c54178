package drift

import (
	"math/rand/v2"
	"slices"

	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
)

// KSWINComponent is the catalogue entry of KSWIN.
var KSWINComponent = component("kswin", "Kolmogorov–Smirnov test between the newest values of a window and a random sample of its older ones: for any change of the distribution, not only of the mean.",
	"O(window)", "13 bytes · window", "Raab et al. 2020, §3", []models.Param{
		{Name: "alpha", Default: 0.005, Range: models.Inside(0, 1), Doc: "significance of one test at which the distribution has changed"},
		{Name: "warning", Default: 0.05, Range: models.Inside(0, 1), Doc: "significance of one test at which it warns"},
		{Name: "window", Default: 100, Range: models.Between(4, 10000), Unit: "events", Doc: "values that are kept"},
		{Name: "recent", Default: 30, Range: models.Between(2, 5000), Unit: "events", Doc: "newest values, compared with as many older ones; at most half the window"},
		directionParam},
	func(a models.Args, env models.Env) Detector {
		return Of(NewKSWIN(KSWINConfig{Alpha: a.Float("alpha"), Warning: a.Float("warning"), Window: a.Int("window"),
			Recent: min(a.Int("recent"), a.Int("window")/2), Seed: env.Seed}), a.Text("direction"))
	})

// KSWINConfig are the parameters of KSWIN; zero fields take the default.
type KSWINConfig struct {
	Alpha, Warning float64 // significances of one test, 0.005 and 0.05
	Window         int     // values that are kept, 100
	Recent         int     // newest values, 30; at most half the window
	Seed           uint64
}

// KSWIN compares, at every value, the Recent newest values of a window with as many drawn from its older ones (Raab et al. 2020, §3), by the
// two-sample Kolmogorov–Smirnov test with the exact distribution for samples of one size; the distributions must also differ by more than
// 0.1. After a change it keeps the newest values. Rose compares the means of both samples. The draws come from a PCG stream
// that is part of the state.
//
// Memory: 13 bytes a value of the window. Cost: O(Window) per value: about 0.3 µs for 100.
type KSWIN struct {
	history
	cfg    KSWINConfig
	values []float64 // a ring, value i at i mod Window
	order  []int32   // places of the values, sorted by value; derived
	n      uint64    // values since the last change, those that were kept among them
	pcg    *rand.PCG
	draw   func(n int) int // uniform below n
	pool   []int32         // scratch
	side   []int8          // scratch: by place
	kept   []float64       // scratch
	drift  int             // derived: least difference of counts at which the distribution has changed
	warnAt int             // derived
}

// NewKSWIN returns a detector that has seen nothing. It panics for parameters out of range.
func NewKSWIN(cfg KSWINConfig) *KSWIN {
	cfg.Alpha, cfg.Warning = zeroTo(cfg.Alpha, 0.005), zeroTo(cfg.Warning, 0.05)
	if cfg.Window == 0 {
		cfg.Window = 100
	}
	if cfg.Recent == 0 {
		cfg.Recent = 30
	}
	if !(cfg.Alpha > 0 && cfg.Alpha < 1) || !(cfg.Warning > 0 && cfg.Warning < 1) || cfg.Recent < 2 || cfg.Window < 2*cfg.Recent || cfg.Window > 10000 {
		panic("drift: parameter of kswin out of range")
	}
	d := &KSWIN{cfg: cfg, values: make([]float64, cfg.Window), order: make([]int32, 0, cfg.Window), pcg: rand.NewPCG(cfg.Seed, 0x6b7377696e),
		pool: make([]int32, cfg.Window-cfg.Recent), side: make([]int8, cfg.Window), kept: make([]float64, 0, cfg.Recent),
		drift: ksCritical(cfg.Recent, cfg.Alpha), warnAt: ksCritical(cfg.Recent, cfg.Warning)}
	d.draw = rand.New(d.pcg).IntN
	return d
}

// ksCritical returns the least difference h of the counts of two samples of n values at which their distributions differ by more than
// 0.1 and P(difference ≥ h) ≤ alpha; n + 1 if there is none. P = 2·Σ (−1)^(k−1)·C(2n, n−kh)/C(2n, n) (Gnedenko & Korolyuk 1951).
func ksCritical(n int, alpha float64) int {
	for h := n/10 + 1; h <= n; h++ {
		p, sign := 0.0, 2.0
		for k := h; k <= n; k += h {
			term := sign
			for i := range k {
				term *= float64(n-i) / float64(n+i+1)
			}
			p, sign = p+term, -sign
		}
		if p <= alpha {
			return h
		}
	}
	return n + 1
}

// Update takes in the next value and reports whether the distribution has changed.
func (d *KSWIN) Update(x float64) bool {
	if !finite(x) {
		return false
	}
	w := uint64(d.cfg.Window)
	place := int32(d.n % w)
	if d.n >= w {
		at := slices.Index(d.order, place)
		d.order = slices.Delete(d.order, at, at+1)
	}
	d.values[place] = x
	d.insert(place)
	if d.n++; d.n < w {
		return d.warn(false, d.rose)
	}
	difference, rose := d.compare()
	if difference >= d.drift {
		d.keepRecent()
		return d.changed(rose)
	}
	return d.warn(difference >= d.warnAt, rose)
}

// insert puts a place into the order.
func (d *KSWIN) insert(place int32) {
	x := d.values[place]
	lo, hi := 0, len(d.order)
	for lo < hi {
		if mid := (lo + hi) / 2; d.values[d.order[mid]] <= x {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	d.order = slices.Insert(d.order, lo, place)
}

// compare draws from the older values and returns the greatest difference between the counts up to a value, and whether the newest
// values are greater on average.
func (d *KSWIN) compare() (difference int, rose bool) {
	w := d.cfg.Window
	oldest, older := int(d.n%uint64(w)), w-d.cfg.Recent
	for i := range older {
		d.pool[i] = int32(wrap(oldest+i, w))
	}
	clear(d.side)
	for i := range d.cfg.Recent { // without replacement: the last of those that are left takes the place of what was drawn
		j := d.draw(older - i)
		d.side[d.pool[j]] = -1
		d.pool[j] = d.pool[older-1-i]
	}
	for i := older; i < w; i++ {
		d.side[wrap(oldest+i, w)] = 1
	}
	count, sum := 0, 0.0
	for k, place := range d.order {
		side := d.side[place]
		count += int(side)
		sum += float64(float64(side) * d.values[place])
		if k+1 == len(d.order) || d.values[d.order[k+1]] != d.values[place] {
			difference = max(difference, count, -count)
		}
	}
	return difference, sum > 0
}

func wrap(i, n int) int {
	if i >= n {
		return i - n
	}
	return i
}

// keepRecent drops all but the newest values.
func (d *KSWIN) keepRecent() {
	kept := d.kept[:0]
	for i := d.n - uint64(d.cfg.Recent); i < d.n; i++ {
		kept = append(kept, d.values[i%uint64(d.cfg.Window)])
	}
	clear(d.values)
	copy(d.values, kept)
	d.n = uint64(d.cfg.Recent)
	d.sort()
}

// sort makes the order anew.
func (d *KSWIN) sort() {
	d.order = d.order[:0]
	for i := range min(d.n, uint64(d.cfg.Window)) {
		d.insert(int32(i))
	}
}

// State visits the window and the stream of random numbers.
func (d *KSWIN) State(c *codec.State) {
	parameters(c, "kswin", 1, d.cfg.Alpha, d.cfg.Warning, float64(d.cfg.Window), float64(d.cfg.Recent))
	c.Uint64(&d.n)
	for i := range d.values {
		visit(c, &d.values[i])
	}
	c.PCG(d.pcg)
	if c.Loading() {
		d.sort()
	}
	d.history.state(c)
}
