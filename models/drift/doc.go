// Package drift tells when a stream has changed: detectors of a changing mean, for losses and errors (ADWIN, PageHinkley,
// DDM), and the population stability index of features against a frozen reference (PSI).
//
// It stands beside the learners: models/fold hands detectors the loss of each answer when its label has come, and PSI
// the vector of each prediction. Detectors are pure folds of their input, bounded in memory, with a state of their own that
// is never a part of a model's hash. One detector is one file.
package drift

import "github.com/freshet-ml/freshet/internal/codec"

// Detector watches a stream of numbers, such as the loss of a model's answers, for a change.
type Detector interface {
	// Update takes in the next value and reports whether the stream has changed. It does not allocate; values that are not finite
	// are ignored.
	Update(x float64) bool
	// State visits all that later answers depend on.
	State(c *codec.State)
}
