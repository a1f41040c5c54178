// Package worker runs the first two stages over Kafka and Redis: the sequencer, which reads the source
// topics and writes the one order of events, and the feature units, which fold that order into the state
// of every entity and take the parts of vectors at triggers.
//
// What is folded and decided is in features/ingest and features/unit, which are pure; this package moves
// records, frames and states.
package worker
