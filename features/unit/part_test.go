package unit_test

import (
	"bytes"
	"math"
	"testing"

	"github.com/freshet-ml/freshet/features/unit"
	"pgregory.net/rapid"
)

func TestPartRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := unit.Part{Event: rapid.Uint64().Draw(t, "event"), Entity: rapid.IntRange(0, 1<<20).Draw(t, "entity"), Newest: rapid.Int64().Draw(t, "newest"),
			Values: rapid.SliceOfN(rapid.Float64(), 0, 6).Draw(t, "values")}
		b := unit.AppendPart(nil, &p)
		var got unit.Part
		if !unit.DecodePart(b, &got) || !bytes.Equal(unit.AppendPart(nil, &got), b) {
			t.Fatalf("%+v came back as %+v", p, got)
		}
	})
}

func TestPartBytes(t *testing.T) {
	want := []byte{0x85, 0x01, 2, 5, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f}
	if got := unit.AppendPart(nil, &unit.Part{Event: 133, Entity: 2, Newest: -3, Values: []float64{1}}); !bytes.Equal(got, want) {
		t.Errorf("stored bytes changed: % x, want % x", got, want)
	}
}

func FuzzDecodePart(f *testing.F) {
	f.Add(unit.AppendPart(nil, &unit.Part{Event: 7, Entity: 1, Newest: 9, Values: []float64{1, math.NaN()}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		var p unit.Part
		if unit.DecodePart(b, &p) && !unit.DecodePart(unit.AppendPart(nil, &p), &p) {
			t.Fatal("own bytes are refused")
		}
	})
}
