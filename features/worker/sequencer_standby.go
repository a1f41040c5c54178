package worker

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/freshet-ml/freshet/internal/frame"
	"github.com/freshet-ml/freshet/internal/stage"
)

// Standby folds the events log along while another process owns the sequencer, so that taking over costs what came since,
// not the whole log. It is an aid: without it, or when it fails, a session starts from a checkpoint.
type Standby struct {
	o SequencerOptions

	mu      sync.Mutex
	known   *known             // of the follower while it runs, else of whoever takes it
	stop    context.CancelFunc // ends the follower; nil: none runs
	stopped chan struct{}      // closed when it has ended
	held    bool               // a session has taken what is known and is not over
	freed   chan struct{}      // closed when held becomes false
	folded  uint64
	next    uint64
}

// NewStandby returns a standby for sessions with these options. Run it, and name it in the options of the sessions.
func NewStandby(o SequencerOptions) *Standby {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Standby{o: o, freed: make(chan struct{})}
}

// Folded returns how many items this standby has folded so far, and the ordinal of the next.
func (s *Standby) Folded() (items, next uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.folded, s.next
}

// Pauses of a standby after an error: the log may not be there yet.
const (
	standbyRetry   = 100 * time.Millisecond
	standbyLongest = 5 * time.Second
)

// Run folds along until ctx ends, but for the time in which a session of this process owns the log.
func (s *Standby) Run(ctx context.Context) error {
	pause := standbyRetry
	for ctx.Err() == nil {
		turn, end := s.begin(ctx)
		if turn == nil {
			break
		}
		began := time.Now()
		err := s.follow(turn)
		asked := turn.Err() != nil
		end(asked)
		if asked {
			continue
		}
		if time.Since(began) > standbyLongest {
			pause = standbyRetry
		}
		s.o.Logger.Warn("standby of the sequencer begins again", "topic", s.o.Events, "pause", pause, "error", err)
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
		}
		pause = min(2*pause, standbyLongest)
	}
	return nil
}

// begin waits until no session holds what is known, and starts a turn. end says whether that is still good; a nil turn: ctx ended.
func (s *Standby) begin(ctx context.Context) (turn context.Context, end func(keep bool)) {
	for {
		s.mu.Lock()
		if !s.held {
			break
		}
		freed := s.freed
		s.mu.Unlock()
		select {
		case <-freed:
		case <-ctx.Done():
			return nil, nil
		}
	}
	defer s.mu.Unlock()
	turn, s.stop = context.WithCancel(ctx)
	stopped := make(chan struct{})
	s.stopped = stopped
	return turn, func(keep bool) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.stop()
		s.stop = nil
		if !keep {
			s.known = nil
		}
		close(stopped)
	}
}

// follow folds until ctx ends, frame by frame.
func (s *Standby) follow(ctx context.Context) error {
	if s.known == nil {
		if err := s.recover(ctx); err != nil {
			return err
		}
	}
	r, err := stage.OpenReader(ctx, s.o.Transport, s.o.Events, 0, s.known.pos)
	if err != nil {
		return err
	}
	defer r.Close()
	for {
		c, err := r.Next(ctx)
		if err != nil {
			return err
		}
		if err := s.known.take(&s.o.Ingest, &c.Frame, c.Offset, c.Skip); err != nil {
			return err
		}
		s.count(uint64(c.Count - c.Skip))
	}
}

func (s *Standby) recover(ctx context.Context) error {
	log, err := stage.OpenLog(s.o.Transport, s.o.Events, 0)
	if err != nil {
		return err
	}
	defer log.Close()
	tail, err := frame.ReadTail(ctx, log)
	if err != nil {
		return err
	}
	if tail.Last.Zero() {
		s.known = &known{}
		return nil
	}
	k, n, err := (&recovery{o: &s.o, log: log, tail: &tail}).recover(ctx, nil)
	if err != nil {
		return err
	}
	s.known = k
	s.count(n)
	return nil
}

func (s *Standby) count(items uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.folded += items
	s.next = s.known.next
}

// take stops the follower and hands over what it knows, nil if nothing. The session gives it back with free.
func (s *Standby) take() *known {
	s.mu.Lock()
	s.held = true
	stop, stopped := s.stop, s.stopped
	if stop != nil {
		stop()
	}
	s.mu.Unlock()
	if stop != nil {
		<-stopped
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.known
	s.known = nil
	return k
}

// free lets the standby fold along again. What the session made of the fold may not count: it begins anew.
func (s *Standby) free() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held = false
	close(s.freed)
	s.freed = make(chan struct{})
}
