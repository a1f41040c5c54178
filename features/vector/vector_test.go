package vector_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/features/vector"
)

var seen = features.Source{Name: "seen", Fields: []features.Field{
	{Name: "press", Kind: features.String, Nullable: true}, {Name: "line", Kind: features.Int}, {Name: "heat", Kind: features.Double}}}

var twice = []vector.Derived{{Name: "derived.twice", Expr: "seen.heat * 2"}}

// TestKeys: a key is a slot behind the columns and no column; its value tells apart what a column would not, and follows from the fields alone.
func TestKeys(t *testing.T) {
	s, err := vector.New(vector.Layout{Trigger: &seen, Fields: []int{2}, Derived: twice, Keys: [][]int{{0, 1}, {1}}})
	if err != nil {
		t.Fatal(err)
	}
	if s.Width() != 4 || len(s.Schema.Columns) != 2 || s.KeySlot(1) != 3 {
		t.Fatalf("width %d, %d columns, second key at %d", s.Width(), len(s.Schema.Columns), s.KeySlot(1))
	}
	vec := func(press features.Value, line int64, heat float64) []float64 {
		v := s.Begin(nil)
		s.Finish(v, []features.Value{press, features.IntValue(line), features.DoubleValue(heat)})
		return v
	}
	text := features.StringValue
	a, same := vec(text("p1"), 1<<53, 1), vec(text("p1"), 1<<53, 2)
	if a[2] != same[2] || a[3] != same[3] || a[1] != 2 {
		t.Errorf("%v and %v", a, same)
	}
	for name, other := range map[string][]float64{"another line": vec(text("p1"), 1<<53+1, 1), "another press": vec(text("p2"), 1<<53, 1)} {
		if a[2] == other[2] {
			t.Errorf("%s has the key %v, too", name, other[2])
		}
	}
	if v := vec(features.Value{}, 5, 1); !math.IsNaN(v[2]) || math.IsNaN(v[3]) {
		t.Errorf("without a press: %v", v)
	}
	plain, err := vector.New(vector.Layout{Trigger: &seen, Fields: []int{2}, Derived: twice})
	if err != nil {
		t.Fatal(err)
	}
	swapped, err := vector.New(vector.Layout{Trigger: &seen, Fields: []int{2}, Derived: twice, Keys: [][]int{{1, 0}, {1}}})
	if err != nil {
		t.Fatal(err)
	}
	if plain.ID() != plain.Schema.ID() || s.ID() == plain.ID() || s.ID() == swapped.ID() {
		t.Errorf("IDs %x without keys, %x with, %x with others; of the columns %x", plain.ID(), s.ID(), swapped.ID(), plain.Schema.ID())
	}
	if n := testing.AllocsPerRun(100, func() { vector.Key([]int{0, 1}, []features.Value{text("p1"), features.IntValue(3)}) }); n > 0 {
		t.Errorf("%v allocations for a key", n)
	}
}

var noted = features.Source{Name: "noted", Fields: []features.Field{{Name: "note", Kind: features.FreeText, Nullable: true},
	{Name: "heat", Kind: features.Double}, {Name: "story", Kind: features.FreeText}, {Name: "press", Kind: features.String}}}

// TestTexts: a text takes the slots that its bound needs, among other columns, and is cut behind a whole character; a null one is missing.
func TestTexts(t *testing.T) {
	s, err := vector.New(vector.Layout{Trigger: &noted, Fields: []int{0, 1, 2, 3}, Bytes: map[int]int{0: 8},
		Derived: []vector.Derived{{Name: "derived.twice", Expr: "noted.heat * 2"}}, Keys: [][]int{{3}}})
	if err != nil {
		t.Fatal(err)
	}
	if first, n := s.FieldSlots(2); first != 3 || n != features.DefaultTextSlots || s.Width() != 2+1+64+1+1+1 {
		t.Fatalf("the story has %d slots from %d on, of %d", n, first, s.Width())
	}
	fields := []features.Value{features.StringValue("so geht's, Grüße"), features.DoubleValue(3), features.StringValue("once upon"), features.StringValue("p")}
	vec := s.Begin(nil)
	s.Finish(vec, fields)
	want := append(features.AppendText(nil, "so geht's, G", 2), 3)
	want = append(features.AppendText(want, "once upon", 64), features.Category("p"), 6, vector.Key([]int{3}, fields))
	if !slices.Equal(vec, want) {
		t.Errorf("vector %v, want %v", vec, want)
	}
	fields[0] = features.Value{}
	vec = s.Begin(vec)
	s.Finish(vec, fields)
	if !math.IsNaN(vec[0]) || !math.IsNaN(vec[1]) || vec[2] != 3 {
		t.Errorf("without a note %v", vec[:3])
	}
	if n := testing.AllocsPerRun(100, func() { s.Finish(s.Begin(vec), fields) }); n > 0 {
		t.Errorf("%v allocations for a vector", n)
	}
	for _, d := range []vector.Derived{{Name: "derived.x", Expr: `noted.note == "a"`}, {Name: "derived.x", Cross: []string{"noted.note", "noted.press"}}} {
		if _, err := vector.New(vector.Layout{Trigger: &noted, Fields: []int{0, 3}, Derived: []vector.Derived{d}}); err == nil || !strings.Contains(err.Error(), "text") {
			t.Errorf("%+v: %v", d, err)
		}
	}
	wider, err := vector.New(vector.Layout{Trigger: &noted, Fields: []int{0, 1, 2, 3}, Bytes: map[int]int{0: 20}})
	if err != nil || wider.ID() == s.ID() {
		t.Errorf("another bound, the same layout: %v", err)
	}
}
