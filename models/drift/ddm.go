package drift

import (
	"math"

	"github.com/freshet-ml/freshet/internal/codec"
)

// DDM is the drift detection method of Gama et al. (2004, §3) for a stream of errors, 1 wrong and 0 right: the error rate p with its
// deviation s = √(p(1−p)/n) warns at p + s > p_min + 2·s_min and has changed at p + s > p_min + 3·s_min. It starts anew
// after a change. O(1) in time and memory.
type DDM struct {
	n, rate       float64
	least         float64 // p_min + s_min
	rateAt, devAt float64 // p_min and s_min
	warning       bool
	changes       uint64
}

// ddmWarmUp is the number of values before the first test.
const ddmWarmUp = 30

// NewDDM returns a detector that has seen nothing.
func NewDDM() *DDM { return &DDM{least: math.Inf(1)} }

// Update takes in the next error and reports whether the error rate has risen. Values above 0.5 count as 1, others as 0.
func (d *DDM) Update(x float64) bool {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return false
	}
	wrong := 0.0
	if x > 0.5 {
		wrong = 1
	}
	d.n++
	d.rate += (wrong - d.rate) / d.n
	if d.n <= ddmWarmUp {
		return false
	}
	s := math.Sqrt(d.rate * (1 - d.rate) / d.n)
	if d.rate+s <= d.least {
		d.least, d.rateAt, d.devAt = d.rate+s, d.rate, s
	}
	if d.rate+s > d.rateAt+float64(3*d.devAt) {
		*d = DDM{least: math.Inf(1), changes: d.changes + 1}
		return true
	}
	d.warning = d.rate+s > d.rateAt+float64(2*d.devAt)
	return false
}

// Warning reports whether the error rate is above the warning level.
func (d *DDM) Warning() bool { return d.warning }

// Changes returns how often Update reported a change.
func (d *DDM) Changes() uint64 { return d.changes }

// State visits the rates.
func (d *DDM) State(c *codec.State) {
	c.Fixed("ddm version", 1)
	for _, v := range []*float64{&d.n, &d.rate, &d.least, &d.rateAt, &d.devAt} {
		c.Float64(v)
	}
	c.Bool(&d.warning)
	c.Uint64(&d.changes)
}
