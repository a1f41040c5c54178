package evaluate

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// source opens the data as often as it is read.
type source struct {
	name string
	open func() (io.ReadCloser, error)
}

func newSource(o *Options) (*source, error) {
	if o.Reader != nil {
		b, err := io.ReadAll(o.Reader)
		if err != nil {
			return nil, fmt.Errorf("read data: %w", err)
		}
		return &source{"data", func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b)), nil }}, nil
	}
	if o.Path == "" {
		return nil, errors.New("data file: none given: name a CSV file with --data")
	}
	return &source{o.Path, func() (io.ReadCloser, error) { return os.Open(o.Path) }}, nil
}

// rows reads the lines of a CSV file. Its header has been read.
type rows struct {
	name   string
	file   io.ReadCloser
	unzip  func()
	csv    *csv.Reader
	header []string
}

// The first bytes of compressed files.
var (
	gzipMagic = []byte{0x1f, 0x8b}
	zstdMagic = []byte{0x28, 0xb5, 0x2f, 0xfd}
	bom       = []byte{0xef, 0xbb, 0xbf}
)

// rows opens the data and reads the header.
func (s *source) rows() (*rows, error) {
	f, err := s.open()
	if err != nil {
		return nil, fmt.Errorf("data file: %w", err)
	}
	r := &rows{name: s.name, file: f, unzip: func() {}}
	in, err := r.decompress(bufio.NewReaderSize(f, 1<<16))
	if err != nil {
		r.close()
		return nil, r.failure(err)
	}
	if start, _ := in.Peek(3); bytes.Equal(start, bom) {
		if _, err := in.Discard(3); err != nil {
			r.close()
			return nil, r.failure(err)
		}
	}
	r.csv = csv.NewReader(in)
	r.csv.Comma = separator(in)
	r.csv.ReuseRecord = true
	if err := r.readHeader(); err != nil {
		r.close()
		return nil, err
	}
	return r, nil
}

func (r *rows) decompress(in *bufio.Reader) (*bufio.Reader, error) {
	start, err := in.Peek(4)
	if err != nil && err != io.EOF {
		return nil, err
	}
	switch {
	case bytes.HasPrefix(start, gzipMagic):
		z, err := gzip.NewReader(in)
		if err != nil {
			return nil, err
		}
		return bufio.NewReaderSize(z, 1<<16), nil
	case bytes.HasPrefix(start, zstdMagic):
		z, err := zstd.NewReader(in)
		if err != nil {
			return nil, err
		}
		r.unzip = z.Close
		return bufio.NewReaderSize(z, 1<<16), nil
	}
	return in, nil
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

func (r *rows) readHeader() error {
	record, err := r.csv.Read()
	if err == io.EOF {
		return fmt.Errorf("%s: the file is empty: its first line must name the columns", r.name)
	}
	if err != nil {
		return r.failure(err)
	}
	at := map[string]int{}
	for i, h := range record {
		h = strings.TrimSpace(h)
		if h == "" {
			return fmt.Errorf("%s:1: column %d has no name: name every column in the first line", r.name, i+1)
		}
		if first, ok := at[h]; ok {
			return fmt.Errorf("%s:1: columns %d and %d are both named %q: rename one", r.name, first+1, i+1, h)
		}
		at[h] = i
		r.header = append(r.header, h)
	}
	return nil
}

// next returns the fields of the next row, valid until the one after is read, and io.EOF after the last one.
func (r *rows) next() ([]string, error) {
	record, err := r.csv.Read()
	if err != nil && err != io.EOF {
		return nil, r.failure(err)
	}
	for i, f := range record {
		record[i] = strings.TrimSpace(f)
	}
	return record, err
}

// line is where the row that next returned begins.
func (r *rows) line() int {
	line, _ := r.csv.FieldPos(0)
	return line
}

func (r *rows) close() {
	r.unzip()
	_ = r.file.Close()
}

// failure says where reading failed and how to mend it.
func (r *rows) failure(err error) error {
	var bad *csv.ParseError
	switch {
	case errors.As(err, &bad) && errors.Is(err, csv.ErrFieldCount):
		return fmt.Errorf("%s:%d: the row has another number of fields than the %d columns of the first line: mend or remove it", r.name, bad.StartLine, len(r.header))
	case errors.As(err, &bad):
		return fmt.Errorf("%s:%d: %w: put quotes around the whole field and double those inside", r.name, bad.Line, bad.Err)
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, gzip.ErrChecksum), errors.Is(err, gzip.ErrHeader), errors.Is(err, io.EOF),
		errors.Is(err, zstd.ErrCRCMismatch), errors.Is(err, zstd.ErrMagicMismatch):
		return fmt.Errorf("%s: the compressed file is cut short or damaged: copy or download it again: %w", r.name, err)
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
