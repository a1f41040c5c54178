package flights

import (
	"strconv"
	"time"
)

// Summer time in New York in 2013, in minutes since Start.
const (
	summerBegins = 68*1440 + 7*60  // 10 March, 07:00 UTC
	summerEnds   = 306*1440 + 6*60 // 3 November, 06:00 UTC
)

// newYork returns the minute since Start that New York's clocks read, as if they were UTC.
func newYork(minute int64) int64 {
	if minute >= summerBegins && minute < summerEnds {
		return minute - 4*60
	}
	return minute - 5*60
}

func (s *Stream) writeFlight(f *flight, source int, minute int64) {
	d, b := s.d, s.value
	s.key = s.appendID(s.key, f)
	b = append(b, `{"id":"`...)
	b = append(b, s.key...)
	b = append(b, `","at":`...)
	b = appendTime(b, minute)
	b = append(b, `,"carrier":"`...)
	b = append(b, d.names[f.carrier]...)
	b = append(b, `","flight":`...)
	b = strconv.AppendInt(b, int64(f.number), 10)
	if tail := d.names[f.tail]; tail != "" {
		b = append(b, `,"tail":"`...)
		b = append(b, tail...)
		b = append(b, '"')
	}
	b = append(b, `,"origin":"`...)
	b = append(b, d.names[f.origin]...)
	b = append(b, `","dest":"`...)
	b = append(b, d.names[f.dest]...)
	b = append(b, `","departs":`...)
	b = appendTime(b, int64(f.scheduled))
	b = appendNumber(b, `,"block":`, f.block)
	switch source {
	case scheduled:
		b = appendNumber(b, `,"distance":`, f.distance)
	case departed:
		b = appendNumber(b, `,"dep_delay":`, f.depDelay)
		b = appendTime(append(b, `,"expected":`...), minute+int64(f.block))
	case arrived:
		b = appendNumber(b, `,"arr_delay":`, f.arrDelay)
		b = appendNumber(b, `,"air_time":`, f.airTime)
	}
	s.value = append(b, '}')
}

// appendID writes the id of a flight: its local date, carrier, number and origin.
func (s *Stream) appendID(b []byte, f *flight) []byte {
	b = appendDate(b, newYork(int64(f.scheduled)))
	b = append(b, '-')
	b = append(b, s.d.names[f.carrier]...)
	b = strconv.AppendInt(b, int64(f.number), 10)
	b = append(b, '-')
	return append(b, s.d.names[f.origin]...)
}

func (s *Stream) writeWeather(w *weather, minute int64) {
	s.key = append(s.key, s.d.names[w.origin]...)
	b := append(s.value, `{"origin":"`...)
	b = append(b, s.key...)
	b = append(b, `","at":`...)
	b = appendTime(b, minute)
	for i, r := range w.readings {
		if r == "" {
			continue
		}
		b = append(b, ',', '"')
		b = append(b, readingNames[i]...)
		b = append(b, '"', ':')
		b = append(b, r...)
	}
	s.value = append(b, '}')
}

func (s *Stream) writePlane(p *plane) {
	s.key = append(s.key, p.tail...)
	b := append(s.value, `{"tail":"`...)
	b = append(b, p.tail...)
	b = append(b, `","at":`...)
	b = appendTime(b, 0)
	if p.year != "" {
		b = append(b, `,"year":`...)
		b = append(b, p.year...)
	}
	b = append(b, `,"seats":`...)
	b = append(b, p.seats...)
	b = append(b, `,"engines":`...)
	b = append(b, p.engines...)
	b = append(b, `,"manufacturer":"`...)
	b = append(b, p.manufacturer...)
	b = append(b, `","model":"`...)
	b = append(b, p.model...)
	s.value = append(b, '"', '}')
}

func appendNumber(b []byte, name string, v int16) []byte {
	if v == missing {
		return b
	}
	return strconv.AppendInt(append(b, name...), int64(v), 10)
}

// appendTime writes a quoted RFC 3339 time.
func appendTime(b []byte, minute int64) []byte {
	b = appendDate(append(b, '"'), minute)
	m := minute % 1440
	b = appendTwo(append(b, 'T'), m/60)
	b = appendTwo(append(b, ':'), m%60)
	return append(b, `:00Z"`...)
}

// dates holds 2012-12-31 to 2014-01-04 as text.
var dates = func() (t [370][10]byte) {
	for i := range t {
		copy(t[i][:], Start.AddDate(0, 0, i-1).Format(time.DateOnly))
	}
	return t
}()

func appendDate(b []byte, minute int64) []byte {
	return append(b, dates[(minute+1440)/1440][:]...)
}

func appendTwo(b []byte, n int64) []byte { return append(b, byte('0'+n/10), byte('0'+n%10)) }
