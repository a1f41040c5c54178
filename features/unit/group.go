package unit

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/features/expr"
)

// groupVersion begins the state of a group.
const groupVersion = 2

// groupMark begins the name of a group: no key does, since each of its parts begins with its length in as few bytes as can be.
const groupMark = "\x80\x00"

// grouped compiles the group of a keyed model.
func (c *compiling) grouped(f *Feature, k *keyedModel) {
	if !f.Keyed.Grouped {
		return
	}
	ok := false
	if k.grouped, ok = k.model.(features.Grouped); !ok || k.shape.GroupBytes == 0 {
		c.wrong(f.Name, "%s has no start from a group; remove the group", f.Agg)
		return
	}
	for i := range c.p.entity.Features {
		if other := &c.p.entity.Features[i]; other.Keyed.Grouped && !slices.Equal(other.Keyed.Group, f.Keyed.Group) {
			c.wrong(f.Name, "group %q differs from that of %s, %q; give both the same", f.Keyed.Group, other.Name, other.Keyed.Group)
			return
		}
	}
	s, at := &c.sources[f.Source], []int{}
	for _, name := range f.Keyed.Group {
		i := s.FieldIndex(name)
		if i < 0 {
			c.wrong(f.Name, "group field %s is no field of source %s%s", name, s.Name, expr.Suggest(name, fieldNames(s)))
			return
		}
		at = append(at, i)
	}
	c.p.groups[f.Source] = at
}

// IsGroup reports whether a key is the name of a group.
func IsGroup(key string) bool { return strings.HasPrefix(key, groupMark) }

// AppendGroup appends the name of the group, within the entity type, that the entity of the item is in, given the entity's bucket: a key that no entity has, under which the state of the group is stored
// beside those of its entities. A null in a field of the group is a value like others. ok is false, and dst unchanged, for an item that no grouped model takes.
func (p *Program) AppendGroup(dst []byte, it *features.Item, bucket int) (name []byte, ok bool) {
	if it.Source < 0 || it.Source >= len(p.groups) || p.groups[it.Source] == nil {
		return dst, false
	}
	dst = append(dst, groupMark...)
	dst = binary.AppendUvarint(dst, uint64(bucket))
	for _, i := range p.groups[it.Source] {
		text := ""
		if i < len(it.Fields) && !it.Fields[i].IsNull() {
			text = it.Fields[i].String()
		}
		dst = features.AppendKey(dst, text)
	}
	return dst, true
}

// update takes the values of an item into a keyed model, and its group.
func (f *folding) update(k *keyedModel, b []byte, t int64) (next []byte, late bool) {
	if k.grouped == nil || f.group == nil {
		return k.model.Update(b, t, f.sc.x)
	}
	i := slices.Index(f.p.keyed, k)
	var group []byte
	if len(f.group.Head) > 0 {
		start, end := section(f.group.Head, headLen, i)
		group = f.group.Head[start:end:end]
	}
	next, known, late := k.grouped.UpdateIn(b, group, t, f.sc.x)
	if len(known) > k.shape.GroupBytes {
		panic(fmt.Sprintf("unit: a group of the keyed model %s has a state of %d bytes, more than its %d", k.feature, len(known), k.shape.GroupBytes))
	}
	if known != nil {
		f.learned(i, known)
	}
	return next, late
}

// learned writes what a group knows of model i.
func (f *folding) learned(i int, known []byte) {
	g := f.group
	if len(g.Head) == 0 {
		g.Head = append(g.Head, groupVersion)
		never := int64(features.NoTime)
		g.Head = binary.LittleEndian.AppendUint64(g.Head, uint64(never))
		g.Head = append(g.Head, make([]byte, sectionLen*len(f.p.keyed))...)
	}
	binary.LittleEndian.PutUint64(g.Head[1:], uint64(max(g.Newest(), f.it.Time)))
	g.Head = setSection(g.Head, headLen, i, known)
	g.HeadDirty = true
}

// CheckStateOf is CheckState for what is stored under a key: an entity, or a group.
func (p *Program) CheckStateOf(key string, st *State) error {
	if !IsGroup(key) {
		return p.CheckState(st)
	}
	if len(st.Head) < headLen || st.Head[0] != groupVersion || len(st.Tiles) > 0 {
		return fmt.Errorf("state of a group of %s: unknown version or cut short; refold it from the events log", p.entity.Name)
	}
	known, err := sections(st.Head[headLen:], len(p.keyed))
	if err != nil {
		return fmt.Errorf("group of %s: %w", p.entity.Name, err)
	}
	for i, k := range p.keyed {
		switch {
		case len(known[i]) == 0:
			continue
		case k.grouped == nil || len(known[i]) > k.shape.GroupBytes:
			err = fmt.Errorf("state too long")
		default:
			err = k.grouped.CheckGroup(known[i])
		}
		if err != nil {
			return fmt.Errorf("keyed model %s of a group of %s: %w", k.feature, p.entity.Name, err)
		}
	}
	return nil
}
