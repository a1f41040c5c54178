package project

import (
	"bufio"
	"compress/gzip"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"
)

const sampleRows = 10_000

// nullTexts are what CSV files write for nothing.
var nullTexts = []string{"NA", "N/A", "NaN", "nan", "null", "NULL", "None", "?"}

// sample is the beginning of a data file.
type sample struct {
	columns   []*column
	rows      int
	delimiter rune // CSV
	nulls     []string
}

// readSample reads the first rows of a CSV, JSON lines or Parquet file, plain, gz or zst.
func readSample(path string) (*sample, error) {
	name := strings.ToLower(filepath.Base(path))
	if strings.HasSuffix(name, ".parquet") {
		return parquetSample(path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var r io.Reader = f
	switch {
	case strings.HasSuffix(name, ".gz"):
		z, err := gzip.NewReader(f)
		if err != nil {
			return nil, err
		}
		defer z.Close()
		r, name = z, strings.TrimSuffix(name, ".gz")
	case strings.HasSuffix(name, ".zst"):
		z, err := zstd.NewReader(f, zstd.WithDecoderConcurrency(1))
		if err != nil {
			return nil, err
		}
		defer z.Close()
		r, name = z, strings.TrimSuffix(name, ".zst")
	}
	in := bufio.NewReaderSize(r, 1<<16)
	if mark, _ := in.Peek(3); string(mark) == "\xef\xbb\xbf" {
		_, _ = in.Discard(3)
	}
	switch filepath.Ext(name) {
	case ".json", ".jsonl", ".ndjson":
		return jsonSample(in)
	case ".csv", ".tsv", ".txt":
		return csvSample(in)
	}
	return nil, errors.New("unknown kind of file: end its name in .csv, .tsv, .jsonl, .ndjson or .parquet, with .gz or .zst after it if compressed")
}

func csvSample(in *bufio.Reader) (*sample, error) {
	s := &sample{delimiter: sniffDelimiter(in)}
	r := csv.NewReader(in)
	r.Comma, r.ReuseRecord = s.delimiter, true
	header, err := r.Read()
	if err == io.EOF {
		return nil, errors.New("the file is empty: its first row must name the columns")
	}
	if err != nil {
		return nil, fmt.Errorf("header: %w", err)
	}
	for _, name := range header {
		s.columns = append(s.columns, newColumn(strings.Clone(name)))
	}
	for s.rows < sampleRows {
		row, err := r.Read()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
		s.rows++
		for i, text := range row {
			switch {
			case text == "":
				s.columns[i].add("", nullCell, false)
			case contains(nullTexts, text):
				s.columns[i].add("", nullCell, false)
				if !contains(s.nulls, text) {
					s.nulls = append(s.nulls, strings.Clone(text))
				}
			default:
				s.columns[i].add(strings.Clone(text), textCell, false)
			}
		}
	}
	return s, nil
}

// sniffDelimiter returns the likeliest delimiter of the first line.
func sniffDelimiter(in *bufio.Reader) rune {
	head, _ := in.Peek(1 << 15)
	line, _, _ := strings.Cut(string(head), "\n")
	best, most := ',', 0
	for _, r := range ",;\t|" {
		if n := strings.Count(line, string(r)); n > most {
			best, most = r, n
		}
	}
	return best
}

func jsonSample(in *bufio.Reader) (*sample, error) {
	s := &sample{}
	byName := map[string]*column{}
	d := json.NewDecoder(in)
	d.UseNumber()
	for s.rows < sampleRows {
		more, err := s.object(d, byName)
		if !more {
			break
		}
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return nil, fmt.Errorf("record %d: %w", s.rows+1, err)
		}
		s.rows++
	}
	for _, c := range s.columns { // what a record does not have is null
		c.nulls += s.rows - c.seen - c.nulls
	}
	return s, nil
}

// object reads one JSON object, keeping the order of its members. Nested values are passed over;
// more is false at the end of the file.
func (s *sample) object(d *json.Decoder, byName map[string]*column) (more bool, err error) {
	open, err := d.Token()
	if err != nil {
		return err != io.EOF, err
	}
	if open != json.Delim('{') {
		return true, errors.New("not an object; the file should hold one JSON object a line")
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return true, err
		}
		var v any
		if err := d.Decode(&v); err != nil {
			return true, err
		}
		name, _ := key.(string)
		c := byName[name]
		if c == nil {
			if _, nested := v.(map[string]any); nested {
				continue
			}
			if _, nested := v.([]any); nested {
				continue
			}
			c = newColumn(name)
			byName[name] = c
			s.columns = append(s.columns, c)
		}
		addJSON(c, v)
	}
	_, err = d.Token()
	return true, err
}

func addJSON(c *column, v any) {
	switch v := v.(type) {
	case string:
		c.add(v, textCell, true)
	case json.Number:
		c.add(v.String(), numberCell, false)
	case bool:
		c.add(fmt.Sprint(v), boolCell, false)
	default:
		c.add("", nullCell, false)
	}
}

func parquetSample(path string) (*sample, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	file, err := parquet.OpenFile(f, info.Size())
	if err != nil {
		return nil, err
	}
	s := &sample{}
	byLeaf := map[int]*column{}
	for _, field := range file.Root().Columns() {
		if !field.Leaf() || field.Repeated() {
			continue
		}
		c := newColumn(field.Name())
		c.declared = parquetTime(field.Type())
		s.columns = append(s.columns, c)
		byLeaf[field.Index()] = c
	}
	for _, group := range file.RowGroups() {
		if err := s.rowGroup(group, byLeaf); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// parquetTime returns the format of a column that the file declares as a timestamp, or "".
func parquetTime(t parquet.Type) string {
	l := t.LogicalType()
	if l == nil {
		return ""
	}
	stamp, ok := l.Value.(*format.TimestampType)
	if !ok || stamp.Unit.Value == nil {
		return ""
	}
	switch stamp.Unit.Value.Duration() {
	case time.Millisecond:
		return "epoch_ms"
	case time.Microsecond:
		return "epoch_us"
	}
	return ""
}

func (s *sample) rowGroup(group parquet.RowGroup, byLeaf map[int]*column) error {
	rows := group.Rows()
	defer rows.Close()
	buf := make([]parquet.Row, 64)
	for s.rows < sampleRows {
		n, err := rows.ReadRows(buf)
		for _, row := range buf[:n] {
			s.rows++
			for _, v := range row {
				if c := byLeaf[v.Column()]; c != nil {
					addParquet(c, v)
				}
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func addParquet(c *column, v parquet.Value) {
	switch {
	case v.IsNull():
		c.add("", nullCell, false)
	case v.Kind() == parquet.ByteArray || v.Kind() == parquet.FixedLenByteArray:
		c.add(string(v.ByteArray()), textCell, true)
	case v.Kind() == parquet.Boolean:
		c.add(fmt.Sprint(v.Boolean()), boolCell, false)
	default:
		c.add(v.String(), numberCell, false)
	}
}
