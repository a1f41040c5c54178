package drift

import (
	"math"
	"slices"

	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
)

// EWMAChartComponent is the catalogue entry of EWMAChart.
var EWMAChartComponent = component("ewma_chart", "Control chart of the exponentially weighted error rate: its limit is chosen by how many values may pass, on average, until a false alarm. Reports rises only; values above 0.5 are errors.",
	"O(1)", "100 bytes", "Roberts 1959; Ross et al. 2012, §3 (ECDD), with limits of our own", []models.Param{
		{Name: "warm_up", Default: 30, Range: models.AtLeast(1), Unit: "events", Doc: "values before the first test"},
		{Name: "run_length", Default: "1000", Choices: []string{"400", "1000", "10000"}, Doc: "mean number of values until a false alarm when the error rate is known"}},
	func(a models.Args, _ models.Env) Detector {
		length := map[string]int{"400": 400, "1000": 1000, "10000": 10000}[a.Text("run_length")]
		return NewEWMAChart(EWMAChartConfig{WarmUp: a.Int("warm_up"), RunLength: length})
	})

// EWMAChartConfig are the parameters of EWMAChart; zero fields take the default.
type EWMAChartConfig struct {
	WarmUp    int // values before the first test, 30
	RunLength int // mean number of values until a false alarm: 400, 1,000 (default) or 10,000
}

// chartLambda is the weight of the newest value.
const chartLambda = 0.2

// chartRates and chartLimits are the limits of the chart, in deviations, for error rates and mean run lengths, found by simulating the
// chart of a known rate (bisection over 1,500 runs, 300 for 10,000). The polynomials that Ross et al. print miss their run lengths: at 400 they give 100 to 280.
var (
	chartRates  = []float64{0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9}
	chartLimits = map[int][]float64{
		100:   {0.5, 0.5, 3.858, 3.088, 2.814, 2.898, 2.73, 2.499, 2.396, 2.231, 2.087, 1.943, 1.791, 1.615, 1.369, 0.983},
		400:   {8.294, 5.736, 4.577, 4.749, 4.276, 3.808, 3.638, 3.309, 3.114, 2.819, 2.578, 2.353, 2.099, 1.817, 1.465, 0.999},
		1000:  {8.294, 6.168, 6.052, 5.804, 4.743, 4.422, 4.096, 3.75, 3.495, 3.118, 2.807, 2.516, 2.215, 1.881, 1.486, 1},
		10000: {11.081, 10.553, 7.723, 7.042, 6.139, 5.546, 5.12, 4.587, 4.212, 3.648, 3.18, 2.765, 2.364, 1.944, 1.499, 1},
	}
)

// EWMAChart is the control chart of Ross et al. (2012, §3): the exponentially weighted average z of the errors (weight 0.2) against the running
// error rate p, with z's deviation σ = √(p(1−p)·λ(1−(1−λ)²ⁿ)/(2−λ)). It has changed at z > p + L·σ, where L(p) keeps the mean
// number of values until a false alarm, and warns at the limit for 100. It starts anew after a change. O(1) in time and memory.
type EWMAChart struct {
	history
	cfg       EWMAChartConfig
	n, p, z   float64
	decay     float64   // (1−λ)²ⁿ
	limits    []float64 // by chartRates
	warnings  []float64
	bracket   int     // derived: p lies in [chartRates[bracket], chartRates[bracket+1]), as far as there is such a bracket
	low, high float64 // derived: of the bracket
}

// NewEWMAChart returns a detector that has seen nothing. It panics for parameters out of range.
func NewEWMAChart(cfg EWMAChartConfig) *EWMAChart {
	if cfg.WarmUp == 0 {
		cfg.WarmUp = 30
	}
	if cfg.RunLength == 0 {
		cfg.RunLength = 1000
	}
	if cfg.WarmUp < 0 || cfg.RunLength == 100 || chartLimits[cfg.RunLength] == nil {
		panic("drift: parameter of ewma_chart out of range")
	}
	return &EWMAChart{cfg: cfg, decay: 1, limits: chartLimits[cfg.RunLength], warnings: chartLimits[100]}
}

// Update takes in the next error and reports whether the error rate has risen. Values above 0.5 count as 1, others as 0.
func (d *EWMAChart) Update(x float64) bool {
	if !finite(x) {
		return false
	}
	wrong := isError(x)
	d.n++
	d.p += (wrong - d.p) / d.n
	if d.n == 1 {
		d.z = wrong
	}
	d.z += float64(chartLambda * (wrong - d.z))
	d.decay *= (1 - chartLambda) * (1 - chartLambda)
	if d.n < float64(d.cfg.WarmUp) || d.z <= d.p {
		return d.warn(false, true)
	}
	z := (d.z - d.p) / math.Sqrt(d.p*(1-d.p)*(chartLambda/(2-chartLambda))*(1-d.decay))
	j, share := d.place()
	if z > between(d.limits, j, share) {
		*d = EWMAChart{cfg: d.cfg, history: d.history, decay: 1, limits: d.limits, warnings: d.warnings}
		return d.changed(true)
	}
	return d.warn(z > between(d.warnings, j, share), true)
}

// place returns the bracket of chartRates that p is in, and how far in.
func (d *EWMAChart) place() (j int, share float64) {
	if !(d.p >= d.low && d.p < d.high) {
		d.bracket = max(0, min(len(chartRates)-2, firstAbove(chartRates, d.p)-1))
		d.low, d.high = chartRates[d.bracket], chartRates[d.bracket+1]
	}
	return d.bracket, max(0, min(1, (d.p-d.low)/(d.high-d.low)))
}

// firstAbove returns the index of the first of the sorted values that is greater than x.
func firstAbove(sorted []float64, x float64) int {
	if i := slices.IndexFunc(sorted, func(v float64) bool { return v > x }); i >= 0 {
		return i
	}
	return len(sorted)
}

// between interpolates linearly.
func between(v []float64, j int, share float64) float64 {
	return v[j] + float64(share*(v[j+1]-v[j]))
}

// State visits the rates.
func (d *EWMAChart) State(c *codec.State) {
	parameters(c, "ewma_chart", 1, float64(d.cfg.WarmUp), float64(d.cfg.RunLength))
	visit(c, &d.n, &d.p, &d.z, &d.decay)
	d.low, d.high = 0, 0
	if !(d.p >= 0 && d.p <= 1) {
		c.Fail("ewma_chart: rate %g", d.p)
		d.p = 0
	}
	d.history.state(c)
}
