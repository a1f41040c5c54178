package expr

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/freshet-ml/freshet/features"
)

var testFields = []features.Field{
	{Name: "dep_delay", Kind: features.Double}, {Name: "carrier", Kind: features.String}, {Name: "n", Kind: features.Int},
	{Name: "late", Kind: features.Bool}, {Name: "at", Kind: features.Time}, {Name: "departs", Kind: features.Time},
	{Name: "gone", Kind: features.Double}, {Name: "nobody", Kind: features.String}, {Name: "never", Kind: features.Time}, {Name: "perhaps", Kind: features.Bool},
}

func testValues() []features.Value {
	at := time.Date(2013, 3, 4, 22, 30, 0, 0, time.UTC) // a Monday
	return []features.Value{
		features.DoubleValue(20), features.StringValue("UA"), features.IntValue(-7), features.BoolValue(true),
		features.TimeValue(at.UnixMicro()), features.TimeValue(at.Add(90 * time.Minute).UnixMicro()), {}, {}, {}, {},
	}
}

// TestResults: NaN stands for missing.
func TestResults(t *testing.T) {
	missing := math.NaN()
	for src, want := range map[string]float64{
		"dep_delay > 15 && carrier == \"UA\"": 1, "dep_delay > 15 and carrier != 'UA'": 0,
		"log1p(dep_delay) / 2": math.Log1p(20) / 2, "hour(at)": 22, "hour(at, \"America/New_York\")": 17, "weekday(at)": 0, "month(at)": 3,
		"minutes(departs - at)": 90, "hours(departs - at)": 1.5, "days(86400)": 1, "departs > at": 1, "at + 5400 == departs": 1, "departs - 5400 == at": 1,
		"at >= \"2013-03-04T22:30:00Z\"": 1, "at < \"2013-03-04T22:30:00Z\"": 0,
		"abs(n)": 7, "min(n, 3, dep_delay)": -7, "max(n, 3)": 3, "sign(n)": -1, "clip(dep_delay, 0, 10)": 10, "n % 4": -3, "2 ** 3 ** 2": 512, "-2 ** 2": -4,
		"floor(2.5) + ceil(2.5) + round(2.5) + sqrt(16) + exp(0)": 13, "len(carrier)": 2, "lower(carrier) == \"ua\"": 1, "upper(\"x\") == \"X\"": 1,
		"carrier in [\"AA\", \"UA\"]": 1, "carrier not in [\"AA\"]": 1, "n in [1, 2]": 0, "nobody in [\"a\"]": missing, "n in []": 0,
		"carrier contains \"A\"": 1, "carrier startsWith \"A\"": 0, "carrier endsWith \"A\"": 1,
		"late ? dep_delay : 0": 20, "perhaps ? 1 : 2": missing, "late == true": 1, "late != true": 0, "late": 1,
		"gone + 1": missing, "gone > 1": missing, "gone == gone": missing, "1 ** gone": missing, "gone ** 0": missing, "0 / 0": missing, "1 / 0": missing, "log(0)": missing,
		"log(-1)": missing, "exp(1000)": missing, "max(gone, 1)": missing, "clip(gone, 0, 1)": missing, "sign(gone)": missing, "hour(never)": missing, "never - at": missing,
		"never + 1 == at": missing, "at + gone > at": missing, "nobody == \"a\"": missing, "len(nobody)": missing, "nobody contains \"a\"": missing,
		"gone ?? 3": 3, "dep_delay ?? 3": 20, "(nobody ?? \"x\") == \"x\"": 1, "(never ?? at) == at": 1, "perhaps ?? true": 1,
		"isnull(gone)": 1, "isnull(dep_delay)": 0, "isnull(nobody) && isnull(never) && isnull(perhaps)": 1, "isnull(0/0)": 1,
		"false && gone > 1": 0, "gone > 1 && false": 0, "true || gone > 1": 1, "gone > 1 || true": 1, "gone > 1 || false": missing, "true && gone > 1": missing, "!(gone > 1)": missing, "not late": 0,
		"1e300 * 1e300": missing, "carrier": features.Category("UA"), "n": -7, "carrier < \"ZZ\"": 1,
	} {
		e, err := Compile(src, FieldsOf(testFields))
		if err != nil {
			t.Errorf("%s: %v", src, err)
			continue
		}
		got := e.Number(testValues())
		if got != want && !(got != got && want != want) {
			t.Errorf("%s is %v, want %v", src, got, want)
		}
		if v := e.Value(testValues()); v.IsNull() != (want != want) || !v.IsNull() && v.Feature() != want || !v.IsNull() && v.Kind() != e.Kind() {
			t.Errorf("%s has value %v of kind %v, want %v", src, v, v.Kind(), want)
		}
		if truth, ok := e.Truth(testValues()); e.Kind() == features.Bool && (ok != (want == want) || ok && truth != (want == 1)) {
			t.Errorf("%s is %v, %v, want %v", src, truth, ok, want)
		}
	}
}

func TestErrorsSayWhereAndHowToMend(t *testing.T) {
	for src, want := range map[string]string{
		"dep_dealy > 15":              "column 1: unknown field dep_dealy; did you mean dep_delay?",
		"n + zzzzzzzzzz":              "column 5: unknown field zzzzzzzzzz",
		"n + carrier":                 "column 3: + takes numbers, not number and string",
		"n && late":                   "column 3: && takes conditions, not number and bool",
		"carrier > 3":                 "column 9: > cannot compare string with number",
		"at > \"yesterday\"":          "column 4: > cannot compare time with string",
		"at + at":                     "column 4: + takes no time and time",
		"n == nil":                    "use isnull(x)",
		"!n":                          "! takes a condition, not a number",
		"-carrier":                    "- takes a number, not a string",
		"late ? 1 : \"a\"":            "both results must be of one kind",
		"n ? 1 : 2":                   "the condition before ? is a number",
		"sqroot(n)":                   "unknown function sqroot; did you mean sqrt?",
		"hour(n)":                     "hour takes a time, not a number",
		"hour(at, \"Mars/Base\")":     "unknown time zone",
		"abs(n, n)":                   "abs takes one argument, not 2",
		"abs(carrier)":                "abs takes a number, not a string",
		"clip(n)":                     "clip takes three arguments",
		"max(n)":                      "max takes two or more",
		"len(n)":                      "len takes a string",
		"n in carrier":                "in takes a list",
		"[1, 2]":                      "a list can only stand after in",
		"nil":                         "the result is nil",
		"let x = 1; x":                "unsupported syntax",
		"filter([1], # > 0)":          "unknown function filter",
		"n +":                         "column",
		"":                            "column",
		strings.Repeat("1+", 3000):    "at most 4096",
		strings.Repeat("-", 70) + "n": "more than 64 nested operations",
	} {
		e, err := Compile(src, FieldsOf(testFields))
		if err == nil {
			t.Errorf("%.40s compiled to %v", src, e.Kind())
			continue
		}
		if _, ok := err.(*Error); !ok || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40s: error %q lacks %q", src, err, want)
		}
	}
}

func TestDerivedFeatures(t *testing.T) {
	columns := []features.Column{{Name: "origin.mean_delay_1h"}, {Name: "origin.mean_delay_6h"}, {Name: "scheduled.carrier", Kind: features.Categorical}, {Name: "home.carrier", Kind: features.Categorical}}
	vec := []float64{12, 4, features.Category("UA"), features.Category("AA")}
	for src, want := range map[string]float64{
		"origin.mean_delay_1h - origin.mean_delay_6h": 8, "scheduled.carrier == \"UA\"": 1, "scheduled.carrier != 'AA'": 1,
		"scheduled.carrier in [\"AA\", \"DL\"]": 0, "scheduled.carrier == home.carrier": 0, "origin.mean_delay_1h > 10 ? 1 : 0": 1,
		"log1p(abs(origin.mean_delay_1h) / 4)": math.Log1p(3),
	} {
		n, err := CompileNumeric(src, columns)
		if err != nil {
			t.Errorf("%s: %v", src, err)
		} else if got := n.Eval(vec); got != want {
			t.Errorf("%s is %v, want %v", src, got, want)
		}
	}
	for src, want := range map[string]string{
		"scheduled.carrier + 1": "+ takes numbers, not category and number", "scheduled.carrier < \"UA\"": "cannot compare",
		"origin.mean_delay_2h": "unknown feature origin.mean_delay_2h; did you mean origin.mean_delay_1h?",
	} {
		if _, err := CompileNumeric(src, columns); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v lacks %q", src, err, want)
		}
	}
	n, err := CompileNumeric("scheduled.carrier", columns)
	if err != nil || n.Kind() != features.Categorical || n.Eval(nil) == n.Eval(nil) {
		t.Errorf("a lone category is %v, of a short vector not missing: %v", n.Kind(), err)
	}
}

func TestEvaluationDoesNotAllocate(t *testing.T) {
	e, err := Compile("dep_delay > 15 && carrier in [\"AA\", \"UA\"] && hour(at, \"America/New_York\") + log1p(dep_delay) > 3", FieldsOf(testFields))
	if err != nil {
		t.Fatal(err)
	}
	fields := testValues()
	if n := testing.AllocsPerRun(100, func() { e.Number(fields) }); n > 0 {
		t.Errorf("an evaluation allocates %v times", n)
	}
}

func BenchmarkNumber(b *testing.B) {
	e, err := Compile("dep_delay > 15 && carrier == \"UA\"", FieldsOf(testFields))
	if err != nil {
		b.Fatal(err)
	}
	fields := testValues()
	b.ReportAllocs()
	for range b.N {
		e.Number(fields)
	}
}

// FuzzCompile: whatever text comes, compiling does not panic, nor does evaluating what compiled over
// nulls, over values and over no fields at all; results are finite or missing.
func FuzzCompile(f *testing.F) {
	for _, src := range []string{"dep_delay > 15 && carrier == \"UA\"", "n in [1, -2]", "hour(at) ?? 3", "((((", "a?.b", "filter(x, #)", "{a: 1}", "1..2", "'\\u0000'", "n | abs()"} {
		f.Add(src)
	}
	env := FieldsOf(testFields)
	f.Fuzz(func(t *testing.T, src string) {
		e, err := Compile(src, env)
		if err != nil {
			return
		}
		for _, fields := range [][]features.Value{nil, make([]features.Value, len(testFields)), testValues()} {
			if x := e.Number(fields); math.IsInf(x, 0) {
				t.Errorf("%q is %v", src, x)
			}
			e.Value(fields)
			e.Truth(fields)
		}
	})
}

func Example() {
	e, err := Compile("minutes(departs - at) > 60 && carrier in [\"UA\", \"AA\"]", FieldsOf(testFields))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(e.Kind(), e.Number(testValues()))
	_, err = Compile("dep_dealy > 15", FieldsOf(testFields))
	fmt.Println(err)
	// Output:
	// bool 1
	// column 1: unknown field dep_dealy; did you mean dep_delay?
}
