package run

import (
	"context"
	"log/slog"
	"time"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/internal/checkpoint"
	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models/fold"
)

// Weights are the weights of one model behind a place of its log, to be saved under Name.
type Weights struct {
	Name  string
	Seq   uint64 // entries folded
	state []byte
}

// PackWeights takes the weights of a member of f as they are now, and false while its guard holds it: servers then
// stay with the last good ones. taken is when they were last known to be the newest.
func PackWeights(f *fold.Fold, member, name string, taken time.Time) (Weights, bool) {
	s := codec.Saver(nil)
	at := taken.UnixMicro()
	s.Int64(&at)
	ok := f.Weights(s, member)
	return Weights{Name: name, Seq: f.Position(), state: s.Bytes()}, ok
}

func (w *Weights) save(ctx context.Context, to *checkpoint.Store) error {
	return to.Save(ctx, w.Name, w.Seq, w.state)
}

// LoaderOptions describe a server's copy of a model whose weights come in checkpoints.
type LoaderOptions struct {
	Checkpoints *checkpoint.Store
	Name        string // of the model's weights
	Union       *features.Schema
	Member      *fold.Member
	Every       time.Duration // between two looks
	// Publish is told of each version that is not the one before: with the hash of its weights and the number of entries before it.
	Publish func(s *fold.Snapshot, hash string, position uint64)
	// Confirm is told when the version was last known to be the newest, by the clock of the learner.
	Confirm func(at time.Time)
	Logger  *slog.Logger
}

// Loader looks for new weights until ctx ends. A store that does not answer is logged, and asked again.
func Loader(ctx context.Context, o LoaderOptions) error {
	l := &loading{o: o}
	tick := time.NewTicker(o.Every)
	defer tick.Stop()
	for ctx.Err() == nil {
		if err := l.look(ctx); err != nil && ctx.Err() == nil {
			o.Logger.Warn("weights not loaded; the model answers with those it has", "model", o.Member.Name, "error", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
	return ctx.Err()
}

type loading struct {
	o    LoaderOptions
	have bool
	seq  uint64
	at   int64
}

func (l *loading) look(ctx context.Context) error {
	_, err := l.o.Checkpoints.Restore(ctx, l.o.Name, func(seq uint64, state []byte) error {
		s := codec.Loader(state)
		var at int64
		s.Int64(&at)
		if err := s.Err(); err != nil {
			return err
		}
		if l.have && at < l.at { // a damaged one lies before it
			return nil
		}
		if !l.have || seq != l.seq {
			v, hash, err := fold.LoadWeights(s, l.o.Union, l.o.Member)
			if err != nil {
				return err
			}
			l.o.Publish(v, hash, seq)
		}
		l.have, l.seq, l.at = true, seq, at
		l.o.Confirm(time.UnixMicro(at))
		return nil
	})
	return err
}
