package neural

import "github.com/freshet-ml/freshet/features"

// branchBits is how many bits of a hashed key a branch decides.
const branchBits = 4

// entityBranch is a node of a persistent trie over hashed keys (Bagwell, Ideal Hash Trees, 2001, without the compression of
// nodes). One of an epoch before is published and never written again.
type entityBranch struct {
	epoch uint64
	twigs [1 << branchBits]entityTwig
}

// entityTwig is nothing, an entity, or a branch.
type entityTwig struct {
	leaf *entity
	down *entityBranch
}

// entityVersion is the entities as they were when they were published. It is immutable and safe for any number of goroutines.
type entityVersion struct {
	entityShape
	root *entityBranch
	next uint64 // the name that the next event was going to have
}

// publish returns the entities as they are. Cost: for each entity that changed since the last time a path of the
// directory (4 or 5 branches of 264 bytes among 100,000 entities), and a copy of it when it next changes.
func (m *entities) publish() entityVersion {
	if m.root == nil {
		m.root = &entityBranch{epoch: m.epoch}
	}
	if m.root.epoch != m.epoch && len(m.list) > 0 {
		m.root = m.root.copy(m.epoch)
	}
	for _, at := range m.list { // all that went before all that came: a key may have moved to another slot
		if was := &m.shown[at]; was.is && was.key != m.slots[at].key {
			m.root.drop(was.key, features.Mix(was.key), m.epoch)
			was.is = false
		}
	}
	for _, at := range m.list {
		e := m.slots[at]
		m.root.set(e, features.Mix(e.key), 0, m.epoch)
		m.shown[at], m.changed[at] = shownKey{e.key, true}, false
	}
	m.list = m.list[:0]
	m.epoch++
	return entityVersion{entityShape: m.entityShape, root: m.root, next: m.next()}
}

// find returns an entity for reading, or nil.
func (v *entityVersion) find(key uint64) *entity {
	for b, h := v.root, features.Mix(key); b != nil; h >>= branchBits {
		t := &b.twigs[h&(1<<branchBits-1)]
		if t.leaf != nil {
			if t.leaf.key == key {
				return t.leaf
			}
			return nil
		}
		b = t.down
	}
	return nil
}

func (b *entityBranch) copy(epoch uint64) *entityBranch {
	c := *b
	c.epoch = epoch
	return &c
}

// own makes the branch below a twig writable.
func (t *entityTwig) own(epoch uint64) *entityBranch {
	if t.down.epoch != epoch {
		t.down = t.down.copy(epoch)
	}
	return t.down
}

// set enters an entity, in the place of one of the same key. h is what is left of its hashed key after depth bits.
func (b *entityBranch) set(e *entity, h uint64, depth uint, epoch uint64) {
	t := &b.twigs[h&(1<<branchBits-1)]
	h, depth = h>>branchBits, depth+branchBits
	switch {
	case t.down != nil:
		t.own(epoch).set(e, h, depth, epoch)
	case t.leaf == nil || t.leaf.key == e.key:
		t.leaf = e
	default: // hashed keys are as different as keys: the paths part at some depth
		other := t.leaf
		*t = entityTwig{down: &entityBranch{epoch: epoch}}
		t.down.set(other, features.Mix(other.key)>>depth, depth, epoch)
		t.down.set(e, h, depth, epoch)
	}
}

// drop takes a key out. A branch that is left with one entity becomes that entity again.
func (b *entityBranch) drop(key, h uint64, epoch uint64) {
	t := &b.twigs[h&(1<<branchBits-1)]
	if t.down == nil {
		if t.leaf != nil && t.leaf.key == key {
			t.leaf = nil
		}
		return
	}
	down := t.own(epoch)
	down.drop(key, h>>branchBits, epoch)
	var last *entity
	for i := range down.twigs {
		if down.twigs[i].down != nil || down.twigs[i].leaf != nil && last != nil {
			return
		}
		if down.twigs[i].leaf != nil {
			last = down.twigs[i].leaf
		}
	}
	*t = entityTwig{leaf: last}
}
