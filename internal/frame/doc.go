// Package frame is the format of the internal logs and the rule by which a record of them counts.
//
// It stands between every stage and Kafka. A log cannot refuse an append from a writer that has been
// replaced, so its readers do: a frame counts only if it names the last counted frame as its
// predecessor, and the first one names the zero ID. Frames of zombies, retries and re-emissions are
// thereby void, and every reader that applies the rule in log order sees the same counted frames,
// wherever it starts.
//
// The parts: Frame with its codec, Pack (items of a frame under construction), Judge (the rule),
// ReadTail and Start (where a log ends and where it can be read from), and the two halves of a
// producing session, Chain (what is sent) and Ledger (what is known to count). The package does no
// I/O of its own and keeps no clock; a Log brings the records.
package frame
