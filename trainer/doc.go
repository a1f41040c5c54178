// Package trainer turns ordered items and parts of vectors into examples and labels (the joiner), and
// replays a log through units, joiners and learners in one process.
//
// In the flow it stands between features/unit and models/fold: the joiner writes the example log that
// every learner and every server folds. The joiner and the replay are pure; the stage that runs the
// joiner over Kafka is in trainer/run.
package trainer
