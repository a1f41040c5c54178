package features

import (
	"fmt"
	"slices"

	"github.com/freshet-ml/freshet/internal/codec"
)

// Declared is a source as the events log keeps its declaration: what its items mean from a place on, and what
// the sequencer goes by that a reader must know to remember the same.
type Declared struct {
	Source
	Topic      string // that it is read from; positions in the log are offsets in it
	Partitions int32  // of the topic, at least 1
	Dedupe     Remember
	// Rules is a fingerprint of the rest: format, expectations, bounds. Readers need none of it; another one marks
	// that refusals follow other rules from there on.
	Rules uint64
}

// Remember says for how long the ids of a source are remembered. The zero Remember: not at all.
type Remember struct {
	By     string // field with the id
	Within int64  // µs of event time
	Size   int64  // ids at most
}

// Bounds of a table of declarations, for decoding.
const (
	maxSources    = 1 << 12
	maxFields     = 1 << 14
	maxPartitions = 1 << 20 // of all sources together
	maxIDs        = 1 << 40
)

// StateDeclared visits a table of declarations. Layout: count, then for each source name, topic, flags (1 table, 2 plain),
// out-of-orderness, partitions, dedupe (field, within, size), rules, count of fields, for each name, kind, nullable.
func StateDeclared(s *codec.State, list *[]Declared) {
	codec.Slice(s, list, 47, maxSources, stateDeclared)
	if !s.Loading() || s.Err() != nil {
		return
	}
	total := 0
	for i := range *list {
		d := &(*list)[i]
		total += int(d.Partitions)
		if slices.ContainsFunc((*list)[:i], func(o Declared) bool { return o.Name == d.Name }) {
			s.Fail("source %s is declared twice", d.Name)
		}
		if d.Dedupe != (Remember{}) && d.FieldIndex(d.Dedupe.By) < 0 {
			s.Fail("source %s remembers ids by %q, which is no field", d.Name, d.Dedupe.By)
		}
	}
	if total > maxPartitions {
		s.Fail("%d partitions", total)
	}
}

func stateDeclared(s *codec.State, d *Declared) {
	s.Text(&d.Name)
	s.Text(&d.Topic)
	s.Bool(&d.Table)
	s.Bool(&d.Plain)
	s.Int64(&d.OutOfOrder)
	partitions := uint32(d.Partitions)
	s.Uint32(&partitions)
	d.Partitions = int32(min(partitions, maxPartitions+1))
	s.Text(&d.Dedupe.By)
	s.Int64(&d.Dedupe.Within)
	s.Int64(&d.Dedupe.Size)
	s.Uint64(&d.Rules)
	codec.Slice(s, &d.Fields, 3, maxFields, func(s *codec.State, f *Field) {
		s.Text(&f.Name)
		s.Byte((*byte)(&f.Kind))
		s.Bool(&f.Nullable)
		if f.Name == "" || f.Kind < String || f.Kind > FreeText {
			s.Fail("field %q of kind %d", f.Name, f.Kind)
		}
	})
	r := d.Dedupe
	if d.Name == "" || d.Partitions < 1 || d.OutOfOrder < 0 || r != (Remember{}) && (r.Within <= 0 || r.Size <= 0 || r.Size > maxIDs) {
		s.Fail("source %q with %d partitions, out of order by %d", d.Name, d.Partitions, d.OutOfOrder)
	}
}

// AppendDeclared appends a table of declarations to dst, as StateDeclared lays it out.
func AppendDeclared(dst []byte, list []Declared) []byte {
	s := codec.Saver(dst)
	StateDeclared(s, &list)
	return s.Bytes()
}

// DecodeDeclared reads what AppendDeclared wrote and nothing else; it copies. Errors wrap codec.ErrDamaged.
func DecodeDeclared(b []byte) ([]Declared, error) {
	var list []Declared
	s := codec.Loader(b)
	StateDeclared(s, &list)
	if err := s.Close(); err != nil {
		return nil, fmt.Errorf("declarations of sources: %w", err)
	}
	return list, nil
}

// SameDeclared reports whether two tables say the same.
func SameDeclared(a, b []Declared) bool {
	return slices.EqualFunc(a, b, func(x, y Declared) bool {
		return x.Name == y.Name && x.Topic == y.Topic && x.Table == y.Table && x.Plain == y.Plain && x.OutOfOrder == y.OutOfOrder &&
			x.Partitions == y.Partitions && x.Dedupe == y.Dedupe && x.Rules == y.Rules && slices.Equal(x.Fields, y.Fields)
	})
}

// SourcesOf returns what the stages after the sequencer see of a table.
func SourcesOf(list []Declared) []Source {
	out := make([]Source, len(list))
	for i := range list {
		out[i] = list[i].Source
	}
	return out
}
