package run

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/freshet-ml/freshet/internal/checkpoint"
	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/internal/frame"
	"github.com/freshet-ml/freshet/internal/stage"
	"github.com/freshet-ml/freshet/models/drift"
	"github.com/freshet-ml/freshet/models/fold"
	"github.com/freshet-ml/freshet/trainer"
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
	// Keep is for followers: they restore the checkpoints of the whole trigger, go on with the named members, and save nothing.
	// nil: all members, and checkpoints are saved.
	Keep []string
	// Leave saves a last checkpoint when ctx ends, for at most 5 s, so that the next session folds little.
	Leave bool
	// Weights returns every WeightsEvery what is saved for servers that load weights instead of folding the log; taken is when
	// f was last known to have all of it. It must not keep f. nil: nothing.
	Weights      func(f *fold.Fold, taken time.Time) []Weights
	WeightsEvery time.Duration
	// PublishEvery is the least time between two publications, 20 ms when 0. What is folded after a quieter time is published at once.
	PublishEvery time.Duration
	// Publish is called after entries were folded, and once more when the log then has nothing for half a second, for what
	// is too dear to tell each time; it must not keep f.
	Publish func(f *fold.Fold) error
	// Confirm is told now and then when what was published was last known to be all of the log, on the wall clock of this machine;
	// nil: nobody. It is not told before the fold has caught up.
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
		l.o.PublishEvery = 20 * time.Millisecond
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
	if o.Keep != nil {
		l.fold.Keep(o.Keep...)
	}
	if l.fold.Position() > 0 {
		l.attest() // where others have attested: a checkpoint is compared before it answers
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
	if o.Confirm != nil {
		var watching sync.WaitGroup
		defer watching.Wait()
		looking, stop := context.WithCancel(ctx)
		defer stop()
		watching.Go(func() { l.newest.watch(looking, l.log) })
	}
	late, stop := Grace(ctx)
	defer stop()
	l.late = late
	err = l.run(ctx, r)
	if ctx.Err() == nil {
		stop() // a session that failed gives up what is under way
	}
	l.saver.wait()
	return err
}

type learning struct {
	o         LearnerOptions
	fold      *fold.Fold
	pos       frame.Position
	log       *stage.Log // to look for its end
	newest    newest
	confirmed time.Time // when what is published was last known to be the newest
	saver     saver
	late      context.Context // of checkpoints: ends a while after the session's
	weighed   time.Time       // when weights were last saved
	entries   []fold.Entry    // reused
	saved     time.Time
	published time.Time
	dirty     bool
	told      uint64 // position of the last publication of an idle log
}

func (l *learning) fresh() (*fold.Fold, error) {
	union := l.o.Trigger.Vector.Schema
	f, err := fold.New(union, l.o.Members)
	if err == nil && l.o.Watch {
		f.Watch(union, l.o.Trigger.Measures)
	}
	return f, err
}

func (l *learning) run(ctx context.Context, r *stage.Reader) error {
	for {
		if err := ctx.Err(); err != nil {
			return l.leave(ctx, err)
		}
		c, err := r.TryNext()
		if err == nil && c == nil {
			c, err = l.next(ctx, r)
		}
		if err != nil {
			return l.leave(ctx, err)
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
		l.confirm(r)
		l.weights()
		if time.Since(l.saved) >= l.o.Every {
			if err := l.checkpoint(ctx); err != nil {
				return err
			}
		}
	}
}

// idleAfter is how long the log must have nothing for a last publication.
const idleAfter = 500 * time.Millisecond

// next waits for the next frame, and publishes meanwhile what is folded.
func (l *learning) next(ctx context.Context, r *stage.Reader) (*stage.Counted, error) {
	for {
		due := l.o.PublishEvery - time.Since(l.published)
		if due <= 0 {
			if err := l.publish(); err != nil {
				return nil, err
			}
			l.confirm(r)
		}
		wait := idleAfter
		held := l.dirty && l.o.Publish != nil // until it is due
		if held {
			wait = due
		}
		c, late, err := within(ctx, r, wait)
		if !late {
			return c, err
		}
		if held {
			continue
		}
		if err := l.idle(r); err != nil {
			return nil, err
		}
	}
}

// within waits for the next frame for so long; late reports that there was none.
func within(ctx context.Context, r *stage.Reader, wait time.Duration) (c *stage.Counted, late bool, err error) {
	waiting, stop := context.WithTimeout(ctx, wait)
	defer stop()
	c, err = r.Next(waiting)
	return c, err != nil && waiting.Err() != nil && ctx.Err() == nil, err
}

// idle is called now and then while the log has nothing.
func (l *learning) idle(r *stage.Reader) error {
	if l.o.Publish != nil && l.told != l.fold.Position() {
		l.told = l.fold.Position()
		if err := l.o.Publish(l.fold); err != nil {
			return err
		}
	}
	l.confirm(r)
	l.weights()
	return nil
}

// confirm tells when what is published was last known to be the newest.
func (l *learning) confirm(r *stage.Reader) {
	if l.dirty || l.o.Confirm == nil {
		return
	}
	if at := l.newest.reached(r.Position().Offset, time.Now()); !at.IsZero() {
		l.confirmed = at
		l.o.Confirm(at)
	}
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

// checkpoint saves the state, beside the fold. What it must not pass is made durable first.
func (l *learning) checkpoint(ctx context.Context) error {
	if l.o.Checkpoints == nil || l.o.Keep != nil || l.saver.busy.Load() {
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
	l.attest()
	l.saved = began
	at := l.fold.Position()
	l.saver.start(func() {
		err := l.o.Checkpoints.Save(l.late, l.o.Name, at, s.Bytes())
		l.o.Saved.tell(began, err)
		if err != nil {
			l.o.Logger.Error("model checkpoint not saved; recovery will fold more of the log", "trigger", l.o.Trigger.Name, "error", err)
		}
	})
	return nil
}

// leave ends a session between two frames: if it was asked to end, it saves what it has.
func (l *learning) leave(ctx context.Context, err error) error {
	if ctx.Err() != nil && l.o.Leave && l.fold.Position() > 0 {
		l.saver.wait()
		if err := l.checkpoint(l.late); err != nil {
			l.o.Logger.Warn("no checkpoint at the end; the next session folds more of the log", "trigger", l.o.Trigger.Name, "error", err)
		}
	}
	return cause(ctx, err)
}

// weights saves the weights of models that servers load, beside the fold.
func (l *learning) weights() {
	if l.o.Weights == nil || l.o.Checkpoints == nil || l.confirmed.IsZero() || time.Since(l.weighed) < l.o.WeightsEvery || l.saver.busy.Load() {
		return
	}
	l.weighed = time.Now()
	list := l.o.Weights(l.fold, l.confirmed)
	l.attest()
	l.saver.start(func() {
		for i := range list {
			if err := list[i].save(l.late, l.o.Checkpoints); err != nil {
				l.o.Logger.Error("weights not saved; servers go on with older ones", "trigger", l.o.Trigger.Name, "error", err)
			}
		}
	})
}

// FoldAt returns the fold of these learners, all members, at the newest good checkpoint at or before entry seq, or at the
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
