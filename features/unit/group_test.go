package unit

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/freshet-ml/freshet/features"
)

// firsts is a small grouped model: an entity keeps what its group knew when it began, the group counts entities by their third values.
type firsts struct{}

func (m firsts) Shape() features.KeyedShape {
	return features.KeyedShape{Columns: []string{""}, Inputs: 1, MaxBytes: 16, GroupBytes: 8, Version: 1}
}

func (m firsts) Update(state []byte, t int64, x []float64) ([]byte, bool) {
	state, _, late := m.UpdateIn(state, nil, t, x)
	return state, late
}

func (m firsts) UpdateIn(state, group []byte, _ int64, _ []float64) (next, known []byte, late bool) {
	siblings := uint64(0)
	if len(group) > 0 {
		siblings = binary.LittleEndian.Uint64(group)
	}
	if len(state) == 0 {
		return binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(state, siblings), 1), nil, false
	}
	n := binary.LittleEndian.Uint64(state[8:]) + 1
	binary.LittleEndian.PutUint64(state[8:], n)
	if n == 3 {
		known = binary.LittleEndian.AppendUint64(nil, siblings+1)
	}
	return state, known, false
}

func (m firsts) Read(dst []float64, state []byte, _ int64) []float64 {
	if len(state) == 0 {
		return append(dst, math.NaN())
	}
	return append(dst, float64(binary.LittleEndian.Uint64(state)))
}

func (firsts) Check(state []byte) error { return firsts{}.CheckGroup(state[:len(state)/2]) }

func (firsts) CheckGroup(group []byte) error {
	if len(group) != 0 && len(group) != 8 {
		return errors.New("no count")
	}
	return nil
}

func grouped(fields ...string) Keyed {
	return Keyed{Model: firsts{}, Text: "firsts", Grouped: true, Group: fields}
}

// TestGroupsEqualPlainCounts folds the events of entities of two groups and compares each with a plain count; states and groups that are saved and loaded at every step have the
// same bytes.
func TestGroupsEqualPlainCounts(t *testing.T) {
	p := compileKeyed(t, Feature{Name: "plain", Agg: "newest3", Value: "x", Keyed: byValue}, Feature{Name: "n", Agg: "firsts", Value: "x", Keyed: grouped("y")})
	rapid.Check(t, func(t *rapid.T) {
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 3))
		states, groups, copies := map[int]*State{}, map[string]*State{}, map[string]*State{}
		seen, began, grown := map[int]int{}, map[int]int{}, [2]int{}
		for i := range rapid.IntRange(0, 200).Draw(t, "events") {
			e := rng.IntN(20)
			it := sold(uint64(i), start+int64(i)*second, 1, float64(e%2), "n")
			name, ok := p.AppendGroup(nil, it, 7)
			if !ok || !IsGroup(string(name)) {
				t.Fatal("no group")
			}
			if states[e] == nil {
				states[e], began[e] = &State{}, grown[e%2]
			}
			g, c := groups[string(name)], copies[string(name)]
			if g == nil {
				g, c = &State{}, &State{}
				groups[string(name)], copies[string(name)] = g, c
			}
			other := State{Head: bytes.Clone(states[e].Head)}
			*c = State{Head: bytes.Clone(c.Head)}
			if seen[e]++; seen[e] == 3 {
				grown[e%2]++
			}
			g.HeadDirty = false
			p.ApplyIn(states[e], g, it, start)
			p.ApplyIn(&other, c, it, start)
			if !bytes.Equal(other.Head, states[e].Head) || !bytes.Equal(c.Head, g.Head) {
				t.Fatal("the states depend on when they were saved and loaded")
			}
			if g.HeadDirty != (seen[e] == 3) {
				t.Fatalf("value %d marks the group as changed: %t", seen[e], g.HeadDirty)
			}
			if err := p.CheckState(states[e]); err != nil {
				t.Fatal(err)
			}
			if len(g.Head) > 0 {
				if err := p.CheckStateOf(string(name), g); err != nil || p.Expired(g, math.MaxInt64) || p.CheckState(g) == nil {
					t.Fatalf("%v, absent %t", err, p.Expired(g, math.MaxInt64))
				}
			}
			if got := read(p, states[e], it.Time)["n"]; got != float64(began[e]) {
				t.Fatalf("entity %d began with %v, not %d", e, got, began[e])
			}
		}
		if len(groups) > 2 {
			t.Fatalf("%d groups", len(groups))
		}
	})
}

// TestNamesOfGroups: no entity has the name of a group, groups of other buckets and values have other names, a null is a value, and items of other sources have none.
func TestNamesOfGroups(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		if key := features.AppendKey(nil, rapid.SliceOfN(rapid.String(), 1, 3).Draw(t, "key")...); IsGroup(string(key)) {
			t.Fatalf("%x", key)
		}
	})
	p := compileKeyed(t, Feature{Name: "n", Agg: "firsts", Value: "x", Keyed: grouped("y")})
	seen := map[string]bool{}
	for _, bucket := range []int{0, 1, 300} {
		for _, y := range []features.Value{{}, features.DoubleValue(0), features.DoubleValue(1)} {
			it := sold(0, start, 1, 1, "n")
			for i := range it.Fields {
				if it.Fields[i].Kind() == features.Double && it.Fields[i].Float() == 1 && i == testSources()[0].FieldIndex("y") {
					it.Fields[i] = y
				}
			}
			name, ok := p.AppendGroup(nil, it, bucket)
			if !ok || seen[string(name)] {
				t.Errorf("bucket %d, %v: %x", bucket, y, name)
			}
			seen[string(name)] = true
		}
	}
	if name, ok := p.AppendGroup([]byte{1}, &features.Item{Kind: features.EventItem, Source: 1}, 0); ok || len(name) != 1 {
		t.Errorf("an item that no grouped model takes has the group %x", name)
	}
}

// TestGroupsThatCannotBe: what is wrong with a group is said with the feature's name.
func TestGroupsThatCannotBe(t *testing.T) {
	for want, fs := range map[string][]Feature{
		"no start from a group":           {{Name: "n", Agg: "newest3", Value: "x", Keyed: Keyed{Model: newest3{}, Grouped: true}}},
		"group field z is no field":       {{Name: "n", Agg: "firsts", Value: "x", Keyed: grouped("z")}},
		"differs from that of m, [\"y\"]": {{Name: "m", Agg: "firsts", Value: "x", Keyed: grouped("y")}, {Name: "n", Agg: "firsts", Value: "x", Keyed: grouped()}},
	} {
		_, err := Compile(Entity{Name: "shop", Key: []string{"shop"}, Features: fs}, testSources(), Options{})
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "shop.n") {
			t.Errorf("%v, want %s", err, want)
		}
	}
	a := compileKeyed(t, Feature{Name: "n", Agg: "firsts", Value: "x", Keyed: grouped("y")})
	b := compileKeyed(t, Feature{Name: "n", Agg: "firsts", Value: "x", Keyed: grouped()})
	if a.Fingerprint() == b.Fingerprint() {
		t.Error("another group is the same program")
	}
}

// TestDamagedGroups: cut bytes, other versions and states that the model refuses are errors.
func TestDamagedGroups(t *testing.T) {
	p := compileKeyed(t, Feature{Name: "n", Agg: "firsts", Value: "x", Keyed: grouped()})
	var st, g State
	it := sold(0, start, 1, 1, "n")
	for range 3 {
		p.ApplyIn(&st, &g, it, start)
	}
	name, _ := p.AppendGroup(nil, it, 0)
	if err := p.CheckStateOf(string(name), &g); err != nil {
		t.Fatal(err)
	}
	for n := range g.Head {
		if p.CheckStateOf(string(name), &State{Head: g.Head[:n]}) == nil {
			t.Errorf("%d of %d bytes are taken for a group", n, len(g.Head))
		}
	}
	if p.CheckStateOf(string(name), &st) == nil || p.CheckStateOf(string(name), &State{Head: g.Head, Tiles: []byte{1}}) == nil {
		t.Error("the state of an entity is taken for that of a group")
	}
}
