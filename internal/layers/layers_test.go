// Package layers holds the test of the directions in which packages may import each other.
package layers

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/freshet-ml/freshet/"

// allowed lists, for the folders along the flow, which folders of the module they may import. The most specific
// folder counts. Folders that are not listed may import everything.
var allowed = map[string][]string{
	"features":            {"features", "internal/codec", "internal/spelling"},
	"features/worker":     {"features", "internal"},
	"models":              {"features", "models", "internal/codec", "internal/spelling"},
	"trainer":             {"features", "models", "internal/codec", "internal/spelling"},
	"trainer/run":         {"features", "models", "trainer", "internal"},
	"trainer/evaluate":    {"features", "models", "trainer/evaluate", "internal/codec", "internal/spelling", "datasets"}, // generated streams are read like files
	"trainer/backtest":    {"features", "models", "trainer"},
	"trainer/report":      {"models", "trainer"},
	"internal/checkpoint": {"internal/codec", "internal/frame"},
	"serving":             {"features", "models", "proto", "serving", "internal"},
	"internal/codec":      {},
	"internal/spelling":   {},
	"internal/frame":      {},
	"internal/stage":      {"internal/frame", "internal/stage"},
	"datasets":            {"features", "datasets"},
	"proto":               {"proto"},
}

// pure lists folders that must not read clocks, files or the network, or draw global random numbers.
var pure = []string{"features", "models", "internal/codec", "internal/frame", "internal/spelling"}

// impure lists folders below them that may: the worker, and what only tests use.
var impure = []string{"features/worker", "models/modeltest"}

var impureImports = map[string]bool{"net": true, "net/http": true, "os": true, "log/slog": true, "math/rand": true}

func TestImportsGoOneWay(t *testing.T) {
	each(t, func(dir, file, path string) {
		rest, own := strings.CutPrefix(path, module)
		if !own {
			return
		}
		if to, ok := rule(dir); ok && !within(rest, to) {
			t.Errorf("%s imports %s; %s may import only %v", file, rest, dir, to)
		}
	})
}

func TestPurePackagesDoNoIO(t *testing.T) {
	each(t, func(dir, file, path string) {
		if within(dir, pure) && !slices.Contains(impure, dir) && impureImports[path] {
			t.Errorf("%s imports %s; %s is pure: hand I/O, time and randomness in", file, path, dir)
		}
	})
}

func TestServingNeverImportsTrainer(t *testing.T) {
	each(t, func(dir, file, path string) {
		if within(dir, []string{"serving"}) && within(strings.TrimPrefix(path, module), []string{"trainer"}) {
			t.Errorf("%s imports %s", file, path)
		}
	})
}

func rule(dir string) ([]string, bool) {
	for d := dir; d != "."; d = filepath.Dir(d) {
		if to, ok := allowed[d]; ok {
			return to, true
		}
	}
	return nil, false
}

func within(path string, folders []string) bool {
	for _, f := range folders {
		if path == f || strings.HasPrefix(path, f+"/") {
			return true
		}
	}
	return false
}

// each visits the imports of every file that is not a test.
func each(t *testing.T, visit func(dir, file, path string)) {
	t.Helper()
	root := filepath.Join("..", "..")
	seen := 0
	err := filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
			return err
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(root, file)
		for _, spec := range parsed.Imports {
			path, _ := strconv.Unquote(spec.Path.Value)
			visit(filepath.ToSlash(filepath.Dir(rel)), rel, path)
		}
		seen++
		return nil
	})
	if err != nil || seen == 0 {
		t.Fatalf("%d files read: %v", seen, err)
	}
}
