package app

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/features/worker"
	"github.com/freshet-ml/freshet/internal/frame"
	"github.com/freshet-ml/freshet/internal/stage"
	"github.com/freshet-ml/freshet/internal/stage/redis"
)

// surveyEvery is how often a server without feature units looks how far those of other processes are.
const surveyEvery = time.Second

// surveySamples bounds the places of the events log that a survey remembers.
const surveySamples = 512

// sample is a place of the events log.
type sample struct {
	offset int64
	seq    uint64 // of the first item at or behind it
}

// surveyed is what was last seen of the stages of other processes. It is immutable.
type surveyed struct {
	samples []sample // by offset; the last is the end of the log
	units   []uint64 // by parts partition: items that the unit farthest behind has committed, about
	entity  []uint64 // by entity type, the same
	head    int64    // newest event time in the states, µs
}

// seq returns how many items lie before a place of the events log: exact where it was looked at, else about, in proportion.
func (s *surveyed) seq(at frame.Position) uint64 {
	i, found := slices.BinarySearchFunc(s.samples, at.Offset, func(x sample, offset int64) int { return int(x.offset - offset) })
	switch {
	case found:
		return s.samples[i].seq + uint64(at.Index)
	case i == 0:
		return s.samples[0].seq
	case i == len(s.samples):
		return s.end()
	}
	a, b := s.samples[i-1], s.samples[i]
	return a.seq + uint64(float64(b.seq-a.seq)*float64(at.Offset-a.offset)/float64(b.offset-a.offset))
}

func (s *surveyed) end() uint64 { return s.samples[len(s.samples)-1].seq }

// lag returns how many items a state that stands at a place is behind.
func (s *surveyed) lag(at frame.Position) uint64 {
	done := s.seq(at)
	return s.end() - min(s.end(), done)
}

// add returns the samples with one more at the end; the middle is thinned out when there are many.
func add(samples []sample, n sample) []sample {
	if len(samples) > 0 && samples[len(samples)-1].offset >= n.offset {
		return samples
	}
	out := append(slices.Clone(samples), n)
	if len(out) <= surveySamples {
		return out
	}
	kept := out[:1]
	for i := 2; i < len(out)-1; i += 2 {
		kept = append(kept, out[i])
	}
	return append(kept, n)
}

// surveyor keeps a survey current.
type surveyor struct {
	app     *App
	lookups []redis.Lookup
	place   [][2]int // of a lookup: entity type, parts partition
	views   []redis.View
	last    atomic.Pointer[surveyed]
}

func newSurveyor(a *App) *surveyor {
	s := &surveyor{app: a}
	p := a.o.Program
	for e, prog := range p.Entities {
		for b := range prog.Buckets() {
			s.lookups = append(s.lookups, redis.Lookup{Hash: worker.HashOf(p.Project.Name, p.Generation, prog.Name(), b).Key()})
			s.place = append(s.place, [2]int{e, int(partitionOf(prog, b, a.Topics.Partitions))})
		}
	}
	return s
}

// run looks until ctx ends. What cannot be seen now is as it was.
func (s *surveyor) run(ctx context.Context) error {
	tick := time.NewTicker(surveyEvery)
	defer tick.Stop()
	for {
		if err := s.look(ctx); err != nil && ctx.Err() == nil {
			s.app.o.Logger.Debug("other processes cannot be seen now", "error", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (s *surveyor) look(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*surveyEvery)
	defer cancel()
	old := s.last.Load()
	next := &surveyed{head: features.NoTime}
	if old != nil {
		next.samples = old.samples
	}
	var err error
	if next.samples, err = s.ends(ctx, next.samples); err != nil {
		return err
	}
	if s.views, err = s.app.o.Store.Read(ctx, s.lookups, s.views[:0]); err != nil {
		return err
	}
	next.units, next.entity = full(s.app.Topics.Partitions, next.end()), full(len(s.app.o.Program.Entities), next.end())
	for i := range s.views {
		v, at := &s.views[i], s.place[i]
		done := next.seq(v.At)
		next.entity[at[0]], next.units[at[1]] = min(next.entity[at[0]], done), min(next.units[at[1]], done)
		if v.Exists {
			next.head = max(next.head, v.Head)
		}
	}
	s.last.Store(next)
	return nil
}

func full(n int, of uint64) []uint64 {
	list := make([]uint64, n)
	for i := range list {
		list[i] = of
	}
	return list
}

// ends adds where the events log ends now, and at first where it begins.
func (s *surveyor) ends(ctx context.Context, samples []sample) ([]sample, error) {
	log, err := stage.OpenLog(s.app.o.Transport, s.app.Topics.Events, 0)
	if err != nil {
		return samples, err
	}
	defer log.Close()
	end, err := log.End(ctx)
	if err != nil {
		return samples, err
	}
	if len(samples) == 0 {
		first, err := log.First(ctx)
		if err != nil {
			return samples, err
		}
		if samples, err = at(ctx, log, samples, first, min(first+1, end)); err != nil {
			return samples, err
		}
		if len(samples) == 0 {
			samples = []sample{{offset: first}}
		}
	}
	return at(ctx, log, samples, max(end-1, 0), end)
}

// at adds the places of the frames with from <= offset < to, and the end of the last.
func at(ctx context.Context, log *stage.Log, samples []sample, from, to int64) ([]sample, error) {
	err := log.Scan(ctx, from, to, func(offset int64, record []byte) error {
		var f frame.Frame
		if f.Decode(record) == nil { // one that does not count is about as good a place
			samples = add(add(samples, sample{offset, f.FirstSeq}), sample{offset + 1, f.NextSeq()})
		}
		return nil
	})
	return samples, err
}

// rebuilding names the entity types whose states are too far behind to be relied on; empty: none.
func (s *surveyor) rebuilding() string {
	v := s.last.Load()
	if v == nil {
		return "how far the features are is not known yet"
	}
	for e, done := range v.entity {
		if lag := v.end() - min(v.end(), done); lag > rebuildItems {
			return fmt.Sprintf("features of %s are being rebuilt: about %d items behind", s.app.o.Program.Entities[e].Name(), lag)
		}
	}
	return ""
}
