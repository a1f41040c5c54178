package vector_test

import (
	"math"
	"testing"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/features/vector"
)

var seen = features.Source{Name: "seen", Fields: []features.Field{
	{Name: "press", Kind: features.String, Nullable: true}, {Name: "line", Kind: features.Int}, {Name: "heat", Kind: features.Double}}}

// TestKeys: a key is a slot behind the columns and no column; its value tells apart what a column would not, and follows from the fields alone.
func TestKeys(t *testing.T) {
	s, err := vector.New(&seen, nil, nil, []int{2}, []vector.Derived{{Name: "derived.twice", Expr: "seen.heat * 2"}}, []int{0, 1}, []int{1})
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
	plain, err := vector.New(&seen, nil, nil, []int{2}, []vector.Derived{{Name: "derived.twice", Expr: "seen.heat * 2"}})
	if err != nil {
		t.Fatal(err)
	}
	swapped, err := vector.New(&seen, nil, nil, []int{2}, []vector.Derived{{Name: "derived.twice", Expr: "seen.heat * 2"}}, []int{1, 0}, []int{1})
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
