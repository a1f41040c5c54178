package ingest

import (
	"encoding/csv"
	"errors"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/internal/spelling"
)

// setColumns binds columns to fields; nil: the fields as declared.
func (d *Decoder) setColumns(names []string) error {
	if d.rows == nil {
		d.rows = d.newRows(&d.text)
	}
	d.columns = d.columns[:0]
	if names == nil {
		for i := range d.spec.Fields {
			d.columns = append(d.columns, i)
		}
		return nil
	}
	for _, name := range names {
		i, ok := d.byName[name]
		if !ok {
			i = -1
		}
		if ok && slices.Contains(d.columns, i) {
			return errors.New("source " + d.spec.Name + ": column " + strconv.Quote(name) + " stands twice")
		}
		d.columns = append(d.columns, i)
	}
	for i := range d.spec.Fields {
		if f := &d.spec.Fields[i]; !f.Nullable && !slices.Contains(d.columns, i) {
			return errors.New("source " + d.spec.Name + ": there is no column " + strconv.Quote(f.from()) + " for field " + f.Name + ": " + mendColumn(f.from(), names))
		}
	}
	return nil
}

// mendColumn says which of the names of the first row was meant, or which there are.
func mendColumn(name string, names []string) string {
	if mend := spelling.DidYouMean(name, names); mend != "" {
		return mend
	}
	const most = 20
	mend := "its columns are " + strings.Join(names[:min(most, len(names))], ", ")
	if len(names) > most {
		mend += " and " + strconv.Itoa(len(names)-most) + " more"
	}
	return mend
}

func (d *Decoder) newRows(from io.Reader) *csv.Reader {
	r := csv.NewReader(from)
	if d.spec.CSV.Delimiter != 0 {
		r.Comma = d.spec.CSV.Delimiter
	}
	r.FieldsPerRecord, r.ReuseRecord = -1, true
	return r
}

// csv reads a record that is one row.
func (d *Decoder) csv(fields []features.Value, value []byte) *Refusal {
	d.text.Reset(value)
	row, err := d.rows.Read()
	if err == nil {
		refusal := d.row(fields, row)
		if _, end := d.rows.Read(); end == io.EOF {
			return refusal
		}
		err = errors.New("more than one row")
	}
	d.rows = d.newRows(&d.text) // it may hold the rest of this record
	if err == io.EOF {
		return refuse(StageDecode, ReasonMalformed, "", "empty value; send one CSV row a record")
	}
	var at *csv.ParseError
	if errors.As(err, &at) {
		return refuse(StageDecode, ReasonMalformed, "", "no valid CSV row: "+at.Err.Error()+" at byte "+strconv.Itoa(at.Column)+"; send one row a record")
	}
	return refuse(StageDecode, ReasonMalformed, "", "more than one CSV row; send one row a record, and no header")
}

// row reads the cells of a row. Cells are fresh memory, so values may borrow them.
func (d *Decoder) row(fields []features.Value, cells []string) *Refusal {
	if len(cells) != len(d.columns) {
		return refuse(StageDecode, ReasonColumns, "", "row has "+strconv.Itoa(len(cells))+" columns, "+strconv.Itoa(len(d.columns))+
			" are declared; mend the producer or declare columns")
	}
	for k, cell := range cells {
		i := d.columns[k]
		if i < 0 {
			if d.spec.Strict {
				return refuse(StageSchema, ReasonUnknownField, "", "column "+strconv.Itoa(k+1)+" is not declared; declare it or drop strict")
			}
			continue
		}
		if !utf8.ValidString(cell) {
			return refuse(StageDecode, ReasonNotUTF8, d.spec.Fields[i].Name, "column "+strconv.Itoa(k+1)+" is not UTF-8; encode it as UTF-8")
		}
		d.seen[i/64] |= 1 << (i % 64)
		if cell == "" || slices.Contains(d.nulls, cell) {
			continue
		}
		if refusal := d.cell(fields, i, cell); refusal != nil {
			return refusal
		}
	}
	return d.missing(fields)
}

// cell reads a value from its text alone.
func (d *Decoder) cell(fields []features.Value, i int, text string) *Refusal {
	f := &d.spec.Fields[i]
	switch f.Kind {
	case features.String, features.FreeText:
		return d.put(fields, i, features.StringValue(text))
	case features.Time:
		return d.instant(fields, i, text)
	case features.Bool:
		switch text {
		case "true", "True", "TRUE", "1":
			return d.put(fields, i, features.BoolValue(true))
		case "false", "False", "FALSE", "0":
			return d.put(fields, i, features.BoolValue(false))
		}
		return about(f, ReasonWrongType, show(f, text), "send true or false")
	}
	x, err := strconv.ParseFloat(text, 64)
	switch {
	case math.IsNaN(x) || math.IsInf(x, 0) && err == nil:
		return about(f, ReasonNotFinite, show(f, text), "leave the cell empty for a missing number")
	case !decimal(text):
		return about(f, ReasonWrongType, show(f, text), "it is no decimal number; send one or declare the field string")
	case f.Kind == features.Int:
		return d.whole(fields, i, text)
	}
	return d.number(fields, i, text)
}

// decimal reports whether text is made of the characters of decimal numbers only and is not empty:
// ParseFloat also takes hexadecimals and underscores.
func decimal(text string) bool {
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c >= '0' && c <= '9', c == '.', c == '-', c == '+', c == 'e', c == 'E':
		default:
			return false
		}
	}
	_, err := strconv.ParseFloat(text, 64)
	return err == nil || errors.Is(err, strconv.ErrRange)
}
