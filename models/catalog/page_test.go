package catalog_test

import (
	"flag"
	"os"
	"testing"

	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/catalog"
)

var rewrite = flag.Bool("rewrite", false, "write the reference page of the catalogue anew")

// TestReferencePage: the page in the docs is the one that the catalogue makes. To renew it:
//
//	go test ./models/catalog -run ReferencePage -rewrite
func TestReferencePage(t *testing.T) {
	const path = "../../docs/reference/models.md"
	want := models.Markdown(catalog.All)
	if *rewrite {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil || string(got) != want {
		t.Errorf("%s is not what the catalogue makes (%v); renew it with go test ./models/catalog -run ReferencePage -rewrite", path, err)
	}
}

// TestEntries: every entry is complete and consistent.
func TestEntries(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range catalog.All {
		if seen[c.Name] {
			t.Errorf("%s is listed twice", c.Name)
		}
		seen[c.Name] = true
		made := 0
		for _, has := range []bool{c.NewModel != nil || c.NewForecaster != nil, c.NewTransformer != nil, c.NewPart != nil} {
			if has {
				made++
			}
		}
		if c.Doc == "" || c.Cost == "" || c.Fold < 1 || made != 1 {
			t.Errorf("%s: doc, cost, fold version or its one constructor is not set", c.Name)
		}
		for _, p := range c.Params {
			if p.Doc == "" {
				t.Errorf("%s.%s has no doc", c.Name, p.Name)
			}
		}
		for _, task := range []models.Task{models.Binary, models.Multiclass, models.Regression} {
			if c.Kind != models.ModelKind {
				continue
			}
			if _, err := catalog.Resolve(models.Named(c.Name), task); err == nil && len(c.Tasks) == 0 {
				t.Errorf("%s says no tasks", c.Name)
			}
		}
	}
}
