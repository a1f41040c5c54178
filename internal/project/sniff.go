package project

import (
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/freshet-ml/freshet/features"
)

// cellKind is what a reader of files knows about a cell.
type cellKind uint8

const (
	nullCell   cellKind = iota
	textCell            // CSV: anything; JSON: a string
	numberCell          // JSON, Parquet
	boolCell
)

const maxDistinct = 4096 // values remembered of a column

// column gathers what a sample says about one column.
type column struct {
	name     string
	seen     int // cells that are not null
	nulls    int
	quoted   bool // JSON strings: numbers in them stay text
	ints     int
	doubles  int // also ints
	bools    int
	stamps   map[string]*stamp // by format, those that still fit
	distinct map[string]int
	bytes    int    // of all cells
	spaces   int    // in all cells
	declared string // a format that the file itself declares
}

// stamp follows a column read as times of one format.
type stamp struct {
	newest, oldest, behind int64 // µs; behind: the greatest step back from the newest so far
	back                   int   // cells older than the one before
	last                   int64
}

var sniffedFormats = []string{"rfc3339", "2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02 15:04", "2006/01/02 15:04:05", "2006-01-02",
	"epoch_s", "epoch_ms", "epoch_us"}

func newColumn(name string) *column {
	c := &column{name: name, stamps: map[string]*stamp{}, distinct: map[string]int{}}
	for _, f := range sniffedFormats {
		c.stamps[f] = &stamp{newest: math.MinInt64, oldest: math.MaxInt64, last: math.MinInt64}
	}
	return c
}

func (c *column) add(text string, kind cellKind, quoted bool) {
	if kind == nullCell {
		c.nulls++
		return
	}
	c.seen++
	c.bytes += len(text)
	c.spaces += strings.Count(text, " ")
	c.quoted = c.quoted || quoted
	if len(c.distinct) < maxDistinct {
		c.distinct[text]++
	}
	if text == "true" || text == "false" {
		c.bools++
	}
	if _, err := strconv.ParseInt(text, 10, 64); err == nil {
		c.ints++
	}
	if x, err := strconv.ParseFloat(text, 64); err == nil && !math.IsInf(x, 0) && !math.IsNaN(x) {
		c.doubles++
	}
	for format, s := range c.stamps {
		if t, ok := readStamp(text, format); ok {
			s.add(t)
		} else {
			delete(c.stamps, format)
		}
	}
}

// readStamp reads an instant; numbers count as one only from 2000 to 2100.
func readStamp(text, format string) (int64, bool) {
	unit := map[string]int64{"epoch_s": 1_000_000, "epoch_ms": 1_000, "epoch_us": 1}[format]
	if unit > 0 {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || n < 946684800_000000/unit || n > 4102444800_000000/unit {
			return 0, false
		}
		return n * unit, true
	}
	if format == "rfc3339" {
		format = time.RFC3339Nano
	}
	t, err := time.Parse(format, text)
	return t.UnixMicro(), err == nil
}

func (s *stamp) add(t int64) {
	if t < s.last {
		s.back++
	}
	s.last = t
	s.newest, s.oldest = max(s.newest, t), min(s.oldest, t)
	s.behind = max(s.behind, s.newest-t)
}

// kind is what the column is declared as when it is no time.
func (c *column) kind() features.Kind {
	switch {
	case c.seen == 0:
		return features.String
	case c.bools == c.seen && !c.quoted:
		return features.Bool
	case c.ints == c.seen && !c.quoted:
		return features.Int
	case c.doubles == c.seen && !c.quoted:
		return features.Double
	}
	return features.String
}

// Free text has cells of at least so many words and bytes on average, of which at least one in so many is another one.
const (
	freeSpaces = 3
	freeBytes  = 25
	freeRepeat = 10
)

// isText reports whether the cells of a column of strings are sentences rather than names.
func (c *column) isText() bool {
	return c.seen > 0 && c.spaces >= freeSpaces*c.seen && c.bytes >= freeBytes*c.seen && len(c.distinct)*freeRepeat >= min(c.seen, maxDistinct) && len(c.distinct) > 1
}

// textBytes is a bound that few cells would exceed; 0: the usual one.
func (c *column) textBytes() int {
	if 3*c.bytes <= 2*features.DefaultTextSlots*features.TextBytes*c.seen {
		return 0
	}
	return min(features.TextSlots(2*c.bytes/c.seen), features.MaxTextSlots) * features.TextBytes
}

// timeFormat returns the format in which all cells are times, or "".
func (c *column) timeFormat() string {
	if c.declared != "" {
		return c.declared
	}
	for _, f := range sniffedFormats {
		if c.stamps[f] == nil || c.seen == 0 {
			continue
		}
		if strings.HasPrefix(f, "epoch") && !hinted(c.name, timeHints) && c.stamps[f].back > 0 {
			continue // a number that neither grows nor is named like a time
		}
		return f
	}
	return ""
}

func (c *column) unique() bool {
	return c.nulls == 0 && c.seen > 1 && len(c.distinct) == min(c.seen, maxDistinct)
}

var (
	timeHints  = []string{"time", "timestamp", "ts", "date", "datetime", "at", "when", "day", "created", "occurred"}
	idHints    = []string{"id", "uuid", "guid", "number", "no"}
	keyHints   = []string{"user", "customer", "account", "card", "device", "sensor", "station", "client", "member", "merchant", "store", "shop", "item", "product", "host", "city", "origin"}
	labelHints = []string{"label", "target", "class", "y", "outcome", "fraud", "churn", "churned", "late", "delayed", "clicked", "click", "converted", "default", "defaulted", "anomaly", "failed", "failure", "won", "result"}
)

// hinted reports whether a word of the name is one of words.
func hinted(name string, words []string) bool {
	for _, w := range strings.FieldsFunc(strings.ToLower(name), func(r rune) bool { return !unicode.IsLetter(r) }) {
		if contains(words, w) {
			return true
		}
	}
	return false
}

// identifier makes a name of field or source out of any text.
func identifier(text string) string {
	var b strings.Builder
	for _, r := range strings.TrimSpace(text) {
		switch {
		case r == '_' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' && b.Len() > 0:
			b.WriteRune(r)
		case r >= '0' && r <= '9':
			b.WriteString("_" + string(r))
		case !strings.HasSuffix(b.String(), "_") && b.Len() > 0:
			b.WriteByte('_')
		}
	}
	s := strings.TrimRight(b.String(), "_")
	if len(s) > maxName {
		s = s[:maxName]
	}
	if s == "" {
		return "field"
	}
	return s
}
