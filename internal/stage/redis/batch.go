package redis

import "fmt"

// Batch collects the entities that changed since the last commit of one hash. The zero Batch is empty
// and ready.
type Batch struct {
	args  []any
	bytes int
}

// Fits reports whether so many more fields (two for an entity) with so many bytes, names included,
// stay within the limits. Whoever changes entities asks before, and commits first when they do not.
func (b *Batch) Fits(fields, bytes int) bool {
	return metaField+b.Fields()+fields <= MaxFields && b.bytes+bytes <= MaxBytes
}

// Fields is the number of fields in the batch.
func (b *Batch) Fields() int { return len(b.args) / 2 }

// Put adds an entity; a nil blob leaves its field as it is, and the blobs are borrowed until the commit
// is done. Put an entity once. A batch that does not take it is ErrFull, except when it is empty: one
// entity alone can always be committed.
func (b *Batch) Put(key string, s State) error {
	fields, bytes := 0, 0
	for _, v := range [][]byte{s.Moving, s.Sealed} {
		if v != nil {
			fields++
			bytes += len(prefixMoving) + len(key) + len(v)
		}
	}
	if len(b.args) > 0 && !b.Fits(fields, bytes) {
		return fmt.Errorf("entity of %d bytes after %d fields and %d bytes: %w", bytes, b.Fields(), b.bytes, ErrFull)
	}
	if s.Moving != nil {
		b.args = append(b.args, prefixMoving+key, s.Moving)
	}
	if s.Sealed != nil {
		b.args = append(b.args, prefixSealed+key, s.Sealed)
	}
	b.bytes += bytes
	return nil
}

// Reset empties the batch and keeps its memory.
func (b *Batch) Reset() {
	clear(b.args)
	b.args, b.bytes = b.args[:0], 0
}
