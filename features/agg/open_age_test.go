package agg

import (
	"fmt"
	"testing"
)

// TestOpenAge: a thing that is not due does not count; TestOpen compares with brute force.
func TestOpenAge(t *testing.T) {
	s := &Set{Keep: 100e6}
	s.Begin(1, 10e6)
	s.Begin(2, 20e6)
	for at, want := range map[int64]float64{9e6: 0, 10e6: 0, 15e6: 5, 30e6: 30, 111e6: 91, 121e6: 0} {
		if got := openAgeSpec.OfSet(s, at); got != want {
			t.Errorf("age at %d s is %v, want %v", at/1e6, got, want)
		}
	}
}

func Example_openAge() {
	s := &Set{Keep: 100e6}
	s.Begin(1, 10e6)
	s.Begin(2, 20e6)
	fmt.Println(s.AgeSeconds(30e6))
	// Output: 30
}
