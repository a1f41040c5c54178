package features_test

import (
	"errors"
	"math"
	"testing"

	"github.com/freshet-ml/freshet/features"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func anyValue(t *rapid.T) features.Value {
	switch rapid.IntRange(0, 5).Draw(t, "kind") {
	case 0:
		return features.Value{}
	case 1:
		return features.StringValue(rapid.String().Draw(t, "text"))
	case 2:
		return features.IntValue(rapid.Int64().Draw(t, "int"))
	case 3:
		return features.DoubleValue(rapid.Float64().Draw(t, "double"))
	case 4:
		return features.BoolValue(rapid.Bool().Draw(t, "bool"))
	}
	return features.TimeValue(rapid.Int64().Draw(t, "time"))
}

func TestItemRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		it := features.Item{Kind: features.EventItem, Flags: features.ItemFlags(rapid.IntRange(0, 3).Draw(t, "flags")),
			Source: rapid.IntRange(0, 1000).Draw(t, "source"), Partition: rapid.Int32Range(0, math.MaxInt32).Draw(t, "partition"),
			Offset: rapid.Int64().Draw(t, "offset"), Time: rapid.Int64().Draw(t, "at"),
			Fields: rapid.SliceOfN(rapid.Custom(anyValue), 0, 8).Draw(t, "fields")}
		if rapid.Bool().Draw(t, "refusal") {
			it.Kind, it.Fields, it.Reason = features.RefusalItem, nil, rapid.String().Draw(t, "reason")
		}
		b := features.AppendItem(nil, &it)
		var got features.Item
		rest, err := features.DecodeItem(b, &got)
		if err != nil || len(rest) != 0 {
			t.Fatalf("decode: %v, %d bytes left", err, len(rest))
		}
		if again := features.AppendItem(nil, &got); string(again) != string(b) {
			t.Fatalf("%+v came back as %+v", it, got)
		}
		for n := range len(b) {
			if _, err := features.DecodeItem(b[:n], &got); !errors.Is(err, features.ErrItem) {
				t.Fatalf("cut at %d of %d: %v", n, len(b), err)
			}
		}
	})
}

func TestItemBytes(t *testing.T) {
	it := features.Item{Kind: features.EventItem, Source: 2, Partition: 1, Offset: 300, Time: 1_000_000,
		Fields: []features.Value{features.StringValue("ab"), features.IntValue(-1), features.DoubleValue(1), features.BoolValue(true), {}}}
	want := []byte{1, 0, 2, 1, 0xd8, 0x04, 0x80, 0x89, 0x7a, 5,
		1, 2, 'a', 'b', 2, 1, 3, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f, 4, 1, 0}
	if diff := cmp.Diff(want, features.AppendItem(nil, &it)); diff != "" {
		t.Errorf("stored bytes changed, -want +got:\n%s", diff)
	}
}

func TestDecodeItemAllocatesNothing(t *testing.T) {
	it := features.Item{Kind: features.EventItem, Fields: []features.Value{features.StringValue("EWR"), features.DoubleValue(3)}}
	b := features.AppendItem(nil, &it)
	var got features.Item
	if n := testing.AllocsPerRun(100, func() { features.DecodeItem(b, &got) }); n > 0 {
		t.Errorf("%v allocations per item", n)
	}
}

// table declares one source of each kind, with every member set.
func table() []features.Declared {
	return []features.Declared{
		{Source: features.Source{Name: "a", OutOfOrder: 5, Fields: []features.Field{{Name: "x", Kind: features.Int, Nullable: true}, {Name: "id", Kind: features.String}}},
			Topic: "t", Partitions: 3, Dedupe: features.Remember{By: "id", Within: 7, Size: 9}, Rules: 11},
		{Source: features.Source{Name: "b", Table: true, Fields: []features.Field{{Name: "y", Kind: features.Double}}}, Topic: "b", Partitions: 1},
		{Source: features.Source{Name: "$c", Plain: true}, Topic: "p.c", Partitions: 1},
	}
}

func TestSchemaItemBytes(t *testing.T) {
	it := features.Item{Kind: features.SchemaItem, Sources: table()[2:]}
	want := []byte{5, 0, 0, 0, 0, 0, 56, 1, 2, '$', 'c', 3, 'p', '.', 'c', 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0,
		0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}
	b := features.AppendItem(nil, &it)
	want[6] = byte(len(want) - 7)
	if diff := cmp.Diff(want, b); diff != "" {
		t.Error(diff)
	}
	it.Sources = table()
	b = features.AppendItem(nil, &it)
	var got features.Item
	if rest, err := features.DecodeItem(b, &got); err != nil || len(rest) > 0 || !features.SameDeclared(got.Sources, it.Sources) {
		t.Fatalf("%v, %d bytes left, %+v", err, len(rest), got.Sources)
	}
	for n := range b {
		if _, err := features.DecodeItem(b[:n], &got); !errors.Is(err, features.ErrItem) {
			t.Fatalf("cut at %d of %d: %v", n, len(b), err)
		}
	}
	for name, change := range map[string]func(d *features.Declared){
		"no name": func(d *features.Declared) { d.Name = "" }, "twice": func(d *features.Declared) { d.Name = "b" },
		"kind": func(d *features.Declared) { d.Fields[0].Kind = 9 }, "partitions": func(d *features.Declared) { d.Partitions = 0 },
		"dedupe": func(d *features.Declared) { d.Dedupe.By = "z" }, "size": func(d *features.Declared) { d.Dedupe.Size = -1 },
	} {
		it.Sources = table()
		change(&it.Sources[0])
		if _, err := features.DecodeItem(features.AppendItem(nil, &it), &got); !errors.Is(err, features.ErrItem) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzDecodeItem(f *testing.F) {
	f.Add(features.AppendItem(nil, &features.Item{Kind: features.SchemaItem, Sources: table()}))
	f.Add([]byte{1, 0, 2, 1, 0xd8, 0x04, 0x80, 0x89, 0x7a, 1, 1, 2, 'a', 'b'})
	f.Add([]byte{2, 0, 0, 0, 0, 0, 3, 'b', 'a', 'd'})
	f.Fuzz(func(t *testing.T, b []byte) {
		var it features.Item
		rest, err := features.DecodeItem(b, &it)
		if err != nil {
			return
		}
		again := features.AppendItem(nil, &it)
		var second features.Item
		if _, err := features.DecodeItem(again, &second); err != nil {
			t.Fatalf("own bytes are refused: %v (rest %d)", err, len(rest))
		}
	})
}

func TestClock(t *testing.T) {
	sources := append([]features.Source{{Name: "a", OutOfOrder: 5}, {Name: "b", OutOfOrder: 2}}, features.PlainSources()...)
	c := features.NewClock(sources)
	steps := []struct {
		item            features.Item
		head, watermark int64
	}{
		{features.Item{Kind: features.RefusalItem, Time: 99}, features.NoTime, features.NoTime},
		{features.Item{Kind: features.EventItem, Source: 0, Time: 10}, 10, 5},
		{features.Item{Kind: features.EventItem, Source: 1, Time: 7}, 10, 5},
		{features.Item{Kind: features.EventItem, Source: 2, Time: 50}, 10, 5},
		{features.Item{Kind: features.TickItem, Time: 20}, 20, 15},
		{features.Item{Kind: features.EventItem, Source: 1, Time: 12}, 20, 15},
	}
	for i, s := range steps {
		c.Observe(&s.item)
		if c.Head != s.head || c.Watermark != s.watermark {
			t.Errorf("step %d: head %d watermark %d, want %d and %d", i, c.Head, c.Watermark, s.head, s.watermark)
		}
	}
}

func TestKeys(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		parts := rapid.SliceOfN(rapid.String(), 1, 4).Draw(t, "parts")
		got, ok := features.SplitKey(string(features.AppendKey(nil, parts...)))
		if !ok || !cmp.Equal(parts, got) {
			t.Fatalf("%q came back as %q, %v", parts, got, ok)
		}
	})
	if string(features.AppendKey(nil, "a", "bc")) == string(features.AppendKey(nil, "ab", "c")) {
		t.Error("composite keys collide")
	}
	if _, ok := features.SplitKey("\x05ab"); ok {
		t.Error("a key that is cut short was split")
	}
}

func TestHashIsStable(t *testing.T) {
	// Placement of keys and categories of stored vectors depend on it.
	if got := features.Hash("EWR"); got != 0xb28182b6218a0dee {
		t.Errorf("hash of EWR is %#x", got)
	}
	for _, text := range []string{"", "EWR", "a longer text than any key"} {
		if c := features.Category(text); c != math.Trunc(c) || c < 0 || c >= 1<<53 {
			t.Errorf("category of %q is %v, no integer below 2^53", text, c)
		}
	}
}
