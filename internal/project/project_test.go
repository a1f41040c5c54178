package project

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/features/unit"
)

func mustRead(t testing.TB, file string) []byte {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestDefaultsAreTheTags: a minimal file has exactly the defaults that tags, schema and reference state.
func TestDefaultsAreTheTags(t *testing.T) {
	p, err := Parse("freshet.yaml", []byte("version: 1\nproject: a\nsources: {s: {time: at, fields: {k: string}}}\nfeatures: {e: {key: k, n: {count: s}}}\n"), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []any{p.Serving, p.Kafka, p.Redis, p.Checkpoints, p.Sources[0], p.Features[0], p.Features[0].Features[0]} {
		value := reflect.ValueOf(v)
		for _, o := range options(value.Type(), "") {
			if o.key == "*" || o.def == "" {
				continue
			}
			want := reflect.New(o.typ).Elem()
			d := &decoder{}
			d.scalar(o.def, want, &o, Pos{}, o.key)
			if len(d.problems) > 0 {
				t.Errorf("%s.%s: the default %q is wrong: %v", value.Type(), o.key, o.def, d.problems)
			}
			if got := value.Field(o.index); !reflect.DeepEqual(got.Interface(), want.Interface()) {
				t.Errorf("%s.%s is %v, not the default %v", value.Type(), o.key, got, want)
			}
		}
	}
	if s := p.Sources[0]; s.Topic != "s" || s.Fields[0].Name != "at" || s.Fields[0].Kind != features.Time {
		t.Errorf("%+v", s)
	}
}

// TestEveryKeyHasADoc keeps the reference complete.
func TestEveryKeyHasADoc(t *testing.T) {
	listed := map[reflect.Type]bool{}
	for _, s := range referenceSections {
		if s.typ == nil {
			continue
		}
		listed[s.typ] = true
		for _, o := range options(s.typ, "") {
			if o.doc == "" || !strings.HasSuffix(o.doc, ".") {
				t.Errorf("%s.%s: no doc sentence", s.typ, o.key)
			}
		}
	}
	var walk func(reflect.Type)
	walk = func(typ reflect.Type) {
		for typ.Kind() == reflect.Slice || typ.Kind() == reflect.Pointer {
			typ = typ.Elem()
		}
		if typ.Kind() != reflect.Struct || typ.PkgPath() != reflect.TypeFor[Project]().PkgPath() || typ == reflect.TypeFor[Field]() {
			return
		}
		if !listed[typ] {
			t.Errorf("%s is not in the reference", typ)
		}
		for _, o := range options(typ, "") {
			walk(o.typ)
		}
	}
	walk(reflect.TypeFor[Project]())
}

func TestSevenErrorsAtOnce(t *testing.T) {
	_, err := Load("testdata/bad/seven.yaml", nil)
	var e *Errors
	if !errors.As(err, &e) || len(e.Problems) != 7 {
		t.Fatalf("got %v", err)
	}
	for i, p := range e.Problems {
		if p.Line == 0 || p.Column == 0 || p.Path == "" || p.Reason == "" || p.Mend == "" && p.Nearest == "" {
			t.Errorf("problem %d lacks something: %+v", i, p)
		}
		if i > 0 && p.Line < e.Problems[i-1].Line {
			t.Errorf("problem %d is out of order", i)
		}
	}
}

func TestVariables(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "name"), []byte("from_file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	env := func(name string) (string, bool) {
		v, ok := map[string]string{"SET": "set", "EMPTY": "", "ONLY_FILE": "name", "N": "7"}[name]
		return v, ok
	}
	for text, want := range map[string]string{
		"${SET}": "set", "a_${SET}_b": "a_set_b", "${EMPTY:-other}": "other", "${UNSET:-x}": "x", "${UNSET:-}": "", "${ONLY}": "from_file", "$${SET}": "${SET}",
		"$SET": "$SET",
	} {
		d := &decoder{env: env, file: filepath.Join(dir, "freshet.yaml")}
		if got, ok := d.expand(text, Pos{}, ""); !ok || got != want {
			t.Errorf("%s gives %q (%v), not %q", text, got, d.problems, want)
		}
	}
	p, err := Parse("freshet.yaml", []byte("version: 1\nproject: a\nsources: {s: {time: at, partitions: '${N}', fields: {k: string}}}\nfeatures: {e: {key: k, n: {count: s}}}\n"), env)
	if err != nil || p.Sources[0].Partitions != 7 {
		t.Errorf("a number from a variable: %v %v", p, err)
	}
}

func TestEntities(t *testing.T) {
	p := flights(t)
	entities := p.Entities()
	var names []string
	for _, e := range entities {
		names = append(names, e.Name)
	}
	if want := []string{"origin", "plane", "route", "planes"}; !slices.Equal(names, want) {
		t.Fatalf("%v, not %v", names, want)
	}
	sources := p.FeatureSources()
	overdue := entities[0].Features[2]
	if overdue.Name != "overdue" || sources[overdue.Source].Name != "scheduled" || len(overdue.Until) != 2 || overdue.Keep != 24*time.Hour {
		t.Errorf("%+v", overdue)
	}
	// The columns that a project promises are those that the units make.
	for _, e := range entities {
		prog, err := unit.Compile(e, sources, p.UnitOptions())
		if err != nil {
			t.Fatal(err)
		}
		var want []features.Column
		for _, c := range p.Columns(&p.Models[0]) {
			if c.Group == e.Name {
				want = append(want, features.Column{Name: c.Name, Kind: c.Kind})
			}
		}
		if got := prog.Columns(); !slices.Equal(got, want) {
			t.Errorf("%s: units make %v, the project says %v", e.Name, got, want)
		}
	}
}

func TestColumnsOfEverything(t *testing.T) {
	p, err := Load("testdata/good/everything.yaml", environment)
	if err != nil {
		t.Fatal(err)
	}
	sources := p.FeatureSources()
	for _, e := range p.Entities() {
		prog, err := unit.Compile(e, sources, p.UnitOptions())
		if err != nil {
			t.Fatal(err)
		}
		var want []features.Column
		for _, c := range p.Columns(p.Model("late")) {
			if c.Group == e.Name {
				want = append(want, features.Column{Name: c.Name, Kind: c.Kind})
			}
		}
		if got := prog.Columns(); !slices.Equal(got, want) {
			t.Errorf("%s: units make\n%v\nthe project says\n%v", e.Name, got, want)
		}
	}
}

func TestStarLeavesOutIDsTimesAndLabels(t *testing.T) {
	p := flights(t)
	columns, vain := p.Use(&p.Models[0], []string{"scheduled.*", "nothing.*"})
	var names []string
	for _, c := range columns {
		names = append(names, c.Name)
	}
	if want := []string{"scheduled.tail", "scheduled.origin", "scheduled.carrier", "scheduled.distance"}; !slices.Equal(names, want) {
		t.Errorf("%v, not %v", names, want)
	}
	if !slices.Equal(vain, []string{"nothing.*"}) {
		t.Errorf("vain %v", vain)
	}
}

func TestDurations(t *testing.T) {
	for text, want := range map[string]time.Duration{"500ms": 500 * time.Millisecond, "1h": time.Hour, "7d": 168 * time.Hour, "1w": 168 * time.Hour,
		"1h30m": 90 * time.Minute, ".5s": 500 * time.Millisecond, "1.5d": 36 * time.Hour, "0s": 0, "10us": 10 * time.Microsecond} {
		if got, err := ParseDuration(text); err != nil || got != want {
			t.Errorf("%s: %v %v", text, got, err)
		}
	}
	for _, text := range []string{"", "h", "1", "1x", "-1s", "1h-", "1e9h", "200y", "40000d", "1..2s", "0.0001us"} {
		if got, err := ParseDuration(text); err == nil {
			t.Errorf("%q is read as %v", text, got)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		d := time.Duration(rapid.Int64Range(0, int64(90*365*24*time.Hour)/1000).Draw(t, "µs")) * time.Microsecond
		if got, err := ParseDuration(FormatDuration(d)); err != nil || (got-d).Abs() > d/1e9 {
			t.Fatalf("%v is written %s and read %v (%v)", d, FormatDuration(d), got, err)
		}
	})
}

func TestSizes(t *testing.T) {
	for text, want := range map[string]Size{"512": 512, "64KiB": 65536, "4MiB": 4 << 20, "1GiB": 1 << 30, "10MB": 10e6, "1.5KiB": 1536, "3 kB": 3000} {
		got, err := ParseSize(text)
		if err != nil || got != want {
			t.Errorf("%s: %v %v", text, got, err)
		}
		if back, _ := ParseSize(got.String()); back != got {
			t.Errorf("%s is written %s", text, got)
		}
	}
	for _, text := range []string{"", "x", "1XB", "-1", "9999999TiB"} {
		if got, err := ParseSize(text); err == nil {
			t.Errorf("%q is read as %v", text, got)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, pattern := range []string{"testdata/good/*.yaml", "testdata/bad/*.yaml"} {
		files, _ := filepath.Glob(pattern)
		for _, file := range files {
			f.Add(mustRead(f, file))
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if bytes.Contains(data, []byte("_file")) {
			t.Skip("does not read files that the fuzzer names")
		}
		p, err := Parse("freshet.yaml", data, environment)
		if err == nil {
			p.Generation()
			PlanOf(p, PlanOptions{})
			return
		}
		var e *Errors
		if !errors.As(err, &e) || len(e.Problems) == 0 || e.Error() == "" {
			t.Fatalf("%T %v", err, err)
		}
	})
}

func ExampleParse() {
	_, err := Parse("freshet.yaml", []byte(`
version: 1
project: shop
sources:
  orders: {time: at, fields: {user: string, amount: doubel}}
features:
  user:
    key: user
    spent: {sun: orders.amount, over: 1h}
`), nil)
	fmt.Println(err)
	// Output:
	// freshet.yaml:5:53: sources.orders.fields.amount: unknown type "doubel"; did you mean "double"?
	// freshet.yaml:9:13: features.user.spent: unknown aggregation "sun"; did you mean "sum"?
}

// Windows have one name: 1d is 24h in a column, as units make it, and 3d is 3d.
func TestColumnsOfWindowsOfDays(t *testing.T) {
	p, err := Parse("freshet.yaml", []byte("version: 1\nproject: p\nsources:\n  orders: {time: at, fields: {user: string}}\n"+
		"features:\n  user: {key: user, orders: {count: orders, over: [90m, 1d, 48h, 72h, 1w]}}\n"), environment)
	if err != nil {
		t.Fatal(err)
	}
	e := p.Entities()[0]
	prog, err := unit.Compile(e, p.FeatureSources(), p.UnitOptions())
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, c := range p.entityColumns(&p.Features[0]) {
		names = append(names, c.Name)
	}
	for i, c := range prog.Columns() {
		if c.Name != names[i] {
			t.Errorf("units make %s, the project says %s", c.Name, names[i])
		}
	}
}
