package generator_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/freshet-ml/freshet/datasets/generator"
)

// The first numbers of new java.util.Random(42), as Java 17 prints them.
func TestJavaRandom(t *testing.T) {
	r := generator.NewJavaRandom(42)
	if a, b := r.Int(10), r.Int(1<<20); a != 0 || b != 57320 {
		t.Errorf("nextInt %d, %d", a, b)
	}
	if x := r.Float64(); x != 0.6832234717598454 {
		t.Errorf("nextDouble %v", x)
	}
	if a, b := r.Normal(), r.Normal(); a != -0.9498666368908959 || b != -1.1069902863993377 {
		t.Errorf("nextGaussian %v, %v", a, b)
	}
}

// Every generator of the catalogue opens with its defaults, keeps to its columns and classes, ends after n rows, and is the same twice.
func TestCatalogue(t *testing.T) {
	for _, spec := range generator.Catalog() {
		s, err := generator.Open(spec.Name + "?n=500")
		if err != nil {
			t.Fatal(err)
		}
		again, err := generator.Open(spec.Name + "(n=500)")
		if err != nil {
			t.Fatal(err)
		}
		classes := map[string]bool{}
		rows := 0
		for record, ok := s.Record(nil); ok; record, ok = s.Record(nil) {
			if other, _ := again.Record(nil); !slices.Equal(record, other) {
				t.Fatalf("%s: two runs differ in row %d", spec.Name, rows+1)
			}
			for i, c := range s.Meta().Columns {
				if c.Values != nil && !slices.Contains(c.Values, record[i]) {
					t.Fatalf("%s: %s is %q", spec.Name, c.Name, record[i])
				}
			}
			classes[record[len(record)-1]] = true
			rows++
		}
		if rows != 500 || len(classes) < 2 || s.Meta().Classes != nil && len(classes) > len(s.Meta().Classes) {
			t.Errorf("%s: %d rows, %d classes", spec.Name, rows, len(classes))
		}
		if spec.Doc == "" || spec.Source == "" || s.Schema().Columns[0].Name != s.Meta().Columns[0].Name {
			t.Errorf("%s: incomplete", spec.Name)
		}
	}
}

// The best answer of a concept is right as often as its noise lets it, and another concept's is not: the concepts are those they claim to be.
func TestConcepts(t *testing.T) {
	threshold := func(at float64) func([]float64) float64 {
		return func(x []float64) float64 {
			if x[0]+x[1] > at {
				return 1
			}
			return 0
		}
	}
	for _, c := range []struct {
		spec  string
		guess func([]float64) float64
		right float64
	}{
		{"sea?concept=3", threshold(7), 0.9}, {"sea?concept=3&noise=0", threshold(7), 1}, {"sea?concept=3&noise=0", threshold(9), 0.84},
	} {
		s, err := generator.Open(c.spec)
		if err != nil {
			t.Fatal(err)
		}
		hits, x := 0.0, make([]float64, 3)
		for range 20000 {
			if y := s.Next(x); c.guess(x) == y {
				hits++
			}
		}
		if got := hits / 20000; math.Abs(got-c.right) > 0.01 {
			t.Errorf("%s: right in %g, want %g", c.spec, got, c.right)
		}
	}
}

func TestFriedman(t *testing.T) {
	s, err := generator.Open("friedman?noise=0")
	if err != nil {
		t.Fatal(err)
	}
	turned, err := generator.Open("friedman?noise=0&concept=2")
	if err != nil {
		t.Fatal(err)
	}
	x, z := make([]float64, 10), make([]float64, 10)
	for range 100 {
		y, other := s.Next(x), turned.Next(z)
		f := func(a, b, c, d, e float64) float64 {
			return 10*math.Sin(math.Pi*a*b) + 20*(c-.5)*(c-.5) + 10*d + 5*e
		}
		if want := f(x[0], x[1], x[2], x[3], x[4]); math.Abs(y-want) > 1e-12 {
			t.Fatalf("%v, want %v", y, want)
		}
		if want := f(z[1], z[2], z[3], z[4], z[0]); math.Abs(other-want) > 1e-12 {
			t.Fatalf("turned: %v, want %v", other, want)
		}
	}
}

// Drifts says where the concept changes: before it rows are those of the first stream, after it those of the second.
func TestDriftsAreWhereTheySay(t *testing.T) {
	s, err := generator.Open("abrupt?first=stagger(concept=1)&second=abrupt(first=stagger(concept=2),second=stagger(concept=3),at=300)&at=700&n=2000")
	if err != nil {
		t.Fatal(err)
	}
	drifts := s.Drifts()
	if !slices.Equal(drifts, []generator.Drift{{At: 700}, {At: 1000}}) {
		t.Fatalf("%v", drifts)
	}
	rule := []func(x []float64) bool{
		func(x []float64) bool { return x[0] == 0 && x[1] == 0 },
		func(x []float64) bool { return x[1] == 2 || x[2] == 0 },
		func(x []float64) bool { return x[0] > 0 },
	}
	x := make([]float64, 3)
	for i := range int64(2000) {
		y := s.Next(x)
		concept := 0
		for _, d := range drifts {
			if i >= d.At {
				concept++
			}
		}
		if rule[concept](x) != (y == 1) {
			t.Fatalf("row %d is not of concept %d", i, concept+1)
		}
	}
	for spec, want := range map[string][]generator.Drift{
		"gradual?at=400&width=20":                              {{At: 400, Width: 20}},
		"recurring?at=100&width=5&length=30&stable=50&times=2": {{100, 5}, {130, 5}, {180, 5}, {210, 5}},
		"rbf?speed=.01":                                        {{Width: -1}},
		"rbf":                                                  nil,
		"hyperplane?change=.1":                                 {{Width: -1}},
		"abrupt?first=rbf(speed=.1)&second=rbf(seed=2)&at=1000": {{Width: -1}, {At: 1000}},
		"abrupt?first=gradual(at=10,width=4)&second=sea&at=50":  {{10, 4}, {At: 50}},
	} {
		s, err := generator.Open(spec)
		if err != nil {
			t.Fatal(err)
		}
		if got := s.Drifts(); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", spec, got, want)
		}
	}
}

func TestBadSpecs(t *testing.T) {
	for spec, want := range map[string]string{
		"":                                   `there is no ""`,
		"see":                                "choose one of agrawal",
		"sea?concept=5":                      "concept=5: want a whole number from 1 to 4",
		"sea?noise=1.5":                      "want a whole number",
		"sea?noise=NaN":                      "want a whole number",
		"sea?speed=1":                        `sea has no parameter "speed"; it has seed, concept, noise, balance, n`,
		"sea?concept":                        "write name=value",
		"sea?concept=1&concept=2":            "given twice",
		"sea?n=0":                            "n=0: want a whole number from 1",
		"sea(concept=1":                      "not closed",
		"abrupt?first=sea(concept=1":         "a bracket is not closed",
		"abrupt?first=sea&second=stagger":    "must have the same columns and classes",
		"abrupt?first=sea(n=5)":              `no parameter "n"`,
		"random_tree?categories=0&numbers=0": "nothing to split by",
		"random_tree?depth=20&values=1000&categories=1000&first_leaf=20": "more than a million nodes",
	} {
		if _, err := generator.Open(spec); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v; want %s", spec, err, want)
		}
	}
}

func TestVectorAllocatesNothing(t *testing.T) {
	for _, spec := range generator.Catalog() {
		s, err := generator.Open(spec.Name)
		if err != nil {
			t.Fatal(err)
		}
		x := make([]float64, len(s.Meta().Columns))
		if n := testing.AllocsPerRun(100, func() { s.Vector(x) }); n != 0 {
			t.Errorf("%s: %g allocations", spec.Name, n)
		}
	}
}

func FuzzOpen(f *testing.F) {
	for _, s := range []string{"sea", "rbf?speed=.1&columns=3", "gradual(first=sea,second=sea(concept=2),at=5)", "a?b=c(d=e)", "led(("} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, spec string) {
		if len(spec) > 200 || strings.Contains(spec, "random_tree") && strings.Contains(spec, "depth") {
			return // large trees take their time
		}
		s, err := generator.Open(spec)
		if err != nil {
			return
		}
		x := make([]float64, len(s.Meta().Columns))
		for range 3 {
			if y := s.Next(x); math.IsNaN(y) {
				t.Fatal("the label is NaN")
			}
		}
	})
}
