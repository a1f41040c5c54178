package worker

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/internal/frame"
	"github.com/freshet-ml/freshet/internal/stage"
)

// batch is a frame of events, decoded once for all shards of the process.
type batch struct {
	frame   *stage.Counted
	full    bool // it was cut by its size: the order had more
	behind  bool // the log goes on behind it
	items   []features.Item
	marks   []int64 // watermark after each item
	heads   []int64 // head after each item
	keys    []byte  // arena of the touched keys
	touches [][]touch
	users   atomic.Int32 // shards that still work on it
}

// touch is an entity of a shard that an item reads or changes.
type touch struct {
	item        int
	hash        *hash
	from, to    int // key in the arena
	group       int // end of the name of its group, which follows the key in the arena; to: it has none
	read, apply bool
}

func (b *batch) key(t *touch) []byte { return b.keys[t.from:t.to] }

// group is the name of the group of the entity, empty without one.
func (b *batch) group(t *touch) []byte { return b.keys[t.to:t.group] }

// feed reads and decodes the events log for the shards of one session.
type feed struct {
	o      *UnitsOptions
	shards []*shard
	at     map[place]*shardUnit
	clock  *features.Clock
	items  *features.Items
	free   chan *batch
}

// place names a unit.
type place struct{ entity, bucket int }

type shardUnit struct {
	shard int // index into feed.shards
	hash  *hash
}

// batches bounds the frames that are decoded and not yet folded by all shards.
const batches = 8

// run hands every frame to all shards, in order, until ctx ends or reading fails.
func (f *feed) run(ctx context.Context, r *stage.Reader) error {
	f.free = make(chan *batch, batches)
	for range batches {
		f.free <- &batch{touches: make([][]touch, len(f.shards))}
	}
	for {
		c, err := r.Next(ctx)
		if err != nil {
			return err
		}
		var b *batch
		select {
		case b = <-f.free:
		case <-ctx.Done():
			return ctx.Err()
		}
		if err := f.decode(b, c); err != nil {
			return err
		}
		b.full, b.behind = len(c.Items) >= frameTarget, r.Behind() >= backlogFrames
		b.users.Store(int32(len(f.shards)))
		for _, s := range f.shards {
			select {
			case s.in <- b:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}
}

// release gives a batch back when the last shard is done with it. It drops the texts, which borrow what was fetched:
// the items of a long batch would keep it in memory until a batch as long comes.
func (f *feed) release(b *batch) {
	if b.users.Add(-1) > 0 {
		return
	}
	for i := range b.items[:b.frame.Count] {
		it := &b.items[i]
		it.Reason = ""
		clear(it.Fields)
	}
	b.frame = nil
	f.free <- b
}

func (f *feed) decode(b *batch, c *stage.Counted) error {
	if err := f.items.Enter(c.Meta, c.Generation); err != nil {
		return fmt.Errorf("events offset %d: %w", c.Offset, err)
	}
	b.frame, b.keys = c, b.keys[:0]
	for i := range b.touches {
		b.touches[i] = b.touches[i][:0]
	}
	for len(b.items) < c.Count {
		b.items, b.marks, b.heads = append(b.items, features.Item{}), append(b.marks, 0), append(b.heads, 0)
	}
	items := c.Each()
	items.Skip(c.Skip)
	for i := c.Skip; items.Next(); i++ {
		it := &b.items[i]
		if err := f.items.Decode(items.Item(), c.FirstSeq+uint64(i), it); err != nil {
			return fmt.Errorf("events offset %d, item %d: %w", c.Offset, i, err)
		}
		f.clock.Observe(it)
		b.marks[i], b.heads[i] = f.clock.Watermark, f.clock.Head
		if it.Kind == features.EventItem {
			f.touch(b, i, it)
		}
	}
	return nil
}

// touch notes which entities an item reads and changes, for the shards that they belong to.
func (f *feed) touch(b *batch, i int, it *features.Item) {
	for e, prog := range f.o.Entities {
		read, apply := f.o.Reads(e, it), prog.Takes(it.Source)
		if !read && !apply {
			continue
		}
		from := len(b.keys)
		keys, ok := prog.AppendKey(b.keys, it)
		b.keys = keys
		if !ok {
			continue
		}
		bucket := prog.Bucket(keys[from:])
		u := f.at[place{e, bucket}]
		if u == nil {
			b.keys = b.keys[:from]
			continue
		}
		if apply {
			b.keys, _ = prog.AppendGroup(b.keys, it, bucket)
		}
		b.touches[u.shard] = append(b.touches[u.shard], touch{item: i, hash: u.hash, from: from, to: len(keys), group: len(b.keys), read: read, apply: apply})
	}
}

// done reports whether the item at index i of a frame at that offset lies before a position.
func done(offset int64, i int, p frame.Position) bool {
	return offset < p.Offset || offset == p.Offset && i < int(p.Index)
}

// earlier reports whether position a lies before b.
func earlier(a, b frame.Position) bool { return done(a.Offset, int(a.Index), b) }
