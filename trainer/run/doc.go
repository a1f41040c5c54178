// Package run runs the joiner and the learners over Kafka: it reads the counted frames of their inputs,
// hands the items to the pure folds of trainer and models/fold, and writes, checkpoints and publishes what
// they give.
//
// A session is one attempt: it restores the newest checkpoint, folds again without emitting what the
// output log already holds, and goes on. Any error ends it; whoever called runs the next one.
package run
