package evaluate

import (
	"errors"
	"fmt"
	"io"
	"math/big"
	"strconv"
	"strings"
	"time"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"
)

// parquetReader reads a Parquet file of flat columns; members of groups are columns outer.inner. Lists and maps are refused.
type parquetReader struct {
	name   string
	header []column
	texts  []func(parquet.Value) string
	groups []parquet.RowGroup
	rows   parquet.Rows
	buffer []parquet.Row
	n, i   int
	at     int
	fields []string
}

func newParquet(f *file) (_ reader, err error) {
	defer recovered(f.name, &err)
	info, err := f.file.Stat()
	if err != nil {
		return nil, fmt.Errorf("data file: %w", err)
	}
	in, err := parquet.OpenFile(f.file, info.Size())
	if err != nil {
		return nil, fmt.Errorf("%s: no Parquet file, or one that is damaged or packed once more: %w", f.name, err)
	}
	p := &parquetReader{name: f.name, groups: in.RowGroups(), buffer: make([]parquet.Row, 64)}
	for _, path := range in.Schema().Columns() {
		name := strings.Join(path, ".")
		leaf, ok := in.Schema().Lookup(path...)
		if !ok || leaf.MaxRepetitionLevel > 0 {
			return nil, fmt.Errorf("%s: column %s is a list or a map: give its elements columns of their own, or leave it out", f.name, name)
		}
		p.header = append(p.header, column{name: name})
		p.texts = append(p.texts, textOf(leaf.Node))
	}
	p.fields = make([]string, len(p.header))
	return p, nil
}

// recovered turns a panic of the library on a damaged file into an error.
func recovered(name string, err *error) {
	if r := recover(); r != nil {
		*err = fmt.Errorf("%s: the Parquet file is damaged: copy or download it again: %v", name, r)
	}
}

func (p *parquetReader) columns() []column { return p.header }

func (p *parquetReader) next(to *row) (err error) {
	defer recovered(p.name, &err)
	for p.i == p.n {
		if err := p.fill(); err != nil {
			return err
		}
	}
	clear(p.fields)
	for _, v := range p.buffer[p.i] {
		if c := v.Column(); c >= 0 && c < len(p.fields) && !v.IsNull() {
			p.fields[c] = p.texts[c](v)
		}
	}
	p.i++
	p.at++
	to.line, to.fields, to.weight = p.at, p.fields, 1
	return nil
}

// fill reads the next rows, from the next row group if need be.
func (p *parquetReader) fill() error {
	if p.rows == nil {
		if len(p.groups) == 0 {
			return io.EOF
		}
		p.rows, p.groups = p.groups[0].Rows(), p.groups[1:]
	}
	n, err := p.rows.ReadRows(p.buffer)
	p.i, p.n = 0, n
	if errors.Is(err, io.EOF) {
		closing := p.rows.Close()
		p.rows = nil
		if closing != nil {
			return fmt.Errorf("%s: %w", p.name, closing)
		}
		return nil
	}
	if err != nil {
		return fmt.Errorf("%s: record %d: the Parquet file is damaged: %w", p.name, p.at+n+1, err)
	}
	return nil
}

// textOf says how the values of a column are written.
func textOf(n parquet.Node) func(parquet.Value) string {
	if t := n.Type().LogicalType(); t != nil {
		switch l := t.Value.(type) {
		case *format.TimestampType:
			return timeText(l)
		case *format.DateType:
			return func(v parquet.Value) string {
				return time.Unix(int64(v.Int32())*86400, 0).UTC().Format(time.DateOnly)
			}
		case *format.DecimalType:
			return decimalText(int(l.Scale))
		}
	}
	return plainText
}

// timeText writes times in RFC 3339.
func timeText(t *format.TimestampType) func(parquet.Value) string {
	unit := time.Nanosecond
	switch t.Unit.Value.(type) {
	case *format.MilliSeconds:
		unit = time.Millisecond
	case *format.MicroSeconds:
		unit = time.Microsecond
	}
	per := int64(time.Second / unit)
	return func(v parquet.Value) string {
		x := v.Int64()
		return time.Unix(x/per, x%per*int64(unit)).UTC().Format(time.RFC3339Nano)
	}
}

func plainText(v parquet.Value) string {
	switch v.Kind() {
	case parquet.Float:
		return strconv.FormatFloat(float64(v.Float()), 'g', -1, 32)
	case parquet.Double:
		return strconv.FormatFloat(v.Double(), 'g', -1, 64)
	case parquet.ByteArray, parquet.FixedLenByteArray:
		return string(v.ByteArray())
	}
	return v.String()
}

// decimalText writes a decimal number of a scale, whose digits are an integer or the bytes of one.
func decimalText(scale int) func(parquet.Value) string {
	return func(v parquet.Value) string {
		digits := new(big.Int)
		switch v.Kind() {
		case parquet.Int32:
			digits.SetInt64(int64(v.Int32()))
		case parquet.Int64:
			digits.SetInt64(v.Int64())
		default:
			b := v.ByteArray()
			digits.SetBytes(b)
			if len(b) > 0 && b[0] >= 0x80 { // two's complement
				digits.Sub(digits, new(big.Int).Lsh(big.NewInt(1), uint(8*len(b))))
			}
		}
		return digits.String() + "e-" + strconv.Itoa(scale)
	}
}
