package chaos

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The table of faults names tests that exist, and every fault of the harness.
func TestFaultsOfTheDocs(t *testing.T) {
	b, err := os.ReadFile("../../docs/explanation/faults.md")
	if err != nil {
		t.Fatal(err)
	}
	text, _, _ := strings.Cut(string(b), "\n## The harness")
	declared := map[string]bool{}
	find := regexp.MustCompile(`(?m)^func (Test\w+)\(`)
	err = filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		code, err := os.ReadFile(path)
		for _, m := range find.FindAllSubmatch(code, -1) {
			declared[string(m[1])] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile("`(Test\\w+)`").FindAllStringSubmatch(text, -1)
	if len(named) < 50 {
		t.Errorf("%d tests are named", len(named))
	}
	for _, m := range named {
		if !declared[m[1]] {
			t.Errorf("%s is named, and there is no such test", m[1])
		}
	}
	var names []string
	for _, x := range faults() {
		names = append(names, x.name)
		if !strings.Contains(text, "*"+x.name+"*") {
			t.Errorf("the fault %q is not in the table", x.name)
		}
	}
	for _, m := range regexp.MustCompile(`[ |]\*([a-z][^*]+)\*`).FindAllStringSubmatch(text, -1) {
		if m[1] != "italics" && !strings.HasPrefix(m[1], "log contradicts") && !slices.Contains(names, m[1]) {
			t.Errorf("%q is named as a fault of the harness, and is none", m[1])
		}
	}
}
