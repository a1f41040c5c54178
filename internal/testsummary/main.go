// Command testsummary reads `go test -json` from standard input and prints, for people, what failed, what was
// left out and why, the time of each package, and one closing line of counts. It exits 1 when a test failed, when none ran, or when
// one was skipped because a service is missing that was not left out by name (see internal/realtest).
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

type event struct {
	Action, Package, Test, Output string
	Elapsed                       float64
}

type result struct {
	passed, failed, skipped int
	output                  map[string][]string // by package and test
	failures, reasons       []string
	missing                 []string // services
	packages                []string
}

func main() {
	r, err := read(os.Stdin)
	if err != nil {
		fmt.Fprintln(os.Stderr, "testsummary:", err)
		os.Exit(1)
	}
	r.print(os.Stdout)
	if r.failed > 0 || r.passed == 0 || len(r.missing) > 0 {
		os.Exit(1)
	}
}

func read(in io.Reader) (*result, error) {
	r := &result{output: map[string][]string{}}
	lines := bufio.NewReader(in)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			r.line(line)
		}
		if err == io.EOF {
			return r, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

func (r *result) line(line []byte) {
	var e event
	if json.Unmarshal(line, &e) != nil {
		r.failures = append(r.failures, string(line)) // a compiler's words
		return
	}
	key := e.Package + " " + e.Test
	switch e.Action {
	case "output", "build-output":
		r.output[key] = append(r.output[key], e.Output)
	case "pass":
		r.end(e, &r.passed)
	case "fail", "build-fail":
		r.end(e, &r.failed)
		r.failures = append(r.failures, fmt.Sprintf("--- %s\n%s", key, strings.Join(r.output[key], "")))
	case "skip":
		r.end(e, &r.skipped)
		if e.Test != "" {
			why := reason(r.output[key])
			r.reasons = append(r.reasons, fmt.Sprintf("%s: %s", key, why))
			if name := missing(why); name != "" && !slices.Contains(r.missing, name) {
				r.missing = append(r.missing, name)
			}
		}
	}
	if e.Action == "pass" || e.Action == "skip" {
		delete(r.output, key)
	}
}

func (r *result) end(e event, count *int) {
	if e.Test != "" {
		*count++
		return
	}
	if e.Action == "fail" {
		*count++
	}
	if e.Elapsed >= 1 {
		r.packages = append(r.packages, fmt.Sprintf("%6.1fs  %s", e.Elapsed, e.Package))
	}
}

// reason is what a skipped test said.
func reason(output []string) string {
	for _, line := range output {
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasPrefix(line, "===") && !strings.HasPrefix(line, "---") {
			return line
		}
	}
	return "no reason given"
}

// missing is the service without which a test was skipped; "" when the reason is another.
func missing(reason string) string {
	_, rest, _ := strings.Cut(reason, "missing service ")
	name, _, _ := strings.Cut(rest, ":")
	return name
}

func (r *result) print(w io.Writer) {
	slices.Sort(r.packages)
	slices.Reverse(r.packages)
	for _, p := range r.packages[:min(len(r.packages), 15)] {
		fmt.Fprintln(w, p)
	}
	for _, f := range r.failures {
		fmt.Fprintln(w, strings.TrimRight(f, "\n"))
	}
	if len(r.reasons) > 0 {
		fmt.Fprintf(w, "left out (%d):\n", len(r.reasons))
		for _, s := range r.reasons {
			fmt.Fprintln(w, "  "+s)
		}
	}
	for _, name := range r.missing {
		fmt.Fprintf(w, "missing service: %s; install it with .ci/services %s, or leave it out with FRESHET_WITHOUT=%s\n", name, name, name)
	}
	fmt.Fprintf(w, "%d passed, %d failed, %d skipped\n", r.passed, r.failed, r.skipped)
}
