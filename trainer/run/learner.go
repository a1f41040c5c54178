package run

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/internal/frame"
	"github.com/freshet-ml/freshet/internal/stage"
	"github.com/freshet-ml/freshet/models/drift"
	"github.com/freshet-ml/freshet/models/fold"
	"github.com/freshet-ml/freshet/trainer"
	"github.com/freshet-ml/freshet/internal/checkpoint"
)

// AttestEvery is the number of entries between two attestations of the state hashes.
const AttestEvery = 1 << 16

// LearnerOptions describe the learners, or the servers' followers, of one trigger.
type LearnerOptions struct {
	Transport stage.Transport
	Trigger   *trainer.Trigger
	Members   []fold.Member // of the trigger, all or some
	Log       string        // topic of the example log, one partition
	Workers   int           // goroutines that fold; the members are spread over them
	Watch     bool          // compare feature distributions
	// Checkpoints keeps the state under Name every Every; nil: never.
	Checkpoints *checkpoint.Store
	Name        string
	Every       time.Duration
	// PublishEvery is the least time between two publications while the log has more, 5 ms when 0. At
	// the end of the log every frame is published at once.
	PublishEvery time.Duration
	// Publish is called after entries were folded, and once more when the log then has nothing for half a second, for what
	// is too dear to tell each time; it must not keep f.
	Publish func(f *fold.Fold) error
	// Confirm is told now and then that the log had nothing more at this wall clock time: what was published is the newest;
	// nil: nobody.
	Confirm func(at time.Time)
	Attest  func(f *fold.Fold, model string, seq uint64)
	// Folded is told of each entry before it is folded; nil: nobody. It must not keep the entry.
	Folded func(e *fold.Entry)
	Answer fold.Answer         // see Fold.OnAnswer: may be called from several goroutines
	Scored func(*fold.Scoring) // see Fold.OnScored: may be called from several goroutines
	// Windowed is told of each finished window of the columns' distributions; nil: nobody. See Fold.OnWindow.
	Windowed func(t int64, scores []drift.Score)
	// After is called behind each batch of entries, before any checkpoint: flush side effects here.
	After func(ctx context.Context, position uint64) error
	// Before is called before a checkpoint is saved: what it must not pass is made durable here; nil: nothing.
	Before func(ctx context.Context) error
	Saved  Saved // told of each checkpoint; nil: nobody
	Logger *slog.Logger
}

// Saved is told how long a checkpoint took, and the error if it was not saved.
type Saved func(took time.Duration, err error)

func (f Saved) tell(began time.Time, err error) {
	if f != nil {
		f(time.Since(began), err)
	}
}

// Learner folds one example log until ctx ends or something fails: restore, fold, publish, attest,
// checkpoint.
func Learner(ctx context.Context, o LearnerOptions) error {
	l := &learning{o: o, saved: time.Now()}
	if o.PublishEvery <= 0 {
		l.o.PublishEvery = 5 * time.Millisecond
	}
	var err error
	if l.log, err = stage.OpenLog(o.Transport, o.Log, 0); err != nil {
		return err
	}
	defer l.log.Close()
	tail, err := frame.ReadTail(ctx, l.log)
	if err != nil {
		return fmt.Errorf("tail of %s: %w", o.Log, err)
	}
	// A checkpoint beyond the end belongs to a log that is gone.
	if err := l.restore(ctx, tail.NextSeq); err != nil {
		return err
	}
	if l.pos.Offset > tail.End {
		o.Logger.Warn("model checkpoint passed over: its log is gone", "trigger", o.Trigger.Name, "offset", l.pos.Offset, "end", tail.End)
		if l.fold, err = l.fresh(); err != nil {
			return err
		}
		l.pos = frame.Position{}
	}
	r, err := stage.OpenReader(ctx, o.Transport, o.Log, 0, l.pos)
	if err != nil {
		return err
	}
	defer r.Close()
	l.fold.OnAnswer(o.Answer)
	l.fold.OnScored(o.Scored)
	l.fold.OnWindow(o.Windowed)
	if err := l.publish(); err != nil {
		return err
	}
	return l.run(ctx, r)
}

type learning struct {
	o         LearnerOptions
	fold      *fold.Fold
	pos       frame.Position
	log       *stage.Log   // to look for its end
	entries   []fold.Entry // reused
	saved     time.Time
	published time.Time
	dirty     bool
	told      uint64 // position of the last publication of an idle log
}

func (l *learning) fresh() (*fold.Fold, error) {
	union := l.o.Trigger.Vector.Schema
	f, err := fold.New(union, l.o.Members)
	if err == nil && l.o.Watch {
		f.Watch(union)
	}
	return f, err
}

func (l *learning) run(ctx context.Context, r *stage.Reader) error {
	for {
		c, err := r.TryNext()
		if err == nil && c == nil {
			if err = l.publish(); err == nil {
				c, err = l.next(ctx, r)
			}
		}
		if err != nil {
			return cause(ctx, err)
		}
		if err := l.frame(c); err != nil {
			return err
		}
		l.pos = c.At(c.Count)
		if l.o.After != nil {
			if err := l.o.After(ctx, l.fold.Position()); err != nil {
				return cause(ctx, err)
			}
		}
		if time.Since(l.published) >= l.o.PublishEvery {
			if err := l.publish(); err != nil {
				return err
			}
		}
		if err := l.checkpoint(ctx); err != nil {
			return err
		}
	}
}

// idleAfter is how long the log must have nothing for a last publication.
const idleAfter = 500 * time.Millisecond

// next waits for the next frame.
func (l *learning) next(ctx context.Context, r *stage.Reader) (*stage.Counted, error) {
	for {
		waiting, stop := context.WithTimeout(ctx, idleAfter)
		c, err := r.Next(waiting)
		idle := err != nil && waiting.Err() != nil && ctx.Err() == nil
		stop()
		if !idle {
			return c, err
		}
		if err := l.idle(ctx, r); err != nil {
			return nil, err
		}
	}
}

// idle is called now and then while the log has nothing.
func (l *learning) idle(ctx context.Context, r *stage.Reader) error {
	if l.o.Publish != nil && l.told != l.fold.Position() {
		l.told = l.fold.Position()
		if err := l.o.Publish(l.fold); err != nil {
			return err
		}
	}
	if l.o.Confirm == nil {
		return nil
	}
	ctx, stop := context.WithTimeout(ctx, idleAfter)
	defer stop()
	now := time.Now()
	// A broker that does not answer is no reason to end: versions are then not confirmed.
	if end, err := l.log.End(ctx); err == nil && end == r.Position().Offset {
		l.o.Confirm(now)
	}
	return nil
}

// frame folds the entries of a frame, in batches that end where the hashes are attested.
func (l *learning) frame(c *stage.Counted) error {
	items := c.Each()
	items.Skip(c.Skip)
	n := 0
	for i := c.Skip; items.Next(); i++ {
		if n == len(l.entries) {
			l.entries = append(l.entries, fold.Entry{})
		}
		e := &l.entries[n]
		if err := fold.DecodeEntry(items.Item(), e); err != nil {
			return fmt.Errorf("example log offset %d, item %d: %w", c.Offset, i, err)
		}
		e.Seq = c.FirstSeq + uint64(i)
		if l.o.Folded != nil {
			l.o.Folded(e)
		}
		n++
		if (e.Seq+1)%AttestEvery == 0 {
			if err := l.apply(l.entries[:n]); err != nil {
				return err
			}
			l.attest()
			n = 0
		}
	}
	return l.apply(l.entries[:n])
}

func (l *learning) apply(entries []fold.Entry) error {
	if len(entries) == 0 {
		return nil
	}
	l.dirty = true
	err := l.fold.ApplyAll(entries, l.o.Workers)
	// The texts borrow the frame, and with it all that was fetched beside it: a long slice of entries that are
	// used again now and then would keep many of those in memory.
	for i := range entries {
		entries[i].ID, entries[i].Verb = "", ""
	}
	return err
}

func (l *learning) attest() {
	if l.o.Attest == nil {
		return
	}
	for _, name := range l.fold.Names() {
		l.o.Attest(l.fold, name, l.fold.Position())
	}
}

func (l *learning) publish() error {
	if !l.dirty && !l.published.IsZero() || l.o.Publish == nil {
		return nil
	}
	l.dirty, l.published = false, time.Now()
	return l.o.Publish(l.fold)
}

func (l *learning) checkpoint(ctx context.Context) error {
	if l.o.Checkpoints == nil || time.Since(l.saved) < l.o.Every {
		return nil
	}
	if l.o.Before != nil {
		if err := l.o.Before(ctx); err != nil {
			return cause(ctx, err)
		}
	}
	began := time.Now()
	s := codec.Saver(nil)
	checkpoint.Position(s, &l.pos)
	l.fold.State(s)
	err := l.o.Checkpoints.Save(ctx, l.o.Name, l.fold.Position(), s.Bytes())
	l.o.Saved.tell(began, err)
	if err != nil {
		l.o.Logger.Error("model checkpoint not saved; recovery will fold more of the log", "trigger", l.o.Trigger.Name, "error", err)
	} else {
		l.attest()
	}
	l.saved = time.Now()
	return nil
}

// FoldAt returns the fold of these learners at the newest good checkpoint at or before entry seq, or at the
// beginning, and where in the log it goes on. Only Trigger, Members, Watch, Checkpoints and Name of o count.
func FoldAt(ctx context.Context, o LearnerOptions, seq uint64) (*fold.Fold, frame.Position, error) {
	l := &learning{o: o}
	err := l.restore(ctx, seq)
	return l.fold, l.pos, err
}

// restore loads the newest good checkpoint at or before entry seq, or begins at the beginning.
func (l *learning) restore(ctx context.Context, seq uint64) error {
	var err error
	if l.fold, err = l.fresh(); err != nil || l.o.Checkpoints == nil {
		return err
	}
	_, err = l.o.Checkpoints.RestoreAt(ctx, l.o.Name, seq, func(_ uint64, state []byte) error {
		f, err := l.fresh()
		if err != nil {
			return err
		}
		s := codec.Loader(state)
		var pos frame.Position
		checkpoint.Position(s, &pos)
		f.State(s)
		if err := s.Close(); err != nil {
			return err
		}
		l.fold, l.pos = f, pos
		return nil
	})
	return err
}
