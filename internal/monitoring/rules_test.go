package monitoring

import (
	"bytes"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/freshet-ml/freshet/internal/metrics"
	"github.com/freshet-ml/freshet/internal/realtest"
)

const root = "../.."

// rule is an alerting or recording rule as Prometheus reads it.
type rule struct {
	Alert, Record, Expr, For string
	KeepFiringFor            string `yaml:"keep_firing_for"`
	Labels, Annotations      map[string]string
}

func rules(t testing.TB, file string) []rule {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(root, "deploy/prometheus", file))
	if err != nil {
		t.Fatal(err)
	}
	var f struct {
		Groups []struct {
			Name  string
			Rules []rule
		}
	}
	if err := yaml.Unmarshal(b, &f); err != nil {
		t.Fatal(err)
	}
	var out []rule
	for _, g := range f.Groups {
		out = append(out, g.Rules...)
	}
	if len(out) == 0 {
		t.Fatalf("no rules in %s", file)
	}
	return out
}

// tool returns the path of a program of Prometheus. Without it the test is skipped, which `make test` notices.
func tool(t testing.TB, name string) string {
	t.Helper()
	realtest.Need(t, realtest.Prometheus)
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func TestRulesWithPromtool(t *testing.T) {
	promtool := tool(t, "promtool")
	for _, args := range [][]string{{"check", "rules", "records.yml", "alerts.yml"}, {"test", "rules", "alerts_test.yml"}, {"test", "rules", "alerts_slow_test.yml"}} {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			t.Parallel()
			cmd := exec.CommandContext(t.Context(), promtool, args...)
			cmd.Dir = filepath.Join(root, "deploy/prometheus")
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

// TestPromtoolNoticesAWrongRule is the control: with another threshold a case must fail.
func TestPromtoolNoticesAWrongRule(t *testing.T) {
	promtool := tool(t, "promtool")
	dir := t.TempDir()
	for _, f := range []string{"records.yml", "alerts.yml", "alerts_slow_test.yml"} {
		b, err := os.ReadFile(filepath.Join(root, "deploy/prometheus", f))
		if err != nil {
			t.Fatal(err)
		}
		if f == "alerts.yml" {
			changed := bytes.Replace(b, []byte("(freshet_recent_loss) > 1.5"), []byte("(freshet_recent_loss) > 3"), 1)
			if bytes.Equal(b, changed) {
				t.Fatal("the rule that the control changes is not there")
			}
			b = changed
		}
		if err := os.WriteFile(filepath.Join(dir, f), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), promtool, "test", "rules", "alerts_slow_test.yml")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), "FreshetLossRose") {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestEveryAlertIsCompleteAndTested(t *testing.T) {
	var cases string
	for _, f := range []string{"alerts_test.yml", "alerts_slow_test.yml"} {
		b, err := os.ReadFile(filepath.Join(root, "deploy/prometheus", f))
		if err != nil {
			t.Fatal(err)
		}
		cases += string(b)
	}
	for _, r := range rules(t, "alerts.yml") {
		if s := r.Labels["severity"]; s != "page" && s != "ticket" {
			t.Errorf("%s: severity %q", r.Alert, s)
		}
		for _, a := range []string{"summary", "description", "runbook_url", "dashboard_url"} {
			if r.Annotations[a] == "" {
				t.Errorf("%s: no %s", r.Alert, a)
			}
		}
		if d := r.Annotations["description"]; !strings.Contains(d, "threshold") || !strings.Contains(d, "$value") && r.Alert != "FreshetGone" && r.Alert != "FreshetRoleGone" {
			t.Errorf("%s: the description tells no value and threshold: %s", r.Alert, d)
		}
		if want := runbooks + r.Alert + ".md"; r.Annotations["runbook_url"] != want {
			t.Errorf("%s: runbook_url %s, want %s", r.Alert, r.Annotations["runbook_url"], want)
		}
		if !strings.Contains(r.Annotations["dashboard_url"], "/d/"+UID+"/") {
			t.Errorf("%s: dashboard_url %s", r.Alert, r.Annotations["dashboard_url"])
		}
		// What counts over a window has waited already.
		if r.For == "" && !strings.Contains(r.Expr, "increase(") {
			t.Errorf("%s: no for", r.Alert)
		}
		for _, c := range []string{" fires\n", " does not fire\n"} {
			if !strings.Contains(cases, "name: "+r.Alert+c) {
				t.Errorf("no case %q", r.Alert+c)
			}
		}
		if strings.Contains(strings.ToLower(r.Alert), "drift") && r.Labels["severity"] == "page" {
			t.Errorf("%s: drift alone never pages", r.Alert)
		}
	}
}

func TestEveryAlertHasARunbookAndEveryRunbookAnAlert(t *testing.T) {
	var names []string
	index, err := os.ReadFile(filepath.Join(root, "docs/runbooks/README.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rules(t, "alerts.yml") {
		names = append(names, r.Alert+".md")
		b, err := os.ReadFile(filepath.Join(root, "docs/runbooks", r.Alert+".md"))
		if err != nil {
			t.Errorf("%s has no page: %v", r.Alert, err)
			continue
		}
		page := string(b)
		for _, part := range []string{"# " + r.Alert + "\n", "Severity: **" + r.Labels["severity"] + "**", "## What it means\n", "## What a user sees\n", "## Look first\n", "## Mend\n"} {
			if !strings.Contains(page, part) {
				t.Errorf("%s.md: no %q", r.Alert, part)
			}
		}
		if !strings.Contains(squeezed(page), squeezed(r.Expr)) {
			t.Errorf("%s.md shows another expression than the rule has", r.Alert)
		}
		if r.For != "" && !strings.Contains(page, "after "+r.For) || r.KeepFiringFor != "" && !strings.Contains(page, "stays for "+r.KeepFiringFor) {
			t.Errorf("%s.md says other times than the rule: for %s, keep_firing_for %s", r.Alert, r.For, r.KeepFiringFor)
		}
		if !strings.Contains(string(index), "["+r.Alert+"]("+r.Alert+".md) | "+r.Labels["severity"]+" |") {
			t.Errorf("%s is not in the index, with its severity", r.Alert)
		}
		for _, link := range regexp.MustCompile(`\]\(([^)#]+\.md)`).FindAllStringSubmatch(page, -1) {
			if _, err := os.Stat(filepath.Join(root, "docs/runbooks", link[1])); err != nil {
				t.Errorf("%s.md links to %s, which is not there", r.Alert, link[1])
			}
		}
	}
	files, err := os.ReadDir(filepath.Join(root, "docs/runbooks"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if f.Name() != "README.md" && !slices.Contains(names, f.Name()) {
			t.Errorf("docs/runbooks/%s belongs to no alert", f.Name())
		}
	}
}

func squeezed(s string) string { return strings.Join(strings.Fields(s), "") }

var (
	metricName = regexp.MustCompile(`\b(freshet|grpc|process|go|project|project_[a-z]+):?_?[a-z0-9_:]+`)
	selector   = regexp.MustCompile(`\{[^}]*\}`)
	grouping   = regexp.MustCompile(`\b(by|on|group_left|without) ?\([^)]*\)`)
)

// known holds the names of all series that rules and queries may use.
func known(t testing.TB) map[string]bool {
	out := map[string]bool{"process_cpu_seconds_total": true, "process_resident_memory_bytes": true, "grpc_server_handling_seconds_bucket": true}
	for _, d := range metrics.New().Defs() {
		out[d.Name] = true
		if d.Type == "histogram" {
			for _, s := range []string{"_bucket", "_sum", "_count"} {
				out[d.Name+s] = true
			}
		}
	}
	for _, r := range rules(t, "records.yml") {
		out[r.Record] = true
	}
	return out
}

func TestRulesAndPanelsUseMetricsThatExist(t *testing.T) {
	names, used := known(t), map[string]bool{}
	check := func(where, expr string) {
		for _, n := range metricName.FindAllString(grouping.ReplaceAllString(selector.ReplaceAllString(expr, ""), ""), -1) {
			if n == "project" || n == "process" {
				continue
			}
			used[strings.NewReplacer("_bucket", "", "_sum", "", "_count", "").Replace(n)] = true
			if !names[n] {
				t.Errorf("%s: no metric or record %s", where, n)
			}
		}
	}
	for _, f := range []string{"alerts.yml", "records.yml"} {
		for _, r := range rules(t, f) {
			check(r.Alert+r.Record, r.Expr)
		}
	}
	for _, r := range Rows {
		for _, p := range r.Panels {
			for _, q := range p.Queries {
				check(p.Title, q.Expr)
			}
		}
	}
	// What nobody looks at is not worth exporting.
	elsewhere := map[string]bool{
		"freshet_examples_total": true, "freshet_examples_not_learned_total": true, // freshet status tells them
		"freshet_label_join_ratio": true,                             // since the beginning; rules use rates
		"freshet_model_version":    true, "freshet_model_info": true, // of the variables of the dashboard
		"freshet_feature_lag_seconds":   true, // of one process; panels compare heads over processes
		"freshet_publish_refused_total": true, "freshet_events_refused_total": true, "freshet_serving_panics_total": true,
	}
	for _, d := range metrics.New().Defs() {
		if !used[d.Name] && !elsewhere[d.Name] {
			t.Errorf("%s is in no rule and no panel", d.Name)
		}
	}
}

var update = flag.Bool("update", false, "write deploy/grafana/dashboards/freshet.json")

func TestDashboardIsFresh(t *testing.T) {
	file := filepath.Join(root, "deploy/grafana/dashboards/freshet.json")
	want, err := JSON()
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(file); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s is stale (%v): run go test ./internal/monitoring -update", file, err)
	}
}

func TestPanelsExplainThemselves(t *testing.T) {
	alerts := map[string]bool{"": true}
	for _, r := range rules(t, "alerts.yml") {
		alerts[r.Alert] = true
	}
	titles := map[string]bool{}
	for _, r := range Rows {
		if !strings.HasSuffix(r.Question, "?") {
			t.Errorf("%s: a row asks a question", r.Question)
		}
		for _, p := range r.Panels {
			if titles[p.Title] || p.Description == "" || p.Unit == "" || p.Width < 4 || p.Width > 24 || len(p.Queries) == 0 || !alerts[p.Link] {
				t.Errorf("%s: twice, or without description, unit, width or query, or with a runbook that is not there", p.Title)
			}
			titles[p.Title] = true
			for _, q := range p.Queries {
				if !strings.Contains(q.Expr, "$project") || q.Legend == "" {
					t.Errorf("%s: %s: of all projects, or without a legend", p.Title, q.Expr)
				}
			}
		}
	}
}
