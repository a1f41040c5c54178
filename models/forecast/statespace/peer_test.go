//go:build unix

package statespace

import (
	"encoding/json"
	"os"
	"os/exec"
	"syscall"
	"testing"
)

// processor is the processor time of this process so far, ns.
func processor(t *testing.T) float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return float64(u.Utime.Nano() + u.Stime.Nano())
}

// cost is the least processor time of one call of f in three runs of so many.
func cost(t *testing.T, calls int, f func(i int)) float64 {
	least := 0.0
	for run := range 3 {
		begin := processor(t)
		for i := range calls {
			f(i)
		}
		if c := (processor(t) - begin) / float64(calls); run == 0 || c < least {
			least = c
		}
	}
	return least
}

// TestBesideStatsmodels shows what a value costs here and in statsmodels, whose times a script takes in the same run. FRESHET_PEERS is a Python with statsmodels.
func TestBesideStatsmodels(t *testing.T) {
	python := os.Getenv("FRESHET_PEERS")
	if python == "" {
		t.Skip("FRESHET_PEERS names no Python with statsmodels")
	}
	out, err := exec.Command(python, "../../../internal/benchmodels/peers/statsmodels_times.py", "1000").Output()
	if err != nil {
		t.Fatal(err)
	}
	var peer struct {
		Version        string
		Extend, Append float64
	}
	if err := json.Unmarshal(out, &peer); err != nil {
		t.Fatal(err)
	}
	t.Logf("statsmodels %s: extend %.0f µs, append %.0f µs", peer.Version, peer.Extend/1e3, peer.Append/1e3)
	f, err := NewFilter(fourteen())
	if err != nil {
		t.Fatal(err)
	}
	f.fixed = false
	moving := cost(t, 200000, func(i int) { f.Predict(); f.Observe(float64(i % 12)) })
	f.fixed = true
	for i := 0; !f.Steady(); i++ {
		f.Predict()
		f.Observe(float64(i % 12))
	}
	steady := cost(t, 2000000, func(i int) { f.Predict(); f.Observe(float64(i % 12)) })
	var l LocalLevel
	level := cost(t, 10000000, func(i int) { l.Predict(0.1, 1); l.Observe(float64(i&7), 1) })
	b := LocalTrend{D1: 1, D2: 1}
	trend := cost(t, 10000000, func(i int) { b.Predict(0.98, 0.1, 0.01); b.Observe(float64(i&7), 1) })
	t.Logf("14 states, gain that moves: %.0f ns; extend takes %.0f times that, append %.0f", moving, peer.Extend/moving, peer.Append/moving)
	t.Logf("14 states, gain that has settled: %.1f ns; extend takes %.0f times that, append %.0f", steady, peer.Extend/steady, peer.Append/steady)
	t.Logf("local level %.1f ns, local trend %.1f ns", level, trend)
}
