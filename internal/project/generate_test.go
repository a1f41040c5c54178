package project

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"
)

var update = flag.Bool("update", false, "write golden and generated files")

// fresh compares a generated or golden file with what it should hold.
func fresh(t *testing.T, file string, want []byte) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is stale; run go test ./internal/project -update\nit should begin with:\n%.3000s", file, want)
	}
}

func TestSchemaIsFresh(t *testing.T) {
	var v map[string]any
	if err := json.Unmarshal(Schema(), &v); err != nil {
		t.Fatal(err)
	}
	fresh(t, "../../docs/reference/freshet.schema.json", Schema())
}

func TestReferenceIsFresh(t *testing.T) {
	fresh(t, "../../docs/reference/project-file.md", Reference())
}
