package features_test

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"unicode/utf8"

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
