package forecast

import (
	"fmt"
	"math"

	"github.com/freshet-ml/freshet/models"
)

// BankComponent is the catalogue entry of Bank, the forecaster of first choice.
var BankComponent = models.Component{
	Name: "forecaster_bank", Kind: models.ModelKind, Tasks: []models.Task{models.Forecast}, Regressors: true, Fold: 3,
	Doc: "A bank of some seventy smoothers that all see every value: exponential smoothing without trend, with damped and with lasting trend, and with autocorrelated errors, around no season, around the shortest season (slow and " +
		"quick) and around all seasons at once, and the airline model with rates that it learns, each for the values and for their logarithms, beside the naive forecasts. The answer is the weighted mean of the few whose recent errors were least at the steps ahead that " +
		"are asked for. Intervals come from the bank's own past errors at each distance, kept near their nominal coverage on-line, and are proportional to the forecast where that describes the errors better. " +
		"Logarithms are used as long as every value was above 0. Outliers are damped, unless four in a row agree. Steps without a value widen the forecast. " +
		"Regressors change the answer by how far they differ from what was expected of them. Needs no choice of parameters; not meant for counts that are mostly 0.",
	Cost:   "about 3 µs a value; 0.6 µs for each step of a forecast",
	Memory: "10.4 KB for seasons of 24 and 168 steps, 6.8 KB for 24 alone, 2.2 KB without; 52 bytes for each step of the shortest season, 12 for those of others",
	Source: "Taylor 2003 (two seasons, autocorrelated errors); Box & Jenkins 1970 (airline model); Ljung & Söderström 1983 (its rates); Gardner & McKenzie 1985; Bates & Granger 1969; Angelopoulos, Candès & Tibshirani 2023 (quantile tracking)",
	Params: []models.Param{
		{Name: "top", Default: 8, Range: models.Between(1, maxTop), Doc: "members that share a forecast at most"},
		{Name: "discount", Default: 0.995, Range: models.AboveTo(0, 1), Doc: "weight of an error one step later, for choosing members"},
		{Name: "sharpness", Default: 12.0, Range: models.AtLeast(0), Doc: "a member's weight is its error to the power of minus this"},
		{Name: "outlier", Default: 5.0, Range: models.Above(0), Doc: "errors beyond so many times their mean size are damped to it"},
		{Name: "memory", Default: 200.0, Range: models.AtLeast(10), Unit: "steps", Doc: "how far back errors count for intervals"},
	},
	NewForecaster: func(a models.Args, env models.ForecastEnv) (models.Forecaster, error) {
		return NewBank(env, BankConfig{
			Top: a.Int("top"), Discount: a.Float("discount"), Sharpness: a.Float("sharpness"), Outlier: a.Float("outlier"), Memory: a.Float("memory"),
		})
	},
}

// BankConfig are the parameters of Bank. No series needs its own.
type BankConfig struct {
	Top       int     // members that share a forecast, 1 to 16
	Discount  float64 // weight of an error one step later, in (0, 1]
	Sharpness float64 // a member's weight is its error to the power of minus this, ≥ 0
	Outlier   float64 // errors beyond so many times their mean size are damped, > 0
	Memory    float64 // steps that the size of errors looks back, ≥ 10
}

// DefaultBank returns the parameters that were chosen on validation data of many frequencies.
func DefaultBank() BankConfig {
	return BankConfig{Top: 8, Discount: 0.995, Sharpness: 12, Outlier: 5, Memory: 200}
}

const (
	maxTop        = 16
	maxRegressors = 64
	bankLimit     = 1e30 // greater values count as it: tables are single precision
	scoredLeads   = 5    // distances, beside one step, at which members are scored
	capWidth      = 1.0  // forecasts stay within the range of the series, widened by this share of itself on both sides
)

// Bank makes series of the multiple-model forecaster. Every member is a smoother with fixed parameters in error-correction form,
//
//	u = d − (l + φb),  e = u − ρ·u₋₁,  l ← l + φb + αe,  b ← φb + αβe,  d(t+h) = l + (φ + … + φʰ)b + ρʰu,
//
// of what a trunk leaves: d = y − s, where the seasonal tables of the trunk follow the errors of one of its smoothers, s ← s + γe (Holt 1957; Winters 1960; Taylor
// 2003, "Short-term electricity demand forecasting using double seasonal exponential smoothing", J. Oper. Res. Soc. 54, eq. 7–11, for two seasons and ρ; Gardner & McKenzie 1985 for φ).
// So smoothers share the tables, which are what needs room. A trunk starts when its longest season is complete, by the means of that season, and its tables average before they smooth.
// Trunks exist twice, for y and for log y; so does the member that learns its rates (airline).
//
// Members are scored by their discounted absolute error one step ahead and at up to five more distances up to the horizon; the best few share a forecast, in proportion to
// a power of their errors (Bates & Granger 1969; no covariances). Intervals: see spread.
type Bank struct {
	env     models.ForecastEnv
	cfg     BankConfig
	trunks  []trunkPlan // of each of the two views
	filters []filterPlan
	members int
	period  int     // the longest season, or 1
	slots   int     // of tables in one view
	stride  int64   // steps between origins of scored forecasts, and between their distances
	leads   []int64 // scored distances: 1, then multiples of stride
	wrap    int64   // a multiple of stride and of every season
	far     [][]reach
	growths [][]float64 // by distance and filter
	groups  []int       // of scores, by distance
	first   []int       // slot of each distance among the waiting forecasts
	fade    [scoreColumns]float64
	memory  []float64 // by distance: errors that tell the size of errors
}

// trunkPlan is one set of seasonal tables.
type trunkPlan struct {
	seasons []int // lengths
	gains   []float64
	longest int
}

// filterPlan are the parameters of one smoother.
type filterPlan struct{ alpha, beta, phi, rho float64 }

// growth is the variance of the error h steps ahead as a multiple of that of one, were the smoother the truth: 1 + Σ c(j)² for j < h with c(j) = α + αβ(φ + … + φʲ) + ρʲ
// (Hyndman, Koehler, Ord & Snyder 2008, table 6.2).
func (p *filterPlan) growth(h int64) float64 {
	sum, trend, phi, rho := 1.0, 0.0, 1.0, 1.0
	for range min(h, lasting) - 1 {
		phi *= p.phi
		trend += phi
		rho *= p.rho
		c := p.alpha + float64(p.alpha*p.beta*trend) + rho
		sum += float64(c * c)
	}
	return sum
}

// reach is what a filter needs to know of a distance of h steps.
type reach struct {
	trend float64 // φ + … + φʰ
	phi   float64 // φʰ
	rho   float64 // ρʰ
}

// lasting bounds the steps over which a trend is carried on: beyond, after long gaps, it says nothing.
const lasting = 1 << 12

func (p *filterPlan) reach(h int64) reach {
	n := float64(min(h, lasting))
	r := reach{trend: n, phi: 1}
	if p.phi != 1 {
		r.phi = math.Pow(p.phi, n)
		r.trend = p.phi * (1 - r.phi) / (1 - p.phi)
	}
	if p.rho > 0 {
		r.rho = math.Pow(p.rho, n)
	}
	return r
}

// bankFilters are the smoothers of every trunk.
var bankFilters = []filterPlan{
	{alpha: 0.4, phi: 1},
	{alpha: 0.1, phi: 1},
	{alpha: 0.9, phi: 1},
	{alpha: 0.3, beta: 0.1, phi: 0.9},
	{alpha: 0.7, beta: 0.2, phi: 0.95},
	{alpha: 0.1, beta: 0.05, phi: 1},
	{alpha: 0.4, beta: 0.1, phi: 1},
	{alpha: 0.02, phi: 1, rho: 0.9},
	{alpha: 0.02, phi: 1, rho: 0.7},
}

// Roles of the smoothers: the one that the tables follow, and one whose errors are nearly white, which regressors are fitted to.
const (
	bankDriver = 1
	bankWhite  = 8
)

// NewBank returns the forecaster of an environment, or an error that says what is out of range.
func NewBank(env models.ForecastEnv, cfg BankConfig) (*Bank, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	if env.Regressors > maxRegressors {
		return nil, fmt.Errorf("forecaster_bank takes at most %d regressors, not %d: leave out those that matter least", maxRegressors, env.Regressors)
	}
	b := &Bank{env: env, cfg: cfg, filters: bankFilters, period: 1}
	for _, m := range env.Seasons {
		b.period = max(b.period, m)
	}
	b.trunks = planTrunks(env.Seasons)
	for _, p := range b.trunks {
		for _, m := range p.seasons {
			b.slots += m
		}
	}
	b.members = 2*len(b.trunks)*len(b.filters) + 1 + len(env.Seasons) + 2
	b.planLeads()
	b.planScores()
	return b, nil
}

func (c *BankConfig) check() error {
	for _, p := range []struct {
		name string
		ok   bool
		want string
	}{
		{"top", c.Top >= 1 && c.Top <= maxTop, "1 to 16"},
		{"discount", c.Discount > 0 && c.Discount <= 1, "in (0, 1]"},
		{"sharpness", c.Sharpness >= 0 && finite(c.Sharpness), "≥ 0"},
		{"outlier", c.Outlier > 0 && finite(c.Outlier), "> 0"},
		{"memory", c.Memory >= 10 && finite(c.Memory), "≥ 10 steps"},
	} {
		if !p.ok {
			return fmt.Errorf("forecaster_bank: %s out of range: give a number %s", p.name, p.want)
		}
	}
	return nil
}

// planTrunks: no season; the shortest, slow and quick; all of them.
func planTrunks(seasons []int) []trunkPlan {
	out := []trunkPlan{{longest: 1}}
	if len(seasons) == 0 {
		return out
	}
	short := seasons[:1]
	out = append(out, trunkPlan{short, []float64{0.1}, short[0]}, trunkPlan{short, []float64{0.5}, short[0]})
	if len(seasons) > 1 {
		all := trunkPlan{seasons: seasons}
		for i, m := range seasons {
			all.gains = append(all.gains, []float64{0.05, 0.2}[min(i, 1)])
			all.longest = max(all.longest, m)
		}
		out = append(out, all)
	}
	return out
}

// planLeads spreads the scored distances over the horizon. Origins lie a stride apart, which has no factor in common with the seasons, so that every phase is scored.
func (b *Bank) planLeads() {
	h := int64(max(b.env.Horizon, 1))
	b.stride = (h + scoredLeads - 1) / scoredLeads
	for b.stride > 1 && !b.coprime(b.stride) {
		b.stride++
	}
	b.leads = []int64{1}
	for l := b.stride; l <= h; l += b.stride {
		if l > 1 {
			b.leads = append(b.leads, l)
		}
	}
	b.wrap = b.stride
	for _, m := range b.env.Seasons {
		if b.wrap < 1<<40 {
			b.wrap *= int64(m) / gcd(b.wrap, int64(m))
		}
	}
	b.far, b.growths = make([][]reach, len(b.leads)), make([][]float64, len(b.leads))
	for i, l := range b.leads {
		for j := range b.filters {
			b.far[i] = append(b.far[i], b.filters[j].reach(l))
			b.growths[i] = append(b.growths[i], b.filters[j].growth(l))
		}
	}
}

func (b *Bank) coprime(n int64) bool {
	for _, m := range b.env.Seasons {
		if gcd(n, int64(m)) != 1 {
			return false
		}
	}
	return true
}

func gcd(a, b int64) int64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// planScores deals the distances to groups: one step, up to half of the horizon, beyond; and says how scores fade.
func (b *Bank) planScores() {
	counts := [scoreColumns]float64{}
	slots := 0
	for k, l := range b.leads {
		g := b.group(l)
		b.groups = append(b.groups, g)
		b.first = append(b.first, slots)
		memory := b.cfg.Memory
		if k > 0 {
			memory = max(5, memory/float64(b.stride))
			slots += int(l / b.stride)
			counts[g]++
			counts[pooled]++
		}
		b.memory = append(b.memory, memory)
	}
	b.first = append(b.first, slots)
	for g := range b.fade { // so that an error counts by the discount less for each step
		b.fade[g] = b.cfg.Discount
		if g > 0 && counts[g] > 0 {
			b.fade[g] = math.Pow(b.cfg.Discount, float64(b.stride)/counts[g])
		}
	}
}

// group is the column of scores for a distance.
func (b *Bank) group(h int64) int {
	switch {
	case h <= 1 || len(b.leads) == 1:
		return 0
	case 2*h <= int64(b.env.Horizon):
		return 1
	}
	return 2
}

// slotsAhead is how many forecasts of each member wait for their value at most.
func (b *Bank) slotsAhead() int { return b.first[len(b.leads)] }

// MaxBytes bounds the state of a series: smoothers, tables of both views, the last season, scores, and waiting forecasts.
func (b *Bank) MaxBytes() int {
	trunks := 2 * len(b.trunks)
	r := b.env.Regressors
	size := 320 + trunks*(20+24*len(b.filters)) + 8*b.slots + 4*b.period + 2*(105+12*b.shortSeason())
	size += 4*b.members*scoreColumns + 4*(b.members+1)*b.slotsAhead() + 8*len(b.leads)
	size += len(b.leads)*24 + 16*len(spreadLevels) + 64 + 4*b.shortSeason()
	if r > 0 {
		size += 8*r*r + 40*r + 4*r*b.shortSeason()
	}
	return size
}

// shortSeason is the shortest season, or 1.
func (b *Bank) shortSeason() int {
	if len(b.env.Seasons) == 0 {
		return 1
	}
	return b.env.Seasons[0]
}
