package metric

import (
	"math"

	"github.com/freshet-ml/freshet/internal/codec"
)

// The grid of scores: 64 octaves of the odds p/(1−p), from 2⁻³² to 2³², each cut into 256 equal parts. It is a
// piecewise linear logit that costs one division and is the same on every machine. Neighbouring edges
// differ by at most 1/256 of the odds, hence by p(1−p)/256 ≤ 0.001 in p; scores beyond the
// ends share the first and the last bin.
const (
	pageBits  = 8
	pageSize  = 1 << pageBits
	pageCount = 64
	gridSize  = pageCount * pageSize
	gridLow   = (1023 - 32) << pageBits
)

// coarse makes bins of the scores of a month: 64 to an octave, so edges differ by at most p(1−p)/64 ≤ 0.004 in p.
const coarse = 2

// scoreBins counts positives and negatives by score. Memory: at most 256 KiB, in pages of 4 KiB that are made when a
// score first falls into them; a quarter of that when coarse; a few bytes for each bin that holds something when packed.
type scoreBins struct {
	pages  *[pageCount][]scoreBin // nil: none yet, or packed
	packed []byte                 // see pack
	shift  int                    // 1<<shift neighbours of the grid share a bin
}

type scoreBin struct{ pos, neg float64 }

// scoreIndex returns the bin of a score; it never falls as p grows.
func scoreIndex(p float64) int {
	if !(p > 0) {
		return 0
	}
	if p >= 1 {
		return gridSize - 1
	}
	i := int(math.Float64bits(p/(1-p))>>(52-pageBits)) - gridLow
	return min(max(i, 0), gridSize-1)
}

func (b *scoreBins) add(positive bool, p, w float64) {
	bin := b.at(scoreIndex(p))
	if positive {
		bin.pos += w
	} else {
		bin.neg += w
	}
}

// at returns the bin of an index of the grid.
func (b *scoreBins) at(i int) *scoreBin {
	if b.pages == nil {
		b.unpack()
	}
	page := b.pages[i>>pageBits]
	if page == nil {
		page = make([]scoreBin, pageSize>>b.shift)
		b.pages[i>>pageBits] = page
	}
	return &page[i&(pageSize-1)>>b.shift]
}

// each calls f for every bin that holds something, from the highest score down.
func (b *scoreBins) each(f func(pos, neg float64)) {
	for p := b.packed; len(p) > 0; {
		var bin scoreBin
		_, bin, p = nextPacked(p)
		f(bin.pos, bin.neg)
	}
	if b.pages == nil {
		return
	}
	for p := pageCount - 1; p >= 0; p-- {
		if b.pages[p] == nil {
			continue
		}
		for i := len(b.pages[p]) - 1; i >= 0; i-- {
			if bin := b.pages[p][i]; bin.pos > 0 || bin.neg > 0 {
				f(bin.pos, bin.neg)
			}
		}
	}
}

func (b *scoreBins) totals() (pos, neg float64) {
	b.each(func(p, n float64) { pos, neg = pos+p, neg+n })
	return pos, neg
}

// scale multiplies all weights.
func (b *scoreBins) scale(by float64) {
	if b.packed != nil {
		b.unpack()
	}
	if b.pages == nil {
		return
	}
	for _, page := range b.pages {
		for i := range page {
			page[i].pos *= by
			page[i].neg *= by
		}
	}
}

// merge adds the bins of o, which may be finer or coarser.
func (b *scoreBins) merge(o *scoreBins) {
	o = o.loose()
	if o.pages == nil {
		return
	}
	for p, page := range o.pages {
		for i, bin := range page {
			if bin.pos > 0 || bin.neg > 0 {
				to := b.at(p<<pageBits | i<<o.shift)
				to.pos += bin.pos
				to.neg += bin.neg
			}
		}
	}
}

// state visits the bins that hold something, in order: index of the lower edge in the grid, positives, negatives.
func (b *scoreBins) state(c *codec.State) {
	if c.Loading() {
		b.load(c)
		return
	}
	b = b.loose()
	used := 0
	b.each(func(_, _ float64) { used++ })
	c.Len(used, 0, gridSize)
	if b.pages == nil {
		return
	}
	for p, page := range b.pages {
		for i := range page {
			if bin := &page[i]; bin.pos > 0 || bin.neg > 0 {
				at := uint32(p<<pageBits | i<<b.shift)
				c.Uint32(&at)
				c.Float64(&bin.pos)
				c.Float64(&bin.neg)
			}
		}
	}
}

func (b *scoreBins) load(c *codec.State) {
	b.pages, b.packed = nil, nil
	used := c.Len(0, 20, gridSize)
	next := 0
	for range used {
		var at uint32
		var bin scoreBin
		c.Uint32(&at)
		c.Float64(&bin.pos)
		c.Float64(&bin.neg)
		if c.Err() != nil {
			return
		}
		if int(at) < next || at >= gridSize || !(bin.pos >= 0 && bin.neg >= 0 && bin.pos+bin.neg > 0) {
			c.Fail("score bin %d", at)
			return
		}
		next = int(at) + 1
		to := b.at(int(at))
		to.pos, to.neg = to.pos+bin.pos, to.neg+bin.neg
	}
}
