// Package models holds the contract that every model keeps, the catalogue that lists them, pipelines,
// and the state envelope. It stands after features in the flow: vectors come in, answers go out, and
// labels teach. It is pure: time comes in with examples, randomness is seeded state.
package models

import (
	"slices"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/internal/codec"
)

// Row is a feature vector. Index nil means dense: Value[i] is column i. Otherwise Index is strictly
// increasing, Value[j] belongs to column Index[j] and absent columns are 0. NaN is missing. Rows are
// borrowed: a model copies what it keeps.
type Row struct {
	Index []uint32
	Value []float64
}

// At returns the value of a column: NaN if it is missing, 0 if the row is sparse and does not hold it
// or if the row is too short. Cost: O(1) dense, O(log entries) sparse.
func (r *Row) At(column int) float64 {
	if r.Index == nil {
		if column < len(r.Value) {
			return r.Value[column]
		}
		return 0
	}
	if j, ok := slices.BinarySearch(r.Index, uint32(column)); ok {
		return r.Value[j]
	}
	return 0
}

// Example is all that a record of the example log fixes about one example. One is reused per
// goroutine; models must not keep it.
type Example struct {
	Row
	Key    uint64  // hash of the entity, 0 if there is none or it is not known; of the example's id where the model has no use for entities
	Time   int64   // event time, µs since the epoch
	Y      float64 // label: a number, or the class index of a classifier; never NaN in Learn
	Weight float64 // ≥ 0; 1 by default
}

// Task is what a model answers.
type Task uint8

// The tasks. Numbers are part of the storage format.
const (
	Binary     Task = 1 // Predict gives one number: P(Y = 1)
	Multiclass Task = 2 // Predict gives one probability for each class, summing to 1
	Regression Task = 3 // Predict gives one number
	Forecast   Task = 4 // Predict gives horizon numbers
	Anomaly    Task = 5 // Predict gives one score in [0, 1], higher is stranger
)

var taskNames = map[Task]string{Binary: "binary", Multiclass: "multiclass", Regression: "regression", Forecast: "forecast", Anomaly: "anomaly"}

// String returns the name that project files and commands use.
func (t Task) String() string { return taskNames[t] }

// ParseTask returns the task of that name, and false if there is none.
func ParseTask(name string) (Task, bool) {
	for t, n := range taskNames {
		if n == name {
			return t, true
		}
	}
	return 0, false
}

// Predictor answers. Predict appends its answer to dst and returns it (1 number, one per class, or one
// per step of the horizon). It never changes state that an answer or a hash depends on.
// A model may append more numbers after its answer, for itself: whoever scores or serves takes the
// first AnswerLen numbers, and whoever keeps the answer until the label comes keeps them all.
// A Predictor that Publish returned is immutable and safe for any number of goroutines; a Learner belongs to one.
type Predictor interface {
	Predict(dst []float64, e *Example) []float64
}

// Learner is a mutable model, owned by one goroutine.
type Learner interface {
	Predictor
	// Observe is called at the predict record, after Predict, also for examples that will not be
	// learned: scalers and clusters update here. It must not look at e.Y.
	Observe(e *Example)
	// Learn is called at the learn record. past is all that this model's Predict appended at the
	// predict record, nil if there is none; borrowed. An example of weight 0 changes nothing.
	Learn(e *Example, past []float64)
	// State visits all that future answers depend on, for saving, loading and hashing.
	State(s *codec.State)
}

// Publisher is a Learner that can hand out an immutable snapshot at a cost of what changed. Models
// without it are published by folding the log a second time (left-right).
type Publisher interface {
	Publish() Predictor
}

// Grower is a Learner that keeps its weights when columns are added.
type Grower interface {
	Grow(from, to *features.Schema) error
}

// Transformer is a stage of a pipeline before the last: it turns a row into another.
type Transformer interface {
	// Transform writes the row for the next stage into dst's memory, grown as needed, and returns it.
	// It never changes state and keeps no scratch, so an immutable copy serves any number of goroutines.
	// A transformer that changes nothing returns e.Row.
	Transform(dst Row, e *Example) Row
	// Observe updates what needs no label (see Learner.Observe), with the row as it comes in.
	Observe(e *Example)
	// Learn updates what needs the label, with the row as it comes in.
	Learn(e *Example)
	State(s *codec.State)
	// Schema is the meaning of the rows that Transform returns. It is fixed when the transformer is
	// made: a one-hot encoder reserves its slots.
	Schema() *features.Schema
	// Snapshot returns an immutable copy for readers; its Observe and Learn are never called.
	Snapshot() Transformer
}

// InPlace is a Transformer that can write its row over the one it is handed: rows that pass by value cost a pipeline more than
// scaling eight columns does.
type InPlace interface {
	// TransformInto is Transform with dst both as the memory and as the answer. It never hands e's memory out.
	TransformInto(dst *Row, e *Example)
}

// AnswerLen is how many numbers of what Predict appends are the answer, 0 for forecasts, whose horizon
// is their own.
func AnswerLen(task Task, classes int) int {
	switch task {
	case Multiclass:
		return classes
	case Forecast:
		return 0
	}
	return 1
}

// Env is what a model is built for.
type Env struct {
	Schema  *features.Schema // of the rows it will see
	Task    Task
	Classes int    // number of classes, for Multiclass; 2 for Binary
	Seed    uint64 // for models that draw random numbers: PCG streams derive from it
}
