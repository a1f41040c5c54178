package forecast

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
)

// KeyedConfig says how a Keyed counts time and what its columns are.
type KeyedConfig struct {
	Step      int64     // length of one step, µs; 0: every value is a step
	Lateness  int64     // µs: a value may be older than the newest one by so much, and takes its place in the order of time; 0: by nothing
	Aggregate Aggregate // what the value of a step is that has several; needs Step
	Calendar  Calendar  // regressors that follow from the time of a step; needs Step
	Inputs    int       // regressors that come with each value, after it
	Seasons   []int     // steps of each season, rising
	Horizon   int       // steps that may be asked for at most, 1 to 4096
	Seed      uint64
	Group     bool // a new series starts from what others of its group have shown; needs Step

	Leads    []int     // steps ahead whose means are columns, rising, 1 to Horizon
	Levels   []float64 // quantiles that are columns for each lead, rising, each in (0, 1)
	Level    bool      // the present level is a column
	Residual bool      // the error of the newest one-step forecast is a column
	Anomaly  bool      // how strange the newest value is: the probability under a normal distribution of an error smaller than its own, 0 to 1
}

// maxHeld bounds the values of a series that wait for older ones: of more, the oldest no longer waits.
const maxHeld = 64

// keyedVersion is raised when the bytes of states change.
const keyedVersion = 1

// Keyed makes any forecaster a features.Keyed: its series live in the states of entities. The state of a series is the versioned state of its
// Track, with the values that still wait for older ones.
//
// A value that is older than the newest by at most Lateness takes its place in the order of time: values wait in the state, at most 64 of them,
// until they are older than that; until then they are taken in for each answer anew. So every order of arrival within that
// window gives the same answers. A value whose step lies before one that was taken in for good is left out and counted, per series and by the feature unit.
// Without Lateness that is every value of an earlier step than the newest. A second value of one step corrects the state; with Step 0 every
// value is a step, in the order of their times.
//
// With an Aggregate a step is taken in as a whole: sums when it is over, so that a part of a sum is never taken for one, means and last values also as far as they have come. A step of a series of sums that has no
// value is 0, from its first value on; others are not observed. Sums and means of fractions depend on the order of arrival in their last bits.
//
// The regressors that come with a value are those of its step. Columns answer for steps whose regressors nobody has told yet: for them the
// usual ones are taken, an exponentially weighted mean with the weight 0.1; those of the calendar are exact. Forecast is told them.
//
// With Group a new series starts from what its group has shown: UpdateIn. The start is part of its state and so of all its answers until its own model knows enough.
//
// Cost: an update loads and saves the state of the series, O(its bytes); a read loads it and takes in what waits.
type Keyed struct {
	cfg    KeyedConfig
	model  models.Forecaster
	shape  features.KeyedShape
	season int // of the start of a new series; 0 without a group
	env    models.ForecastEnv
	blank  []byte
	pool   sync.Pool
}

var _ features.Grouped = (*Keyed)(nil)

// NewKeyed makes the forecaster that build returns keyed, such as the Forecaster of a models.Plan. The error says what does not fit.
func NewKeyed(build func(models.ForecastEnv) (models.Forecaster, error), cfg KeyedConfig) (*Keyed, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	k := &Keyed{cfg: cfg, env: models.ForecastEnv{Seasons: cfg.Seasons, Horizon: cfg.Horizon, Regressors: cfg.Calendar.Width() + cfg.Inputs, Seed: cfg.Seed}}
	var err error
	if k.model, err = build(k.env); err != nil {
		return nil, err
	}
	if _, ok := k.model.Start().(models.Insight); !ok && (cfg.Level || cfg.Residual || cfg.Anomaly) {
		return nil, errors.New("this forecaster has no level and residual: ask for its means and quantiles only")
	}
	k.shape = features.KeyedShape{Columns: cfg.columns(), Inputs: 1 + cfg.Inputs, Version: keyedVersion,
		MaxBytes: k.model.MaxBytes() + 64 + 8*cfg.Inputs + maxHeld*(16+8*cfg.Inputs)}
	if cfg.Aggregate != AggregateNone {
		k.shape.MaxBytes += maxHeld * 10
	}
	if cfg.Group {
		k.season = startSeason(cfg.Seasons)
		k.shape.MaxBytes += startBytes(k.season)
		k.shape.GroupBytes = 1 + momentsBytes(k.season)
	}
	k.pool.New = func() any { return k.newScratch() }
	s := k.newScratch()
	s.visitor.Save(nil)
	s.state(&s.visitor)
	k.blank = s.visitor.Bytes()
	return k, nil
}

func (c *KeyedConfig) check() error {
	switch {
	case c.Step < 0:
		return errors.New("step below 0: give the length of a step, or 0 for one step per value")
	case c.Lateness < 0:
		return errors.New("lateness below 0: say by how much a value may be older than the newest one")
	case c.Horizon < 1 || c.Horizon > maxHorizon:
		return fmt.Errorf("horizon %d out of range: give the steps ahead, 1 to %d", c.Horizon, maxHorizon)
	case c.Step == 0 && c.Aggregate != AggregateNone:
		return errors.New("an aggregate needs the length of a step: add step")
	case c.Aggregate != AggregateNone && c.Lateness/max(c.Step, 1) > maxHeld-2:
		return fmt.Errorf("lateness of more than %d steps: with an aggregate so many can wait", maxHeld-2)
	case c.Step == 0 && c.Group:
		return errors.New("a group needs the length of a step: add step")
	case c.Step == 0 && c.Calendar.Width() > 0:
		return errors.New("a calendar needs the length of a step: add step")
	case c.Inputs < 0 || c.Inputs > 256:
		return fmt.Errorf("%d regressors: at most 256", c.Inputs)
	}
	if err := c.Calendar.check(); err != nil {
		return err
	}
	for i, m := range c.Seasons {
		if m < 2 || m > maxSeason || i > 0 && m <= c.Seasons[i-1] {
			return fmt.Errorf("seasons %v: give rising numbers of steps, each 2 to %d", c.Seasons, maxSeason)
		}
	}
	for i, h := range c.Leads {
		if h < 1 || h > c.Horizon || i > 0 && h <= c.Leads[i-1] {
			return fmt.Errorf("steps ahead %v: give rising numbers, each 1 to the horizon %d", c.Leads, c.Horizon)
		}
	}
	if err := CheckLevels(c.Levels); err != nil {
		return err
	}
	if len(c.Leads) == 0 && !c.Level && !c.Residual && !c.Anomaly {
		return errors.New("no column is asked for")
	}
	return nil
}

// CheckLevels returns an error unless the levels of quantiles rise and lie in (0, 1).
func CheckLevels(levels []float64) error {
	for i, q := range levels {
		if !(q > 0 && q < 1) || i > 0 && !(q > levels[i-1]) {
			return fmt.Errorf("levels %v: give rising numbers between 0 and 1, such as 0.1, 0.5, 0.9", levels)
		}
	}
	return nil
}

// columns names what Read appends: for each lead its mean, _7, and its quantiles, _7_q10; then _level, _residual, _anomaly.
func (c *KeyedConfig) columns() []string {
	var names []string
	for _, h := range c.Leads {
		names = append(names, "_"+strconv.Itoa(h))
		for _, q := range c.Levels {
			names = append(names, "_"+strconv.Itoa(h)+"_"+LevelName(q))
		}
	}
	for _, extra := range []struct {
		on   bool
		name string
	}{{c.Level, "_level"}, {c.Residual, "_residual"}, {c.Anomaly, "_anomaly"}} {
		if extra.on {
			names = append(names, extra.name)
		}
	}
	return names
}

// LevelName is how a quantile is called in names of columns: q10 for 0.1, q97_5 for 0.975.
func LevelName(q float64) string {
	text := strconv.FormatFloat(math.Round(q*1e8)/1e6, 'f', -1, 64)
	return "q" + strings.ReplaceAll(text, ".", "_")
}

// Shape returns columns, inputs, the bound of a state and the fold version.
func (k *Keyed) Shape() features.KeyedShape { return k.shape }

// Config returns what k was made with; borrowed.
func (k *Keyed) Config() *KeyedConfig { return &k.cfg }

// held is a value, or with an aggregate a step, that waits for older ones.
type held struct {
	Gathered
	from int // of its regressors in scratch.waiting
}

// scratch is one series that is loaded for each call, with the memory of an answer.
type scratch struct {
	k       *Keyed
	visitor codec.State
	track   *Track
	late    uint64
	newest  int64     // event time of the newest value
	done    int64     // event time of the newest value that was taken in for good
	inputs  []float64 // what is usual of each regressor
	held    []held
	waiting []float64 // regressors of the held values
	row     []float64 // regressors of one step
	rows    [][]float64
	rowsOf  []float64
	outlook models.Outlook
	begun   start   // of a young series
	group   moments // of the call, loaded from heard
	heard   []byte  // borrowed: the state of the group before an update
	known   []byte  // and after it, if it has learned
	tells   bool    // the call is an update
}

func (k *Keyed) newScratch() *scratch {
	return &scratch{k: k, track: NewTrack(k.model, k.cfg.Step), newest: features.NoTime, done: features.NoTime, inputs: make([]float64, k.cfg.Inputs),
		row: make([]float64, k.env.Regressors), begun: newStart(k.season), group: newMoments(k.season)}
}

// state visits a series with what waits.
func (s *scratch) state(c *codec.State) {
	version := byte(keyedVersion)
	c.Byte(&version)
	if version != keyedVersion {
		c.Fail("version %d of a keyed state", version)
		return
	}
	c.Uint64(&s.late)
	c.Int64(&s.newest)
	c.Int64(&s.done)
	for i := range s.inputs {
		c.Float64(&s.inputs[i])
	}
	s.stateHeld(c)
	if s.k.cfg.Group {
		s.begun.State(c)
	}
	s.track.State(c)
	if c.Loading() && c.Err() == nil && (s.done > s.newest || s.track.started != (s.done != features.NoTime) || s.track.started && s.track.outside()) {
		c.Fail("times of a keyed state")
	}
}

func (s *scratch) stateHeld(c *codec.State) {
	n, inputs := c.Len(len(s.held), 16, maxHeld), len(s.inputs)
	if c.Loading() {
		s.held, s.waiting = s.held[:0], s.waiting[:0]
		for i := range n {
			s.held = append(s.held, held{from: i * inputs})
		}
		for range n * inputs {
			s.waiting = append(s.waiting, 0)
		}
	}
	for i := range s.held {
		h := &s.held[i]
		s.stateValue(c, h)
		for j := range inputs {
			c.Float64(&s.waiting[h.from+j])
		}
		if c.Loading() && (h.Time > s.newest || h.Time < s.done && s.k.cfg.Step == 0 || i > 0 && h.Time < s.held[i-1].Time || !finite(h.Value) || h.Count < 1) {
			c.Fail("value that waits out of order")
		}
	}
}

// stateValue visits a value that waits: its time and itself, or with an aggregate all that its step has gathered.
func (s *scratch) stateValue(c *codec.State, h *held) {
	if s.k.cfg.Aggregate != AggregateNone {
		h.State(c)
		return
	}
	c.Int64(&h.Time)
	c.Float64(&h.Value)
	h.Count = 1
}

// load makes s the series of a state; bytes that are none are an error, and s then is a new series.
func (s *scratch) load(state []byte) error {
	if len(state) > 0 {
		s.visitor.Load(state)
		s.state(&s.visitor)
		err := s.visitor.Close()
		if err == nil {
			return nil
		}
		s.loadBlank()
		return err
	}
	s.loadBlank()
	return nil
}

func (s *scratch) loadBlank() {
	s.visitor.Load(s.k.blank)
	s.state(&s.visitor)
	if err := s.visitor.Close(); err != nil {
		panic("forecast: a series refuses the state of an empty one: " + err.Error())
	}
}

// within returns t in the range of event times.
func within(t int64) int64 { return max(-maxTime, min(t, maxTime)) }

// maxTime bounds event times, so that differences of steps stay in range: about 73,000 years around 1970.
const maxTime = 1 << 61

// Check returns an error if the bytes are no state of this forecaster.
func (k *Keyed) Check(state []byte) error {
	s := k.pool.Get().(*scratch)
	defer k.pool.Put(s)
	return s.load(state)
}

// Update takes in x[0] with the regressors after it. A missing value changes nothing. A new series starts from nothing.
func (k *Keyed) Update(state []byte, t int64, x []float64) (next []byte, late bool) {
	next, _, late = k.UpdateIn(state, nil, t, x)
	return next, late
}

// take puts a value in its place and takes in what no longer waits.
func (s *scratch) take(t int64, x []float64) (late bool) {
	if s.k.cfg.Aggregate != AggregateNone {
		return s.gather(t, x)
	}
	if s.track.started && (s.k.cfg.Step == 0 && t < s.done || s.track.at(t) < s.track.slot) {
		s.late++
		return true
	}
	if t >= s.newest {
		s.newest = t
	}
	at := len(s.held)
	for at > 0 && s.held[at-1].Time > t {
		at--
	}
	s.held = slices.Insert(s.held, at, held{Gathered{t, x[0], 1}, len(s.waiting)})
	s.waiting = append(s.waiting, x[1:1+s.k.cfg.Inputs]...)
	n := 0
	for n < len(s.held) && (s.held[n].Time <= s.newest-s.k.cfg.Lateness || len(s.held)-n > maxHeld) {
		s.observeHeld(&s.held[n])
		s.done = max(s.done, s.held[n].Time)
		n++
	}
	s.held = slices.Delete(s.held, 0, n)
	return false
}

// usualWeight is the weight of the newest regressors in what is usual for a series.
const usualWeight = 0.1

func (s *scratch) observeHeld(h *held) {
	s.observe(h.Time, h.Value, s.waiting[h.from:h.from+len(s.inputs)])
}

// observe takes a value into the series.
func (s *scratch) observe(t int64, y float64, given []float64) {
	n := s.k.cfg.Calendar.Width()
	if n > 0 {
		s.k.cfg.Calendar.Fill(s.row[:n], s.track.start(s.track.at(t)))
	}
	for i, v := range given {
		switch {
		case !finite(v):
		case !s.track.started:
			s.inputs[i] = v
		default:
			s.inputs[i] += float64(usualWeight * (v - s.inputs[i]))
		}
	}
	copy(s.row[n:], given)
	if !s.begun.on {
		s.track.Update(t, y, s.row)
		return
	}
	own := s.ahead(t)
	taken := s.track.Update(t, y, s.row)
	s.begin(y, own, taken == TakenStep)
}

// ready loads a state and takes in all that waits: the series is then that of the newest value, and with an aggregate of the newest step that an answer at t can know.
func (s *scratch) ready(state []byte, t int64) error {
	err := s.load(state)
	if s.k.cfg.Aggregate != AggregateNone {
		s.readySteps(t)
		return err
	}
	for i := range s.held {
		s.observeHeld(&s.held[i])
	}
	return err
}

// Read appends the columns at t. A series without values, or bytes that are none, answers NaN.
func (k *Keyed) Read(dst []float64, state []byte, t int64) []float64 {
	from := len(dst)
	if len(state) > 0 {
		s := k.pool.Get().(*scratch)
		if s.ready(state, within(t)) == nil {
			dst = s.read(dst, within(t))
		}
		k.pool.Put(s)
	}
	for len(dst)-from < len(k.shape.Columns) {
		dst = append(dst, math.NaN())
	}
	return dst
}

func (s *scratch) read(dst []float64, t int64) []float64 {
	c := &s.k.cfg
	if n := len(c.Leads); n > 0 {
		first := c.Leads[0]
		o := s.room(c.Leads[n-1]-first+1, c.Levels)
		ahead := s.steps(t)
		o.Skip = ahead + int64(first-1)
		s.forecast(o, nil)
		for _, h := range c.Leads {
			i := h - first
			dst = append(dst, o.Mean[i])
			dst = append(dst, o.Quantiles[i*len(c.Levels):(i+1)*len(c.Levels)]...)
		}
	}
	if c.Level {
		dst = append(dst, s.track.Series.(models.Insight).Level())
	}
	if c.Residual || c.Anomaly {
		v, deviation := s.track.Series.(models.Insight).Residual()
		if c.Residual {
			dst = append(dst, v)
		}
		if c.Anomaly {
			dst = append(dst, strangeness(v, deviation))
		}
	}
	return dst
}

// steps is how many steps the asked time, or the newest value if that is later, lies after the present step of the series.
func (s *scratch) steps(t int64) int64 {
	if s.k.cfg.Aggregate != AggregateNone {
		t = max(t, s.newest)
	}
	return s.track.Ahead(t)
}

// strangeness is P(|Z| < |v|/deviation) for a standard normal Z.
func strangeness(v, deviation float64) float64 {
	if !(deviation > 0) {
		if v == 0 {
			return 0
		}
		return math.NaN()
	}
	return math.Erf(math.Abs(v) / (deviation * math.Sqrt2))
}

// room returns the outlook for so many steps.
func (s *scratch) room(steps int, levels []float64) *models.Outlook {
	o := &s.outlook
	o.Mean = slices.Grow(o.Mean[:0], steps)[:steps]
	o.Quantiles = slices.Grow(o.Quantiles[:0], steps*len(levels))[:steps*len(levels)]
	o.Levels = levels
	return o
}

// future returns the regressors of the steps that o answers: those of the calendar, and given, or the usual ones where given is nil. nil without any.
func (s *scratch) future(o *models.Outlook, given [][]float64) [][]float64 {
	width := s.k.env.Regressors
	if width == 0 {
		return nil
	}
	n, steps := s.k.cfg.Calendar.Width(), len(o.Mean)
	s.rowsOf = slices.Grow(s.rowsOf[:0], steps*width)[:steps*width]
	s.rows = slices.Grow(s.rows[:0], steps)[:steps]
	for i := range steps {
		row := s.rowsOf[i*width : (i+1)*width]
		if n > 0 {
			s.k.cfg.Calendar.Fill(row[:n], s.track.start(s.track.slot+o.Skip+int64(i)+1))
		}
		if given != nil {
			copy(row[n:], given[i])
		} else {
			copy(row[n:], s.inputs)
		}
		s.rows[i] = row
	}
	return s.rows
}

// Place says where in time a forecast stands.
type Place struct {
	First  int64  // start of the first step answered, µs; features.NoTime where steps have no length, or nothing is known
	Newest int64  // event time of the newest value, µs; features.NoTime without one
	Late   uint64 // values of this series that came too late and were left out
}

// Forecast answers the steps after the one that t lies in (the newest value's, if t is older) into o. future are the regressors of these steps, a row of
// Inputs for each; nil for a model without. Errors: bytes that are no state, and regressors that are missing.
func (k *Keyed) Forecast(o *models.Outlook, state []byte, t int64, future [][]float64) (Place, error) {
	if err := k.checkFuture(o, future); err != nil {
		return Place{}, err
	}
	s := k.pool.Get().(*scratch)
	defer k.pool.Put(s)
	if err := s.ready(state, within(t)); err != nil {
		return Place{}, err
	}
	o.Skip = s.steps(within(t))
	s.forecast(o, future)
	p := Place{First: features.NoTime, Newest: s.newest, Late: s.late}
	if k.cfg.Step > 0 && s.track.started {
		p.First = s.track.start(s.track.slot + o.Skip + 1)
	}
	return p, nil
}

func (k *Keyed) checkFuture(o *models.Outlook, future [][]float64) error {
	if k.cfg.Inputs > 0 && len(future) < len(o.Mean) {
		return fmt.Errorf("future regressors for %d of %d steps: give a row for each step asked for", len(future), len(o.Mean))
	}
	for i := range future {
		if len(future[i]) != k.cfg.Inputs {
			return fmt.Errorf("future regressors of step %d: %d numbers, %d are wanted", i+1, len(future[i]), k.cfg.Inputs)
		}
		for _, v := range future[i] {
			if !finite(v) {
				return fmt.Errorf("future regressors of step %d: a number is missing or infinite", i+1)
			}
		}
	}
	return nil
}
