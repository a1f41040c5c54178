package factor

// Pages of a published table hold pageCells numbers; a directory of chunks of chunkPages pages finds them.
const (
	pageBits, chunkBits   = 4, 5
	pageCells, chunkPages = 1 << pageBits, 1 << chunkBits
)

type (
	page  [pageCells]float32
	chunk [chunkPages]*page
)

// pages publishes a flat table of numbers that its owner writes: an immutable version shares with the one before every page that was
// not written in between. The owner reads and writes its flat memory and marks what it wrote; publishing copies the marked pages, and
// the chunks that point to them. Cost of a mark: a byte; of publishing: 64 bytes for every page written, 256 for every chunk, and
// 8 bytes for every 512 cells.
type pages struct {
	dirty  []bool   // by page
	list   []uint32 // the dirty ones
	chunks []*chunk // of the newest version; never written again
}

func newPages(cells int) *pages {
	n := (cells + pageCells - 1) >> pageBits
	return &pages{dirty: make([]bool, n), chunks: make([]*chunk, (n+chunkPages-1)>>chunkBits)}
}

// mark says that the owner writes the cell.
func (p *pages) mark(cell uint32) {
	if k := cell >> pageBits; !p.dirty[k] {
		p.dirty[k] = true
		p.list = append(p.list, k)
	}
}

// publish returns the table as the owner has it: cell i is at(i).
func (p *pages) publish(cells int, at func(i int) float32) version {
	chunks := append([]*chunk(nil), p.chunks...)
	for _, k := range p.list {
		p.dirty[k] = false
		fresh := new(page)
		for j := range min(pageCells, cells-int(k)<<pageBits) {
			fresh[j] = at(int(k)<<pageBits + j)
		}
		c := k >> chunkBits
		if chunks[c] == p.chunks[c] { // still shared
			owned := new(chunk)
			if chunks[c] != nil {
				*owned = *chunks[c]
			}
			chunks[c] = owned
		}
		chunks[c][k&(chunkPages-1)] = fresh
	}
	p.list = p.list[:0]
	p.chunks = chunks
	return chunks
}

// reset forgets what was published and marks every page that keep reports, after a load.
func (p *pages) reset(keep func(page int) bool) {
	clear(p.chunks)
	p.chunks = append([]*chunk(nil), p.chunks...)
	clear(p.dirty)
	p.list = p.list[:0]
	for k := range p.dirty {
		if keep(k) {
			p.mark(uint32(k) << pageBits)
		}
	}
}

// version is an immutable table. Cells of pages that were never written are 0.
type version []*chunk

func (v version) at(cell uint32) float32 {
	c := v[cell>>(pageBits+chunkBits)]
	if c == nil {
		return 0
	}
	g := c[cell>>pageBits&(chunkPages-1)]
	if g == nil {
		return 0
	}
	return g[cell&(pageCells-1)]
}
