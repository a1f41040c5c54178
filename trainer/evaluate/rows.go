package evaluate

import (
	"fmt"
	"io"
)

// Rows are the rows of a file as texts by column, in any format that has columns (csv, jsonl, parquet, arff), plain or packed: for
// evaluations that make their own sense of them. They belong to one goroutine. Close them.
type Rows struct {
	Columns []string
	// After Next: the row's line (the number of the record where there are no lines) and its fields by column, borrowed until the next call. Of a ragged file,
	// fields may be fewer than columns.
	Line   int
	Fields []string

	source *source
	rows   *rows
	row    row
}

// OpenRows opens a file, or copies what can be read once only to a temporary one (in, path is then ""). format is one of Formats, "" to find it. Rows of a
// ragged CSV file may end before the last column; otherwise such a row is an error.
func OpenRows(path string, in io.Reader, format string, ragged bool) (*Rows, error) {
	s, err := newSource(&Options{Path: path, Reader: in, Format: format}, pace{})
	if err != nil {
		return nil, err
	}
	r := &Rows{source: s}
	if s.format == "libsvm" || s.format == "vw" || s.format == generatorPrefix {
		s.close()
		return nil, fmt.Errorf("%s: rows of %s have no named columns: write CSV, JSON lines or Parquet", s.name, s.format)
	}
	if err := r.rewind(ragged); err != nil {
		s.close()
		return nil, err
	}
	return r, nil
}

// Name is that of the file, for messages.
func (r *Rows) Name() string { return r.source.name }

// Rewind begins again at the first row.
func (r *Rows) Rewind(ragged bool) error {
	r.rows.close()
	return r.rewind(ragged)
}

func (r *Rows) rewind(ragged bool) error {
	rows, err := r.source.rows()
	if err != nil {
		return err
	}
	if c, ok := rows.reader.(*csvReader); ok && ragged {
		c.csv.FieldsPerRecord = -1
	}
	r.rows, r.Columns = rows, r.Columns[:0]
	for _, c := range rows.columns() {
		r.Columns = append(r.Columns, c.name)
	}
	return nil
}

// Next reads a row, or returns io.EOF after the last. Other errors say where and how to mend.
func (r *Rows) Next() error {
	if err := r.rows.next(&r.row); err != nil {
		return err
	}
	r.Line, r.Fields = r.row.line, r.row.fields
	if len(r.Fields) > len(r.Columns) {
		return fmt.Errorf("%s:%d: the row has %d fields, and the first line names %d columns: mend or remove it", r.source.name, r.Line, len(r.Fields), len(r.Columns))
	}
	return nil
}

// Close ends reading, and removes the copy if there is one.
func (r *Rows) Close() {
	r.rows.close()
	r.source.close()
}

// Missing reports whether a field stands for no value: "", NA, NaN, null, None, ?.
func Missing(field string) bool { return missing(field) }

// Number parses a field, and reports whether it is a number; infinite ones are.
func Number(field string) (float64, bool) { return number(field) }

// ReplaceFile writes a file by way of a second one, so that what was there stays until all is written.
func ReplaceFile(path string, b []byte) error { return replaceFile(path, b) }
