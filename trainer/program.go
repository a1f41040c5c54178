package trainer

import (
	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/features/unit"
)

// Program is a compiled project as the stages after the sequencer see it. It is immutable.
type Program struct {
	Sources  []features.Source // sorted by name, then Freshet's own
	Entities []*unit.Program
	Triggers []*Trigger
}

// Expected appends to dst the indices (into Entities) of the parts that item it expects from units:
// one for each entity type of a trigger that the item is, unless its key is null.
func (p *Program) Expected(dst []int, it *features.Item, key []byte) []int {
	for e := range p.Entities {
		if p.Reads(e, it) {
			if _, ok := p.Entities[e].AppendKey(key[:0], it); ok {
				dst = append(dst, e)
			}
		}
	}
	return dst
}

// Reads reports whether some trigger takes a part of entity type e at this item.
func (p *Program) Reads(e int, it *features.Item) bool {
	for _, t := range p.Triggers {
		if t.Request || !t.Expects(it) {
			continue
		}
		for i := range t.Vector.Parts {
			if t.Vector.Parts[i].Entity == e {
				return true
			}
		}
	}
	return false
}
