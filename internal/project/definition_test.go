package project_test

import (
	"strings"
	"testing"

	"github.com/freshet-ml/freshet/datasets/flights"
	"github.com/freshet-ml/freshet/internal/project"
)

// What a definition says, put back in its place, is the same project: nothing that matters is left out.
func TestDefinitionsReadBack(t *testing.T) {
	p, err := project.Parse("freshet.yaml", flights.Project(), func(string) (string, bool) { return "", false })
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	b.WriteString("version: 1\nproject: flights\nclock: events\n")
	section := func(title, kind string, names ...string) {
		b.WriteString(title + ":\n")
		for _, n := range names {
			b.WriteString("  " + n + ":\n    " + strings.ReplaceAll(p.Definition(kind, n), "\n", "\n    ") + "\n")
		}
	}
	var sources, tables, entities, derived []string
	for i := range p.Sources {
		sources = append(sources, p.Sources[i].Name)
	}
	for i := range p.Tables {
		tables = append(tables, p.Tables[i].Name)
	}
	for i := range p.Features {
		entities = append(entities, p.Features[i].Name)
	}
	for i := range p.Derived {
		derived = append(derived, p.Derived[i].Name)
	}
	section("sources", "source", sources...)
	section("tables", "table", tables...)
	section("features", "entity", entities...)
	section("derived", "derived", derived...)
	section("models", "model", "late")
	b.WriteString("    challengers:\n")
	for _, c := range p.Model("late").Challengers {
		b.WriteString("      " + c.Name + ":\n        " + strings.ReplaceAll(p.Definition("model", "late/"+c.Name), "\n", "\n        ") + "\n")
	}
	again, err := project.Parse("again.yaml", []byte(b.String()), func(string) (string, bool) { return "", false })
	if err != nil {
		t.Fatalf("%v\n%s", err, b.String())
	}
	if got, want := again.Generation(), p.Generation(); got != want {
		t.Errorf("generation %s, want %s\n%s", got, want, b.String())
	}
	if p.Definition("model", "nobody") != "" || p.Definition("table", "arrived") != "" {
		t.Error("definitions of what is not there")
	}
}
