package backtest

import (
	"context"
	"errors"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/models/fold"
	"github.com/freshet-ml/freshet/trainer"
)

// Sizes of the pipe: batches are large enough that handing them over costs nothing beside their work, and few
// enough wait that memory stays small (4 × 1,024 vectors of some hundred columns are a few MB).
const (
	itemBatchSize  = 512
	entryBatchSize = 1024
	batchesWaiting = 4
)

// itemBatch is items on their way to the units.
type itemBatch struct {
	items  []features.Item
	fields []features.Value
}

// entryBatch is entries of one example log on their way to the models. Its memory is used again.
type entryBatch struct {
	trigger *trainer.Trigger
	entries []fold.Entry
}

// pipe runs the three steps of a replay beside each other: items, examples, models. Every step sees everything in
// order, so the result does not depend on who waits for whom.
type pipe struct {
	ctx     context.Context
	group   *errgroup.Group
	items   chan *itemBatch
	entries chan *entryBatch
	spare   chan *entryBatch
	batch   *itemBatch
	open    map[*trainer.Trigger]*entryBatch
	order   []*trainer.Trigger
	err     error
}

func newPipe(ctx context.Context) *pipe {
	p := &pipe{items: make(chan *itemBatch, batchesWaiting), entries: make(chan *entryBatch, batchesWaiting),
		spare: make(chan *entryBatch, 2*batchesWaiting), batch: &itemBatch{}, open: map[*trainer.Trigger]*entryBatch{}}
	p.group, p.ctx = errgroup.WithContext(ctx)
	return p
}

// run starts the steps: make calls item, take calls entry, apply gets the batches of entries.
func (p *pipe) run(make func(context.Context) error, take func(*features.Item) error, apply func(*entryBatch) error) {
	p.group.Go(func() error {
		defer close(p.items)
		if err := make(p.ctx); err != nil {
			return err
		}
		return p.sendItems()
	})
	p.group.Go(func() error {
		defer close(p.entries)
		for b := range p.items {
			for i := range b.items {
				if err := take(&b.items[i]); err != nil {
					return err
				}
				if p.err != nil {
					return p.err
				}
			}
		}
		for _, t := range p.order {
			p.sendEntries(t)
		}
		return p.err
	})
	p.group.Go(func() error {
		for b := range p.entries {
			if err := apply(b); err != nil {
				return err
			}
			select {
			case p.spare <- b:
			default:
			}
		}
		return nil
	})
}

// wait waits for all steps and returns the first error: that of a step, not that of those which it stopped.
func (p *pipe) wait() error {
	err := p.group.Wait()
	if errors.Is(err, context.Canceled) && context.Cause(p.ctx) != nil {
		return context.Cause(p.ctx)
	}
	return err
}

// item is the Visit of the first step: it copies the item into the batch.
func (p *pipe) item(it *features.Item, _ int64) error {
	b := p.batch
	start := len(b.fields)
	b.fields = append(b.fields, it.Fields...)
	b.items = append(b.items, *it)
	b.items[len(b.items)-1].Fields = b.fields[start:len(b.fields):len(b.fields)]
	if len(b.items) < itemBatchSize {
		return nil
	}
	p.batch = &itemBatch{items: make([]features.Item, 0, itemBatchSize), fields: make([]features.Value, 0, len(b.fields)+64)}
	return p.hand(b)
}

func (p *pipe) sendItems() error { return p.hand(p.batch) }

func (p *pipe) hand(b *itemBatch) error {
	select {
	case p.items <- b:
		return nil
	case <-p.ctx.Done():
		return context.Cause(p.ctx)
	}
}

// entry copies an entry into the batch of its trigger.
func (p *pipe) entry(t *trainer.Trigger, e *fold.Entry) {
	b := p.open[t]
	if b == nil {
		select {
		case b = <-p.spare:
			b.trigger, b.entries = t, b.entries[:0]
		default:
			b = &entryBatch{trigger: t, entries: make([]fold.Entry, 0, entryBatchSize)}
		}
		if !slices.Contains(p.order, t) {
			p.order = append(p.order, t)
		}
		p.open[t] = b
	}
	n := len(b.entries)
	b.entries = b.entries[:n+1]
	vector := append(b.entries[n].Vector[:0], e.Vector...)
	b.entries[n] = *e
	b.entries[n].Vector = vector
	if n+1 == entryBatchSize {
		p.sendEntries(t)
	}
}

func (p *pipe) sendEntries(t *trainer.Trigger) {
	b := p.open[t]
	if b == nil {
		return
	}
	p.open[t] = nil
	select {
	case p.entries <- b:
	case <-p.ctx.Done():
		p.err = context.Cause(p.ctx)
	}
}
