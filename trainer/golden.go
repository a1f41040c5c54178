package trainer

import (
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"slices"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/models/fold"
)

// Golden is what one log answers, as sums: two runs over the same events agree on all of them.
type Golden struct {
	Items   string            `json:"items"`   // source name, decision, event time and fields of every item
	States  string            `json:"states"`  // every living entity's state, by type and key
	Logs    map[string]string `json:"logs"`    // every entry, by trigger
	Weights map[string]string `json:"weights"` // by model
	Scores  map[string]string `json:"scores"`  // scores and waiting answers, by model
}

// Sum is the one value that stands for all of them.
func (g *Golden) Sum() string {
	h := sha256.New()
	h.Write([]byte(g.Items + g.States))
	for _, m := range []map[string]string{g.Logs, g.Weights, g.Scores} {
		names := make([]string, 0, len(m))
		for n := range m {
			names = append(names, n)
		}
		slices.Sort(names)
		for _, n := range names {
			h.Write(features.AppendKey(nil, n, m[n]))
		}
	}
	return hex.EncodeToString(h.Sum(nil))
}

// ItemHash sums items: names instead of indices, and no topic, partition or offset.
type ItemHash struct {
	sources []features.Source
	h       hash.Hash
	buf     []byte
}

// NewItemHash returns the sum of no items.
func NewItemHash(sources []features.Source) *ItemHash {
	return &ItemHash{sources: sources, h: sha256.New()}
}

// Add takes one item.
func (h *ItemHash) Add(it *features.Item) {
	named := *it
	named.Source, named.Partition, named.Offset = 0, 0, 0
	h.buf = features.AppendKey(h.buf[:0], h.sources[it.Source].Name)
	h.buf = features.AppendItem(h.buf, &named)
	h.h.Write(h.buf)
}

// Sum returns the sum so far.
func (h *ItemHash) Sum() string { return hex.EncodeToString(h.h.Sum(nil)) }

// EntryHash sums the entries of an example log.
type EntryHash struct {
	h   hash.Hash
	buf []byte
}

// NewEntryHash returns the sum of no entries.
func NewEntryHash() *EntryHash { return &EntryHash{h: sha256.New()} }

// Add takes one entry.
func (h *EntryHash) Add(e *fold.Entry) {
	h.buf = fold.AppendEntry(h.buf[:0], e)
	h.h.Write(h.buf)
}

// Sum returns the sum so far.
func (h *EntryHash) Sum() string { return hex.EncodeToString(h.h.Sum(nil)) }
