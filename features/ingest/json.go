package ingest

import (
	"bytes"
	"errors"
	"io"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
	"unsafe"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/freshet-ml/freshet/features"
)

// borrow reads bytes that are never written again as a string.
func borrow(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	return unsafe.String(&b[0], len(b))
}

// object reads one JSON object of the declared fields. What is not declared is skipped, and refused by
// strict sources; it must be well-formed all the same.
func (d *Decoder) object(fields []features.Value, value []byte) *Refusal {
	d.buf = *bytes.NewBuffer(value)
	d.json.Reset(&d.buf)
	if k := d.json.PeekKind(); k != '{' && k > 0 {
		return refuse(StageDecode, ReasonMalformed, "", "value is a JSON "+jsonName(k)+"; send one object a record")
	}
	if _, err := d.json.ReadToken(); err != nil {
		return d.syntax(err, value)
	}
	for k := 0; d.json.PeekKind() == '"'; k++ {
		name, err := d.json.ReadValue()
		if err != nil {
			return d.syntax(err, value)
		}
		i, plain := d.field(name, k)
		v, err := d.json.ReadValue()
		if err != nil {
			return d.syntax(err, value)
		}
		if i < 0 {
			if d.spec.Strict {
				return refuse(StageSchema, ReasonUnknownField, "", "field "+quote(plain[:min(len(plain), shown)], len(plain))+
					" is not declared; declare it or drop strict")
			}
			continue
		}
		if refusal := d.member(fields, i, v); refusal != nil {
			return refusal
		}
	}
	if _, err := d.json.ReadToken(); err != nil {
		return d.syntax(err, value)
	}
	if _, err := d.json.ReadToken(); err != io.EOF {
		return refuse(StageDecode, ReasonMalformed, "", "bytes after the object at byte "+strconv.FormatInt(d.json.InputOffset(), 10)+
			"; send one object a record")
	}
	return nil
}

// field finds the declared field of the quoted name of member k. Producers nearly always send their
// fields in one order, so it first tries the field that stood there last. The name comes back for messages.
func (d *Decoder) field(quoted []byte, k int) (int, string) {
	name := borrow(quoted[1 : len(quoted)-1])
	if k < len(d.order) {
		if i := d.order[k]; d.spec.Fields[i].from() == name {
			return i, name
		}
	}
	if strings.IndexByte(name, '\\') >= 0 {
		b, _ := jsontext.AppendUnquote(nil, quoted)
		name = string(b)
	}
	i, ok := d.byName[name]
	if !ok {
		return -1, name
	}
	if k < len(d.order) {
		d.order[k] = i
	}
	return i, name
}

func (d *Decoder) syntax(err error, value []byte) *Refusal {
	where := ""
	var syntactic *jsontext.SyntacticError
	if errors.As(err, &syntactic) {
		where = " at byte " + strconv.FormatInt(syntactic.ByteOffset, 10)
	}
	switch {
	case errors.Is(err, jsontext.ErrDuplicateName):
		return refuse(StageDecode, ReasonDuplicateKey, "", "a name stands twice in an object"+where+"; send every field once")
	case errors.Is(err, io.ErrUnexpectedEOF), err == io.EOF:
		return refuse(StageDecode, ReasonMalformed, "", "JSON is cut short after "+strconv.Itoa(len(value))+" bytes; send one whole object a record")
	case !utf8.Valid(value):
		return refuse(StageDecode, ReasonNotUTF8, "", "text is not UTF-8"+where+"; encode it as UTF-8")
	}
	return refuse(StageDecode, ReasonMalformed, "", "no valid JSON"+where+"; send one object a record")
}

func jsonName(k jsontext.Kind) string {
	switch k {
	case 'n':
		return "null"
	case 't', 'f':
		return "boolean"
	case '"':
		return "string"
	case '0':
		return "number"
	case '[':
		return "array"
	}
	return "object"
}

// member stores one raw JSON value.
func (d *Decoder) member(fields []features.Value, i int, v jsontext.Value) *Refusal {
	f := &d.spec.Fields[i]
	d.seen[i/64] |= 1 << (i % 64)
	kind := v.Kind()
	if kind == 'n' {
		return nil
	}
	switch f.Kind {
	case features.String, features.FreeText:
		if kind == '"' {
			return d.put(fields, i, features.StringValue(unquote(v)))
		}
	case features.Bool:
		if kind == 't' || kind == 'f' {
			return d.put(fields, i, features.BoolValue(kind == 't'))
		}
	case features.Time:
		if number := d.layouts[i].unit > 0; number && kind == '0' || !number && kind == '"' {
			return d.instant(fields, i, unquote(v))
		}
	case features.Int:
		if kind == '0' {
			return d.whole(fields, i, borrow(v))
		}
	case features.Double:
		if kind == '0' {
			return d.number(fields, i, borrow(v))
		}
	}
	return d.wrongType(f, i, v)
}

func (d *Decoder) wrongType(f *FieldSpec, i int, v jsontext.Value) *Refusal {
	mend := "send a " + f.Kind.String() + " or declare another type"
	switch {
	case v.Kind() == '"' && (f.Kind == features.Int || f.Kind == features.Double):
		mend = "numbers are sent without quotes, or declare the field string"
	case f.Kind == features.Time:
		mend = "the layout " + d.layouts[i].name + " is "
		if d.layouts[i].unit > 0 {
			mend += "a number; send one or declare another layout"
		} else {
			mend += "a text; send one or declare a layout such as " + EpochMillis
		}
	}
	return about(f, ReasonWrongType, "JSON "+jsonName(v.Kind())+" "+show(f, v), mend)
}

func unquote(v jsontext.Value) string {
	if len(v) < 2 || v[0] != '"' {
		return borrow(v)
	}
	if bytes.IndexByte(v, '\\') < 0 {
		return borrow(v[1 : len(v)-1])
	}
	b, _ := jsontext.AppendUnquote(nil, v)
	return string(b)
}

func (d *Decoder) instant(fields []features.Value, i int, text string) *Refusal {
	t, err := d.layouts[i].parse(text)
	if err != nil {
		f := &d.spec.Fields[i]
		return about(f, ReasonTimeFormat, show(f, text), "it does not follow the layout "+d.layouts[i].name+"; mend the producer or declare its layout")
	}
	return d.put(fields, i, features.TimeValue(t))
}

// whole reads an integer. A decimal or an exponent is accepted when the number is whole and at most
// 2^53, since then it is the same number however it was written.
func (d *Decoder) whole(fields []features.Value, i int, text string) *Refusal {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		f := &d.spec.Fields[i]
		x, _ := strconv.ParseFloat(text, 64)
		switch {
		case x != math.Trunc(x):
			return about(f, ReasonOutOfRange, show(f, text), "it is not whole; declare the field double")
		case math.Abs(x) > 1<<53 || !strings.ContainsAny(text, ".eE"):
			return about(f, ReasonOutOfRange, show(f, text), "it does not fit 64 bits; declare the field double or string")
		}
		n = int64(x)
	}
	return d.put(fields, i, features.IntValue(n))
}

func (d *Decoder) number(fields []features.Value, i int, text string) *Refusal {
	x, err := strconv.ParseFloat(text, 64)
	if err != nil {
		f := &d.spec.Fields[i]
		return about(f, ReasonOutOfRange, show(f, text), "it is beyond what a double holds (about 1.8e308)")
	}
	return d.put(fields, i, features.DoubleValue(x))
}
