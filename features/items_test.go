package features_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/freshet-ml/freshet/features"
)

func declared(name string, fields ...features.Field) features.Declared {
	return features.Declared{Source: features.Source{Name: name, Fields: fields}, Topic: name, Partitions: 1}
}

var (
	idField = features.Field{Name: "id", Kind: features.String}
	xField  = features.Field{Name: "x", Kind: features.Int}
	yField  = features.Field{Name: "y", Kind: features.Double, Nullable: true}
)

// Items of every epoch come to the sources of the reader by name.
func TestItemsAreBroughtToTheOwnSources(t *testing.T) {
	old := []features.Declared{declared("a", idField, xField), declared("gone", idField)}
	now := []features.Declared{declared("a", yField, idField), declared("new", idField)}
	meta := features.Meta{Head: 5, Watermark: 4, Epochs: []features.Epoch{{Sources: old}, {From: 10, Sources: now}}}.Pack()
	text := features.StringValue
	cases := []struct {
		seq  uint64
		it   features.Item
		want string
	}{
		{0, features.Item{Kind: features.EventItem, Source: 0, Time: 7, Fields: []features.Value{text("i"), features.IntValue(3)}}, "1 0 @7 [null i]"},
		{1, features.Item{Kind: features.EventItem, Source: 1, Time: 8, Fields: []features.Value{text("i")}}, "255 0 @8 []"},
		{2, features.Item{Kind: features.RefusalItem, Source: 1, Time: 9, Reason: "late"}, fmt.Sprintf("255 0 @%d []", int64(features.NoTime))},
		{3, features.Item{Kind: features.TickItem, Time: 9}, "3 0 @9 []"},
		{10, features.Item{Kind: features.SchemaItem, Sources: now}, "5 0 @0 []"},
		{11, features.Item{Kind: features.EventItem, Source: 0, Time: 7, Fields: []features.Value{features.DoubleValue(2), text("i")}}, "1 0 @7 [2 i]"},
		{12, features.Item{Kind: features.EventItem, Source: 1, Time: 7, Fields: []features.Value{text("j")}}, "1 1 @7 [j]"},
		{4, features.Item{Kind: features.EventItem, Source: 0, Time: 7, Fields: []features.Value{text("k"), features.IntValue(3)}}, "1 0 @7 [null k]"}, // back again
	}
	x := features.NewItems(features.SourcesOf(now))
	if err := x.Enter(meta, 1); err != nil {
		t.Fatal(err)
	}
	var it features.Item
	for _, c := range cases {
		if err := x.Decode(features.AppendItem(nil, &c.it), c.seq, &it); err != nil {
			t.Fatalf("item %d: %v", c.seq, err)
		}
		fields := []string{}
		for _, v := range it.Fields {
			s := v.String()
			if v.IsNull() {
				s = "null"
			}
			fields = append(fields, s)
		}
		if got := fmt.Sprintf("%d %d @%d [%s]", it.Kind, it.Source, it.Time, strings.Join(fields, " ")); got != c.want || it.Seq != c.seq {
			t.Errorf("item %d is %s, want %s", c.seq, got, c.want)
		}
	}
}

func TestItemsOfALogThatSaysNothing(t *testing.T) {
	own := features.SourcesOf([]features.Declared{declared("a", idField)})
	x := features.NewItems(own)
	if err := x.Enter(nil, features.SourcesID(own)); err != nil {
		t.Fatal(err)
	}
	if err := x.Enter(nil, 7); !errors.Is(err, features.ErrSources) {
		t.Errorf("another fingerprint: %v", err)
	}
}

func TestChangesThatAreRefused(t *testing.T) {
	was := declared("a", idField, xField)
	was.Partitions = 3
	epochs := []features.Epoch{{Sources: []features.Declared{was}}}
	for want, change := range map[string]func(d *features.Declared){
		"field x is a int in the log and a double in the project": func(d *features.Declared) { d.Fields = []features.Field{{Name: "x", Kind: features.Double}} },
		"a was a source and is a table":                           func(d *features.Declared) { d.Table = true },
		"was read from topic a and is to be read from b":          func(d *features.Declared) { d.Topic = "b" },
		"had 3 partitions and has 2":                              func(d *features.Declared) { d.Partitions = 2 },
		"":                                                        func(d *features.Declared) { d.Partitions, d.Fields, d.Rules = 4, []features.Field{yField, idField}, 9 },
	} {
		now := was
		change(&now)
		err := features.CheckChange(epochs, []features.Declared{now})
		if want == "" && err != nil || want != "" && (!errors.Is(err, features.ErrSources) || !strings.Contains(err.Error(), want)) {
			t.Errorf("want %q: %v", want, err)
		}
	}
	// A kind of long ago counts too.
	epochs = append(epochs, features.Epoch{From: 9, Sources: []features.Declared{declared("a", idField)}})
	if err := features.CheckChange(epochs, []features.Declared{declared("a", features.Field{Name: "x", Kind: features.String})}); !errors.Is(err, features.ErrSources) {
		t.Errorf("a field of another kind than long ago: %v", err)
	}
}

func FuzzMeta(f *testing.F) {
	f.Add(features.Meta{Head: 1, Epochs: []features.Epoch{{Sources: table()}, {From: 7, Sources: table()[:1]}}}.Pack())
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := features.DecodeMeta(b)
		if err != nil {
			return
		}
		if _, err := features.DecodeMeta(m.Pack()); err != nil {
			t.Fatalf("own bytes are refused: %v", err)
		}
	})
}
