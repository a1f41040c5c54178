// Package unit is the streaming feature engine: it folds items into the states of entities and reads
// feature vectors from them. In the flow it stands between the events log and the parts of vectors;
// feature units apply every item to the entities that it names, and units and servers read with the same code.
//
// A Program is a compiled entity type. A State is two blobs of bytes that are both the memory and the
// storage: loading decodes nothing, saving copies. The head holds the newest events of every stream as raw rows and
// the sets of open things; the tiles hold sealed partial aggregates. Representation changes only while
// an item is applied, as a function of (state, item, watermark), so state bytes do not depend on when
// states were saved or loaded. docs/adr/0002-entity-state.md says why.
//
// A windowed value at time t is the aggregate of the events in (t − w, t], exactly, as long as they are raw;
// once an entity is so dense that some were sealed, of the events in (floor(t − w), t], where floor
// goes down to the window's hop: at most 1/24 of the window too far back. Events after t never count. A window with a lag l is that at
// t − l; once events after t − l were sealed, at floor(t − l). An unlagged read at a time before sealed
// events leaves out the tile that contains it; vectors within max_skew of the newest event never need that.
//
// Keyed models (features.Keyed, handed in with their feature) live in the head beside rows and sets. They are updated in the order of items and
// do not look back: a read at an earlier time is answered by the newest state.
package unit
