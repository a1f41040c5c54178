package worker

import (
	"context"
	"fmt"
	"iter"
	"log/slog"
	"runtime"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/features/unit"
	"github.com/freshet-ml/freshet/internal/frame"
	"github.com/freshet-ml/freshet/internal/stage"
	"github.com/freshet-ml/freshet/internal/stage/redis"
)

// EventsInput is the name of the events log among the inputs of a frame.
const EventsInput = "events"

// UnitsOptions describe the feature units of a project.
type UnitsOptions struct {
	Transport  stage.Transport
	Project    string
	Generation uint64
	Events     string        // topic of the events log, one partition
	Parts      string        // topic of the parts
	Partitions int           // of Parts
	Retention  time.Duration // of Parts; 0: for ever
	Sources    []features.Source
	Entities   []*unit.Program
	// Reads reports whether some trigger takes a part of entity type e at an item.
	Reads  func(e int, it *features.Item) bool
	Store  *redis.Store
	Logger *slog.Logger
	// CommitEvery is the least time between two commits of a shard, 10 ms when 0. When commits are dear and more waits to be folded it
	// grows, so that they take at most a fifth of the time. In a backlog (the order fills its frames, or much of the log lies behind
	// what was folded) it is half a second, unless 32 MB have changed.
	CommitEvery time.Duration
	// Workers is the number of goroutines that fold; each has a share of the partitions. 0: GOMAXPROCS.
	Workers int
	// MaxCached bounds the entities that each worker holds in memory, 1 million when 0; what does not fit is
	// loaded from the store again.
	MaxCached int
	// Committed is told after each commit of a parts partition; nil: nobody. It may be called from several goroutines.
	Committed func(UnitsProgress)
	// Visible is told at which position a bucket stands when it has been claimed, and then what each commit to it has just made visible
	// in the store, in their order; nil: nobody. It may be called from several goroutines.
	Visible func(BucketCommit)
}

// BucketCommit is a commit of one bucket of an entity type, or its claim. All of it is borrowed for the call.
type BucketCommit struct {
	Entity, Bucket int
	From, At       frame.Position // of events: where the states stood, and where they stand now
	Head           int64          // newest event time of the items before At, µs
	Sent           time.Time      // before the commit was sent: the bucket was this process's then
	// Written yields the entities that the commit wrote, a nil blob for what stays as it was; nil for a claim, which writes nothing.
	Written iter.Seq2[string, redis.State]
}

// UnitsProgress is how far the units of a parts partition are.
type UnitsProgress struct {
	Partition int32
	Items     uint64        // items of the events log that were folded and committed
	Head      int64         // newest event time of those, µs
	Took      time.Duration // of the commit, the wait for the parts included
	Entities  int           // that the commit wrote, those of the other partitions of the worker included
	Cached    int           // entities of the worker in memory
}

// Units runs one session of the units that belong to these parts partitions until ctx ends or something
// fails: it claims their states, reads the tails of their parts, folds events from the oldest state on,
// emits what is new, and commits.
func Units(ctx context.Context, o UnitsOptions, partitions []int32) error {
	if o.CommitEvery <= 0 {
		o.CommitEvery = 10 * time.Millisecond
	}
	if o.MaxCached <= 0 {
		o.MaxCached = 1_000_000
	}
	if o.Workers <= 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	f := &feed{o: &o, at: map[place]*shardUnit{}, clock: features.NewClock(o.Sources), items: features.NewItems(o.Sources)}
	defer func() {
		for _, s := range f.shards {
			for _, out := range s.outputs {
				out.w.Close()
			}
			s.sender.Close()
		}
	}()
	for i := range min(o.Workers, len(partitions)) {
		sender, err := stage.OpenSender(o.Transport, len(partitions))
		if err != nil {
			return err
		}
		f.shards = append(f.shards, &shard{o: &o, feed: f, index: i, in: make(chan *batch, 2), sender: sender, committed: time.Now()})
	}
	if err := f.open(ctx, partitions); err != nil {
		return err
	}
	start, head := f.start()
	f.clock.Head = head
	f.clock.Watermark = f.clock.WatermarkAt(head)
	if err := EnterTail(ctx, o.Transport, o.Events, f.items); err != nil {
		return err
	}
	r, err := stage.OpenReader(ctx, o.Transport, o.Events, 0, start)
	if err != nil {
		return err
	}
	defer r.Close()
	g, ctx := errgroup.WithContext(ctx)
	for _, s := range f.shards {
		s.pos, s.head = start, head
		g.Go(func() error { return s.run(ctx) })
		for _, out := range s.outputs {
			g.Go(func() error {
				select {
				case <-out.w.Ended():
					return out.w.Err()
				case <-ctx.Done():
					return ctx.Err()
				}
			})
		}
	}
	g.Go(func() error { return f.run(ctx, r) })
	return g.Wait()
}

// start is the oldest position that some unit or tail still needs, and the head of the log there.
func (f *feed) start() (frame.Position, int64) {
	var at frame.Position
	head, first := int64(features.NoTime), true
	for _, s := range f.shards {
		for _, h := range s.hashes {
			if p := h.claim.Position(); first || earlier(p, at) {
				at, first = p, false
				if head = h.claim.Head(); h.claim.Fresh() {
					head = features.NoTime
				}
			}
		}
	}
	return at, head
}

// opening bounds the partitions that are opened at the same time.
const opening = 8

// open deals the partitions to the shards and opens them, several at a time.
func (f *feed) open(ctx context.Context, partitions []int32) error {
	outs := make([]*output, len(partitions))
	owned := make([][]*hash, len(partitions))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(opening)
	for i, p := range partitions {
		s := f.shards[i%len(f.shards)]
		outs[i] = &output{partition: p}
		g.Go(func() (err error) {
			owned[i], err = s.openPartition(ctx, outs[i])
			return err
		})
	}
	err := g.Wait()
	for i, out := range outs {
		s := f.shards[i%len(f.shards)]
		if out.w != nil { // also after an error: Units closes the writers
			s.outputs = append(s.outputs, out)
		}
		for _, h := range owned[i] {
			s.hashes = append(s.hashes, h)
			f.at[place{h.entity, h.bucket}] = &shardUnit{shard: s.index, hash: h}
		}
	}
	return err
}

// openPartition claims the states of the units of a parts partition, then opens the partition. The order
// matters: once the states are claimed no rival can commit, so none of them is ahead of the tail that is
// read after.
func (s *shard) openPartition(ctx context.Context, out *output) (hashes []*hash, err error) {
	o := s.o
	for e, prog := range o.Entities {
		for b := range prog.Buckets() {
			if unit.PartitionOf(prog.Name(), b, o.Partitions) != out.partition {
				continue
			}
			h, err := openHash(ctx, o, e, b)
			if err != nil {
				return nil, err
			}
			h.out = out
			hashes = append(hashes, h)
		}
	}
	w, tail, err := stage.OpenWriter(ctx, o.Transport, stage.WriterOptions{Topic: o.Parts, Partition: out.partition, Generation: o.Generation, Sender: s.sender, Retention: o.Retention})
	if err != nil {
		return nil, err
	}
	out.w = w
	// A state may be ahead of the newest frame: items without parts may be passed. An item that needed a
	// part and is passed without one shows when it is folded again.
	out.emitted, _ = tail.Input(EventsInput)
	return hashes, nil
}

func openHash(ctx context.Context, o *UnitsOptions, e, bucket int) (*hash, error) {
	prog := o.Entities[e]
	claim, err := o.Store.Claim(ctx, HashOf(o.Project, o.Generation, prog.Name(), bucket), strconv.FormatUint(prog.Fingerprint(), 16))
	if err != nil {
		return nil, err
	}
	if o.Visible != nil {
		o.Visible(BucketCommit{Entity: e, Bucket: bucket, From: claim.Position(), At: claim.Position(), Head: claim.Head()})
	}
	return &hash{entity: e, bucket: bucket, prog: prog, claim: claim, visible: claim.Position(), complete: claim.Fresh(), states: map[string]*entity{}}, nil
}

// HashOf names the Redis hash of one bucket of an entity type.
func HashOf(project string, generation uint64, entity string, bucket int) redis.Hash {
	return redis.Hash{Project: project, Generation: generation, Entity: entity, Bucket: bucket}
}

// EnterTail lets items know what the events log says of its sources at its end, before it is read: a reader may start at any place of it.
func EnterTail(ctx context.Context, t stage.Transport, events string, items *features.Items) error {
	meta, err := stage.TailMeta(ctx, t, events, 0)
	if err == nil && len(meta) > 0 {
		err = items.Enter(meta, 0)
	}
	if err != nil {
		return fmt.Errorf("sources of %s: %w", events, err)
	}
	return nil
}
