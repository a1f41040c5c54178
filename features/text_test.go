package features_test

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/freshet-ml/freshet/features"
)

// textOf reads a text back.
func textOf(slots []float64) string {
	var b []byte
	for _, s := range slots {
		more := false
		if b, more = features.AppendSlot(b, s); !more {
			break
		}
	}
	return string(b)
}

// FuzzText: what is put into slots comes back, cut behind a whole character.
func FuzzText(f *testing.F) {
	for _, s := range []string{"", "a", "abcdef", "grüße an alle 漢字 🙂", "a\x00b\xff"} {
		f.Add(s, uint8(3))
	}
	f.Fuzz(func(t *testing.T, s string, slots uint8) {
		n := int(slots % 20)
		v := features.AppendText(nil, s, n)
		if len(v) != n {
			t.Fatalf("%d slots, want %d", len(v), n)
		}
		got := textOf(v)
		clean := strings.Map(func(r rune) rune {
			if r == utf8.RuneError || r == 0 {
				return ' '
			}
			return r
		}, s)
		if !strings.HasPrefix(clean, got) || !utf8.ValidString(got) {
			t.Fatalf("%q became %q", s, got)
		}
		if rest := clean[len(got):]; rest != "" {
			if _, size := utf8.DecodeRuneInString(rest); len(got)+size <= n*features.TextBytes {
				t.Fatalf("%q was cut to %q although more fits", s, got)
			}
		}
	})
}

func TestSlotsThatAreNoText(t *testing.T) {
	for _, x := range []float64{math.NaN(), math.Inf(1), -1, 0, 1 << 48, 0.5} {
		if b, more := features.AppendSlot(nil, x); len(b) > 0 || more {
			t.Errorf("%v gives %q", x, b)
		}
	}
}

func ExampleAppendText() {
	v := features.AppendText(nil, "late again", 3)
	fmt.Println(len(v), textOf(v))
	// Output: 3 late again
}

// TestCutText: the longest beginning that fits and ends behind a whole character.
func TestCutText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, slots := rapid.String().Draw(t, "text"), rapid.IntRange(0, 8).Draw(t, "slots")
		got, cut := features.CutText(s, slots)
		if !strings.HasPrefix(s, got) || len(got) > slots*features.TextBytes || !utf8.ValidString(got) || cut != (got != s) {
			t.Fatalf("%q, %d slots: %q, %v", s, slots, got, cut)
		}
		if _, size := utf8.DecodeRuneInString(s[len(got):]); cut && len(got)+size <= slots*features.TextBytes {
			t.Fatalf("%q was cut to %q although more fits", s, got)
		}
	})
}

// TestSlotsOfTexts: length and text come back from the slots, also next to other texts; a missing text has neither.
func TestSlotsOfTexts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, slots := rapid.StringMatching(`[a-zäß漢🙂 ]{0,30}`).Draw(t, "text"), rapid.IntRange(1, 8).Draw(t, "slots")
		want, _ := features.CutText(s, slots)
		v := features.AppendText(nil, s, slots)
		if got, ok := features.ReadText(nil, v); string(got) != want || !ok {
			t.Fatalf("%q in %d slots is read as %q, %v", s, slots, got, ok)
		}
		if got := features.TextLen(v); got != float64(len(want)) {
			t.Fatalf("%q has %v bytes", want, got)
		}
	})
	missing := []float64{math.NaN(), math.NaN()}
	if b, ok := features.ReadText(nil, missing); ok || len(b) > 0 || !math.IsNaN(features.TextLen(missing)) {
		t.Errorf("a missing text is %q, %v", b, ok)
	}
}

func TestTextsOf(t *testing.T) {
	s := &features.Schema{Columns: []features.Column{{Name: "x"}}}
	s.Columns = append(append(s.Columns, features.TextColumns("a", 3)...), features.TextColumns("b", 1)...)
	s.Columns = append(s.Columns, features.Column{Name: "y#2"}, features.Column{Name: "c#2", Kind: features.Text})
	if got := fmt.Sprint(features.TextsOf(s)); got != "[[1 2 3] [4] [6]]" {
		t.Errorf("texts %s", got)
	}
	var names []string
	for i := range s.Columns {
		if name, first := s.Columns[i].Base(); first {
			names = append(names, name)
		}
	}
	if got := strings.Join(names, " "); got != "x a b y#2" {
		t.Errorf("columns %s", got)
	}
}
