package ingest

import (
	"fmt"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/internal/codec"
)

// foldVersion is raised when Fold takes items in another way or its state changes.
const foldVersion = 1

// Part is what the items tell about one source partition.
type Part struct {
	Next    int64 // offset after the newest item
	Newest  int64 // newest event time of an accepted event, µs, or features.NoTime
	Last    int64 // event time of the last item, µs, or features.NoTime: what a record without a time goes with
	Idle    bool  // an idle item came after the last record
	Events  uint64
	Refused uint64
}

// Fold is what a sequencer must know of the items before: offsets, head, watermark, remembered ids. It
// is a function of the items alone: standbys keep one, and a new sequencer starts from theirs.
type Fold struct {
	sources []features.Source
	clock   *features.Clock
	base    []int // lane of partition 0 of each source
	parts   []Part
	ids     []*ids
}

// NewFold returns the fold of no items for these sources, which must be declared correctly, and partitions.
func NewFold(sources []SourceSpec, partitions []int32) (*Fold, error) {
	if len(sources) != len(partitions) {
		return nil, fmt.Errorf("%d sources but %d partition counts", len(sources), len(partitions))
	}
	f := &Fold{base: make([]int, len(sources)+1)}
	for i := range sources {
		if partitions[i] < 1 {
			return nil, fmt.Errorf("source %s: %d partitions", sources[i].Name, partitions[i])
		}
		f.sources = append(f.sources, sources[i].Source())
		f.base[i+1] = f.base[i] + int(partitions[i])
		f.ids = append(f.ids, newIDs(&sources[i]))
	}
	f.parts = make([]Part, f.base[len(sources)])
	for i := range f.parts {
		f.parts[i].Newest, f.parts[i].Last = features.NoTime, features.NoTime
	}
	f.clock = features.NewClock(f.sources)
	return f, nil
}

// Head returns the newest event time so far, µs, features.NoTime before the first.
func (f *Fold) Head() int64 { return f.clock.Head }

// Watermark returns the watermark, µs, features.NoTime before the first event.
func (f *Fold) Watermark() int64 { return f.clock.Watermark }

// Part returns what is known of a partition; the zero Part and false if it is not declared.
func (f *Fold) Part(source int, partition int32) (Part, bool) {
	if i, ok := f.lane(source, partition); ok {
		return f.parts[i], true
	}
	return Part{}, false
}

// Forgotten returns how many ids of dedupe were forgotten because there were too many; each could come again unseen.
func (f *Fold) Forgotten() uint64 {
	var n uint64
	for _, d := range f.ids {
		if d != nil {
			n += d.forgotten
		}
	}
	return n
}

// Apply folds the next item. Items of sources or partitions that are not declared are passed over, but
// for the clock of ticks.
func (f *Fold) Apply(it *features.Item) {
	if it.Kind == features.TickItem {
		f.clock.Observe(it)
		f.expire()
		return
	}
	i, ok := f.lane(it.Source, it.Partition)
	if !ok {
		return
	}
	p := &f.parts[i]
	switch it.Kind {
	case features.IdleItem:
		p.Idle = true
		return
	case features.EventItem:
		f.clock.Observe(it)
		p.Newest = max(p.Newest, it.Time)
		p.Events++
		if d := f.ids[it.Source]; d != nil && it.Flags&features.Tombstone == 0 && d.field < len(it.Fields) {
			d.add(it.Fields, it.Time)
		}
	case features.RefusalItem:
		p.Refused++
	default:
		return
	}
	p.Next, p.Last, p.Idle = it.Offset+1, it.Time, false
	f.expire()
}

func (f *Fold) expire() {
	for _, d := range f.ids {
		if d != nil {
			d.expire(f.clock.Watermark)
		}
	}
}

func (f *Fold) lane(source int, partition int32) (int, bool) {
	if source < 0 || source >= len(f.sources) || partition < 0 || int(partition) >= f.base[source+1]-f.base[source] {
		return 0, false
	}
	return f.base[source] + int(partition), true
}

func (f *Fold) place(lane int) (source int, partition int32) {
	for f.base[source+1] <= lane {
		source++
	}
	return source, int32(lane - f.base[source])
}

// State visits all that later decisions depend on. Layout (docs/reference/formats.md): version,
// head, watermark, number of partitions, each partition, then for every source with dedupe its
// ids in the order of their items.
func (f *Fold) State(s *codec.State) {
	s.Fixed("fold version of ingest", foldVersion)
	s.Int64(&f.clock.Head)
	s.Int64(&f.clock.Watermark)
	s.Fixed("number of source partitions", len(f.parts))
	for i := range f.parts {
		p := &f.parts[i]
		s.Int64(&p.Next)
		s.Int64(&p.Newest)
		s.Int64(&p.Last)
		s.Bool(&p.Idle)
		s.Uint64(&p.Events)
		s.Uint64(&p.Refused)
	}
	for _, d := range f.ids {
		if d != nil {
			d.State(s)
		}
	}
}
