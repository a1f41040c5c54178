// Package features holds what an event is on its way from the log to numbers: typed values and
// fields, the items of the events log and their packed form, head and watermark, and the schema of
// feature vectors. It is pure: no I/O, no clock, no randomness.
//
// In the flow it stands first: features/ingest makes items of source records, features/unit folds
// items into entity states and reads vectors from them, models learn from the vectors.
package features
