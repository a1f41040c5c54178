package ingest

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/freshet-ml/freshet/features"
)

// Format is how the values of a topic are written.
type Format string

// The formats of records.
const (
	JSON Format = "json" // one object a record; the default
	CSV  Format = "csv"  // one row a record, without a header
)

// Limits of what a record may hold.
const (
	MaxKeyBytes       = 1 << 10      // text of a key field
	DefaultMaxRecord  = 1 << 20      // bytes of key and value of a record
	DefaultMaxItem    = 384<<10 - 64 // packed bytes of an item's fields: with what stands before them it must fit a frame
	DefaultLateness   = 24 * time.Hour
	DefaultDedupeSize = 1 << 20 // ids remembered for a source
)

// Time ranges, µs. Event times lie after 1970-01-01T00:00:00Z and before 2200-01-01T00:00:00Z: zero and
// far times are nearly always a broken clock, and one of them would carry the watermark away. Other
// time fields reach from year 1 to the end of year 9999.
const (
	MinEventTime int64 = 1
	MaxEventTime int64 = 7258118400000000 - 1
	minTime      int64 = -62135596800000000
	maxTime      int64 = 253402300800000000 - 1
)

// FieldSpec is a declared field.
type FieldSpec struct {
	Name     string
	Kind     features.Kind
	Nullable bool   // null or missing is allowed
	From     string // its name in the record (JSON member or CSV column); empty: Name
	// Layout of a time: epoch_s, epoch_ms, epoch_us (numbers, decimals allowed), rfc3339 (the default),
	// or a layout in the manner of Go ("2006-01-02 15:04") or strftime ("%Y-%m-%d %H:%M").
	Layout string
	// Zone of a layout without an offset; nil is UTC. A local time that a clock change skips or repeats
	// is read as time.Date reads it.
	Zone *time.Location
	// Bytes is how long a text (features.FreeText) may be; what goes beyond is cut. 0: as long as features.DefaultTextSlots holds.
	Bytes     int
	Key       bool // part of an entity key or id: its text is at most MaxKeyBytes
	Sensitive bool // never shown in messages, hashed in dead letters
}

func (f *FieldSpec) from() string {
	if f.From != "" {
		return f.From
	}
	return f.Name
}

// CSVSpec is how CSV rows are written. In CSV an empty cell is null.
type CSVSpec struct {
	Delimiter rune     // 0: comma
	Columns   []string // names of the columns in their order; nil: the fields as declared in a topic, the first row in a file
	Null      []string // other texts that mean null, such as NA
}

// Dedupe refuses a second event with the same id.
type Dedupe struct {
	By     string        // field with the id; null ids are never duplicates
	Within time.Duration // of event time; 0: no dedupe
	Size   int           // ids remembered at most, the oldest is forgotten first; 0: DefaultDedupeSize
}

// SourceSpec is a declared source or table.
type SourceSpec struct {
	Name   string
	Topic  string // empty: Name
	Format Format // empty: JSON
	Fields []FieldSpec
	// Time names the event-time field. Empty: the timestamp of the record, as for the tombstones of tables.
	Time        string
	OutOfOrder  time.Duration // how much older than the newest event of the project an event may be and not be late
	MaxLateness time.Duration // beyond the watermark; 0: DefaultLateness
	// Skew is how far, with clock: wall, an event may lie ahead of its record's own timestamp. 0: refuse
	// nothing.
	Skew   time.Duration
	Expect []Expectation
	Strict bool // unknown fields are refused
	Dedupe Dedupe
	Table  bool     // an event replaces the row of its key, a null value removes it
	Key    []string // key fields: of a table its rows, of any source the Kafka key that files are produced with
	CSV    CSVSpec
	Plain  bool // one of Freshet's own topics: never blocks, is never late, moves neither head nor watermark

	MaxRecord int // bytes of key and value; 0: DefaultMaxRecord
	MaxItem   int // packed bytes; 0: DefaultMaxItem
}

// Source returns what the stages after the sequencer see of the declaration.
func (s *SourceSpec) Source() features.Source {
	out := features.Source{Name: s.Name, Table: s.Table, Plain: s.Plain, OutOfOrder: s.OutOfOrder.Microseconds()}
	for i := range s.Fields {
		f := &s.Fields[i]
		out.Fields = append(out.Fields, features.Field{Name: f.Name, Kind: f.Kind, Nullable: f.Nullable})
	}
	return out
}

// declared returns what the events log keeps of the declaration.
func (s *SourceSpec) declared(partitions int32) features.Declared {
	d := features.Declared{Source: s.Source(), Topic: s.topic(), Partitions: partitions, Rules: s.rules()}
	if s.Dedupe.Within > 0 {
		d.Dedupe = features.Remember{By: s.Dedupe.By, Within: s.Dedupe.Within.Microseconds(), Size: int64(orDefault(s.Dedupe.Size, DefaultDedupeSize))}
	}
	return d
}

func (s *SourceSpec) topic() string {
	if s.Topic != "" {
		return s.Topic
	}
	return s.Name
}

// rules is a fingerprint of what decides about the records of the source besides what the log keeps in words. Which fields are
// keys is left out: that follows from features.
func (s *SourceSpec) rules() uint64 {
	var b strings.Builder
	fmt.Fprintf(&b, "%q time %q late %d skew %d strict %t key %q csv %q %q %q record %d item %d\n", s.Format, s.Time, s.lateness(), s.Skew, s.Strict, s.Key,
		s.CSV.Delimiter, s.CSV.Columns, s.CSV.Null, s.MaxRecord, s.MaxItem)
	for i := range s.Expect {
		fmt.Fprintf(&b, "expect %q\n", s.Expect[i].Text)
	}
	for i := range s.Fields {
		f := &s.Fields[i]
		fmt.Fprintf(&b, "field %q from %q layout %q zone %q\n", f.Name, f.from(), f.Layout, f.Zone)
		if f.Kind == features.FreeText {
			fmt.Fprintf(&b, "text of %d\n", features.TextSlots(f.Bytes))
		}
	}
	return features.Hash(b.String())
}

// Index returns the position of the named field, or -1.
func (s *SourceSpec) Index(name string) int {
	for i := range s.Fields {
		if s.Fields[i].Name == name {
			return i
		}
	}
	return -1
}

// Validate returns all that is wrong with the declaration, joined, or nil.
func (s *SourceSpec) Validate() error {
	var errs []error
	bad := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("source %s: "+format, append([]any{s.Name}, args...)...))
	}
	if s.Format != "" && s.Format != JSON && s.Format != CSV {
		bad("format %q is not known: json or csv", s.Format)
	}
	if len(s.Fields) == 0 {
		bad("no fields are declared")
	}
	s.validateFields(bad)
	if i := s.Index(s.Time); s.Time != "" {
		switch {
		case i < 0:
			bad("time: there is no field %q", s.Time)
		case s.Fields[i].Kind != features.Time:
			bad("time: field %s is a %s: declare it as time", s.Time, s.Fields[i].Kind)
		case s.Fields[i].Nullable:
			bad("time: field %s must not be nullable", s.Time)
		}
	}
	if s.Table && len(s.Key) == 0 {
		bad("a table needs key")
	}
	for _, k := range s.Key {
		if i := s.Index(k); i < 0 {
			bad("key: there is no field %q", k)
		} else if s.Table && s.Fields[i].Nullable {
			bad("key: field %s of a table must not be nullable", k)
		}
	}
	if s.Dedupe.Within > 0 && s.Index(s.Dedupe.By) < 0 {
		bad("dedupe: there is no field %q", s.Dedupe.By)
	}
	if min(s.OutOfOrder, s.MaxLateness, s.Skew, s.Dedupe.Within) < 0 || min(s.Dedupe.Size, s.MaxRecord, s.MaxItem) < 0 {
		bad("durations and sizes must not be negative")
	}
	return errors.Join(errs...)
}

func (s *SourceSpec) validateFields(bad func(string, ...any)) {
	names, from := map[string]bool{}, map[string]bool{}
	for i := range s.Fields {
		f := &s.Fields[i]
		if f.Name == "" || f.Kind < features.String || f.Kind > features.FreeText {
			bad("field %d (%q) needs a name and a kind", i+1, f.Name)
		}
		if strings.ContainsAny(f.from(), "\"\\") {
			bad("field %s: the name %q in the record holds a quote or a backslash", f.Name, f.from())
		}
		if names[f.Name] {
			bad("field %s is declared twice", f.Name)
		}
		if from[f.from()] {
			bad("two fields are read from %q", f.from())
		}
		names[f.Name], from[f.from()] = true, true
		if f.Layout != "" && f.Kind != features.Time {
			bad("field %s: only a time has a layout", f.Name)
		}
		if f.Bytes < 0 || f.Bytes > features.MaxTextSlots*features.TextBytes || f.Bytes != 0 && f.Kind != features.FreeText {
			bad("field %s: %d bytes; only a text has a length, of at most %d", f.Name, f.Bytes, features.MaxTextSlots*features.TextBytes)
		}
		if _, err := newTimeLayout(f.Layout, f.Zone); err != nil {
			bad("field %s: %w", f.Name, err)
		}
	}
}

func (s *SourceSpec) lateness() int64 {
	if s.MaxLateness == 0 {
		return DefaultLateness.Microseconds()
	}
	return s.MaxLateness.Microseconds()
}

func orDefault(n, d int) int {
	if n == 0 {
		return d
	}
	return n
}

// before returns t − d, and NoTime where that does not fit.
func before(t, d int64) int64 {
	if t == features.NoTime || t < math.MinInt64+d {
		return features.NoTime
	}
	return t - d
}
