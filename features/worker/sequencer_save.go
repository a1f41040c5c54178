package worker

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/freshet-ml/freshet/internal/codec"
)

// saves are the checkpoints of a session.
type saves struct {
	last    time.Time
	seq     uint64 // of the last one
	busy    atomic.Bool
	running sync.WaitGroup
}

// checkpoint saves what is known of the log when it is time. It is called when all that was decided is sent; that is
// known to count before the state is taken. The store is written beside the session, one checkpoint at a time.
func (s *sequencing) checkpoint(ctx context.Context) error {
	if s.o.Checkpoints == nil || time.Since(s.saves.last) < s.o.Every || s.saves.seq == s.seq || s.saves.busy.Load() {
		return nil
	}
	if err := s.w.Drain(ctx); err != nil {
		return err
	}
	k := known{fold: s.core.Fold, pos: s.w.Place(), next: s.seq, anchor: s.w.Anchor(), epochs: s.epochs, inputs: slices.Clone(s.w.Inputs())}
	state := codec.Save(&k)
	s.saves.last, s.saves.seq = time.Now(), s.seq
	s.saves.busy.Store(true)
	s.saves.running.Go(func() {
		defer s.saves.busy.Store(false)
		began := time.Now()
		err := s.o.Checkpoints.Save(ctx, s.o.Name, k.next, state)
		if s.o.Saved != nil {
			s.o.Saved(time.Since(began), err)
		}
		if err != nil && ctx.Err() == nil {
			s.o.Logger.Error("sequencer checkpoint not saved; a start will fold more of the log", "error", err)
		}
	})
	return nil
}
