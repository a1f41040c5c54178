package evaluate

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// csvReader reads a CSV file: a header, then rows of as many fields, separated by one of , ; tab |.
type csvReader struct {
	name   string
	csv    *csv.Reader
	header []column
}

func newCSV(f *file) (reader, error) {
	r := &csvReader{name: f.name, csv: csv.NewReader(f.in)}
	r.csv.Comma = separator(f.in)
	r.csv.ReuseRecord = true
	return r, r.readHeader()
}

// separator is the one of , ; tab | that the first line holds most of.
func separator(in *bufio.Reader) rune {
	start, _ := in.Peek(1 << 15)
	line, _, _ := bytes.Cut(start, []byte("\n"))
	best := ','
	for _, c := range ";\t|" {
		if strings.Count(string(line), string(c)) > strings.Count(string(line), string(best)) {
			best = c
		}
	}
	return best
}

func (r *csvReader) readHeader() error {
	record, err := r.csv.Read()
	if err == io.EOF {
		return fmt.Errorf("%s: the file is empty: its first line must name the columns", r.name)
	}
	if err != nil {
		return r.failure(err)
	}
	at := map[string]int{}
	for i, h := range record {
		h = strings.Clone(strings.TrimSpace(h))
		if h == "" {
			return fmt.Errorf("%s:1: column %d has no name: name every column in the first line", r.name, i+1)
		}
		if first, ok := at[h]; ok {
			return fmt.Errorf("%s:1: columns %d and %d are both named %q: rename one", r.name, first+1, i+1, h)
		}
		at[h] = i
		r.header = append(r.header, column{name: h})
	}
	return nil
}

func (r *csvReader) columns() []column { return r.header }

func (r *csvReader) next(to *row) error {
	record, err := r.csv.Read()
	if err != nil {
		if err != io.EOF {
			err = r.failure(err)
		}
		return err
	}
	for i, f := range record {
		record[i] = strings.TrimSpace(f)
	}
	to.line, _ = r.csv.FieldPos(0)
	to.fields, to.weight = record, 1
	return nil
}

// failure says where reading failed and how to mend it.
func (r *csvReader) failure(err error) error {
	var bad *csv.ParseError
	switch {
	case errors.As(err, &bad) && errors.Is(err, csv.ErrFieldCount):
		return fmt.Errorf("%s:%d: the row has another number of fields than the %d columns of the first line: mend or remove it", r.name, bad.StartLine, len(r.header))
	case errors.As(err, &bad):
		return fmt.Errorf("%s:%d: %w: put quotes around the whole field and double those inside", r.name, bad.Line, bad.Err)
	}
	return fmt.Errorf("read %s: %w", r.name, err)
}

// missing reports whether a field stands for no value.
func missing(s string) bool {
	switch s {
	case "", "NA", "N/A", "NaN", "nan", "NAN", "null", "NULL", "None", "?":
		return true
	}
	return false
}

// number parses a field, and reports whether it is a number. Infinite ones are numbers, and missing as features.
func number(s string) (float64, bool) {
	x, err := strconv.ParseFloat(s, 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return 0, false
	}
	return x, true
}
