package backtest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/models/fold"
	"github.com/freshet-ml/freshet/trainer"
)

// Visit takes the next item. appended is the timestamp of its record in µs, features.NoTime where there is none. Both
// are borrowed.
type Visit func(it *features.Item, appended int64) error

// Items hands out the items of a candidate, in order, from the beginning at every call, and stops at the first
// error of visit. Seq of the items is not set.
type Items func(ctx context.Context, visit Visit) error

// Candidate is one project with its view of the recorded events.
type Candidate struct {
	Name    string // in the report; unique
	Program *trainer.Program
	Items   Items
	MaxSkew time.Duration // of the project; 0: one minute
}

// Options describe a backtest.
type Options struct {
	// Candidates run one after the other; every other one is compared with the first.
	Candidates []Candidate
	// AsLive folds the items just as they are: From and To then bound only what is scored.
	AsLive bool
	// From and To bound the event times that are replayed, To excluded; zero: no bound. Rows of tables older
	// than From are replayed too. Only examples whose trigger lies between them are scored.
	From, To time.Time
	// WarmUp is event time at the beginning in which models learn and are not scored. It is counted from From,
	// or from the first event of a source that is no table.
	WarmUp       time.Duration
	Availability Availability
	Months       bool // report scores by calendar month (UTC), too
	// Details adds what a report draws: curves over event time, calibration, segments, label delays, drift. Memory: up to
	// 250 KB a model for curves, 1,024 values a segment column, and the texts of up to 100,000 categories.
	Details bool
	// Segments are the categorical columns by which scores are taken apart with Details, such as scheduled.carrier, or the name of
	// a field of the trigger. Empty: the first eight with 2 to 50 values.
	Segments   []string
	Thresholds []Threshold
	Workers    int // goroutines that fold models; 0: 2
	Resamples  int // bootstrap replicas of a band; 0: 1,000
	// Live visits the example log that a live run of the first candidate wrote for a trigger; nil: there is
	// none to compare with. It returns ErrNoLog when that trigger has none.
	Live func(ctx context.Context, trigger string, visit func(*fold.Entry) error) error
	// Predictions is told of every answer whose label came, in the order of the example log; nil: nobody.
	Predictions func(*Prediction) error
	// Progress is told every few thousand items, from another goroutine than that of Predictions; nil: nobody.
	Progress func(Progress)
	Build    string // of the program, for the report
	// Now measures how long the backtest takes; nil: it is not measured.
	Now func() time.Time
}

// Progress is how far a backtest is.
type Progress struct {
	Candidate string
	Index, Of int    // of the candidate, from 0
	Items     uint64 // of this candidate
	EventTime int64  // newest, µs
}

// Prediction is an answer with its label. It is borrowed.
type Prediction struct {
	Candidate, Trigger, Model string
	ID                        string
	Time                      int64 // event time of the trigger, µs
	LabelTime                 int64 // event time of the label, µs
	Label                     float64
	Answer                    []float64
	Scored                    bool // false in the warm-up and beyond From and To
}

// Errors that callers tell apart.
var (
	ErrNoTrigger = errors.New("no trigger event")
	ErrUnknown   = errors.New("unknown name")
	ErrOptions   = errors.New("options contradict each other")
	ErrNoLog     = errors.New("no example log")
)

func (o *Options) check() error {
	var errs []error
	if len(o.Candidates) == 0 {
		errs = append(errs, fmt.Errorf("no candidate to backtest: %w", ErrOptions))
	}
	names := map[string]bool{}
	for _, c := range o.Candidates {
		if names[c.Name] {
			errs = append(errs, fmt.Errorf("two candidates are named %q: %w", c.Name, ErrOptions))
		}
		names[c.Name] = true
		if len(c.Program.Triggers) == 0 {
			errs = append(errs, fmt.Errorf("candidate %s has no models: %w", c.Name, ErrOptions))
		}
	}
	if !o.From.IsZero() && !o.To.IsZero() && !o.From.Before(o.To) {
		errs = append(errs, fmt.Errorf("from %s is not before to %s: %w", o.From.Format(time.RFC3339), o.To.Format(time.RFC3339), ErrOptions))
	}
	if o.WarmUp < 0 {
		errs = append(errs, fmt.Errorf("warm-up %s is negative: %w", o.WarmUp, ErrOptions))
	}
	if o.AsLive && o.Availability.Mode != AtEvent {
		errs = append(errs, fmt.Errorf("availability %s: the order of an events log is decided, as live: %w", o.Availability, ErrOptions))
	}
	if o.AsLive && len(o.Candidates) > 1 {
		errs = append(errs, fmt.Errorf("%d candidates as live: another project has another events log; replay the sources: %w", len(o.Candidates), ErrOptions))
	}
	if len(errs) == 0 {
		for _, t := range o.Thresholds {
			errs = append(errs, t.check(o.Candidates))
		}
		errs = append(errs, o.checkSegments()...)
	}
	return errors.Join(errs...)
}

// member finds a model, challenger or baseline of a candidate.
func (c *Candidate) member(name string) *fold.Member {
	for _, t := range c.Program.Triggers {
		for i := range t.Members {
			if t.Members[i].Name == name {
				return &t.Members[i]
			}
		}
	}
	return nil
}

func (c *Candidate) memberNames() string {
	var names []string
	for _, t := range c.Program.Triggers {
		for i := range t.Members {
			names = append(names, t.Members[i].Name)
		}
	}
	return strings.Join(names, ", ")
}

func micros(t time.Time, or int64) int64 {
	if t.IsZero() {
		return or
	}
	return t.UnixMicro()
}
