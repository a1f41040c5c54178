package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Every line of the table of forecasts is whole, and the models of this build are on it.
func TestForecasts(t *testing.T) {
	dir := t.TempDir()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	fmt.Fprintln(z, "month,passengers")
	for i := range 144 {
		fmt.Fprintf(z, "%d-%02d,%d\n", 1949+i/12, 1+i%12, 100+i+10*(i%12))
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "airline_passengers.csv.gz"), b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("FRESHET_DATA", dir)
	t.Setenv("FRESHET_PYTHON", "")
	t.Setenv("FRESHET_MOA", "")
	var out bytes.Buffer
	if err := run(context.Background(), []string{"-quick", "-only", "from the 25th"}, &out); err != nil {
		t.Fatal(err)
	}
	text := out.String()
	text = text[strings.Index(text, "### Forecasts"):]
	columns, lines := 0, 0
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "|") {
			continue
		}
		lines++
		if n := strings.Count(line, "|"); columns != 0 && n != columns {
			t.Errorf("%d bars, %d in the head: %s", n, columns, line)
		} else {
			columns = n
		}
	}
	for _, want := range []string{"| airline, from the 25th | 1 | `seasonal_naive` | **", "| airline, from the 25th | 1 | `{holt_winters: {seasonal: multiplicative}}` | **", "12.1 SNARIMAX (River)"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if lines < 10 {
		t.Errorf("%d lines", lines)
	}
}
