package main

import (
	"fmt"
	"math"
	"time"

	"github.com/freshet-ml/freshet/trainer/evaluate"
)

// evaluation shows how far an evaluation is; what names a thing that is counted.
func (p *progress) evaluation(what string) evaluate.Progress {
	reading := false
	return func(s *evaluate.Standing) {
		if reading && !s.Reading {
			p.restart() // the rate is that of the models
		}
		reading = s.Reading
		p.update(func() string { return p.standing(s, what) })
	}
}

// standing writes one line: what is done of all, the rate, the main metrics, and how long the rest will take at that rate.
func (p *progress) standing(s *evaluate.Standing, what string) string {
	if s.Reading {
		return "reading: " + things(s.Rows, "row")
	}
	text := ""
	if s.AllSeries > 1 {
		text = fmt.Sprintf("%s of %s series, ", count(s.Series), count(s.AllSeries))
	}
	rate := p.rate(s.Rows)
	if s.All > 0 {
		text += fmt.Sprintf("%s of %s %ss (%.0f%%)", count(s.Rows), count(s.All), what, 100*float64(s.Rows)/float64(s.All))
	} else {
		text += things(s.Rows, what)
	}
	text += fmt.Sprintf(", %s %ss/s%s", count(int64(rate)), what, topMetrics(s.SoFar()))
	if left := float64(s.All-s.Rows) / rate; s.Rows > 0 && left >= 1 {
		text += ", " + rough(left) + " left"
	}
	return text
}

// rough writes seconds as people say them.
func rough(seconds float64) string {
	d := time.Duration(min(seconds, 1e9)) * time.Second
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm%02ds", int(d.Minutes()), int(d.Seconds())%60)
	}
	return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
}

// topMetrics writes the first two metrics of the headline.
func topMetrics(list evaluate.Metrics) string {
	text, n := "", 0
	for _, name := range headline {
		if x := list.Value(name); n < 2 && !math.IsNaN(x) {
			text += fmt.Sprintf(", %s %.4g", name, x)
			n++
		}
	}
	return text
}
