// Package evaluate runs models of the catalogue over a file or a generated stream, test-then-train: each row is predicted, scored when its label
// comes, and then learned. It is what `freshet evaluate` calls.
//
// It stands beside the flow: no topics, no state store, the same models, the same order of calls and the same metrics as
// the live learner (models/fold), so that what is found here holds there.
package evaluate

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/metric"
)

// Options say what to evaluate on what.
type Options struct {
	// Model is the spec as it was written, for the report; see ParseModel.
	Model string
	Spec  models.Spec
	// Others are models that run beside the first on the same rows and labels, and are compared with it.
	Others []Candidate

	Path   string    // the file, plain, gzip or zstandard, told apart by its first bytes; or generator:SPEC, see datasets/generator
	Reader io.Reader // instead of Path: copied to a temporary file
	Format string    // one of Formats; "": what name and beginning of the file say
	Target string    // the column to predict; may be "" where the format has one: label of libsvm and vw, the last of arff, a generator's

	// Task is binary, multiclass, regression or anomaly; 0: regression for a column of numbers with more than two values,
	// else binary for two values and multiclass for more. A binary target's positive class is the
	// greater of its two values: by number if both are numbers (1 over 0), else by text (UP over DOWN, yes over no).
	Task        models.Task
	Classes     []string // all labels that there may be; empty: those that are found
	Drop        []string // columns that the model does not see
	Categorical []string // columns of numbers that are names
	Numeric     []string // columns that hold numbers: a text there is an error, not a category
	Text        []string // columns of texts, of which the first 384 bytes are given to the model, for word_ngrams and its like
	Time        string   // the column of event times, which the model does not see; "" if there is none
	Key         string   // the column of entity keys, which the model does not see; "" if there is none

	MaxCategories int // distinct values that a categorical column may have; 0: DefaultCategories

	Delay       Delay
	Seed        uint64 // for models that draw random numbers
	Limit       int64  // rows to read, 0: all
	Predictions string // file to write every scored answer to, as CSV; "" for none

	Every  int64  // labels between two points of the metrics' curve; 0: no curve
	Recent Recent // what the curve's recent metrics are over; zero: the labels since the point before

	Save string // file to write the model's state to when all is learned; "" for none
	Load string // file with a state to begin with; "" for none

	// OnPoint is told of each point of the curve as soon as it is there, between two batches of rows; nil: nobody. An error ends the run.
	OnPoint func(*CurvePoint) error
}

// Candidate is a model beside the first.
type Candidate struct {
	Model string
	Spec  models.Spec
}

// DefaultCategories is how many distinct values a categorical column may have unless told otherwise.
const DefaultCategories = 100_000

// Delay is how long a label takes. The zero Delay is none: the label of a row is learned before the next row is predicted.
type Delay struct {
	Events   int64         // rows that are predicted after this one before its label comes
	Duration time.Duration // or event time until it comes; needs a column of times
}

// ParseDelay reads the value of --label-delay: a number of events, or a duration such as 36h or 7d.
func ParseDelay(text string) (Delay, error) {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil && n >= 0 {
		return Delay{Events: n}, nil
	}
	if days, ok := strings.CutSuffix(text, "d"); ok {
		if n, err := strconv.ParseFloat(days, 64); err == nil && n >= 0 && n < 1e5 {
			return Delay{Duration: time.Duration(n * 24 * float64(time.Hour))}, nil
		}
	}
	if d, err := time.ParseDuration(text); err == nil && d >= 0 {
		return Delay{Duration: d}, nil
	}
	return Delay{}, fmt.Errorf("label delay %q: give a number of events (100) or a duration (90s, 36h, 7d)", text)
}

// Recent says over which of the newest labels metrics are computed: one of its fields, or none of them.
type Recent struct {
	Events   int           // that many
	Duration time.Duration // those of that much event time
	Fading   float64       // all, each with this share of the weight of the one after it; in (0, 1)
}

// ParseRecent reads the value of --recent: a number of events, a duration, or fading and its factor as in fading:0.999.
func ParseRecent(text string) (Recent, error) {
	if factor, ok := strings.CutPrefix(text, "fading:"); ok {
		if f, err := strconv.ParseFloat(factor, 64); err == nil && f > 0 && f < 1 {
			return Recent{Fading: f}, nil
		}
		return Recent{}, fmt.Errorf("recent %q: the factor of fading lies between 0 and 1, as in fading:0.999", text)
	}
	d, err := ParseDelay(text)
	if err != nil || d == (Delay{}) || d.Events > metric.MaxRecent {
		return Recent{}, fmt.Errorf("recent %q: give a number of events up to %d (1000), a duration (24h, 7d), or fading:0.999", text, metric.MaxRecent)
	}
	return Recent{Events: int(d.Events), Duration: d.Duration}, nil
}

// ParseModel reads the value of --model: a spec as YAML, such as auto or [standard_scaler, logistic_regression], or @file for a file that holds
// one. Errors say what is wrong with the text; whether the names exist is checked by Run, for the task.
func ParseModel(text string) (models.Spec, error) {
	if path, ok := strings.CutPrefix(text, "@"); ok {
		b, err := os.ReadFile(path)
		if err != nil {
			return models.Spec{}, fmt.Errorf("model spec: %w", err)
		}
		text = string(b)
	}
	if strings.TrimSpace(text) == "" {
		return models.Spec{}, fmt.Errorf("model spec: nothing there: name a model, such as auto")
	}
	var v any
	if err := yaml.Unmarshal([]byte(text), &v); err != nil {
		return models.Spec{}, fmt.Errorf("model spec: not YAML: %w", err)
	}
	s, err := models.ParseSpec(v)
	if err != nil {
		return models.Spec{}, fmt.Errorf("model spec: %w", err)
	}
	return s, nil
}
