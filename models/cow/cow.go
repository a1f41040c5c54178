// Package cow holds pages that a model and its snapshots share until the model writes to them: so publishing a
// snapshot costs a table of pages, and each page is copied once, when it next changes. In the flow it stands
// under the models that keep more than a handful of numbers. It is pure.
package cow

import "slices"

// Pages is a list of pages of T. The zero value has none. It belongs to one goroutine; what Share returns is
// immutable and safe for any number of them.
type Pages[T any] struct {
	pages [][]T
	born  []uint64 // the epoch in which a page was made or copied; an older one is shared
	epoch uint64
}

// New returns n pages of size elements each, all zero, in one block of memory.
func New[T any](n, size int) Pages[T] {
	p := Pages[T]{pages: make([][]T, n), born: make([]uint64, n)}
	block := make([]T, n*size)
	for i := range p.pages {
		p.pages[i] = block[i*size : (i+1)*size : (i+1)*size]
	}
	return p
}

// Len is the number of pages.
func (p *Pages[T]) Len() int { return len(p.pages) }

// Page returns page i for reading.
func (p *Pages[T]) Page(i int) []T { return p.pages[i] }

// Own returns page i for writing, copied first if a snapshot shares it. It must not be called on what Share
// returned.
func (p *Pages[T]) Own(i int) []T {
	if p.born[i] != p.epoch {
		p.Set(i, slices.Clone(p.pages[i]))
	}
	return p.pages[i]
}

// Set makes page the owner's page i, and takes its memory over.
func (p *Pages[T]) Set(i int, page []T) { p.pages[i], p.born[i] = page, p.epoch }

// Share returns an immutable view of the pages as they are now. Cost: 24 bytes per page.
func (p *Pages[T]) Share() Pages[T] {
	p.epoch++
	return Pages[T]{pages: slices.Clone(p.pages)}
}
