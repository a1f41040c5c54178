package main

import (
	"bytes"
	"context"
	"strings"
	"testing"
)

// Without data and peers the generated streams are measured, and every line of the tables is whole.
func TestGeneratedStreams(t *testing.T) {
	t.Setenv("FRESHET_DATA", "")
	t.Setenv("FRESHET_PYTHON", "")
	t.Setenv("FRESHET_MOA", "")
	var out bytes.Buffer
	if err := run(context.Background(), []string{"-quick", "-only", "hoeffding_tree"}, &out); err != nil {
		t.Fatal(err)
	}
	text := out.String()
	for _, want := range []string{"generated streams only", "| generator:random_tree | no_change | – | **", "| generator:random_tree | `hoeffding_tree` | 88.991 (MOA) | **", "| `hoeffding_tree` | **"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	for _, not := range []string{"### Errors", "### auto", "### Forecasts"} {
		if strings.Contains(text, not) {
			t.Errorf("an empty table %q in\n%s", not, text)
		}
	}
	columns := 0
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "|") {
			columns = 0
		} else if n := strings.Count(line, "|"); columns != 0 && n != columns {
			t.Errorf("%d bars, %d in the head: %s", n, columns, line)
		} else {
			columns = n
		}
	}
}

func TestSpread(t *testing.T) {
	for want, x := range map[string][]float64{"0.5": {0.5, 0.5}, "2 ± 1": {1, 2, 3}, "–": {nan()}} {
		if got := spread(x); got != want {
			t.Errorf("%v: %s, want %s", x, got, want)
		}
	}
}

func nan() float64 { zero := 0.0; return zero / zero }

func TestFigures(t *testing.T) {
	for _, c := range []struct {
		x      []float64
		metric string
		want   string
	}{
		{[]float64{0.9, 0.9}, "accuracy", "90.00 ± 0.00"}, {[]float64{0.5}, "accuracy", "50.00"}, {[]float64{1, 2, 3}, "mae", "2.00 ± 1.00"}, {[]float64{nan()}, "mae", "–"},
	} {
		if got := figures(c.x, c.metric, 2); got != c.want {
			t.Errorf("%v: %s, want %s", c.x, got, c.want)
		}
	}
}

// TestByStream: rows of a stream stand together, streams in the order of their first row.
func TestByStream(t *testing.T) {
	var got []string
	for _, r := range byStream([]accuracyRow{{data: "b", metric: "1"}, {data: "a", metric: "2"}, {data: "b", metric: "3"}}) {
		got = append(got, r.data+r.metric)
	}
	if text := strings.Join(got, " "); text != "b1 b3 a2" {
		t.Error(text)
	}
}
