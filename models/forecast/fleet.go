package forecast

import (
	"errors"
	"fmt"
	"math"

	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
)

// FleetConfig says what a Fleet is for.
type FleetConfig struct {
	Step   int64        // length of one step, µs, at least 1
	Season int          // steps of one season; 0 or 1: none
	Groups []FleetGroup // at least one
}

// FleetGroup are series that share their rates, and from which a new one of them starts.
type FleetGroup struct {
	Alpha float64 // weight of the newest value in the level, in (0, 1]
	Beta  float64 // weight of the newest change in the trend, in [0, 1]
	Gamma float64 // weight of the newest value in the season, in [0, 1]
	Phi   float64 // damping of the trend, in [0, 1]; 1: none
}

// DefaultFleetGroup are usual rates: α 0.2, β 0.02, γ 0.1, φ 0.98.
func DefaultFleetGroup() FleetGroup { return FleetGroup{Alpha: 0.2, Beta: 0.02, Gamma: 0.1, Phi: 0.98} }

// Fleet keeps millions of series in memory, packed: Holt-Winters smoothing with damped trend and additive season (as HoltWintersComponent), 32 + 4·season bytes a series with single precision, plus 11 to 22 to find it by its key.
// It is for programs that use this library; in a project file the series of models live in the states of entities instead.
//
// A series needs no first seasons to start. A new one begins from what its group knows (empirical Bayes): a series that has seen two seasons (ten values without a season) tells its group, once, its level, the ratio
// of its season to it, and the spread of its errors. The level of a new series is drawn toward the group's mean with the weight that noise and the spread between levels give it,
// κ = σ²/τ²: its first values move it by 1/(n + κ), until that falls to α; its season is the group's ratio times its level. A group that knows nothing lets each series begin at its own first value.
//
// A value more than five deviations from its forecast is damped to that distance, and counted, once ten values were seen. A value of an earlier step than the newest is left out and
// counted. One that is not finite is left out. All that depends on is the order of the updates.
//
// A Fleet belongs to one goroutine for updates; any number may ask while nobody updates. Spread keys over several fleets for more processors.
type Fleet struct {
	cfg    FleetConfig
	season int // places, at least 1
	stride int // of a record, words

	base    int64 // step that slots count from
	started bool
	n       int        // series
	chunks  [][]uint32 // their records: all of a series in one place, so that an update waits for memory as seldom as can be
	index   []uint64   // open addressing, linear probing: high half of a key's hash, then its place + 1; 0: free
	known   []groupKnown
	late    uint64
	damped  uint64
}

// Words of a record; floats by their bits. The season follows.
const (
	fleetKey   = iota     // low word, then high
	fleetGroup = iota + 1 // place of its group
	fleetSlot             // step of the newest value, from base
	fleetCount            // values
	fleetLevel
	fleetTrend
	fleetVariance // of one-step errors
	fleetSeason
)

const (
	fleetChunk   = 1 << 12 // records that are allocated at once
	fleetOutlier = 5       // deviations
	fleetSpread  = 0.02    // least weight of a new squared error
)

// groupKnown is what a group has learned of its grown series.
type groupKnown struct {
	n           float64   // series
	mean, sum   float64   // of levels: mean, sum of squared distances (Welford 1962)
	noise       float64   // mean variance of one-step errors
	ratio       []float64 // mean of season/level by place
	ratioWeight float64   // series with a level that a season can be measured by
}

// NewFleet returns an empty fleet. The error says what is out of range.
func NewFleet(cfg FleetConfig) (*Fleet, error) {
	switch {
	case cfg.Step < 1:
		return nil, errors.New("fleet: the length of a step is missing: give µs")
	case cfg.Season < 0 || cfg.Season > maxSeason:
		return nil, fmt.Errorf("fleet: season of %d steps: give 0 to %d", cfg.Season, maxSeason)
	case len(cfg.Groups) == 0 || len(cfg.Groups) > math.MaxUint16:
		return nil, fmt.Errorf("fleet: %d groups: give 1 to %d", len(cfg.Groups), math.MaxUint16)
	}
	for i, g := range cfg.Groups {
		if !(g.Alpha > 0 && g.Alpha <= 1 && g.Beta >= 0 && g.Beta <= 1 && g.Gamma >= 0 && g.Gamma <= 1 && g.Phi >= 0 && g.Phi <= 1) {
			return nil, fmt.Errorf("fleet: rates %+v of group %d: give numbers from 0 to 1, and Alpha above 0", g, i)
		}
	}
	f := &Fleet{cfg: cfg, season: max(cfg.Season, 1)}
	f.stride = fleetSeason + f.season
	if cfg.Season < 2 {
		f.stride = fleetSeason
	}
	f.known = make([]groupKnown, len(cfg.Groups))
	for i := range f.known {
		f.known[i].ratio = make([]float64, f.season)
	}
	f.index = make([]uint64, 16)
	return f, nil
}

// Len is the number of series.
func (f *Fleet) Len() int { return f.n }

// Late and Damped are how many values were left out because they came too late, and how many were damped.
func (f *Fleet) Late() uint64 { return f.late }

// Damped is how many values lay far outside their forecast.
func (f *Fleet) Damped() uint64 { return f.damped }

// Bytes is the memory of all series and the index.
func (f *Fleet) Bytes() int {
	return len(f.chunks)*fleetChunk*f.stride*4 + cap(f.index)*8
}

// hashKey spreads keys over the index (the finaliser of splitmix64, Steele, Lea & Flood 2014).
func hashKey(k uint64) uint64 {
	k = (k ^ k>>30) * 0xbf58476d1ce4e5b9
	k = (k ^ k>>27) * 0x94d049bb133111eb
	return k ^ k>>31
}

// find returns the place of a key, -1 if there is none, and where in the index it is or belongs.
func (f *Fleet) find(key uint64) (place int, at uint64) {
	mask, h := uint64(len(f.index)-1), hashKey(key)
	for at = h & mask; ; at = (at + 1) & mask {
		i := f.index[at]
		if i == 0 {
			return -1, at
		}
		if place = int(uint32(i)) - 1; i>>32 == h>>32 && keyOf(f.record(place)) == key { // other records are not looked at: each would be a wait for memory
			return place, at
		}
	}
}

func keyOf(r []uint32) uint64 { return uint64(r[fleetKey]) | uint64(r[fleetKey+1])<<32 }

func indexed(hash uint64, place int) uint64 { return hash>>32<<32 | uint64(place+1) }

// add makes room for a new series.
func (f *Fleet) add(key uint64, group int) int {
	if 4*(f.n+1) > 3*len(f.index) {
		f.index = make([]uint64, 2*len(f.index))
		mask := uint64(len(f.index) - 1)
		for i := range f.n {
			h := hashKey(keyOf(f.record(i)))
			at := h & mask
			for f.index[at] != 0 {
				at = (at + 1) & mask
			}
			f.index[at] = indexed(h, i)
		}
	}
	_, at := f.find(key)
	place := f.n
	f.index[at] = indexed(hashKey(key), place)
	if place == len(f.chunks)*fleetChunk {
		f.chunks = append(f.chunks, make([]uint32, fleetChunk*f.stride))
	}
	f.n++
	r := f.record(place)
	r[fleetKey], r[fleetKey+1], r[fleetGroup] = uint32(key), uint32(key>>32), uint32(group)
	return place
}

func (f *Fleet) record(place int) []uint32 {
	from := place % fleetChunk * f.stride
	return f.chunks[place/fleetChunk][from : from+f.stride : from+f.stride]
}

func word(r []uint32, i int) float64       { return float64(math.Float32frombits(r[i])) }
func setWord(r []uint32, i int, x float64) { r[i] = math.Float32bits(float32(x)) }

// maxFleetValue keeps single precision finite, also squared.
const maxFleetValue = 1e18

// Update takes in y at the event time t (µs) as a value of the key. group is that of a new key; a known key keeps its own. It panics for a group that there is not.
func (f *Fleet) Update(key uint64, group int, t int64, y float64) Taken {
	if !finite(y) {
		return TakenNothing
	}
	if !f.started {
		f.base, f.started = floorDiv(t, f.cfg.Step), true
	}
	slot := floorDiv(t, f.cfg.Step) - f.base
	if slot < math.MinInt32 || slot > math.MaxInt32 {
		f.late++
		return TakenLate
	}
	y = math.Max(-maxFleetValue, math.Min(maxFleetValue, y))
	place, _ := f.find(key)
	if place < 0 {
		if group < 0 || group >= len(f.known) {
			panic(fmt.Sprintf("forecast: group %d of a fleet of %d", group, len(f.known)))
		}
		place = f.add(key, group)
		f.begin(f.record(place), &f.known[group], slot, y)
		return TakenStep
	}
	r := f.record(place)
	return f.update(r, int(r[fleetGroup]), slot, y)
}

func (f *Fleet) phase(slot int64) int {
	m := int64(f.season)
	return int(((slot+f.base)%m + m) % m)
}

// seasonal reports whether records have a season.
func (f *Fleet) seasonal() bool { return f.stride > fleetSeason }

// kappa is how many values of a series its group's mean is worth.
func (g *groupKnown) kappa() float64 {
	if g.n < 2 || !(g.sum > 0) {
		return 0
	}
	return g.noise / (g.sum / (g.n - 1))
}

// begin starts a series at its first value.
func (f *Fleet) begin(r []uint32, g *groupKnown, slot int64, y float64) {
	r[fleetSlot], r[fleetCount] = uint32(int32(slot)), 1
	level := y
	if own := 1 + g.ratio[f.phase(slot)]; f.seasonal() && g.ratioWeight > 0 && own > 0.05 {
		level = y / own
	}
	if k := g.kappa(); k > 0 {
		level = (level + float64(k*g.mean)) / (1 + k)
	}
	setWord(r, fleetLevel, level)
	setWord(r, fleetTrend, 0)
	setWord(r, fleetVariance, g.noise)
	for i := fleetSeason; i < len(r); i++ {
		setWord(r, i, float64(level*g.ratio[i-fleetSeason]))
	}
}

// update is one step of the recursion.
func (f *Fleet) update(r []uint32, group int, slot int64, y float64) Taken {
	last := int64(int32(r[fleetSlot]))
	if slot < last {
		f.late++
		return TakenLate
	}
	rates, known := &f.cfg.Groups[group], &f.known[group]
	level, trend := advanced(word(r, fleetLevel), word(r, fleetTrend), rates.Phi, slot-last)
	at, season := 0, 0.0
	if f.seasonal() {
		at = fleetSeason + f.phase(slot)
		season = word(r, at)
	}
	n, variance := float64(r[fleetCount]), word(r, fleetVariance)
	e := y - (level + season)
	if limit := fleetOutlier * math.Sqrt(variance); n >= 10 && variance > 0 && math.Abs(e) > limit {
		e = math.Copysign(limit, e)
		f.damped++
	}
	alpha := math.Max(rates.Alpha, 1/(n+1+known.kappa()))
	gamma := rates.Gamma
	if known.ratioWeight == 0 { // no season was given: the first ones are its own
		gamma = math.Max(gamma, 1/(math.Floor(n/float64(f.season))+2))
	}
	level += float64(alpha * e)
	trend += float64(float64(rates.Alpha*rates.Beta) * e)
	spread := math.Max(fleetSpread, 1/(n+1))
	variance += float64(spread * (float64(e*e) - variance))
	r[fleetSlot], r[fleetCount] = uint32(int32(slot)), min(r[fleetCount]+1, math.MaxUint32)
	setWord(r, fleetLevel, bounded18(level))
	setWord(r, fleetTrend, bounded18(trend))
	setWord(r, fleetVariance, math.Min(variance, maxFleetValue*maxFleetValue))
	if at > 0 {
		setWord(r, at, bounded18(season+float64(float64(gamma*(1-alpha))*e)))
	}
	if grown := max(2*f.cfg.Season, 10); int(r[fleetCount]) == grown {
		f.tell(r, known)
	}
	if slot == last {
		return TakenAgain
	}
	return TakenStep
}

func bounded18(x float64) float64 { return math.Max(-maxFleetValue, math.Min(maxFleetValue, x)) }

// advanced moves level and trend by steps without values.
func advanced(level, trend, phi float64, steps int64) (float64, float64) {
	if steps < 16 { // cheaper than powers
		for range steps {
			trend *= phi
			level += trend
		}
		return level, trend
	}
	return level + float64(trend*dampedSum(phi, float64(steps))), trend * math.Pow(phi, float64(steps))
}

// dampedSum is φ + φ² + … + φⁿ.
func dampedSum(phi, n float64) float64 {
	if phi == 1 {
		return n
	}
	return phi * (1 - math.Pow(phi, n)) / (1 - phi)
}

// tell lets the group learn from a series that has grown up.
func (f *Fleet) tell(r []uint32, g *groupKnown) {
	level := word(r, fleetLevel)
	g.n++
	d := level - g.mean
	g.mean += d / g.n
	g.sum += float64(d * (level - g.mean))
	g.noise += (word(r, fleetVariance) - g.noise) / g.n
	if !f.seasonal() || !(level*level > word(r, fleetVariance)/float64(f.season)) {
		return // a level that is lost in its noise has no ratio
	}
	g.ratioWeight++
	for i := range g.ratio {
		ratio := math.Max(-1, math.Min(10, word(r, fleetSeason+i)/level))
		g.ratio[i] += (ratio - g.ratio[i]) / g.ratioWeight
	}
}

// Forecast answers the steps of the key after the one that t lies in (or its newest value's, if that is later) into o, with normal quantiles of the variance that holds for an additive season
// (Hyndman, Koehler, Ord & Snyder 2008, table 6.1). false: the key is not known. It changes nothing. Cost: O(skipped season + steps).
func (f *Fleet) Forecast(o *models.Outlook, key uint64, t int64) bool {
	place, _ := f.find(key)
	if place < 0 {
		o.Health = models.Health{}
		setUnknown(o)
		return false
	}
	r := f.record(place)
	rates := &f.cfg.Groups[r[fleetGroup]]
	last := int64(int32(r[fleetSlot]))
	ahead := max(floorDiv(t, f.cfg.Step)-f.base-last, 0)
	o.Skip = ahead
	o.Health = models.Health{Status: models.HealthGood, Observed: int64(r[fleetCount])}
	if int(r[fleetCount]) < max(2*f.cfg.Season, 10) {
		o.Health.Status = models.HealthCold
	}
	level, trend, variance := word(r, fleetLevel), word(r, fleetTrend), word(r, fleetVariance)
	if !(variance > 0) { // of one value nothing is known but its size
		variance = float64(level * level)
	}
	for i := range o.Mean {
		h := ahead + int64(i) + 1
		at, _ := advanced(level, trend, rates.Phi, h)
		if f.seasonal() {
			at += word(r, fleetSeason+f.phase(last+h))
		}
		o.Mean[i] = at
		if len(o.Levels) > 0 {
			setNormal(o, i, math.Sqrt(variance*f.growth(rates, h)))
		}
	}
	return true
}

// growth is the variance of the forecast h steps ahead in units of that of one: 1 + Σ c², c_j = α + αβφ_j + γ(1−α)·1{j mod m = 0} for j < h. Sums beyond maxGrowth terms go on as the last one.
func (f *Fleet) growth(g *FleetGroup, h int64) float64 {
	const maxGrowth = 4096
	total, damp, power := 1.0, 0.0, 1.0
	for j := int64(1); j < min(h, maxGrowth); j++ {
		power *= g.Phi
		damp += power
		c := g.Alpha + float64(float64(g.Alpha*g.Beta)*damp)
		if f.seasonal() && j%int64(f.season) == 0 {
			c += float64(g.Gamma * (1 - g.Alpha))
		}
		total += float64(c * c)
	}
	if h > maxGrowth {
		c := g.Alpha + float64(float64(g.Alpha*g.Beta)*damp)
		total += float64(c * c * float64(h-maxGrowth))
	}
	return total
}

// Variance returns the variance of the key's one-step errors, what Hierarchy.Reconcile weighs forecasts by; NaN for a key that is not known.
func (f *Fleet) Variance(key uint64) float64 {
	place, _ := f.find(key)
	if place < 0 {
		return math.NaN()
	}
	return word(f.record(place), fleetVariance)
}

// fleetVersion is raised when arithmetic or bytes change.
const fleetVersion = 1

// State visits all series and what the groups know. The configuration must be the same. Loading refuses numbers that no fleet can have.
func (f *Fleet) State(c *codec.State) {
	c.Fixed("fleet version", fleetVersion)
	c.Fixed("season of a fleet", f.cfg.Season)
	c.Fixed("groups of a fleet", len(f.known))
	c.Int64(&f.base)
	c.Bool(&f.started)
	c.Uint64(&f.late)
	c.Uint64(&f.damped)
	for i := range f.known {
		f.known[i].state(c)
	}
	f.stateSeries(c)
}

func (g *groupKnown) state(c *codec.State) {
	for _, v := range []*float64{&g.n, &g.mean, &g.sum, &g.noise, &g.ratioWeight} {
		c.Float64(v)
		if c.Loading() && !finite(*v) {
			c.Fail("fleet: a group's %v", *v)
		}
	}
	for i := range g.ratio {
		c.Float64(&g.ratio[i])
		if c.Loading() && !finite(g.ratio[i]) {
			c.Fail("fleet: a group's ratio %v", g.ratio[i])
		}
	}
}

func (f *Fleet) stateSeries(c *codec.State) {
	n := c.Len(f.n, 4*f.stride, math.MaxInt32)
	if c.Loading() {
		f.n, f.chunks, f.index = 0, nil, make([]uint64, 16)
	}
	for i := range n {
		var key uint64
		var group uint32
		if !c.Loading() {
			key, group = keyOf(f.record(i)), f.record(i)[fleetGroup]
		}
		c.Uint64(&key)
		c.Uint32(&group)
		if c.Loading() {
			if place, _ := f.find(key); c.Err() != nil || int(group) >= len(f.known) || place >= 0 {
				c.Fail("fleet: series %d of group %d, or a key twice", i, group)
				return
			}
			f.add(key, int(group))
		}
		r := f.record(i)
		for j := fleetSlot; j < len(r); j++ {
			c.Uint32(&r[j])
			if c.Loading() && j >= fleetLevel && !finite(word(r, j)) {
				c.Fail("fleet: a number of series %d", i)
			}
		}
		if c.Err() != nil {
			return
		}
	}
}
