package features

import (
	"math/bits"
	"strconv"
	"strings"
	"unicode/utf8"
)

// TextBytes is how many bytes of a text one slot of a vector holds.
const TextBytes = 6

// Bounds of a text in a vector.
const (
	DefaultTextSlots = 64  // 384 bytes
	MaxTextSlots     = 512 // 3,072 bytes
)

// TextSlots returns how many slots texts of up to so many bytes take; 0 bytes: DefaultTextSlots.
func TextSlots(bytes int) int {
	if bytes == 0 {
		return DefaultTextSlots
	}
	return (bytes + TextBytes - 1) / TextBytes
}

// CutText returns the longest beginning of s that fits into so many slots and ends behind a whole character, and whether that is less than s.
func CutText(s string, slots int) (string, bool) {
	limit := slots * TextBytes
	if len(s) <= limit {
		return s, false
	}
	for limit > 0 && !utf8.RuneStart(s[limit]) {
		limit--
	}
	return s[:limit], true
}

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

// Base returns the name that people know a column by, and whether the column is the first or only one of that name: a text has several columns, and
// is one thing to its users.
func (c *Column) Base() (name string, first bool) {
	if c.Kind != Text {
		return c.Name, true
	}
	if i := strings.LastIndexByte(c.Name, '#'); i > 0 && isNumber(c.Name[i+1:]) {
		return c.Name[:i], false
	}
	return c.Name, true
}

func isNumber(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != "" && s[0] != '0'
}

// TextsOf lists the slots of each text of a schema, in order.
func TextsOf(s *Schema) [][]int {
	var out [][]int
	for i, c := range s.Columns {
		if c.Kind != Text {
			continue
		}
		if k := len(out) - 1; k >= 0 {
			first, next := out[k][0], len(out[k])+1
			if first+next-1 == i && c.Name == s.Columns[first].Name+"#"+strconv.Itoa(next) {
				out[k] = append(out[k], i)
				continue
			}
		}
		out = append(out, []int{i})
	}
	return out
}

// ReadText appends to dst the text that slots hold, and reports whether there is one: the slots of a missing text are NaN.
func ReadText(dst []byte, slots []float64) ([]byte, bool) {
	for i, x := range slots {
		more := false
		if dst, more = AppendSlot(dst, x); !more {
			return dst, i > 0 || x == x
		}
	}
	return dst, len(slots) > 0
}

// TextLen returns how many bytes a text in slots has; NaN if it is missing. Numbers that AppendText does not make end it.
func TextLen(slots []float64) float64 {
	for i, x := range slots {
		switch {
		case i == 0 && x != x:
			return x
		case !(x > 0 && x < 1<<(8*TextBytes)):
			return float64(i * TextBytes)
		case x < 1<<(8*(TextBytes-1)):
			return float64(i*TextBytes + (bits.Len64(uint64(x))+7)/8)
		}
	}
	return float64(len(slots) * TextBytes)
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
