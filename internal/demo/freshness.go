package demo

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/models/fold"
	freshetv1 "github.com/freshet-ml/freshet/proto/freshet/v1"
)

// freshness measures, for every record of the paced end of the run, the time from its acknowledgement by
// the broker to the end of the first lookup that shows it, and for every label to the end of the first
// prediction from a version that has learned it.
type freshness struct {
	tracking             atomic.Bool
	commits, publication chan struct{}

	mu     sync.Mutex
	acks   map[recordID]time.Time
	ids    map[uint64]recordID // by seq of the item
	events []waiting           // by seq of the item
	labels []waiting           // by seq of the entry

	featureMS, modelMS []float64
	left               int // events and labels that are not settled
}

type recordID struct {
	source, partition int
	offset            int64
}

type waiting struct {
	seq uint64
	id  recordID
	at  time.Time // since when it waits
}

// ackWithin is how long after its record was ordered an acknowledgement is waited for. Records that were acknowledged
// before the measurement began have none.
const ackWithin = time.Second

func newFreshness() *freshness {
	return &freshness{commits: make(chan struct{}, 1), publication: make(chan struct{}, 1), acks: map[recordID]time.Time{}, ids: map[uint64]recordID{}}
}

func (f *freshness) begin()   { f.tracking.Store(true) }
func (f *freshness) on() bool { return f.tracking.Load() }

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

func (f *freshness) committed() { signal(f.commits) }
func (f *freshness) published() { signal(f.publication) }

func (f *freshness) acked(source int, partition int32, offset int64, at time.Time) {
	if !f.on() {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.acks[recordID{source, int(partition), offset}] = at
}

func (f *freshness) taken(it *features.Item) {
	if !f.on() || it.Kind != features.EventItem {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	id := recordID{it.Source, int(it.Partition), it.Offset}
	f.ids[it.Seq] = id
	f.events = append(f.events, waiting{it.Seq, id, time.Now()})
	f.left++
}

func (f *freshness) folded(e *fold.Entry) {
	if !f.on() || e.Kind != fold.Learn {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if id, ok := f.ids[e.Event]; ok {
		f.labels = append(f.labels, waiting{e.Seq, id, time.Now()})
		f.left++
	}
}

// settle notes the latency of what lies before seq in a list, and returns the rest.
func (f *freshness) settle(list []waiting, seq uint64, now time.Time, into *[]float64) []waiting {
	f.mu.Lock()
	defer f.mu.Unlock()
	keep := list[:0]
	for _, w := range list {
		if w.seq >= seq {
			keep = append(keep, w)
			continue
		}
		at, acked := f.acks[w.id]
		switch {
		case !acked && now.Sub(w.at) < ackWithin:
			keep = append(keep, w)
			continue
		case !acked:
			f.left--
			continue
		}
		*into = append(*into, max(0, now.Sub(at).Seconds()*1000))
		f.left--
	}
	return keep
}

func (f *freshness) open(list *[]waiting) []waiting {
	f.mu.Lock()
	defer f.mu.Unlock()
	taken := *list
	*list = nil
	return taken
}

// probeFeatures looks a feature up after each commit that records of the end were waiting for.
func (f *freshness) probeFeatures(ctx context.Context, r *run) {
	var list []waiting
	f.each(ctx, f.commits, func() {
		list = append(list, f.open(&f.events)...)
		p, _ := r.service.App.Progress()
		visible := p.Sequencer.Items
		for _, u := range p.Units {
			visible = min(visible, u.Items)
		}
		if len(list) == 0 || list[0].seq >= visible {
			return
		}
		_, err := r.client.GetFeatures(ctx, &freshetv1.GetFeaturesRequest{Features: []string{"origin.departures", "origin.overdue"},
			Rows: []*freshetv1.EntityRow{{Keys: map[string]*freshetv1.Value{"origin": text("EWR")}}}})
		if err == nil {
			list = f.settle(list, visible, time.Now(), &f.featureMS)
		}
	})
}

// probeModel asks for a prediction after each publication that labels of the end were waiting for.
func (f *freshness) probeModel(ctx context.Context, r *run) {
	var list []waiting
	f.each(ctx, f.publication, func() {
		if list = append(list, f.open(&f.labels)...); len(list) == 0 {
			return
		}
		resp, err := r.client.Predict(ctx, r.question())
		if err == nil {
			list = f.settle(list, resp.Version.Seq+1, time.Now(), &f.modelMS)
		}
	})
}

func (f *freshness) each(ctx context.Context, c chan struct{}, probe func()) {
	for {
		select {
		case <-c:
		case <-ctx.Done():
			return
		}
		if f.on() {
			probe()
		}
	}
}

// last lets the probes look at what came last, for at most so long.
func (f *freshness) last(ctx context.Context, limit time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		f.mu.Lock()
		left := f.left
		f.mu.Unlock()
		if left == 0 {
			return
		}
		f.committed()
		f.published()
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// quantiles returns the median and the 99th percentile; zeros of nothing.
func quantiles(ms []float64) (p50, p99 float64) {
	if len(ms) == 0 {
		return 0, 0
	}
	slices.Sort(ms)
	return ms[len(ms)/2], ms[min(len(ms)-1, len(ms)*99/100)]
}
