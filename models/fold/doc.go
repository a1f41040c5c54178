// Package fold folds an example log into models and their scores: at a predict entry every model
// answers with what it knows at that place, at the learn entry it is scored on that earlier answer and
// then learns. The trainer, the server, evaluations and backtests call this one fold, so that one log
// gives one answer. It is pure; a fold belongs to one goroutine.
//
// In the flow it stands after the joiner; snapshots of its models answer predictions.
package fold
