package backtest_test

import (
	"testing"
	"time"

	"github.com/freshet-ml/freshet/trainer/backtest"
)

// BenchmarkYear replays the year of the demo from files, with all its models.
func BenchmarkYear(b *testing.B) {
	prog := flightsProgram(b, 1)
	files := flightFiles(b, time.Time{}, time.Time{})
	list := items(b, config(b, prog), files)
	for b.Loop() {
		r := run(b, backtest.Options{Candidates: []backtest.Candidate{{Name: "flights", Program: prog.Program, Items: list}}, Now: time.Now, Months: true})
		b.ReportMetric(float64(r.Candidates[0].Items)/float64(r.Seconds), "items/s")
		if b.N == 1 {
			r.Table(b.Output())
		}
	}
}
