package worker

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"testing"
	"time"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/features/ingest"
	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/internal/frame"
)

func knownState(t testing.TB) *known {
	t.Helper()
	spec := ingest.SourceSpec{Name: "a", Time: "at", Dedupe: ingest.Dedupe{By: "id", Within: time.Hour},
		Fields: []ingest.FieldSpec{{Name: "at", Kind: features.Time}, {Name: "id", Kind: features.String}}}
	fold, err := ingest.NewFold([]ingest.SourceSpec{spec}, []int32{2})
	if err != nil {
		t.Fatal(err)
	}
	fold.Apply(&features.Item{Kind: features.EventItem, Partition: 1, Offset: 6, Time: 1000, Fields: []features.Value{features.TimeValue(1000), features.StringValue("x")}})
	return &known{fold: fold, pos: frame.Position{Offset: 9, Last: frame.ID{Writer: 3, Number: 4}}, next: 17, anchor: frame.Anchor{Offset: 7, ID: frame.ID{Writer: 3, Number: 2}},
		inputs: []frame.Input{{Name: "a/0", Pos: frame.Position{Offset: 0}}, {Name: "a/1", Pos: frame.Position{Offset: 7}}}}
}

// The bytes lie in checkpoints of users: they change only together with knownVersion or the version of the fold.
func TestKnownBytes(t *testing.T) {
	saved := codec.Save(knownState(t))
	sum := sha256.Sum256(saved)
	const want = "8c06e7a138a589bc2d7d412ac69f834b269d97b9ee809f414c99d38a12c16287"
	if got := hex.EncodeToString(sum[:]); got != want || len(saved) != 337 {
		t.Errorf("%d bytes of state with sum %s: the stored form has changed\n%x", len(saved), got, saved)
	}
}

func FuzzKnown(f *testing.F) {
	f.Add(codec.Save(knownState(f)))
	f.Fuzz(func(t *testing.T, b []byte) {
		var got known
		if codec.Load(&got, b) != nil {
			return
		}
		again := codec.Save(&got)
		var second known
		if err := codec.Load(&second, again); err != nil || !bytes.Equal(codec.Save(&second), again) {
			t.Fatalf("own bytes are refused or change: %v", err)
		}
	})
}
