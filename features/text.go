package features

import (
	"strconv"
	"unicode/utf8"
)

// TextBytes is how many bytes of a text one slot of a vector holds.
const TextBytes = 6

// TextColumns returns the columns of a text of up to slots·TextBytes bytes: the first has its name, the others name#2, name#3 and so on.
func TextColumns(name string, slots int) []Column {
	out := make([]Column, slots)
	for i := range out {
		out[i] = Column{Name: name, Kind: Text}
		if i > 0 {
			out[i].Name = name + "#" + strconv.Itoa(i+1)
		}
	}
	return out
}

// AppendText appends a text as slots numbers: each holds up to six bytes of its UTF-8, the first the lowest, as a whole number below 2⁴⁸, and
// slots behind its end hold 0. What is too long is cut behind a whole character; bytes that are no UTF-8 and zeros become spaces.
func AppendText(dst []float64, s string, slots int) []float64 {
	var word uint64
	filled, left := 0, slots
	put := func(b byte) {
		word |= uint64(b) << (8 * filled)
		if filled++; filled == TextBytes {
			dst, word, filled, left = append(dst, float64(word)), 0, 0, left-1
		}
	}
	for _, r := range s {
		if r == utf8.RuneError || r == 0 {
			r = ' '
		}
		if utf8.RuneLen(r) > left*TextBytes-filled {
			break
		}
		var b [utf8.UTFMax]byte
		for _, c := range b[:utf8.EncodeRune(b[:], r)] {
			put(c)
		}
	}
	for ; left > 0; left-- {
		dst, word = append(dst, float64(word)), 0
	}
	return dst
}

// AppendSlot appends the bytes of one slot of a text and reports whether the text may go on behind it. Numbers that AppendText does not make end it.
func AppendSlot(dst []byte, slot float64) ([]byte, bool) {
	if !(slot > 0 && slot < 1<<(8*TextBytes)) {
		return dst, false
	}
	word := uint64(slot)
	for range TextBytes {
		if byte(word) == 0 {
			return dst, false
		}
		dst, word = append(dst, byte(word)), word>>8
	}
	return dst, true
}
