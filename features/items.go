package features

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"github.com/freshet-ml/freshet/internal/codec"
)

// ErrSources is an events log whose items cannot be read with the sources of a project. It stays whatever is tried again.
var ErrSources error = finalError("the events log was written with other sources or fields")

// finalError is one that stays: stage.Final knows it by its method.
type finalError string

func (e finalError) Error() string { return string(e) }

// Final is true.
func (e finalError) Final() bool { return true }

// Epoch is a stretch of an events log with the same declarations.
type Epoch struct {
	From    uint64 // Seq of its first item, that of its schema item unless the log began with it
	Sources []Declared
}

// Meta is what a frame of the events log with full positions says besides its items.
type Meta struct {
	Head, Watermark int64   // behind the frame, µs, NoTime before the first event
	Epochs          []Epoch // of the log up to the frame and in it, oldest first
}

const (
	metaVersion = 1
	maxEpochs   = 64
	maxMeta     = 64 << 10
)

// State visits it. Layout (docs/reference/formats.md): version, head, watermark, count, for each epoch from and table.
func (m *Meta) State(s *codec.State) {
	s.Fixed("version of what a frame of events says", metaVersion)
	s.Int64(&m.Head)
	s.Int64(&m.Watermark)
	codec.Slice(s, &m.Epochs, 9, maxEpochs, func(s *codec.State, e *Epoch) {
		s.Uint64(&e.From)
		StateDeclared(s, &e.Sources)
	})
	for i := 1; i < len(m.Epochs) && s.Err() == nil; i++ {
		if m.Epochs[i].From <= m.Epochs[i-1].From {
			s.Fail("epoch from item %d after one from item %d", m.Epochs[i].From, m.Epochs[i-1].From)
		}
	}
}

// Pack returns the bytes of m, without the oldest epochs where they are too many or too long.
func (m Meta) Pack() []byte {
	m.Epochs = m.Epochs[max(0, len(m.Epochs)-maxEpochs):]
	for {
		b := codec.Save(&m)
		if len(b) <= maxMeta || len(m.Epochs) <= 1 {
			return b
		}
		m.Epochs = m.Epochs[1:]
	}
}

// DecodeMeta reads what Pack wrote. Errors wrap codec.ErrDamaged.
func DecodeMeta(b []byte) (Meta, error) {
	var m Meta
	if err := codec.Load(&m, b); err != nil {
		return Meta{}, fmt.Errorf("frame of events: %w", err)
	}
	return m, nil
}

// EpochAt returns the index of the epoch that an item belongs to, -1 if it lies before all.
func EpochAt(epochs []Epoch, seq uint64) int {
	for i, e := range slices.Backward(epochs) {
		if e.From <= seq {
			return i
		}
	}
	return -1
}

// CheckChange says what of a log with these epochs cannot be gone on with under other declarations: all at once, naming source, field
// and mend. Errors wrap ErrSources.
func CheckChange(epochs []Epoch, next []Declared) error {
	var errs []error
	seen := map[string]bool{}
	wrong := func(format string, args ...any) {
		if text := fmt.Sprintf(format, args...); !seen[text] {
			seen[text] = true
			errs = append(errs, errors.New(text))
		}
	}
	for i, e := range epochs {
		for _, was := range e.Sources {
			k := slices.IndexFunc(next, func(d Declared) bool { return d.Name == was.Name })
			if k < 0 {
				continue
			}
			now := &next[k]
			checkFields(&was.Source, &now.Source, wrong)
			if i < len(epochs)-1 {
				continue
			}
			if was.Topic != now.Topic {
				wrong("source %s was read from topic %s and is to be read from %s, where the positions of the log mean nothing: give the source another name", now.Name, was.Topic, now.Topic)
			}
			if was.Partitions > now.Partitions {
				wrong("source %s had %d partitions and has %d: a topic that was made anew needs a source with another name", now.Name, was.Partitions, now.Partitions)
			}
		}
	}
	if len(errs) == 0 {
		return nil
	}
	return fmt.Errorf("%w: %w", ErrSources, errors.Join(errs...))
}

func checkFields(was, now *Source, wrong func(string, ...any)) {
	if was.Table != now.Table {
		wrong("%s was a %s and is a %s: give it another name", now.Name, tableOr(was), tableOr(now))
	}
	for _, f := range was.Fields {
		if k := now.FieldIndex(f.Name); k >= 0 && now.Fields[k].Kind != f.Kind {
			wrong("source %s: field %s is a %s in the log and a %s in the project: give the new one another name, with from: %s where the records still call it so",
				now.Name, f.Name, f.Kind, now.Fields[k].Kind, f.Name)
		}
	}
}

func tableOr(s *Source) string {
	if s.Table {
		return "table"
	}
	return "source"
}

// Items decodes the items of an events log and brings them to the sources of a project, whatever sources they were written with:
// fields by name, one that an item lacks is null, one that the project lacks is dropped; an item of a source that the project lacks
// becomes a SkippedItem. It belongs to one goroutine.
type Items struct {
	own    []Source
	id     uint64
	last   []byte // the newest meta taken
	epochs []Epoch
	maps   []epochMap
	at     int
	fields []Value
}

// epochMap brings the items of an epoch to the own sources.
type epochMap struct {
	same    bool
	sources []sourceMap
}

type sourceMap struct {
	to     int   // own source, -1: none
	fields []int // by own field: the field of the item, -1: none; nil: all are the same
}

// NewItems returns a decoder for a project with these sources. Enter every frame before its items.
func NewItems(own []Source) *Items { return &Items{own: own, id: SourcesID(own)} }

// Enter takes what a frame says of the log: its Meta (empty if it has none) and its generation. It is cheap where nothing is new. Errors
// wrap ErrSources or codec.ErrDamaged.
func (x *Items) Enter(meta []byte, generation uint64) error {
	if len(meta) > 0 && !bytes.Equal(meta, x.last) {
		m, err := DecodeMeta(meta)
		if err != nil {
			return err
		}
		x.last = append(x.last[:0], meta...)
		if err := x.take(m.Epochs); err != nil {
			return err
		}
	}
	if len(x.epochs) == 0 && generation != x.id {
		return fmt.Errorf("%w, by a build that does not say which: start the sequencer once with the sources as they were, or give the project another name and replay its topics", ErrSources)
	}
	return nil
}

// take takes the epochs of a log, unless as many are known.
func (x *Items) take(epochs []Epoch) error {
	if n := len(x.epochs); len(epochs) == 0 || n > 0 && epochs[len(epochs)-1].From <= x.epochs[n-1].From {
		return nil
	}
	maps := make([]epochMap, len(epochs))
	var errs []error
	for i := range epochs {
		maps[i] = x.mapping(epochs[i].Sources)
		for _, was := range epochs[i].Sources {
			if k := slices.IndexFunc(x.own, func(s Source) bool { return s.Name == was.Name }); k >= 0 {
				checkFields(&was.Source, &x.own[k], func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) })
			}
		}
	}
	if len(errs) > 0 {
		return fmt.Errorf("%w: %w", ErrSources, errors.Join(errs...))
	}
	x.epochs, x.maps, x.at = epochs, maps, 0
	return nil
}

func (x *Items) mapping(from []Declared) epochMap {
	m := epochMap{same: len(from) == len(x.own), sources: make([]sourceMap, len(from))}
	for i := range from {
		s := &m.sources[i]
		s.to = slices.IndexFunc(x.own, func(o Source) bool { return o.Name == from[i].Name })
		if s.to >= 0 {
			s.fields = fieldMap(&from[i].Source, &x.own[s.to])
		}
		m.same = m.same && s.to == i && s.fields == nil
	}
	return m
}

func fieldMap(from, to *Source) []int {
	same, list := len(from.Fields) == len(to.Fields), make([]int, len(to.Fields))
	for i := range to.Fields {
		list[i] = from.FieldIndex(to.Fields[i].Name)
		same = same && list[i] == i
	}
	if same {
		return nil
	}
	return list
}

// Decode is DecodeItem for the item with a Seq, which it sets, of a frame that was entered.
func (x *Items) Decode(b []byte, seq uint64, it *Item) error {
	if _, err := DecodeItem(b, it); err != nil {
		return err
	}
	it.Seq = seq
	if len(x.epochs) == 0 || it.Kind == TickItem || it.Kind == SchemaItem {
		return nil
	}
	for x.at+1 < len(x.epochs) && x.epochs[x.at+1].From <= seq {
		x.at++
	}
	for x.at > 0 && x.epochs[x.at].From > seq {
		x.at--
	}
	if x.epochs[x.at].From > seq {
		return fmt.Errorf("item %d: %w; the log tells of sources from item %d on: the ones before were changed too often, and a rebuild cannot reach back so far",
			seq, ErrSources, x.epochs[x.at].From)
	}
	m := &x.maps[x.at]
	if m.same {
		return nil
	}
	if it.Source >= len(m.sources) {
		return fmt.Errorf("item %d of source %d, where %d are declared: %w", seq, it.Source, len(m.sources), ErrItem)
	}
	x.bring(it, &m.sources[it.Source], x.epochs[x.at].Sources[it.Source].Plain)
	return nil
}

// bring makes it an item of the own sources.
func (x *Items) bring(it *Item, m *sourceMap, plain bool) {
	if m.to < 0 {
		if it.Kind != EventItem || plain {
			it.Time = NoTime
		}
		it.Kind, it.Flags, it.Source, it.Reason, it.Fields = SkippedItem, 0, 0, "", it.Fields[:0]
		return
	}
	it.Source = m.to
	if m.fields == nil || it.Kind != EventItem {
		return
	}
	x.fields = append(x.fields[:0], it.Fields...)
	it.Fields = it.Fields[:0]
	for _, k := range m.fields {
		var v Value
		if k >= 0 && k < len(x.fields) {
			v = x.fields[k]
		}
		it.Fields = append(it.Fields, v)
	}
}
