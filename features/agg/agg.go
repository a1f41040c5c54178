package agg

import (
	"errors"
	"fmt"
	"math"
	"time"
)

// Row is one event as an aggregation sees it.
type Row struct {
	X    float64 // the value; 1 where the aggregation has none
	Y    float64 // the denominator of ratio; 1 elsewhere
	Time int64   // when the event takes effect, µs
	Seq  uint64  // its place in the order of events: breaks ties of Time
}

// Partial is a partial aggregate over a cell of bytes. Implementations are comparable values: equal ones
// over the same inputs are kept once. Methods never keep a cell and never read a clock.
type Partial interface {
	// Width is the length of every cell in bytes, or 0 for cells that grow.
	Width() int
	// Init makes cell empty: it writes the empty aggregate into the Width bytes of cell, or returns
	// cell[:0] where cells grow.
	Init(cell []byte) []byte
	// Add adds a row, in any order of time, and returns the cell, which it may have grown. X and Y are
	// not missing, except that X is NaN for a null of a table's row.
	Add(cell []byte, r Row) []byte
	// Merge adds all rows of other, which it leaves alone, and returns the cell.
	Merge(cell, other []byte) []byte
	// Check returns an error if a cell, of Width bytes where that is fixed, was never made by this Partial.
	Check(cell []byte) error
	// Name identifies the partial with its parameters in fingerprints.
	Name() string
}

// Runner is a Partial of fixed width with tight loops, worth it for those that are read often. The results are
// those of Add for every row of which X is not missing, and of Merge for every cell, up to rounding, and
// a function of the bytes alone.
type Runner interface {
	AddRun(cell []byte, rows Rows)
	MergeRun(cell []byte, cells Cells)
}

// Span is what a merged partial covers.
type Span struct {
	Seconds float64 // length of the window; 0: lifetime
	End     int64   // the asked time, less the lag, µs
}

// Fold is an aggregation with its parameters.
type Fold struct {
	Partial Partial
	Columns int // how many columns Finish writes
	// Category says that the columns are values of the input: categories where the input is text.
	Category bool
	// Numbered columns are called name_1, name_2 …
	Numbered bool
	// Nulls says that a null in a table's row replaces the value before it, instead of being left out.
	Nulls bool
	// Finish writes the columns of a merged cell. Missing is NaN; so is, to the caller, every result that is not finite.
	Finish func(dst []float64, cell []byte, s Span)
}

// Need says whether an aggregation takes a value expression.
type Need uint8

// The needs.
const (
	NoValue Need = iota
	MayValue
	MustValue
)

// Params are the parameters of an aggregation; zero means the default.
type Params struct {
	Valued   bool          // a value expression was given
	K        int           // last_k, first_k: how many; lag: how many events ago
	HalfLife time.Duration // decayed_*
	Weight   float64       // decayed_mean by event
	Cap      int           // distinct
}

// Spec describes an aggregation: what documents and checks are made of.
type Spec struct {
	Name    string
	Doc     string // one sentence or two: what the feature is, and what it is without events
	Value   Need
	Text    bool     // the value may be a string
	Per     bool     // takes a denominator
	Uses    []string // names of the parameters that it takes: k, half_life, weight, cap
	Windows bool     // may be over windows
	Always  bool     // may be over the lifetime
	Set     bool     // open and its like: kept in a Set, not in a Partial
	Cost    string   // of adding and of reading
	Memory  string   // of a partial
	Source  string   // where the algorithm is described
	Version int      // fold version: raised when the arithmetic changes
	// New makes the fold, or says what is wrong with the parameters. Nil for sets.
	New func(p Params) (Fold, error)
	// OfSet reads a Set at t, for sets only.
	OfSet func(s *Set, t int64) float64
}

// Catalog lists every aggregation.
var Catalog = []Spec{
	countSpec, sumSpec, meanSpec, minSpec, maxSpec, varianceSpec, stddevSpec,
	firstSpec, lastSpec, firstKSpec, lastKSpec, lagSpec, distinctSpec,
	decayedCountSpec, decayedSumSpec, decayedMeanSpec, rateSpec, ratioSpec,
	sinceSpec, gapMeanSpec, openSpec, openAgeSpec,
}

// Find returns the aggregation of that name, or nil.
func Find(name string) *Spec {
	for i := range Catalog {
		if Catalog[i].Name == name {
			return &Catalog[i]
		}
	}
	return nil
}

// Of aggregates rows in one go: for examples, tests and people who try things out.
func Of(name string, p Params, s Span, rows ...Row) ([]float64, error) {
	spec := Find(name)
	if spec == nil || spec.New == nil {
		return nil, fmt.Errorf("aggregation %q over rows: unknown", name)
	}
	f, err := spec.New(p)
	if err != nil {
		return nil, err
	}
	cell := f.Partial.Init(make([]byte, f.Partial.Width()))
	for _, r := range rows {
		cell = f.Partial.Add(cell, r)
	}
	dst := make([]float64, f.Columns)
	f.Finish(dst, cell, s)
	return dst, nil
}

var errCell = errors.New("malformed cell of a partial aggregate")

// plain returns the New of an aggregation without parameters and with one column.
func plain(p Partial, finish func(cell []byte, s Span) float64) func(Params) (Fold, error) {
	return func(Params) (Fold, error) { return one(p, finish), nil }
}

// one returns a fold with one column.
func one(p Partial, finish func(cell []byte, s Span) float64) Fold {
	return Fold{Partial: p, Columns: 1, Finish: func(dst []float64, cell []byte, s Span) {
		dst[0] = finish(cell, s)
	}}
}

// fill writes missing to all of dst.
func fill(dst []float64) {
	for i := range dst {
		dst[i] = math.NaN()
	}
}
