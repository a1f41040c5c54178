package ingest

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"testing"
	"time"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/internal/codec"
)

// foldOf is a fold with something in every place.
func foldOf(t testing.TB) (*Fold, Config) {
	t.Helper()
	a, b := eventSpec("a"), eventSpec("b")
	a.Dedupe, a.OutOfOrder = Dedupe{By: "id", Within: time.Hour, Size: 9}, 5*time.Second
	a.Expect = nil
	cfg := Config{Sources: []SourceSpec{a, b}, Partitions: []int32{2, 1}, Ends: true}
	s := mustSequencer(t, cfg)
	s.Offer(event(0, 0, 3, 10, "x"))
	s.Offer(event(0, 1, 4, 11, "y"))
	s.Offer(&Record{Source: 1, Offset: 7, Value: []byte("no")})
	for i, n := range cfg.Partitions {
		for p := range n {
			s.End(i, p)
		}
	}
	if got := all(s); len(got) != 3 {
		t.Fatalf("items: %v", got)
	}
	s.Fold.Apply(&features.Item{Kind: features.IdleItem, Source: 1})
	return s.Fold, cfg
}

// The bytes of the state lie in checkpoints of users: they change only together with foldVersion.
func TestFoldBytes(t *testing.T) {
	f, _ := foldOf(t)
	saved := codec.Save(f)
	sum := sha256.Sum256(saved)
	const want = "0daf7610bbc74c2581fc53dac6984b0a7663bd3655cf92a1bbf3c9a616172c13"
	if got := hex.EncodeToString(sum[:]); got != want || len(saved) != 316 {
		t.Errorf("%d bytes of state with sum %s: the stored form has changed\n%x", len(saved), got, saved)
	}
}

func FuzzFold(f *testing.F) {
	fold, _ := foldOf(f)
	f.Add(codec.Save(fold))
	f.Add(codec.Save(&Fold{}))
	f.Fuzz(func(t *testing.T, b []byte) {
		var got Fold
		if codec.Load(&got, b) != nil {
			return
		}
		again := codec.Save(&got)
		var second Fold
		if err := codec.Load(&second, again); err != nil || !bytes.Equal(codec.Save(&second), again) {
			t.Fatalf("own bytes are refused or change: %v", err)
		}
		got.Apply(&features.Item{Kind: features.EventItem, Time: 1, Fields: []features.Value{features.IntValue(1)}})
	})
}

// A schema item carries what stays over to the new declarations, by name.
func TestFoldGoesOverToOtherSources(t *testing.T) {
	f, cfg := foldOf(t)
	next := cfg
	next.Sources = []SourceSpec{eventSpec("0new"), cfg.Sources[0]}
	next.Sources[1].OutOfOrder = time.Hour
	next.Sources[1].Fields = append([]FieldSpec{{Name: "extra", Kind: features.Int, Nullable: true}}, cfg.Sources[0].Fields...)
	next.Partitions = []int32{1, 3}
	table, err := next.Declared()
	if err != nil {
		t.Fatal(err)
	}
	head, watermark := f.Head(), f.Watermark()
	f.Apply(&features.Item{Kind: features.SchemaItem, Sources: table})
	if f.Head() != head || f.Watermark() != watermark {
		t.Errorf("head %d and watermark %d became %d and %d", head, watermark, f.Head(), f.Watermark())
	}
	for p, want := range []int64{4, 5, 0} {
		if got, ok := f.Part(1, int32(p)); !ok || got.Next != want {
			t.Errorf("partition %d goes on at %+v, want %d", p, got, want)
		}
	}
	s := mustSequencer(t, next)
	if err := s.Adopt(f); err != nil {
		t.Fatal(err)
	}
	s.Resume(nil)
	repeated := event(1, 2, 0, 12, "x")
	repeated.Value = []byte(`{"at":12,"id":"x","extra":1}`)
	s.Offer(repeated)
	for i, n := range next.Partitions {
		for p := range n {
			s.End(i, p)
		}
	}
	d, ok := s.Next()
	if !ok || d.Item.Reason != ReasonDuplicate {
		t.Errorf("an id of before is not remembered: %+v", d)
	}
	if s.Watermark() != watermark {
		t.Errorf("the watermark fell to %d", s.Watermark())
	}
	// Another way to remember begins anew.
	next.Sources[1].Dedupe.Within = 2 * time.Hour
	if table, err = next.Declared(); err != nil {
		t.Fatal(err)
	}
	f.Apply(&features.Item{Kind: features.SchemaItem, Sources: table})
	if n := f.ids[1].count(); n != 0 {
		t.Errorf("%d ids are remembered", n)
	}
}
