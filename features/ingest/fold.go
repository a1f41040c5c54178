package ingest

import (
	"fmt"
	"slices"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/internal/codec"
)

// foldVersion is raised when Fold takes items in another way or its state changes.
const foldVersion = 2

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
// is a function of the items alone, and of the declarations with which the log begins: a schema item says what
// holds from it on. Standbys keep one, and a new sequencer starts from theirs. The zero Fold is ready to be loaded.
type Fold struct {
	table []features.Declared
	clock *features.Clock
	base  []int // lane of partition 0 of each source
	parts []Part
	ids   []*ids
}

// Declare returns the declarations of sources, which must be correct, as the events log keeps them.
func Declare(sources []SourceSpec, partitions []int32) ([]features.Declared, error) {
	if len(sources) != len(partitions) {
		return nil, fmt.Errorf("%d sources but %d partition counts", len(sources), len(partitions))
	}
	list := make([]features.Declared, len(sources))
	for i := range sources {
		if partitions[i] < 1 {
			return nil, fmt.Errorf("source %s: %d partitions", sources[i].Name, partitions[i])
		}
		list[i] = sources[i].declared(partitions[i])
	}
	return list, nil
}

// NewFold returns the fold of no items of a log that begins with these sources, which must be declared correctly, and partitions.
func NewFold(sources []SourceSpec, partitions []int32) (*Fold, error) {
	table, err := Declare(sources, partitions)
	if err != nil {
		return nil, err
	}
	f := &Fold{}
	f.lay(table)
	return f, nil
}

// Begin returns the fold of a log whose items before a place are gone: what is known there are the declarations that hold,
// head and watermark, and how far each partition was taken. Remembered ids, counts and the times of partitions
// begin anew.
func Begin(table []features.Declared, head, watermark int64, taken []Position) *Fold {
	f := &Fold{}
	f.lay(table)
	f.clock.Head, f.clock.Watermark = head, watermark
	for _, p := range taken {
		if i, ok := f.lane(p.Source, p.Partition); ok {
			f.parts[i].Next = p.Next
		}
	}
	return f
}

// lay makes room for the sources of a table, of which nothing is known.
func (f *Fold) lay(table []features.Declared) {
	f.table, f.base, f.ids = table, make([]int, len(table)+1), make([]*ids, len(table))
	for i := range table {
		f.base[i+1] = f.base[i] + int(table[i].Partitions)
		f.ids[i] = newIDs(&table[i])
	}
	f.parts = make([]Part, f.base[len(table)])
	for i := range f.parts {
		f.parts[i].Newest, f.parts[i].Last = features.NoTime, features.NoTime
	}
	f.clock = features.NewClock(features.SourcesOf(table))
}

// enter goes over to other declarations: partitions of a source that stays go on, and so do the ids that are remembered
// if that is to be done in the same way; else they begin anew. The watermark never falls.
func (f *Fold) enter(table []features.Declared) {
	old := *f
	f.lay(table)
	f.clock.Head, f.clock.Watermark = old.clock.Head, old.clock.Watermark
	for i := range table {
		j := slices.IndexFunc(old.table, func(d features.Declared) bool { return d.Name == table[i].Name })
		if j < 0 {
			continue
		}
		copy(f.parts[f.base[i]:f.base[i+1]], old.parts[old.base[j]:old.base[j+1]])
		if d := old.ids[j]; d != nil && table[i].Dedupe == old.table[j].Dedupe {
			d.field = table[i].FieldIndex(table[i].Dedupe.By)
			f.ids[i] = d
		}
	}
}

// Table returns the declarations that hold for the next item; it must not be changed.
func (f *Fold) Table() []features.Declared { return f.table }

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
	switch it.Kind {
	case features.TickItem:
		f.clock.Observe(it)
		f.expire()
		return
	case features.SchemaItem:
		f.enter(it.Sources)
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
	if source < 0 || source >= len(f.table) || partition < 0 || int(partition) >= f.base[source+1]-f.base[source] {
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
// head, watermark, the declarations that hold, each partition, then for every source with dedupe its
// ids in the order of their items. Loading takes the declarations of the state.
func (f *Fold) State(s *codec.State) {
	s.Fixed("fold version of ingest", foldVersion)
	if f.clock == nil {
		f.lay(nil)
	}
	head, watermark := f.clock.Head, f.clock.Watermark
	s.Int64(&head)
	s.Int64(&watermark)
	table := f.table
	features.StateDeclared(s, &table)
	if s.Loading() {
		if s.Err() != nil {
			table = nil
		}
		f.lay(table)
	}
	f.clock.Head, f.clock.Watermark = head, watermark
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
