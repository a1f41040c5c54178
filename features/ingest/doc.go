// Package ingest turns source records into the one order of items. It stands first in the flow: a
// Decoder makes typed fields of a record or a Refusal, an Order chooses which record goes next, and a
// Sequencer decides about it (accepted, late, future, duplicate) and hands out the features.Item that
// the events log keeps. Files, Merge and RowWriter are the way of recorded files into topics.
//
// It is pure: no I/O, no clock, no randomness. Machine time comes in as an argument, files as io.Reader.
// What may differ between two runs is decided here, once; all else is a fold of the items.
package ingest
