package evaluate

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"

	"github.com/freshet-ml/freshet/models"
)

// The same rows in every format end in the same state.
func TestFormatsAgree(t *testing.T) {
	type record struct {
		X    float64 `parquet:"x"`
		Side string  `parquet:"side"`
		Y    string  `parquet:"y"`
	}
	var list []record
	rng := rand.New(rand.NewPCG(3, 3))
	for range 500 {
		r := record{rng.Float64(), []string{"left", "right"}[rng.IntN(2)], "DOWN"}
		if r.X > 0.5 {
			r.Y = "UP"
		}
		list = append(list, r)
	}
	var csv, jsonl, arff, packed bytes.Buffer
	csv.WriteString("x,side,y\n")
	arff.WriteString("% a comment\n@RELATION 'the market'\n\n@attribute x numeric\n@ATTRIBUTE 'side' {left, right}\n@attribute y {UP,DOWN}\n@data\n")
	for i, r := range list {
		fmt.Fprintf(&csv, "%v,%s,%s\n", r.X, r.Side, r.Y)
		fmt.Fprintf(&arff, "%v, '%s', \"%s\"\r\n", r.X, r.Side, r.Y)
		if i == 7 {
			arff.WriteString("% another\n")
		}
		fmt.Fprintf(&jsonl, `{"y": %q, "x": %v, "side": %q}`+"\n", r.Y, r.X, r.Side)
	}
	w := parquet.NewGenericWriter[record](&packed)
	if _, err := w.Write(list); err != nil || w.Close() != nil {
		t.Fatal(err)
	}
	want := evaluate(t, csv.String(), Options{}).StateSHA256
	for name, data := range map[string]string{"arff": arff.String(), "parquet": packed.String()} {
		o := Options{}
		if name == "arff" {
			o.Target = "y"
		}
		if got := evaluate(t, data, o); got.StateSHA256 != want || got.Events != 500 {
			t.Errorf("%s: another result: %d events", name, got.Events)
		}
	}
	// The columns of JSON lines stand in the order in which they are met: y first here, the features as in the rest.
	if got := evaluate(t, jsonl.String(), Options{}); got.StateSHA256 != want {
		t.Error("jsonl: another result")
	}
}

func TestJSONLines(t *testing.T) {
	data := `{"a": 1, "in": {"b": "x", "c": null}, "y": true}` + "\r\n\n" + `{"a": null, "late": 2.5, "y": false}` + "\n" + `{"y": true, "in": {"b": "z"}}`
	r := evaluate(t, data, Options{Model: "no_change"})
	if r.Events != 3 || fmt.Sprint(r.Classes) != "[false true]" {
		t.Errorf("%d events, classes %v", r.Events, r.Classes)
	}
}

// A sparse file is the dense one without its zeros.
func TestSparseFormats(t *testing.T) {
	var csv, svm, vw strings.Builder
	csv.WriteString("f0,f1,f2,label\n")
	rng := rand.New(rand.NewPCG(1, 9))
	for range 400 {
		x := [3]int{0, rng.IntN(3), rng.IntN(2)}
		y := (x[1] + x[2]) % 2
		fmt.Fprintf(&csv, "%d,%d,%d,%d\n", x[0], x[1], x[2], y)
		fmt.Fprintf(&svm, "%d qid:3", y)
		fmt.Fprintf(&vw, "%d 1 'tag|a", y)
		for i, v := range x {
			if v != 0 {
				fmt.Fprintf(&svm, " %d:%d", i, v)
				fmt.Fprintf(&vw, " f%d:%d", i, v)
			}
		}
		svm.WriteString(" # a comment\n")
		vw.WriteString(" |\n")
	}
	want := evaluate(t, csv.String(), Options{Model: "logistic_regression", Target: "label"})
	for name, data := range map[string]string{"libsvm": svm.String(), "vw": vw.String()} {
		o := Options{Model: "logistic_regression", Target: "label"}
		got := evaluate(t, data, o)
		if d := got.Metrics.Value("log_loss") - want.Metrics.Value("log_loss"); math.Abs(d) > 1e-12 || got.Events != 400 {
			t.Errorf("%s: %d events, the log-loss differs by %g", name, got.Events, d)
		}
	}
}

// The importance of a VW line is the weight of its row; a feature that stands twice is added up; a namespace may have a scale.
func TestVWLines(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.vw")
	text := "-1 2.5 tag|n:2 a:3 b |m b:1 b:.5\n | a\n1 'x| a:2 |n c\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	src, err := newSource(&Options{Path: path}, pace{})
	if err != nil {
		t.Fatal(err)
	}
	in, err := src.rows()
	if err != nil {
		t.Fatal(err)
	}
	defer in.close()
	var got []string
	var r row
	for in.next(&r) == nil {
		line := fmt.Sprintf("%q %g:", r.label, r.weight)
		for i, at := range r.index {
			line += fmt.Sprintf(" %s=%g", in.columns()[at].name, r.value[i])
		}
		got = append(got, line)
	}
	want := []string{`"-1" 2.5: n^a=6 n^b=2 m^b=1.5`, `"" 1: a=1`, `"1" 1: a=2 n^c=1`}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// Wide sparse files stay sparse.
func TestWideSparse(t *testing.T) {
	var b strings.Builder
	for i := range 3000 {
		fmt.Fprintf(&b, "%d %d:1 %d:2\n", i%2, 1+i%2, 3+i)
	}
	r := evaluate(t, b.String(), Options{Model: "logistic_regression", Target: "label"})
	if r.Metrics.Value("accuracy") < 0.95 {
		t.Errorf("accuracy %g", r.Metrics.Value("accuracy"))
	}
}

func TestGeneratedData(t *testing.T) {
	o := Options{Path: "generator:random_tree?n=5000", Model: "no_change"}
	var err error
	if o.Spec, err = ParseModel("no_change"); err != nil {
		t.Fatal(err)
	}
	r, err := Run(t.Context(), o, nil)
	if err != nil {
		t.Fatal(err)
	}
	if r.Events != 5000 || r.Task != "binary" || r.Classes[0] != "class1" {
		t.Errorf("%+v", r)
	}
	o.Path = "generator:nothing"
	if _, err := Run(t.Context(), o, nil); err == nil || !strings.Contains(err.Error(), "choose one of agrawal") {
		t.Error(err)
	}
}

func TestBadFormats(t *testing.T) {
	arff := "@relation r\n@attribute x numeric\n@attribute y {a,b}\n@data\n"
	for _, c := range []struct{ name, format, data, want string }{
		{"array", "", `{"a": [1], "y": 1}`, `data:1: the member "a" is a list`},
		{"twice", "", `{"a": 1, "a": 2}`, `data:1: the member "a" is there twice`},
		{"cut short", "", "{\"a\": 1, \"y\": 2}\n{\"a\": 1", "data:2: the object is not closed"},
		{"two objects", "", `{"a": 1} {"a": 2}`, "write one object a line"},
		{"no object", "jsonl", "[1]", "data:1: the line holds no JSON object"},
		{"empty jsonl", "jsonl", "", "the file is empty"},
		{"arff value", "", arff + "1,c\n", `data:5: attribute y: "c" is none of the declared values a, b`},
		{"arff number", "", arff + "tall,a\n", `data:5: attribute x: "tall" is no number`},
		{"arff ragged", "", arff + "1,a,2\n", "data:5: the row has 3 values for the 2 attributes"},
		{"arff without data", "", "@relation r\n@attribute x numeric\n", "there is no @data line"},
		{"arff type", "", "@relation r\n@attribute x relational\n@data\n", `data:2: attribute x: "relational" is no type`},
		{"arff twice", "", "@relation r\n@attribute x real\n@attribute x real\n@data\n", `data:3: two attributes are named "x"`},
		{"libsvm index", "libsvm", "1 2:1 1:3\n", `data:1: "1:3": indices must rise`},
		{"libsvm pair", "libsvm", "1 2\n", `data:1: "2": write index:value`},
		{"libsvm label", "libsvm", "1:2 3:4\n", "write a label before the features"},
		{"vw bar", "vw", "1 a:1\n", "data:1: there is no | before the features"},
		{"vw value", "vw", "1 | a:b\n", `data:1: "a:b": write feature:value`},
		{"vw importance", "vw", "1 -2 | a\n", `data:1: "-2": the importance is a number from 0 on`},
		{"parquet", "parquet", "PAR1nothing", "no Parquet file, or one that is damaged"},
		{"unknown", "xls", "", `format "xls": choose one of csv, jsonl`},
	} {
		_, err := attempt(c.data, Options{Format: c.format})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v; want %s", c.name, err, c.want)
		}
	}
}

func TestDeclaredClassesAndTypes(t *testing.T) {
	_, err := attempt("x,y\n1,a\n2,b\n3,c\n", Options{Classes: []string{"a", "b"}})
	if err == nil || !strings.Contains(err.Error(), `data:4: target y: "c" is none of the declared classes a, b`) {
		t.Error(err)
	}
	if r := evaluate(t, "x,y\n1,a\n2,a\n3,a\n", Options{Classes: []string{"a", "b", "c"}, Model: "no_change"}); r.Task != "multiclass" || len(r.Classes) != 3 {
		t.Errorf("%s %v", r.Task, r.Classes)
	}
	_, err = attempt("x,y\n1,0\nlow,1\n", Options{Numeric: []string{"x"}})
	if err == nil || !strings.Contains(err.Error(), `numeric: column x: data:3: "low" is no number`) {
		t.Error(err)
	}
	many := "k,y\n"
	for i := range 50 {
		many += fmt.Sprintf("id%d,%d\n", i, i%2)
	}
	_, err = attempt(many, Options{MaxCategories: 20})
	if err == nil || !strings.Contains(err.Error(), "column k: more than 20 distinct values") {
		t.Error(err)
	}
	if _, err := attempt(many, Options{MaxCategories: 50, Task: models.Binary}); err != nil {
		t.Error(err)
	}
}

func FuzzFormats(f *testing.F) {
	for i, s := range []string{"x,y\n1,2\n", "{\"x\": 1, \"y\": {\"z\": 2}}\n", "PAR1", "@relation r\n@attribute x numeric\n@attribute 'y' {a,'b c'}\n@data\n1,a\n{0 3, 1 'b c'}\n",
		"1 1:2 3:4 # c\n", "1 2 't|n:2 a:3 b |m c\n"} {
		f.Add(i, []byte(s))
	}
	f.Fuzz(func(t *testing.T, format int, data []byte) {
		o := Options{Reader: bytes.NewReader(data), Format: Formats[uint(format)%uint(len(Formats))]}
		src, err := newSource(&o, pace{})
		if err != nil {
			return
		}
		defer src.close()
		in, err := src.rows()
		if err != nil {
			return
		}
		defer in.close()
		var r row
		for range 1000 {
			if in.next(&r) != nil {
				return
			}
			if n := len(in.columns()); r.fields != nil && len(r.fields) != n || len(r.index) != len(r.value) {
				t.Fatalf("%d fields for %d columns", len(r.fields), n)
			}
			for i, at := range r.index {
				if int(at) >= len(in.columns()) || i > 0 && at <= r.index[i-1] {
					t.Fatalf("index %v", r.index)
				}
			}
		}
	})
}
