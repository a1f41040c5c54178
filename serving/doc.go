// Package serving answers predictions and lookups over gRPC and HTTP. It stands at the end of the flow:
// features come from the states that feature units keep, answers from immutable snapshots of models
// that a follower publishes, and what was served or came true goes back to the log.
//
// A call never waits for training: it loads one snapshot pointer, reads the states of all its entities
// in one round trip, and runs the same reading and vector code as the units and the joiner.
package serving
