package metric

import (
	"encoding/binary"
	"math"
)

// pack puts the bins into few bytes, as those of months that are over stay: the next score unpacks them. Bins stand from the highest score down: how
// many bins further down, then positives and negatives. Cost: O(bins).
func (b *scoreBins) pack() {
	if b.pages == nil {
		return
	}
	var p []byte
	last := gridSize >> b.shift
	for page := pageCount - 1; page >= 0; page-- {
		for i := len(b.pages[page]) - 1; i >= 0; i-- {
			if bin := b.pages[page][i]; bin.pos > 0 || bin.neg > 0 {
				at := page<<(pageBits-b.shift) | i
				p = binary.AppendUvarint(p, uint64(last-at))
				p = appendWeight(appendWeight(p, bin.pos), bin.neg)
				last = at
			}
		}
	}
	b.packed, b.pages = append(make([]byte, 0, len(p)), p...), nil
}

// unpack undoes pack.
func (b *scoreBins) unpack() {
	b.pages = new([pageCount][]scoreBin)
	p := b.packed
	b.packed = nil
	at := gridSize >> b.shift
	for len(p) > 0 {
		var gap uint64
		var bin scoreBin
		gap, bin, p = nextPacked(p)
		at -= int(gap)
		*b.at(at << b.shift) = bin
	}
}

// loose returns bins that are not packed: b itself, or a copy.
func (b *scoreBins) loose() *scoreBins {
	if b.packed == nil {
		return b
	}
	c := &scoreBins{shift: b.shift, packed: b.packed}
	c.unpack()
	return c
}

// nextPacked reads one bin and returns the rest.
func nextPacked(p []byte) (gap uint64, bin scoreBin, rest []byte) {
	gap, n := binary.Uvarint(p)
	p = p[n:]
	bin.pos, p = nextWeight(p)
	bin.neg, p = nextWeight(p)
	return gap, bin, p
}

// appendWeight appends a weight: twice a whole number, or 1 and the bits of another.
func appendWeight(p []byte, w float64) []byte {
	if w < 1<<53 && w == math.Trunc(w) {
		return binary.AppendUvarint(p, uint64(w)<<1)
	}
	return binary.LittleEndian.AppendUint64(append(p, 1), math.Float64bits(w))
}

func nextWeight(p []byte) (float64, []byte) {
	v, n := binary.Uvarint(p)
	if p = p[n:]; v != 1 {
		return float64(v >> 1), p
	}
	return math.Float64frombits(binary.LittleEndian.Uint64(p)), p[8:]
}
