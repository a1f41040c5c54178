// Package synth generates seeded event streams with drift at known places, for tests and trials of the
// whole path from topics to predictions. Like datasets/flights it stands before the flow: its records are
// what source topics carry. The same options give the same bytes on one architecture.
package synth
