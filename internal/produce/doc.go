// Package produce fills source topics: it takes records in event time, deals them to partitions, and writes
// them with the time marks that make a replay exact at any speed. It is what `freshet produce` and the demo
// call, and stands before the flow: what it writes is what the sequencer reads.
//
// Three rules hold whatever the speed. Every partition of every source and table of the project gets its
// first mark before the first record. While records go, marks follow at least every 5 ms and every 1,000
// records. A table gets its end (+inf) when it is done, all others when everything is done; a run that is
// interrupted writes no end.
package produce
