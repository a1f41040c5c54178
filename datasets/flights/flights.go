package flights

import (
	"fmt"
	"slices"
	"time"
)

// Record is one record of a source topic.
type Record struct {
	Source string // one of Sources
	Time   int64  // event time, µs since the Unix epoch
	Key    []byte // of the Kafka record: the flight's id, the airport, or the tail number
	Value  []byte // compact JSON
}

// Sources names the six streams in their order among equal times.
var Sources = [...]string{"arrived", "cancelled", "departed", "planes", "scheduled", "weather"}

const (
	arrived = iota
	cancelled
	departed
	planes
	scheduled
	weathers
)

// Start is the event time of the planes table and no later than any other event.
var Start = time.Date(2013, 1, 1, 0, 0, 0, 0, time.UTC)

// End is after every event.
var End = time.Date(2014, 1, 3, 0, 0, 0, 0, time.UTC)

// An event packs minute, source and row into one number, which sorts in the order of events.
const (
	rowBits    = 19
	sourceBits = 3
)

// Stream is a run through the records of a time range in the order (event time, source name, row). It is for
// one goroutine.
type Stream struct {
	d      *data
	events []uint64
	next   int
	key    []byte
	value  []byte
}

// Open returns the records with an event time in [from, to), and before them always the whole planes
// table, whose event time is Start. Zero times mean the whole year. Triggers near the end of a shorter
// range have no label in it, like at a service that stops there. Opening decodes all data: about 0.3 s
// and 40 MB.
func Open(from, to time.Time) (*Stream, error) {
	if from.IsZero() {
		from = Start
	}
	if to.IsZero() {
		to = End
	}
	d, err := load()
	if err != nil {
		return nil, fmt.Errorf("flights data: %w", err)
	}
	s := &Stream{d: d, events: make([]uint64, 0, 1<<20)}
	s.collect(minuteAtOrAfter(from), minuteAtOrAfter(to))
	return s, nil
}

// Days returns the records of the first n days; n ≤ 0 means the whole year.
func Days(n int) (*Stream, error) {
	if n <= 0 {
		return Open(Start, End)
	}
	return Open(Start, Start.AddDate(0, 0, n))
}

func minuteAtOrAfter(t time.Time) int {
	t = t.UTC()
	if t.Before(Start) {
		return 0
	}
	return int((t.Sub(Start) + time.Minute - 1) / time.Minute)
}

func (s *Stream) collect(from, to int) {
	add := func(minute, source, row int) {
		if minute >= from && minute < to || source == planes {
			s.events = append(s.events, uint64(minute)<<(sourceBits+rowBits)|uint64(source)<<rowBits|uint64(row))
		}
	}
	for i := range s.d.planes {
		add(0, planes, i)
	}
	for i := range s.d.flights {
		f := &s.d.flights[i]
		departs := int(f.scheduled)
		add(departs-60, scheduled, i)
		if f.depDelay == missing {
			add(departs, cancelled, i)
			continue
		}
		add(departs+int(f.depDelay), departed, i)
		if f.arrDelay != missing {
			add(departs+int(f.block)+int(f.arrDelay), arrived, i)
		}
	}
	for i := range s.d.weather {
		add(int(s.d.weather[i].hour)*60+60, weathers, i)
	}
	slices.Sort(s.events)
}

// Len returns how many records are left.
func (s *Stream) Len() int { return len(s.events) - s.next }

// Count returns how many records of a source are left.
func (s *Stream) Count(source string) int {
	rank := slices.Index(Sources[:], source)
	n := 0
	for _, e := range s.events[s.next:] {
		if int(e>>rowBits&(1<<sourceBits-1)) == rank {
			n++
		}
	}
	return n
}

// Next returns the next record, and false after the last. Key and Value are valid until the next call.
// It allocates nothing in the steady state.
func (s *Stream) Next() (Record, bool) {
	if s.next == len(s.events) {
		return Record{}, false
	}
	e := s.events[s.next]
	s.next++
	minute, source, row := int64(e>>(sourceBits+rowBits)), int(e>>rowBits&(1<<sourceBits-1)), int(e&(1<<rowBits-1))
	s.key, s.value = s.key[:0], s.value[:0]
	switch source {
	case planes:
		s.writePlane(&s.d.planes[row])
	case weathers:
		s.writeWeather(&s.d.weather[row], minute)
	default:
		s.writeFlight(&s.d.flights[row], source, minute)
	}
	at := Start.UnixMicro() + minute*int64(time.Minute/time.Microsecond)
	return Record{Source: Sources[source], Time: at, Key: s.key, Value: s.value}, true
}
