package project_test

import (
	"strings"
	"testing"

	"github.com/freshet-ml/freshet/internal/project"
)

// Another detector on the loss is no new generation; the plan says that learners fold again, and the usual one with its own defaults written out
// is no change.
func TestChangeOfTheDetector(t *testing.T) {
	load := func(drift string) *project.Project {
		t.Helper()
		p, err := project.Parse("freshet.yaml", []byte("version: 1\nproject: a\nsources: {s: {time: at, fields: {k: string}}}\nfeatures: {e: {key: k, n: {count: s}}}\n"+drift), nil)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	usual, same, other := load(""), load("drift: {loss: {adwin: {delta: 0.002}}}\n"), load("drift: {loss: {page_hinkley: {threshold: 20}}}\n")
	if c := project.Compare(usual, same); len(c) != 0 || same.Drift.Fingerprint() != "" {
		t.Errorf("%v", c)
	}
	c := project.Compare(usual, other)
	if len(c) != 1 || c[0].Effect != project.Restart || !strings.Contains(c[0].Note, "example logs") || usual.Generation() != other.Generation() {
		t.Errorf("%v", c)
	}
	if f := other.Drift.Fingerprint(); !strings.Contains(f, "page_hinkley") || f == load("drift: {loss: {page_hinkley: {threshold: 21}}}\n").Drift.Fingerprint() {
		t.Errorf("%q", f)
	}
}
