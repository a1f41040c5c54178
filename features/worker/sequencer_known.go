package worker

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/features/ingest"
	"github.com/freshet-ml/freshet/internal/checkpoint"
	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/internal/frame"
	"github.com/freshet-ml/freshet/internal/stage"
)

// knownVersion is raised when the state of a sequencer's checkpoint changes around that of its fold.
const knownVersion = 2

// known is what a process knows of the events log: the fold of the items before a place, and how far the sources
// were read there. It is what a checkpoint of the sequencer holds.
type known struct {
	fold   *ingest.Fold // nil: nothing was folded yet
	pos    frame.Position
	next   uint64 // ordinal of the item at pos
	anchor frame.Anchor
	epochs []features.Epoch // of the log up to pos
	inputs []frame.Input
}

// State visits it. Layout (docs/reference/formats.md): version, position, ordinal of the next item, anchor as a position, inputs, epochs as in the frames, fold.
func (k *known) State(s *codec.State) {
	s.Fixed("version of the sequencer's state", knownVersion)
	checkpoint.Position(s, &k.pos)
	s.Uint64(&k.next)
	anchor := frame.Position{Offset: k.anchor.Offset, Last: k.anchor.ID}
	checkpoint.Position(s, &anchor)
	k.anchor = frame.Anchor{Offset: anchor.Offset, ID: anchor.Last}
	checkpoint.Inputs(s, &k.inputs)
	m := features.Meta{Epochs: k.epochs}
	m.State(s)
	k.epochs = m.Epochs
	if s.Loading() {
		k.fold = &ingest.Fold{}
	}
	k.fold.State(s)
}

// take folds a frame that counts, from item skip on.
func (k *known) take(cfg *ingest.Config, f *frame.Frame, offset int64, skip int) error {
	if k.fold == nil {
		if err := k.begin(cfg, f); err != nil {
			return err
		}
	}
	var it features.Item
	items := f.Each()
	items.Skip(skip)
	for i := skip; items.Next(); i++ {
		if _, err := features.DecodeItem(items.Item(), &it); err != nil {
			return fmt.Errorf("events offset %d, item %d: %w", offset, i, err)
		}
		if seq := f.FirstSeq + uint64(i); it.Kind == features.SchemaItem && k.epochs[len(k.epochs)-1].From < seq {
			k.epochs = append(slices.Clip(k.epochs), features.Epoch{From: seq, Sources: it.Sources})
		}
		k.fold.Apply(&it)
	}
	k.pos, k.next = frame.Position{Offset: offset + 1, Last: f.ID}, f.NextSeq()
	k.inputs = f.Inputs(k.inputs)
	if f.Full {
		k.anchor = frame.Anchor{Offset: offset, ID: f.ID}
	}
	return nil
}

// begin starts the fold at the first frame that is left of the log. A log of a build that kept no declarations was written with those of
// the project, if its fingerprint is theirs.
func (k *known) begin(cfg *ingest.Config, f *frame.Frame) error {
	m := features.Meta{Head: features.NoTime, Watermark: features.NoTime}
	if len(f.Meta) > 0 {
		var err error
		if m, err = features.DecodeMeta(f.Meta); err != nil {
			return fmt.Errorf("%w: %w", err, frame.ErrDamaged)
		}
	} else {
		own, err := cfg.Declared()
		if err != nil {
			return err
		}
		if err := features.NewItems(features.SourcesOf(own)).Enter(nil, f.Generation); err != nil {
			return err
		}
		m.Epochs = []features.Epoch{{Sources: own}}
	}
	if f.FirstSeq == 0 { // nothing lies before it
		m.Head, m.Watermark = features.NoTime, features.NoTime
	}
	at := features.EpochAt(m.Epochs, f.FirstSeq)
	if at < 0 {
		return fmt.Errorf("item %d lies before all that the log declares: %w", f.FirstSeq, frame.ErrDamaged)
	}
	k.epochs = m.Epochs[:at+1]
	table := k.epochs[at].Sources
	k.fold = ingest.Begin(table, m.Head, m.Watermark, positionsIn(table, f.Before))
	return nil
}

// follow folds the log from where k stands to a tail. It returns how many items that were. ErrDiverged: k is no place
// of this log.
func (k *known) follow(ctx context.Context, cfg *ingest.Config, log frame.Log, tail *frame.Tail) (uint64, error) {
	items, judge := uint64(0), frame.NewJudge(k.pos)
	err := log.Scan(ctx, k.pos.Offset, tail.End, func(offset int64, record []byte) error {
		f := new(frame.Frame)
		if err := f.Decode(record); errors.Is(err, frame.ErrForeign) {
			f = nil
		} else if err != nil {
			return fmt.Errorf("events offset %d: %w", offset, err)
		}
		counts, err := judge.Feed(offset, f)
		if err != nil || !counts {
			return err
		}
		items += uint64(f.Count)
		return k.take(cfg, f, offset, 0)
	})
	if err != nil {
		return 0, err
	}
	if last, _ := judge.Last(); last != tail.Last || k.next != tail.NextSeq {
		return 0, fmt.Errorf("the fold ends at item %d and frame %v, the log at item %d and frame %v: %w", k.next, last, tail.NextSeq, tail.Last, frame.ErrDiverged)
	}
	k.pos.Offset = max(k.pos.Offset, tail.End)
	return items, nil
}

// recovery brings a sequencer to the tail of its log.
type recovery struct {
	o    *SequencerOptions
	log  frame.Log
	tail *frame.Tail
}

// recover returns what is known at the tail, and how many items were folded for it: from what a standby knows, else from the newest
// checkpoint that the log bears out, else from the beginning of the log or, where its head is cut, from the first anchor.
func (r *recovery) recover(ctx context.Context, standby *known) (*known, uint64, error) {
	if r.tail.Last.Zero() {
		own, err := r.o.Ingest.Declared()
		return &known{fold: ingest.Begin(own, features.NoTime, features.NoTime, nil), epochs: []features.Epoch{{Sources: own}}}, 0, err
	}
	first, err := r.log.First(ctx)
	if err != nil {
		return nil, 0, err
	}
	if standby != nil && standby.fold != nil {
		n, err := r.from(ctx, standby, first)
		if err == nil || !errors.Is(err, frame.ErrDiverged) {
			return standby, n, err
		}
		r.o.Logger.Warn("what the standby knows is passed over", "error", err)
	}
	k, n, err := r.restored(ctx, first)
	if k != nil || err != nil {
		return k, n, err
	}
	start, err := frame.Start(ctx, r.log)
	if err != nil {
		return nil, 0, cutAdvice(err)
	}
	k = &known{pos: start}
	n, err = k.follow(ctx, &r.o.Ingest, r.log, r.tail)
	if err == nil && start.Offset > 0 {
		r.o.Logger.Warn("the head of the events log is gone and no checkpoint reaches back: ids of dedupe from before are forgotten",
			"topic", r.o.Events, "offset", start.Offset, "items", n)
	}
	return k, n, err
}

// from folds on from what is known at an earlier place. ErrDiverged: that is no place of this log, or no longer.
func (r *recovery) from(ctx context.Context, k *known, first int64) (uint64, error) {
	switch {
	case k.next > r.tail.NextSeq || k.pos.Offset > r.tail.End:
		return 0, fmt.Errorf("it is at item %d and offset %d, the log ends at item %d and offset %d: %w", k.next, k.pos.Offset, r.tail.NextSeq, r.tail.End, frame.ErrDiverged)
	case k.pos.Offset < first:
		return 0, fmt.Errorf("it is at offset %d, the log begins at %d: %w", k.pos.Offset, first, frame.ErrDiverged)
	}
	return k.follow(ctx, &r.o.Ingest, r.log, r.tail)
}

// restored loads the newest good checkpoint and folds on from it; nil when there is none.
func (r *recovery) restored(ctx context.Context, first int64) (out *known, n uint64, err error) {
	if r.o.Checkpoints == nil {
		return nil, 0, nil
	}
	var failed error
	_, err = r.o.Checkpoints.Restore(ctx, r.o.Name, func(seq uint64, state []byte) error {
		k := &known{}
		if err := codec.Load(k, state); err != nil {
			return err
		}
		if k.next != seq {
			return fmt.Errorf("it is named after item %d and holds item %d", seq, k.next)
		}
		if n, failed = r.from(ctx, k, first); errors.Is(failed, frame.ErrDiverged) {
			defer func() { failed = nil }()
			return failed
		}
		out = k
		return nil
	})
	return out, n, errors.Join(err, failed)
}

// openEvents opens the writer of the events log. Where retention has left nothing that a tail can be read from, the newest
// checkpoint says where the log ended.
func openEvents(ctx context.Context, o *SequencerOptions, w stage.WriterOptions) (*stage.Writer, *frame.Tail, error) {
	out, tail, err := stage.OpenWriter(ctx, o.Transport, w)
	if !errors.Is(err, frame.ErrCut) || o.Checkpoints == nil {
		return out, tail, cutAdvice(err)
	}
	found, restoreErr := o.Checkpoints.RestoreAt(ctx, o.Name, math.MaxUint64, func(_ uint64, state []byte) error {
		k := &known{}
		if err := codec.Load(k, state); err != nil {
			return err
		}
		w.Known = &frame.Tail{Last: k.pos.Last, Offset: k.pos.Offset - 1, End: k.pos.Offset, NextSeq: k.next, Anchor: k.anchor, Inputs: k.inputs, Gen: w.Generation, Meta: features.Meta{Epochs: k.epochs}.Pack()}
		var openErr error
		out, tail, openErr = stage.OpenWriter(ctx, o.Transport, w)
		return openErr
	})
	if found || restoreErr != nil {
		return out, tail, restoreErr
	}
	return nil, nil, cutAdvice(err)
}

// cutAdvice says what to do about a log that cannot be gone on with.
func cutAdvice(err error) error {
	if !errors.Is(err, frame.ErrCut) {
		return err
	}
	return fmt.Errorf("%w: the retention has removed what says where the log goes on, and no checkpoint reaches it; give the project another name "+
		"and replay its topics, and set kafka.retention longer than any pause", err)
}
