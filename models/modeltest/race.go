//go:build race

package modeltest

// raceEnabled says that the race detector runs: its pools drop what they are given at random, so
// allocations cannot be counted.
const raceEnabled = true
