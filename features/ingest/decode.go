package ingest

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"math"
	"strconv"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/freshet-ml/freshet/features"
)

// Parser makes fields of records. Decoder is the one for declared sources.
type Parser interface {
	// Decode appends the fields of rec, in the declared order, to dst and returns them with the event time,
	// in µs; or a refusal, decided from the record alone. With a refusal of the stage expect the time is
	// known, with any other it is features.NoTime.
	Decode(dst []features.Value, rec *Record) (fields []features.Value, t int64, refusal *Refusal)
}

// Decoder decodes and checks the records of one source. It belongs to one goroutine.
type Decoder struct {
	spec    *SourceSpec
	layouts []timeLayout
	byName  map[string]int // name in the record → field
	most    []int          // bytes of the text of each field that an item holds
	order   []int          // the field that stood at each place of the last JSON object: a guess
	time    int            // index of the event-time field, -1: the record's timestamp
	key     []int
	seen    []uint64 // bit per field
	uncut   bool     // texts are not cut: what is read here is written elsewhere
	cut     bool     // a text of the last record was
	columns []int    // CSV: field of each column, -1: none
	nulls   []string

	json    *jsontext.Decoder
	buf     bytes.Buffer
	rows    *csv.Reader
	text    bytes.Reader
	maxRec  int
	maxItem int
}

// NewDecoder compiles the declaration, which must not change afterwards.
func NewDecoder(spec *SourceSpec) (*Decoder, error) {
	if err := spec.Validate(); err != nil {
		return nil, err
	}
	d := &Decoder{
		spec: spec, byName: map[string]int{}, time: spec.Index(spec.Time), seen: make([]uint64, (len(spec.Fields)+63)/64),
		order: make([]int, len(spec.Fields)+16),
		nulls: spec.CSV.Null, maxRec: orDefault(spec.MaxRecord, DefaultMaxRecord), maxItem: orDefault(spec.MaxItem, DefaultMaxItem),
	}
	for i := range spec.Fields {
		f := &spec.Fields[i]
		l, err := newTimeLayout(f.Layout, f.Zone)
		if err != nil {
			return nil, fmt.Errorf("source %s: field %s: %w", spec.Name, f.Name, err)
		}
		d.layouts = append(d.layouts, l)
		d.byName[f.from()] = i
		d.most = append(d.most, math.MaxInt)
		if f.Kind == features.FreeText {
			d.most[i] = features.TextSlots(f.Bytes) * features.TextBytes
		}
	}
	for _, k := range spec.Key {
		d.key = append(d.key, spec.Index(k))
	}
	if spec.Format == CSV {
		return d, d.setColumns(spec.CSV.Columns)
	}
	d.json = jsontext.NewDecoder(&d.buf)
	return d, nil
}

// Spec returns the declaration that the decoder was made from.
func (d *Decoder) Spec() *SourceSpec { return d.spec }

// IsTombstone reports whether a record of this source removes the row of its key.
func (d *Decoder) IsTombstone(rec *Record) bool { return d.spec.Table && rec.Value == nil }

// Decode implements Parser. Strings without escapes borrow rec.Value; others are copied. JSON that is
// accepted costs no other allocation, a CSV row one.
//
// A tombstone sets the key fields from the Kafka key and leaves the others null; its time is the
// timestamp of the record. A Kafka key that begins with "{" is a JSON object with the key fields; any
// other is the text of the one key field, as a CSV cell would have it.
func (d *Decoder) Decode(dst []features.Value, rec *Record) ([]features.Value, int64, *Refusal) {
	base := len(dst)
	fields, t, refusal := d.decode(dst, rec)
	if refusal != nil {
		return dst[:base], features.NoTime, refusal
	}
	if !d.IsTombstone(rec) {
		if refusal = d.expect(fields[base:]); refusal != nil {
			return dst[:base], t, refusal
		}
	}
	return fields, t, nil
}

func (d *Decoder) decode(dst []features.Value, rec *Record) ([]features.Value, int64, *Refusal) {
	if n := len(rec.Key) + len(rec.Value); n > d.maxRec {
		return dst, 0, refuse(StageDecode, ReasonTooLarge, "", "record of "+strconv.Itoa(n)+" bytes is above the limit of "+
			strconv.Itoa(d.maxRec)+"; send large values by reference")
	}
	if _, is := markHeader(rec); is {
		return dst, 0, refuse(StageDecode, ReasonBadMark, "", "time mark is neither a number of µs nor +inf; mend the header "+MarkHeader)
	}
	base := len(dst)
	for range d.spec.Fields {
		dst = append(dst, features.Value{})
	}
	fields := dst[base:]
	clear(d.seen)
	d.cut = false
	refusal := d.body(fields, rec)
	if refusal != nil {
		return dst, 0, refusal
	}
	t, refusal := d.eventTime(fields, rec)
	if refusal == nil {
		refusal = d.size(fields)
	}
	return dst, t, refusal
}

func (d *Decoder) body(fields []features.Value, rec *Record) *Refusal {
	switch {
	case d.IsTombstone(rec):
		return d.kafkaKey(fields, rec.Key)
	case rec.Value == nil:
		return refuse(StageDecode, ReasonNoValue, "", "null value; only the records of a table may have none")
	case d.spec.Format == CSV:
		return d.csv(fields, rec.Value)
	}
	if refusal := d.object(fields, rec.Value); refusal != nil {
		return refusal
	}
	return d.missing(fields)
}

func (d *Decoder) missing(fields []features.Value) *Refusal {
	for i := range d.spec.Fields {
		f := &d.spec.Fields[i]
		if f.Nullable || !fields[i].IsNull() {
			continue
		}
		if d.seen[i/64]&(1<<(i%64)) != 0 {
			return about(f, ReasonNull, "null", "send a value or declare the field nullable ("+f.Kind.String()+"?)")
		}
		return about(f, ReasonMissing, "nothing under "+strconv.Quote(f.from()), "send a value or declare the field nullable ("+f.Kind.String()+"?)")
	}
	return nil
}

func (d *Decoder) eventTime(fields []features.Value, rec *Record) (int64, *Refusal) {
	if d.time >= 0 && !d.IsTombstone(rec) {
		return fields[d.time].Int(), nil
	}
	ms := rec.Timestamp
	if ms <= 0 || ms > MaxEventTime/1000 {
		return 0, refuse(StageSchema, ReasonTimeRange, "", "timestamp of the record is "+strconv.FormatInt(ms, 10)+
			" ms; event times lie after 1970-01-01 and before 2200-01-01")
	}
	return ms * 1000, nil
}

func (d *Decoder) size(fields []features.Value) *Refusal {
	n := 0
	for i := range fields {
		n += 11 + min(len(fields[i].Str()), d.most[i])
	}
	if n <= d.maxItem {
		return nil
	}
	return refuse(StageSchema, ReasonTooLarge, "", "declared fields of "+strconv.Itoa(n)+" bytes are above the limit of "+
		strconv.Itoa(d.maxItem)+"; declare fewer or shorter ones")
}

func (d *Decoder) expect(fields []features.Value) *Refusal {
	for i := range d.spec.Expect {
		if truth, known := d.spec.Expect[i].Check.Truth(fields); known && !truth {
			return refuse(StageExpect, ReasonExpect, "", "expected "+d.spec.Expect[i].Text+"; mend the producer or the expectation")
		}
	}
	return nil
}

// put stores a value of a field after the checks that all formats share.
func (d *Decoder) put(fields []features.Value, i int, v features.Value) *Refusal {
	f := &d.spec.Fields[i]
	switch v.Kind() {
	case features.String:
		if f.Kind == features.FreeText && !d.uncut {
			text, cut := features.CutText(v.Str(), features.TextSlots(f.Bytes))
			v, d.cut = features.StringValue(text), d.cut || cut
		}
		if f.Key && len(v.Str()) > MaxKeyBytes || len(v.Str()) > MaxKeyBytes && d.isKey(i) {
			return about(f, ReasonKeyTooLong, strconv.Itoa(len(v.Str()))+" bytes", "keys and ids are at most "+strconv.Itoa(MaxKeyBytes)+" bytes")
		}
	case features.Time:
		low, high, words := minTime, maxTime, "between the years 1 and 9999"
		if i == d.time {
			low, high, words = MinEventTime, MaxEventTime, "after 1970-01-01 and before 2200-01-01"
		}
		if t := v.Int(); t < low || t > high {
			return about(f, ReasonTimeRange, showTime(f, t), "times of this field lie "+words+"; check clock and layout ("+d.layouts[i].name+")")
		}
	}
	fields[i] = v
	return nil
}

func (d *Decoder) isKey(i int) bool {
	for _, k := range d.key {
		if k == i {
			return true
		}
	}
	return d.spec.Dedupe.By == d.spec.Fields[i].Name && d.spec.Dedupe.Within > 0
}

func showTime(f *FieldSpec, t int64) string {
	switch {
	case f.Sensitive:
		return "a time that is not shown"
	case t < minTime:
		return "a time before year 1"
	case t > maxTime:
		return "a time after year 9999"
	}
	return features.TimeValue(t).String()
}

// kafkaKey reads the key fields of a tombstone.
func (d *Decoder) kafkaKey(fields []features.Value, key []byte) *Refusal {
	bad := func(found string) *Refusal {
		return refuse(StageSchema, ReasonBadKey, d.spec.Key[0], "tombstone with "+found+
			"; its Kafka key must be the key field's text, or a JSON object with the key fields")
	}
	switch {
	case key == nil:
		return bad("a null key")
	case len(key) > 0 && key[0] == '{':
		if refusal := d.keyObject(fields, key); refusal != nil {
			return refusal
		}
	case len(d.key) > 1:
		return bad("a key that is no JSON object, for " + strconv.Itoa(len(d.key)) + " key fields")
	case !utf8.Valid(key):
		return bad("a key that is not UTF-8")
	default:
		if refusal := d.cell(fields, d.key[0], borrow(key)); refusal != nil {
			return refusal
		}
	}
	for _, k := range d.key {
		if fields[k].IsNull() {
			return bad("no " + d.spec.Fields[k].Name + " in its key")
		}
	}
	return nil
}

// keyObject reads a JSON key and leaves what is no key field null.
func (d *Decoder) keyObject(fields []features.Value, key []byte) *Refusal {
	if d.json == nil {
		d.json = jsontext.NewDecoder(&d.buf)
	}
	if refusal := d.object(fields, key); refusal != nil {
		return refusal
	}
	for i := range fields {
		isKey := false
		for _, k := range d.key {
			isKey = isKey || k == i
		}
		if !isKey {
			fields[i] = features.Value{}
		}
	}
	return nil
}
