// Package stage is the one runtime of every stage: it reads and writes the internal logs over Kafka
// so that only frames that count are seen, and so that a writer never takes an ack for more than it
// is. It stands between the pure folds (features, trainer) and the brokers; package frame holds the
// rule, this one the I/O.
//
// A stage owns one output partition and reads its inputs directly:
//
//	Own          assigns output partitions to processes and runs the stage for each
//	OpenWriter   reads the tail of the owned partition and opens a producing session
//	OpenReader   yields the counted frames of an input from a stored position on
//	Append       sends a frame; Counted says which frames are known to count
//
// No commit, checkpoint or side effect may pass an item whose frame is not counted yet. When a session
// ends (ErrSessionEnded), drop what was computed, claim and load the committed state and only then open
// a new one, whose tail is thereby at least as far as the state. When
// ErrFenced is there too, another writer won. Final reports errors that no new attempt can mend.
//
// A Writer and a Reader belong to one goroutine each. Every queue is bounded: frames in flight by
// WriterOptions.InFlight, fetched bytes by Transport.FetchBytes.
package stage
