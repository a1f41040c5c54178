package factor

import (
	"math"
	"math/bits"
)

// A published table is made of lines, one cache line each: pages of 16 numbers, and chunks of the places of 16 pages. The owner's list of
// the places of the chunks is copied for every version.
const (
	lineBits = 4
	lineLen  = 1 << lineBits
)

type line [lineLen]uint32

// place is where a line lies: the ordinal of its block and its number in it; 0: nowhere, all its numbers are 0. Ordinals begin anew after
// 2^23 blocks, of which only a few exist at a time.
type place uint32

const (
	blockBits  = 9
	blockLines = 1 << blockBits
	ordinals   = 1<<(32-blockBits) - 1 // a mask
)

// block is memory without pointers, which the collector need not look into. Lines are written once, before a version has them.
type block struct {
	lines  [blockLines]line
	holder [blockLines]uint32 // for the owner only: which line of the table it is, pages first, then chunks
}

// blocks is a window of blocks.
type blocks struct {
	first uint32 // ordinal of list[0]
	list  []*block
}

func (b *blocks) line(p place) *line {
	return &b.list[(uint32(p)>>blockBits-b.first)&ordinals].lines[p&(blockLines-1)]
}

// pages publishes a flat table of numbers that its owner writes: an immutable version shares with the one before every page that was
// not written in between. The owner reads and writes its flat memory and marks what it wrote; publishing appends the marked pages, and the
// chunks that point to them, to a log of blocks. What still counts of the oldest block is appended again when the log has become twice as long as the
// table, so the blocks of a version take at most that, without a pause and without counting readers: the collector frees blocks that no version has.
//
// Cost of a mark: a bit; of publishing: a line for every page written and for every chunk, a quarter as much for what is moved where writes
// are spread evenly, and 4 bytes for every 256 numbers.
type pages struct {
	dirty   []uint16 // by page: a bit for each of its cells
	list    []uint32 // the pages with such bits
	where   []place  // of the pages, whole chunks of them
	chunks  []place  // of the newest version, by chunk
	stale   []bool   // by chunk: where has changed since it was appended
	touch   []uint32 // those
	log     blocks
	cells   int
	fetched uint32 // says nothing
	fill    int    // lines of the newest block
}

func newPages(cells int) *pages {
	n := (cells + lineLen - 1) >> lineBits
	c := (n + lineLen - 1) >> lineBits
	return &pages{dirty: make([]uint16, n), where: make([]place, c<<lineBits), chunks: make([]place, c), stale: make([]bool, c), cells: cells, fill: blockLines}
}

// mark says that the owner writes the cell.
func (p *pages) mark(cell uint32) {
	k, bit := cell>>lineBits, uint16(1)<<(cell&(lineLen-1))
	if p.dirty[k] == 0 {
		p.list = append(p.list, k)
	}
	p.dirty[k] |= bit
}

// publish returns the table as the owner has it: cell i is at(i), asked for those that were marked.
func (p *pages) publish(at func(i int) float32) version {
	p.log.list = append([]*block(nil), p.log.list...) // versions before keep theirs
	p.chunks = append([]place(nil), p.chunks...)
	for i, k := range p.list {
		if i%ahead == 0 {
			p.fetch(p.list[i:min(i+ahead, len(p.list))])
		}
		l := p.page(k, p.where[k])
		for marks := p.dirty[k]; marks != 0; marks &= marks - 1 {
			j := bits.TrailingZeros16(marks)
			l[j] = math.Float32bits(at(int(k)<<lineBits | j))
		}
		p.dirty[k] = 0
	}
	p.list = p.list[:0]
	p.clean()
	for _, c := range p.touch {
		p.stale[c] = false
		fresh, l := p.append(uint32(len(p.dirty)) + c)
		for j, at := range p.where[c<<lineBits:][:lineLen] {
			l[j] = uint32(at)
		}
		p.chunks[c] = fresh
	}
	p.touch = p.touch[:0]
	return version{chunks: p.chunks, blocks: p.log}
}

// ahead is how many pages are fetched from memory together.
const ahead = 16

// fetch reads a word of each of the pages, so that their lines come from memory at the same time and not one after the other.
func (p *pages) fetch(list []uint32) {
	for _, k := range list {
		if at := p.where[k]; at != 0 {
			p.fetched += p.log.line(at)[0]
		}
	}
}

// page appends page k as it lies at old.
func (p *pages) page(k uint32, old place) *line {
	fresh, l := p.append(k)
	if old != 0 {
		*l = *p.log.line(old)
	}
	p.where[k] = fresh
	p.change(k >> lineBits)
	return l
}

// change says that a chunk is to be appended.
func (p *pages) change(c uint32) {
	if !p.stale[c] {
		p.stale[c] = true
		p.touch = append(p.touch, c)
	}
}

// append returns an empty line at the end of the log for that line of the table.
func (p *pages) append(holder uint32) (place, *line) {
	if p.fill == blockLines {
		p.log.list = append(p.log.list, new(block))
		p.fill = 0
		if p.ordinal() == 0 {
			p.fill = 1 // place 0 is nowhere
		}
	}
	b, i := p.log.list[len(p.log.list)-1], p.fill
	p.fill++
	b.holder[i] = holder
	return place(p.ordinal()<<blockBits | uint32(i)), &b.lines[i]
}

// ordinal is that of the newest block.
func (p *pages) ordinal() uint32 { return (p.log.first + uint32(len(p.log.list)) - 1) & ordinals }

// limit is how many blocks the log may have.
func (p *pages) limit() int { return 2 + 2*(len(p.dirty)+len(p.chunks))/blockLines }

// clean moves what counts out of the oldest blocks while there are too many. That ends before it comes to a block of this version: no line of
// the table is appended twice for one version, so those blocks are fewer than the limit.
func (p *pages) clean() {
	for len(p.log.list) > p.limit() {
		b, start := p.log.list[0], p.log.first<<blockBits
		for i, k := range &b.holder {
			at := place(start | uint32(i))
			if page := k < uint32(len(p.dirty)); page && p.where[k] == at && at != 0 {
				p.page(k, at)
			} else if c := k - uint32(len(p.dirty)); !page && p.chunks[c] == at {
				p.change(c)
			}
		}
		p.log.list = p.log.list[1:]
		p.log.first = (p.log.first + 1) & ordinals
	}
}

// reset forgets what was published and marks every page that keep reports, after a load.
func (p *pages) reset(keep func(page int) bool) {
	*p = *newPages(p.cells)
	for k := range p.dirty {
		if keep(k) {
			for i := k << lineBits; i < min(p.cells, (k+1)<<lineBits); i++ {
				p.mark(uint32(i))
			}
		}
	}
}

// version is an immutable table. Cells of pages that were never written are 0.
type version struct {
	chunks []place
	blocks
}

func (v *version) at(cell uint32) float32 {
	c := v.chunks[cell>>(2*lineBits)]
	if c == 0 {
		return 0
	}
	page := place(v.line(c)[cell>>lineBits&(lineLen-1)])
	if page == 0 {
		return 0
	}
	return math.Float32frombits(v.line(page)[cell&(lineLen-1)])
}
