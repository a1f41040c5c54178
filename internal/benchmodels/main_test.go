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
	for _, want := range []string{"generated streams only", "| generator:random_tree | `hoeffding_tree` | accuracy | 0.88991 (MOA) | **0.", "| `hoeffding_tree` | **"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
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
