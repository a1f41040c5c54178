package main

import (
	"strings"
	"testing"
	"time"

	"github.com/freshet-ml/freshet/models/metric"
	"github.com/freshet-ml/freshet/trainer/evaluate"
)

// clocked is a progress on a clock that the test moves.
func clocked(draw, quiet bool, wide int) (*progress, *strings.Builder, func(time.Duration)) {
	var out strings.Builder
	now := time.Unix(0, 0)
	p := &progress{c: &cli{stderr: &out, quiet: quiet}, draw: draw, wide: wide, every: reline, now: func() time.Time { return now }}
	if draw {
		p.every = redraw
	}
	p.restart()
	return p, &out, func(d time.Duration) { now = now.Add(d) }
}

func soFar() evaluate.Metrics {
	return evaluate.Metrics{{Name: "accuracy", Value: 0.875}, metric.Named{Name: "log_loss", Value: 0.25}}
}

// In a log there is a line every five seconds: first that rows are read, then rows, rate since the models began, metrics and the time left.
func TestProgressInALog(t *testing.T) {
	p, out, pass := clocked(false, false, 0)
	told := p.evaluation("event")
	told(&evaluate.Standing{Reading: true, Rows: 4096})
	pass(4 * time.Second)
	told(&evaluate.Standing{Reading: true, Rows: 8192})
	pass(time.Second)
	told(&evaluate.Standing{Reading: true, Rows: 12288})
	pass(3 * time.Second)
	told(&evaluate.Standing{Rows: 1, All: 100000, SoFar: soFar})
	pass(5 * time.Second)
	told(&evaluate.Standing{Rows: 10000, All: 100000, SoFar: soFar})
	pass(time.Second)
	told(&evaluate.Standing{Rows: 20000, All: 100000, SoFar: soFar})
	pass(400 * time.Second)
	told(&evaluate.Standing{Rows: 20300, All: 100000, SoFar: soFar})
	p.clear()
	const want = "reading: 12,288 rows\n" +
		"10,000 of 100,000 events (10%), 2,000 events/s, log_loss 0.25, accuracy 0.875, 45s left\n" +
		"20,300 of 100,000 events (20%), 50 events/s, log_loss 0.25, accuracy 0.875, 26m34s left\n"
	if out.String() != want {
		t.Errorf("%s\nwant\n%s", out, want)
	}
}

// A terminal has one line, which fits, and goes at the end.
func TestProgressOnATerminal(t *testing.T) {
	p, out, pass := clocked(true, false, 60)
	told := p.evaluation("value")
	told(&evaluate.Standing{Rows: 10, All: 1000, Series: 1, AllSeries: 4, SoFar: soFar})
	if out.Len() > 0 {
		t.Errorf("%q before the first interval", out)
	}
	pass(time.Second)
	told(&evaluate.Standing{Rows: 500, All: 1000, Series: 2, AllSeries: 4, SoFar: soFar})
	line := "2 of 4 series, 500 of 1,000 values (50%), 500 values/s, log"
	if out.String() != "\r"+line || len(line) != 59 {
		t.Errorf("%q", out)
	}
	out.Reset()
	p.clear()
	p.clear()
	if out.String() != "\r"+strings.Repeat(" ", 59)+"\r" {
		t.Errorf("%q", out)
	}
}

func TestProgressIsQuiet(t *testing.T) {
	for _, draw := range []bool{false, true} {
		p, out, pass := clocked(draw, true, 80)
		pass(time.Hour)
		p.evaluation("event")(&evaluate.Standing{Rows: 1, All: 2, SoFar: soFar})
		p.clear()
		if out.Len() > 0 {
			t.Errorf("%q", out)
		}
	}
}

func TestRough(t *testing.T) {
	for seconds, want := range map[float64]string{1.9: "1s", 75: "1m15s", 3600: "1h00m", 1e30: "277777h46m"} {
		if got := rough(seconds); got != want {
			t.Errorf("%v: %s, want %s", seconds, got, want)
		}
	}
}
