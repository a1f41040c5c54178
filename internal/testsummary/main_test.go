package main

import (
	"strings"
	"testing"
)

func TestMissingServicesFailTheRun(t *testing.T) {
	lines := func(skip string) string {
		return `{"Action":"pass","Package":"p","Test":"A"}
{"Action":"output","Package":"p","Test":"B","Output":"    x_test.go:1: ` + skip + `\n"}
{"Action":"skip","Package":"p","Test":"B"}
`
	}
	for skip, fails := range map[string]bool{"missing service kafka: no java on the path": true, "left out by name: kafka (FRESHET_WITHOUT)": false, "short": false} {
		r := &result{output: map[string][]string{}}
		for line := range strings.Lines(lines(skip)) {
			r.line([]byte(line))
		}
		if got := len(r.missing) > 0; got != fails {
			t.Errorf("%s: fails the run: %t", skip, got)
		}
		var out strings.Builder
		r.print(&out)
		if strings.Contains(out.String(), "leave it out with FRESHET_WITHOUT=kafka") != fails {
			t.Errorf("%s: printed\n%s", skip, out.String())
		}
	}
}
