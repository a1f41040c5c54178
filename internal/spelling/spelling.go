// Package spelling finds the word that a misspelt name may mean: in project files, pipelines, expressions, flags and
// columns. Pure. It knows slips of the fingers, British and American spelling, singular and plural, `-`, `.` and `_`, words that
// were left out of a name, and initials; and it says nothing where nothing is like the name, since a wrong guess
// sends people the wrong way.
package spelling

import (
	"strings"
	"unicode/utf8"
)

// most is the longest name, in letters, that is compared: a longer one is no slip of the fingers.
const most = 64

// Nearest returns the word of known that name most likely means, or "" when none is like it. Case does not matter,
// and name itself is never the answer. A word is like a name when
//
//   - both are the same but for case, `_`, `-`, `.` and spaces, a plural, or British against American spelling;
//   - at most a third of the letters of the longer one differ (optimal string alignment: a letter more, less, other, or two
//     swapped), and not all letters of either, nor more than one where it has fewer than six; the fewest win;
//   - one is the other without up to half of its letters, the first and the last being there (cnt, count);
//   - three letters or more of name begin the word, or the parts of name stand among the parts of the word (depth, max_depth);
//   - three letters or more of name are the initials of the word's parts (knn, k_nearest_neighbors).
//
// The first comes before all others; the last two count as one letter that differs. Ties go to a word with the same first letter, then to the shorter
// one, then to the first in the order of the alphabet: the order of known does not matter. Names and words of more than 64 letters are like nothing.
// O(letters of name · letters of all words).
func Nearest(name string, known []string) string {
	n := parse(name)
	if n.bare == "" || utf8.RuneCountInString(name) > most {
		return ""
	}
	var best word
	least := none
	for _, text := range known {
		if text == "" || text == name || utf8.RuneCountInString(text) > most {
			continue
		}
		k := parse(text)
		if u := n.unlike(k); u < least || u < none && u == least && n.prefers(k, best) {
			best, least = k, u
		}
	}
	return best.text
}

// DidYouMean is Nearest as a phrase, "did you mean x?", or "" when no word is like name.
func DidYouMean(name string, known []string) string {
	if near := Nearest(name, known); near != "" {
		return "did you mean " + near + "?"
	}
	return ""
}

// How unlike a name and a word are: the number of letters that differ, or
const (
	same = 0        // but for their form
	none = most + 1 // not alike
)

// word is a name taken apart.
type word struct {
	text    string
	letters []rune   // lower case, without separators
	parts   []string // lower case, in singular and American spelling
	bare    string   // the parts, joined
}

func parse(s string) word {
	w := word{text: s, parts: strings.FieldsFunc(strings.ToLower(s), separates)}
	w.letters = []rune(strings.Join(w.parts, ""))
	for i, p := range w.parts {
		w.parts[i] = singular(american(p))
	}
	w.bare = strings.Join(w.parts, "")
	return w
}

func separates(r rune) bool { return strings.ContainsRune("_-. /", r) }

// american turns the British endings of the names that programs use into American ones. It also changes words that it need not
// (source becomes sorce), on both sides of a comparison.
var american = strings.NewReplacer(
	"our", "or", "isation", "ization", "ise", "ize", "yse", "yze", "centre", "center", "metre", "meter",
	"lled", "led", "lling", "ling", "ogue", "og", "fence", "fense",
).Replace

func singular(p string) string {
	switch {
	case len(p) > 4 && strings.HasSuffix(p, "ies"):
		return p[:len(p)-3] + "y"
	case len(p) > 3 && strings.HasSuffix(p, "s") && !strings.HasSuffix(p, "ss"):
		return p[:len(p)-1]
	}
	return p
}

func (n word) unlike(k word) int {
	switch d := distance(n.letters, k.letters); {
	case n.bare == k.bare:
		return same
	case n.shortens(k):
		return 1
	case d <= slips(n.letters, k.letters) || abbreviates(n.letters, k.letters) || abbreviates(k.letters, n.letters):
		return max(d, 1)
	}
	return none
}

// abbreviates reports whether a is b with up to half of the letters between the first and the last left out.
func abbreviates(a, b []rune) bool {
	if len(a) < 3 || len(a) > len(b) || 2*len(a) < len(b) || a[0] != b[0] || a[len(a)-1] != b[len(b)-1] {
		return false
	}
	at := 0
	for _, r := range b {
		if at < len(a) && r == a[at] {
			at++
		}
	}
	return at == len(a)
}

// shortens reports whether the name is a part of the word, or its initials.
func (n word) shortens(k word) bool {
	return len(n.letters) >= 3 &&
		(strings.HasPrefix(string(k.letters), string(n.letters)) || among(n.parts, k.parts) || n.bare == k.initials())
}

// prefers says which of two words, as unlike the name as each other, it means.
func (n word) prefers(a, b word) bool {
	first := func(w word) bool { return len(w.letters) > 0 && w.letters[0] == n.letters[0] }
	if first(a) != first(b) {
		return first(a)
	}
	return len(a.text) < len(b.text) || len(a.text) == len(b.text) && a.text < b.text
}

// slips is how many letters may differ.
func slips(a, b []rune) int {
	short, long := min(len(a), len(b)), max(len(a), len(b))
	if short < 6 {
		return min(short-1, 1)
	}
	return long / 3
}

// among reports whether the parts of a name stand among those of a word, in their order.
func among(parts, of []string) bool {
	for _, p := range of {
		if len(parts) > 0 && p == parts[0] {
			parts = parts[1:]
		}
	}
	return len(parts) == 0
}

func (w word) initials() string {
	var b strings.Builder
	for _, p := range w.parts {
		r, _ := utf8.DecodeRuneInString(p)
		b.WriteRune(r)
	}
	return b.String()
}

// distance is the optimal string alignment distance: the least number of letters put in, taken out, replaced, or swapped with
// the one beside, no letter being touched twice (Boytsov 2011, Indexing methods for approximate dictionary searching, §2.2).
func distance(a, b []rune) int {
	var last, row, next [most + 1]int // of the letter before last, of the last, of this one
	for j := range row {
		row[j] = j
	}
	for i := range a {
		next[0] = i + 1
		for j := range b {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			d := min(next[j]+1, row[j+1]+1, row[j]+cost)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				d = min(d, last[j-1]+1)
			}
			next[j+1] = d
		}
		last, row, next = row, next, last
	}
	return row[len(b)]
}
