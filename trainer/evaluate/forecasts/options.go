// Package forecasts evaluates forecasters of the catalogue on files of series, with rolling origins: each series is learned value by value, and at its
// origins the next steps are forecast, then scored when their values come. It is what `freshet evaluate --task forecast` calls.
//
// It stands beside the flow, as trainer/evaluate does: no topics, no state store, and the same models.Forecaster that features and the service use. One
// pass and no refit: what a series learned before an origin stays, and it learns on.
package forecasts

import (
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/trainer/evaluate"
	"github.com/freshet-ml/freshet/trainer/evaluate/draw"
)

// Limits of an evaluation: what is beyond is refused with an error.
const (
	MaxHorizon = 4096
	MaxSeason  = 1 << 16
	MaxSeries  = 1 << 22
	maxValues  = 1 << 27 // numbers held in memory: values and regressors
	maxLevels  = 64
)

// Layouts are the shapes that a file of series can have: a row for each value (key, time, value), for each series (M4's own: an id, then its values), or for each time
// (a column for each series).
var Layouts = []string{"long", "rows", "columns"}

// Repeats are what can be done with several values of one key and step.
var Repeats = []string{"error", "first", "last", "mean", "sum"}

// DefaultLevels are the quantiles that are reported unless told otherwise.
var DefaultLevels = []float64{0.025, 0.1, 0.5, 0.9, 0.975}

// Options say what to evaluate on what.
type Options struct {
	// Model is the spec as it was written, for the report; see evaluate.ParseModel.
	Model string
	Spec  models.Spec
	// Others run beside the first on the same series, and are compared with it.
	Others []evaluate.Candidate

	Path   string    // the file, plain, gzip or zstandard: CSV, JSON lines, Parquet or ARFF
	Reader io.Reader // instead of Path: copied to a temporary file
	Test   string    // a second file, of the same shape, with the values after those of the first
	Format string    // one of evaluate.Formats; "": what name and beginning of the file say
	Layout string    // one of Layouts; "": what the names of the columns say

	Time   string // the column of times; "": the rows of a key stand in order, one step each
	Key    string // the column of keys; "": one series
	Target string // the column of values, of long files
	// Regressors are columns of long files with numbers that are known for the future. Every step that is forecast needs them.
	Regressors []string
	Drop       []string // of files with a column for each series: columns that are none

	// Step is the length of a step: a duration (15m, 1h, 7d, 1w), a stretch of the calendar (1mo, 1q, 1y), or a number where times are
	// numbers; "": found from the times.
	Step   string
	Zone   *time.Location // of times without an offset; nil: UTC
	Snap   bool           // times belong to the step they lie in; otherwise they must fit the steps
	Repeat string         // one of Repeats; "": error

	Horizon int   // steps ahead, at least 1
	Seasons []int // steps of each season; errors are scaled by the first
	// Origins are where forecasts begin. Zero: one, the last that leaves a horizon of values, or the end of Path if there is a Test.
	Origins Origins
	WarmUp  int // values of a series before its first origin; 0: two of the longest season for all origins, else 1

	Levels      []float64 // of the quantiles that are reported, rising; empty: DefaultLevels
	Seed        uint64    // for models that draw random numbers
	Limit       int64     // rows to read of Path, 0: all. Keys of Test beyond are left out
	Predictions string    // file to write every answer to, as CSV; "" for none
	ByKey       string    // file to write the scores of each series to, as CSV; "" for none
	Save        string    // file to write the states of all series to, when all is learned; "" for none
	Load        string    // file with states to begin with; "" for none
	Plot        string    // file to draw some series to, .svg, .png or .html; "" for none
	PlotKeys    []string  // which; empty: the first
	Every       int64     // series between two points of the metrics' curve; 0: no curve
	// OnPoint is told of each point of the curve as soon as it is there, from one goroutine at a time; nil: nobody. An error ends the run.
	OnPoint func(*CurvePoint) error
	Workers int // goroutines; 0: as many as processors. They change no bit of the result
}

// Origins say at which steps a series is forecast: the last Count of those that leave a horizon of values (with a Test: the first Count from the end of Path on), or All.
type Origins struct {
	Count  int
	All    bool
	Stride int // steps from one origin to the next; 0: 1
}

// ParseOrigins reads last, all or a number.
func ParseOrigins(text string) (Origins, error) {
	switch text {
	case "", "last":
		return Origins{}, nil
	case "all":
		return Origins{All: true}, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		return Origins{}, fmt.Errorf("origins %q: give last, all, or a number of origins, at least 1", text)
	}
	return Origins{Count: n}, nil
}

// DefaultModel is the forecaster that is taken when none is named, of those that the catalogue has.
func DefaultModel(all models.Registry) string {
	if c := all.Find("forecaster_bank"); c != nil && c.NewForecaster != nil {
		return c.Name
	}
	return "seasonal_naive"
}

// check finds options that are out of range or do not go together.
func (o *Options) check() error {
	switch {
	case o.Path == "" && o.Reader == nil:
		return errors.New("data file: none given: a test file alone leaves nothing to learn from; name the file to learn with --data, - for standard input")
	case strings.HasPrefix(o.Path, "generator:"):
		return errors.New("data: generated streams are no series: name a file")
	case o.Horizon < 1 || o.Horizon > MaxHorizon:
		return fmt.Errorf("horizon %d: give the steps ahead that are forecast, 1 to %d", o.Horizon, MaxHorizon)
	case o.Layout != "" && !slices.Contains(Layouts, o.Layout):
		return fmt.Errorf("layout %q: choose one of %s", o.Layout, strings.Join(Layouts, ", "))
	case o.Repeat != "" && !slices.Contains(Repeats, o.Repeat):
		return fmt.Errorf("repeated %q: choose one of %s", o.Repeat, strings.Join(Repeats, ", "))
	case o.Origins.Count < 0 || o.Origins.Stride < 0 || o.WarmUp < 0 || o.Limit < 0 || o.Every < 0:
		return errors.New("origins, stride, warm-up, limit and every are 0 or more")
	case len(o.Others) > 0 && (o.Save != "" || o.Load != ""):
		return errors.New("save and load are for one model: run the models one by one")
	}
	if err := o.checkSeasons(); err != nil {
		return err
	}
	if err := o.checkPlot(); err != nil {
		return err
	}
	return o.checkLevels()
}

func (o *Options) checkPlot() error {
	switch {
	case len(o.PlotKeys) > maxPlots:
		return fmt.Errorf("plot-key: %d series, at most %d are drawn", len(o.PlotKeys), maxPlots)
	case len(o.PlotKeys) > 0 && o.Plot == "":
		return errors.New("plot-key: name the file to draw to with --plot")
	case o.Plot == "":
		return nil
	}
	_, err := draw.Check(o.Plot)
	return err
}

func (o *Options) checkSeasons() error {
	for i, m := range o.Seasons {
		if m < 2 || m > MaxSeason {
			return fmt.Errorf("season %d: give a number of steps, 2 to %d, such as 24 for hours and a day; none for series without", m, MaxSeason)
		}
		if slices.Contains(o.Seasons[:i], m) {
			return fmt.Errorf("season %d is there twice", m)
		}
	}
	return nil
}

func (o *Options) checkLevels() error {
	if len(o.Levels) > maxLevels {
		return fmt.Errorf("levels: %d, at most %d", len(o.Levels), maxLevels)
	}
	for i, l := range o.Levels {
		if !(l > 0 && l < 1) || i > 0 && l <= o.Levels[i-1] {
			return fmt.Errorf("levels %v: give rising numbers between 0 and 1, such as 0.025,0.5,0.975", o.Levels)
		}
	}
	return nil
}

// scale is the season by which errors are scaled: the first that was given, as M4 does with the main one; 1 without.
func (o *Options) scale() int {
	if len(o.Seasons) > 0 {
		return o.Seasons[0]
	}
	return 1
}

// seasons are those of the models, rising.
func (o *Options) seasons() []int {
	s := slices.Clone(o.Seasons)
	slices.Sort(s)
	return s
}

// warmUp is how many values come before the first origin at least.
func (o *Options) warmUp() int {
	switch {
	case o.WarmUp > 0:
		return o.WarmUp
	case o.Origins.All:
		longest := 1
		for _, m := range o.Seasons {
			longest = max(longest, m)
		}
		return 2 * longest
	}
	return 1
}

// levels are those that are asked for, within: the reported ones, those of intervals, and a grid for the ranked probability score.
type levels struct {
	all      []float64
	reported []int // places in all
	grid     []int
	interval [4]int // 0.025, 0.1, 0.9, 0.975
}

// crpsLevels is the size of the grid: the centres of so many equal parts of (0, 1), whose mean pinball loss is the midpoint rule for the integral of the loss.
const crpsLevels = 20

func newLevels(reported []float64) *levels {
	if len(reported) == 0 {
		reported = DefaultLevels
	}
	l := &levels{all: slices.Clone(reported)}
	grid := make([]float64, crpsLevels)
	for i := range grid {
		grid[i] = (float64(i) + 0.5) / crpsLevels
	}
	ends := []float64{0.025, 0.1, 0.9, 0.975}
	const same = 1e-9
	for _, x := range slices.Concat(grid, ends) {
		if !slices.ContainsFunc(l.all, func(y float64) bool { return math.Abs(x-y) < same }) {
			l.all = append(l.all, x)
		}
	}
	slices.Sort(l.all)
	place := func(x float64) int {
		return slices.IndexFunc(l.all, func(y float64) bool { return math.Abs(x-y) < same })
	}
	for _, x := range reported {
		l.reported = append(l.reported, place(x))
	}
	for _, x := range grid {
		l.grid = append(l.grid, place(x))
	}
	for i, x := range ends {
		l.interval[i] = place(x)
	}
	return l
}
