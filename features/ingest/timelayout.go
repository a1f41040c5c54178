package ingest

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Names of the layouts that are no pattern.
const (
	EpochSeconds = "epoch_s"
	EpochMillis  = "epoch_ms"
	EpochMicros  = "epoch_us"
	RFC3339      = "rfc3339"
)

// timeLayout reads and writes times of one layout.
type timeLayout struct {
	name string // as declared, for messages
	unit int64  // µs of one unit of an epoch, 0 for text
	text string // Go layout
	zone *time.Location
}

var errTimeFormat = errors.New("does not follow the layout")

func newTimeLayout(layout string, zone *time.Location) (timeLayout, error) {
	l := timeLayout{name: layout, zone: zone}
	if zone == nil {
		l.zone = time.UTC
	}
	switch layout {
	case "", RFC3339:
		l.name, l.text = RFC3339, time.RFC3339Nano
	case EpochSeconds:
		l.unit = 1_000_000
	case EpochMillis:
		l.unit = 1_000
	case EpochMicros:
		l.unit = 1
	default:
		text, err := goLayout(layout)
		if err != nil {
			return l, err
		}
		l.text = text
		return l, checkLayout(layout, text)
	}
	return l, nil
}

// checkLayout refuses a pattern that does not keep the day of a time.
func checkLayout(layout, text string) error {
	at := time.Date(2013, 11, 23, 14, 45, 56, 0, time.UTC)
	back, err := time.Parse(text, at.Format(text))
	if strings.ContainsAny(layout, "\"\\") {
		return fmt.Errorf("layout %q holds a quote or a backslash", layout)
	}
	if err != nil || back.Year() != 2013 || back.YearDay() != at.YearDay() {
		return fmt.Errorf("layout %q does not hold a date: use epoch_s, epoch_ms, epoch_us, rfc3339 or a pattern such as %%Y-%%m-%%d %%H:%%M", layout)
	}
	return nil
}

var strftime = map[byte]string{
	'Y': "2006", 'm': "01", 'd': "02", 'e': "_2", 'H': "15", 'I': "03", 'M': "04", 'S': "05", 'p': "PM",
	'y': "06", 'b': "Jan", 'B': "January", 'a': "Mon", 'A': "Monday", 'j': "002", 'f': "000000", 'z': "-0700",
	'F': "2006-01-02", 'T': "15:04:05", 'R': "15:04", 'D': "01/02/06", '%': "%",
}

// goLayout translates a strftime pattern; a layout without % is Go's already.
func goLayout(layout string) (string, error) {
	if !strings.Contains(layout, "%") {
		return layout, nil
	}
	var b strings.Builder
	for i := 0; i < len(layout); i++ {
		if layout[i] != '%' {
			b.WriteByte(layout[i])
			continue
		}
		i++
		if i == len(layout) {
			return "", fmt.Errorf("layout %q ends in %%", layout)
		}
		part, ok := strftime[layout[i]]
		if !ok {
			return "", fmt.Errorf("layout %q: %%%c is not known", layout, layout[i])
		}
		if layout[i] == 'f' && !strings.HasSuffix(layout[:i-1], ".") {
			return "", fmt.Errorf("layout %q: %%f must follow a dot", layout)
		}
		b.WriteString(part)
	}
	return b.String(), nil
}

// parse reads a time in µs. It allocates nothing for epochs and RFC 3339.
func (l *timeLayout) parse(s string) (int64, error) {
	if l.unit > 0 {
		return parseEpoch(s, l.unit)
	}
	t, err := time.ParseInLocation(l.text, s, l.zone)
	if err != nil {
		return 0, errTimeFormat
	}
	return t.UnixMicro(), nil
}

// append writes a time as the layout has it: JSON number or text, without quotes.
func (l *timeLayout) append(dst []byte, t int64) []byte {
	if l.unit > 0 {
		return appendEpoch(dst, t, l.unit)
	}
	at := time.UnixMicro(t).In(l.zone)
	if l.name == RFC3339 {
		at = at.UTC()
	}
	return at.AppendFormat(dst, l.text)
}

// parseEpoch reads a decimal number of units, exactly, cut to whole µs towards the past.
func parseEpoch(s string, unit int64) (int64, error) {
	digits, negative := s, false
	if strings.HasPrefix(s, "-") {
		digits, negative = s[1:], true
	}
	whole, fraction, dotted := strings.Cut(digits, ".")
	if whole == "" || dotted && fraction == "" {
		return 0, errTimeFormat
	}
	var n int64
	for i := 0; i < len(whole); i++ {
		c := whole[i] - '0'
		if c > 9 {
			return 0, errTimeFormat
		}
		if n = n*10 + int64(c); n > maxTime {
			n = maxTime + 1 // out of every range, and no overflow
		}
	}
	micros, scale, rest := min(n, maxTime/unit+1)*unit, unit, false
	for i := 0; i < len(fraction); i++ {
		c := fraction[i] - '0'
		if c > 9 {
			return 0, errTimeFormat
		}
		if scale /= 10; scale > 0 {
			micros += int64(c) * scale
		} else if c > 0 {
			rest = true
		}
	}
	if negative {
		if micros = -micros; rest {
			micros--
		}
	}
	return micros, nil
}

func appendEpoch(dst []byte, t, unit int64) []byte {
	if t < 0 {
		dst, t = append(dst, '-'), -t
	}
	dst = strconv.AppendInt(dst, t/unit, 10)
	part := t % unit
	if part == 0 {
		return dst
	}
	dst = append(dst, '.')
	for unit /= 10; part > 0; unit /= 10 {
		dst = append(dst, byte('0'+part/unit))
		part %= unit
	}
	return dst
}
