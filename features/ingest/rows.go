package ingest

import (
	"math"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/freshet-ml/freshet/features"
)

// RowWriter writes fields as the JSON records of a topic, so that the topic's Decoder reads the same
// values back. It never changes after it was made and serves any number of goroutines.
type RowWriter struct {
	spec    *SourceSpec
	names   [][]byte // quoted, with colon
	layouts []timeLayout
	key     []int
}

// NewRowWriter returns the writer for a topic of this declaration, whose format must be JSON.
func NewRowWriter(spec *SourceSpec) (*RowWriter, error) {
	if err := spec.Validate(); err != nil {
		return nil, err
	}
	w := &RowWriter{spec: spec}
	for i := range spec.Fields {
		f := &spec.Fields[i]
		name, err := jsontext.AppendQuote(nil, f.from())
		if err != nil {
			return nil, err
		}
		l, err := newTimeLayout(f.Layout, f.Zone)
		if err != nil {
			return nil, err
		}
		w.names, w.layouts = append(w.names, append(name, ':')), append(w.layouts, l)
	}
	for _, k := range spec.Key {
		w.key = append(w.key, spec.Index(k))
	}
	return w, nil
}

// Append appends one object with the fields that are not null to dst. fields stand in the order of
// the declaration. Cost: no allocation beyond the growth of dst. A layout that holds less than
// a µs keeps what it holds.
func (w *RowWriter) Append(dst []byte, fields []features.Value) []byte {
	dst = append(dst, '{')
	first := true
	for i, v := range fields {
		if v.IsNull() {
			continue
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = append(dst, w.names[i]...)
		dst = w.appendJSON(dst, i, v)
	}
	return append(dst, '}')
}

func (w *RowWriter) appendJSON(dst []byte, i int, v features.Value) []byte {
	switch v.Kind() {
	case features.String:
		dst, _ = jsontext.AppendQuote(dst, v.Str()) // bad UTF-8 cannot have been decoded
		return dst
	case features.Time:
		if w.layouts[i].unit == 0 {
			dst = append(dst, '"')
			dst = w.layouts[i].append(dst, v.Int())
			return append(dst, '"')
		}
	}
	return w.appendText(dst, i, v)
}

// appendText appends a value that is no string, without quotes.
func (w *RowWriter) appendText(dst []byte, i int, v features.Value) []byte {
	switch v.Kind() {
	case features.Int:
		return strconv.AppendInt(dst, v.Int(), 10)
	case features.Double:
		if x := v.Float(); !math.IsNaN(x) && !math.IsInf(x, 0) {
			return strconv.AppendFloat(dst, x, 'g', -1, 64)
		}
		return append(dst, "null"...)
	case features.Bool:
		return strconv.AppendBool(dst, v.Bool())
	case features.Time:
		return w.layouts[i].append(dst, v.Int())
	}
	return dst
}
