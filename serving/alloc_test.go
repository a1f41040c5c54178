//go:build !race

package serving

import "testing"

// The race detector makes sync.Pool forget at random, so this gate is not for it.

// Between decoding a request and encoding its answer nothing is allocated.
func TestPredictorAllocatesNothing(t *testing.T) {
	b := newBench(t)
	if n := testing.AllocsPerRun(200, func() {
		if err := b.run(); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations per call", n)
	}
	if a := b.call.answers[0]; a.missing != 0 || a.notFound != 0 || a.newest != 99*60e6 {
		t.Errorf("answer %+v", a)
	}
}
