package metrics

import (
	"flag"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
)

func TestNamesFollowTheRules(t *testing.T) {
	name := regexp.MustCompile(`^freshet_[a-z]+(_[a-z]+)*$`)
	for _, d := range New().Defs() {
		if !name.MatchString(d.Name) {
			t.Errorf("%s: not a freshet_ name in snake case", d.Name)
		}
		if (d.Type == "counter") != strings.HasSuffix(d.Name, "_total") {
			t.Errorf("%s: a %s; counters, and only they, end with _total", d.Name, d.Type)
		}
		if !strings.HasSuffix(d.Help, ".") {
			t.Errorf("%s: help is no sentence: %q", d.Name, d.Help)
		}
		for _, l := range d.Labels {
			switch l {
			case "id", "key", "request", "prediction", "user", "project":
				t.Errorf("%s: label %s is not bounded", d.Name, l)
			}
		}
	}
}

func TestMarkdownListsEveryMetric(t *testing.T) {
	var b strings.Builder
	if err := Markdown(&b); err != nil {
		t.Fatal(err)
	}
	for _, d := range New().Defs() {
		if strings.Count(b.String(), "`"+d.Name+"`") != 1 {
			t.Errorf("%s is not listed once", d.Name)
		}
	}
}

func TestHooksRunBeforeCollection(t *testing.T) {
	m := New()
	m.OnScrape(func() { m.Version.WithLabelValues("late").Set(7) })
	families, err := m.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == "freshet_model_version" && f.GetMetric()[0].GetGauge().GetValue() == 7 {
			return
		}
	}
	t.Fatal("the hook's value was not collected")
}

func TestEverySampleNamesItsProject(t *testing.T) {
	m := New()
	m.Name("shop")
	m.Version.WithLabelValues("late").Set(7)
	m.Loss.WithLabelValues("late", "roc_auc").Set(.8) // metric and model come before project
	m.Refused.WithLabelValues("orders", "late").Inc() // reason and source after it
	for range 2 {                                     // a second scrape must not add it again
		families, err := m.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range families {
			for _, s := range f.GetMetric() {
				n := 0
				for _, l := range s.GetLabel() {
					if l.GetName() == "project" && l.GetValue() == "shop" {
						n++
					}
				}
				if n != 1 || !slices.IsSortedFunc(s.GetLabel(), func(a, b *dto.LabelPair) int { return strings.Compare(a.GetName(), b.GetName()) }) {
					t.Errorf("%s: labels %v", f.GetName(), s.GetLabel())
				}
			}
		}
	}
}

//go:generate go test . -run ^TestReferenceIsFresh$ -update

var update = flag.Bool("update", false, "write docs/reference/metrics.md")

func TestReferenceIsFresh(t *testing.T) {
	const file = "../../docs/reference/metrics.md"
	var b strings.Builder
	if err := Markdown(&b); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil || string(got) != b.String() {
		t.Errorf("%s is stale (%v): run go test ./internal/metrics -update", file, err)
	}
}
