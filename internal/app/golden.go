package app

import (
	"context"
	"fmt"
	"slices"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/features/unit"
	"github.com/freshet-ml/freshet/features/worker"
	"github.com/freshet-ml/freshet/internal/frame"
	"github.com/freshet-ml/freshet/internal/program"
	"github.com/freshet-ml/freshet/internal/stage"
	"github.com/freshet-ml/freshet/internal/stage/redis"
	"github.com/freshet-ml/freshet/models/fold"
	"github.com/freshet-ml/freshet/trainer"
)

// EachItem visits the items of the events log up to seq end.
func (a *App) EachItem(ctx context.Context, end uint64, visit func(it *features.Item) error) error {
	var it features.Item
	items := features.NewItems(a.o.Program.Sources)
	if err := worker.EnterTail(ctx, a.o.Transport, a.Topics.Events, items); err != nil {
		return err
	}
	return eachFrame(ctx, a.o.Transport, a.Topics.Events, end, func(c *stage.Counted) error {
		if err := items.Enter(c.Meta, c.Generation); err != nil {
			return err
		}
		i := 0
		for packed := c.Each(); packed.Next(); i++ {
			if err := items.Decode(packed.Item(), c.FirstSeq+uint64(i), &it); err != nil {
				return fmt.Errorf("offset %d, item %d: %w", c.Offset, i, err)
			}
			if err := visit(&it); err != nil {
				return err
			}
		}
		return nil
	})
}

// EachEntry visits the entries of the example log of a trigger up to seq end.
func (a *App) EachEntry(ctx context.Context, trigger string, end uint64, visit func(e *fold.Entry) error) error {
	var e fold.Entry
	return eachFrame(ctx, a.o.Transport, a.Topics.Logs[trigger], end, func(c *stage.Counted) error {
		i := 0
		for items := c.Each(); items.Next(); i++ {
			if err := fold.DecodeEntry(items.Item(), &e); err != nil {
				return fmt.Errorf("offset %d, item %d: %w", c.Offset, i, err)
			}
			e.Seq = c.FirstSeq + uint64(i)
			if err := visit(&e); err != nil {
				return err
			}
		}
		return nil
	})
}

func eachFrame(ctx context.Context, t stage.Transport, topic string, end uint64, visit func(*stage.Counted) error) error {
	if end == 0 {
		return nil
	}
	r, err := stage.OpenReader(ctx, t, topic, 0, frame.Position{})
	if err != nil {
		return err
	}
	defer r.Close()
	for {
		c, err := r.Next(ctx)
		if err == nil {
			err = visit(c)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", topic, err)
		}
		if c.NextSeq() >= end {
			return nil
		}
	}
}

// States sums the states of all entities in the store that are not absent at the watermark.
func States(ctx context.Context, p *program.Program, store *redis.Store, watermark int64) (string, error) {
	h := trainer.NewStateHash()
	for _, prog := range p.Entities {
		all := map[string]redis.State{}
		for b := range prog.Buckets() {
			key := worker.HashOf(p.Project.Name, p.Generation, prog.Name(), b).Key()
			err := store.Scan(ctx, key, func(k string, st redis.State) error {
				all[k] = st
				return nil
			})
			if err != nil {
				return "", err
			}
		}
		keys := make([]string, 0, len(all))
		for k := range all {
			keys = append(keys, k)
		}
		slices.Sort(keys)
		for _, k := range keys {
			st := unit.State{Head: all[k].Moving, Tiles: all[k].Sealed}
			if !prog.Expired(&st, watermark) {
				h.Add(prog.Name(), k, st.Head, st.Tiles)
			}
		}
	}
	return h.Sum(), nil
}

// Golden sums what the logs and the store of a finished run hold; models gives the sums of the learners.
func (a *App) Golden(ctx context.Context, models map[string]fold.Hashes) (*trainer.Golden, error) {
	p, _ := a.Progress()
	g := &trainer.Golden{Logs: map[string]string{}, Weights: map[string]string{}, Scores: map[string]string{}}
	items := trainer.NewItemHash(a.o.Program.Sources)
	if err := a.EachItem(ctx, p.Sequencer.Items, func(it *features.Item) error { items.Add(it); return nil }); err != nil {
		return nil, err
	}
	g.Items = items.Sum()
	var err error
	if g.States, err = States(ctx, a.o.Program, a.o.Store, p.Sequencer.Watermark); err != nil {
		return nil, err
	}
	for _, t := range a.o.Program.Triggers {
		entries := trainer.NewEntryHash()
		if err := a.EachEntry(ctx, t.Name, p.Joiners[t.Name].Entries, func(e *fold.Entry) error { entries.Add(e); return nil }); err != nil {
			return nil, err
		}
		g.Logs[t.Name] = entries.Sum()
	}
	for name, h := range models {
		g.Weights[name], g.Scores[name] = h.Weights, h.Scores
	}
	return g, nil
}
