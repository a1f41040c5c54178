package evaluate

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// Formats are the names of the formats that data can have. The format of a generated stream is not among them.
var Formats = []string{"csv", "jsonl", "parquet", "arff", "libsvm", "vw"}

// generatorPrefix marks data that is a stream of datasets/generator instead of a file.
const generatorPrefix = "generator:"

// source opens the data as often as it is read.
type source struct {
	name    string
	path    string // "" for a generated stream
	format  string
	limit   int64
	pace    pace
	spooled bool   // path is a copy that close removes
	fields  *names // of formats whose columns are known only when all rows were read
}

// A column as a format declares it.
type column struct {
	name   string
	kind   kind
	values []string // declared for a category; nil: any
}

type kind uint8

const (
	sniffed kind = iota // what the values look like
	numbers
	category
)

// row is one row of a file; its memory is used again for the next.
type row struct {
	line   int      // or number of the record where there are no lines
	fields []string // by column
	// Of sparse formats, in which columns that are not named are 0. index is strictly increasing; fields is nil.
	label  string
	weight float64
	index  []uint32
	value  []float64
}

// reader yields the rows of a file in one format.
type reader interface {
	// columns lists the columns; of a sparse format those of features only.
	columns() []column
	// next fills r, or returns io.EOF after the last row. Other errors say where and how to mend.
	next(r *row) error
}

// names are columns in the order in which they were met.
type names struct {
	list  []string
	index map[string]int
}

// maxColumns bounds the columns of a file.
const maxColumns = 1 << 20

func (n *names) add(name string) (int, error) {
	i, ok := n.index[name]
	if !ok {
		if len(n.list) == maxColumns {
			return 0, fmt.Errorf("more than %d columns: hash their names into fewer", maxColumns)
		}
		if n.index == nil {
			n.index = map[string]int{}
		}
		i, name = len(n.list), strings.Clone(name)
		n.list, n.index[name] = append(n.list, name), i
	}
	return i, nil
}

func (n *names) columns(k kind) []column {
	out := make([]column, len(n.list))
	for i, name := range n.list {
		out[i] = column{name: name, kind: k}
	}
	return out
}

// newSource finds the data and its format. A Reader is copied to a temporary file, since data is read twice.
func newSource(o *Options, p pace) (*source, error) {
	s := &source{pace: p, name: o.Path, path: o.Path, format: o.Format, limit: o.Limit, fields: &names{}}
	if spec, ok := strings.CutPrefix(o.Path, generatorPrefix); ok && o.Reader == nil {
		s.name, s.path, s.format = spec, "", generatorPrefix
		return s, nil
	}
	if o.Format != "" && !slices.Contains(Formats, o.Format) {
		return nil, fmt.Errorf("format %q: choose one of %s", o.Format, strings.Join(Formats, ", "))
	}
	if o.Reader != nil {
		if err := s.spool(o.Reader); err != nil {
			s.close()
			return nil, err
		}
	}
	if s.path == "" {
		return nil, errors.New("data file: none given: name a file with --data, - for standard input")
	}
	if err := s.prepare(); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// spool copies what can be read once only.
func (s *source) spool(r io.Reader) error {
	s.name = "data"
	f, err := os.CreateTemp("", "freshet-evaluate-*")
	if err != nil {
		return fmt.Errorf("copy of standard input: %w", err)
	}
	s.path, s.spooled = f.Name(), true
	_, err = io.Copy(f, r)
	if closing := f.Close(); err == nil {
		err = closing
	}
	if err != nil {
		return fmt.Errorf("read data: %w", err)
	}
	return nil
}

// close removes the copy, if there is one.
func (s *source) close() {
	if s.spooled {
		_ = os.Remove(s.path)
	}
}

// prepare finds the format, and the columns of formats that do not declare them.
func (s *source) prepare() error {
	f, err := s.open()
	if err != nil {
		return err
	}
	defer f.close()
	if s.format == "" {
		s.format = sniffFormat(s.path, f.in)
	}
	if s.format != "jsonl" && s.format != "libsvm" && s.format != "vw" {
		return nil
	}
	in, err := s.reader(f)
	if err != nil {
		return err
	}
	var r row
	for n := int64(0); s.limit == 0 || n < s.limit; n++ {
		if err := in.next(&r); err == io.EOF {
			return nil
		} else if err != nil {
			return f.failure(err)
		}
		if err := s.pace.row(n + 1); err != nil {
			return err
		}
	}
	return nil
}

// The first bytes of files.
var (
	gzipMagic    = []byte{0x1f, 0x8b}
	zstdMagic    = []byte{0x28, 0xb5, 0x2f, 0xfd}
	parquetMagic = []byte("PAR1")
	bom          = []byte{0xef, 0xbb, 0xbf}
)

var (
	vwLine     = regexp.MustCompile(`^\s*([-+0-9.eE]+\s+){0,3}('?[^\s|]*)?\|[^|]*[\s:|]`)
	libsvmLine = regexp.MustCompile(`^\s*[-+0-9.eE]+(\s+(qid|[0-9]+):[-+0-9.eE]+)+\s*(#.*)?$`)
)

// sniffFormat tells the format by the name of the file, else by its first line.
func sniffFormat(path string, in *bufio.Reader) string {
	start, _ := in.Peek(1 << 15)
	if bytes.HasPrefix(start, parquetMagic) {
		return "parquet"
	}
	name := strings.ToLower(filepath.Base(path))
	name = strings.TrimSuffix(strings.TrimSuffix(name, ".gz"), ".zst")
	switch filepath.Ext(name) {
	case ".csv", ".tsv":
		return "csv"
	case ".jsonl", ".ndjson", ".json":
		return "jsonl"
	case ".arff":
		return "arff"
	case ".libsvm", ".svm", ".svmlight":
		return "libsvm"
	case ".vw":
		return "vw"
	}
	trimmed := bytes.TrimLeft(start, " \t\r\n")
	line, _, _ := bytes.Cut(trimmed, []byte("\n"))
	line = bytes.TrimSuffix(line, []byte("\r"))
	switch {
	case bytes.HasPrefix(trimmed, []byte("{")):
		return "jsonl"
	case bytes.HasPrefix(trimmed, []byte("%")), len(line) > 9 && strings.EqualFold(string(line[:9]), "@relation"):
		return "arff"
	case libsvmLine.Match(line):
		return "libsvm"
	case vwLine.Match(line) && !bytes.Contains(line, []byte(",")):
		return "vw"
	}
	return "csv"
}

// file is an open file, unpacked.
type file struct {
	name  string
	file  *os.File
	in    *bufio.Reader
	unzip func()
}

func (s *source) open() (*file, error) {
	raw, err := os.Open(s.path)
	if err != nil {
		return nil, fmt.Errorf("data file: %w", err)
	}
	f := &file{name: s.name, file: raw, unzip: func() {}}
	if f.in, err = f.decompress(bufio.NewReaderSize(raw, 1<<16)); err != nil {
		f.close()
		return nil, f.failure(err)
	}
	if start, _ := f.in.Peek(3); bytes.Equal(start, bom) {
		_, _ = f.in.Discard(3)
	}
	return f, nil
}

func (f *file) decompress(in *bufio.Reader) (*bufio.Reader, error) {
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
		z, err := zstd.NewReader(in, zstd.WithDecoderConcurrency(1)) // no goroutines: their CPU time would count as the model's
		if err != nil {
			return nil, err
		}
		f.unzip = z.Close
		return bufio.NewReaderSize(z, 1<<16), nil
	}
	return in, nil
}

func (f *file) close() {
	f.unzip()
	_ = f.file.Close()
}

// failure says what is wrong with a packed file that cannot be read.
func (f *file) failure(err error) error {
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, gzip.ErrChecksum), errors.Is(err, gzip.ErrHeader), errors.Is(err, io.EOF),
		errors.Is(err, zstd.ErrCRCMismatch), errors.Is(err, zstd.ErrMagicMismatch):
		return fmt.Errorf("%s: the compressed file is cut short or damaged: copy or download it again: %w", f.name, err)
	}
	return err
}

// reader returns the reader of the source's format on an open file.
func (s *source) reader(f *file) (reader, error) {
	switch s.format {
	case "jsonl":
		return &jsonLines{lines: lines{file: f}, names: s.fields}, nil
	case "libsvm":
		return &libsvm{lines: lines{file: f}, names: s.fields}, nil
	case "vw":
		return &vw{lines: lines{file: f}, names: s.fields}, nil
	case "arff":
		return newARFF(f)
	case "parquet":
		return newParquet(f)
	}
	return newCSV(f)
}

// rows reads the rows of the data from its beginning.
type rows struct {
	name string
	file *file // nil for a generated stream
	reader
}

func (s *source) rows() (*rows, error) {
	if s.format == generatorPrefix {
		g, err := newGenerated(s.name)
		return &rows{name: generatorPrefix + s.name, reader: g}, err
	}
	f, err := s.open()
	if err != nil {
		return nil, err
	}
	r := &rows{name: s.name, file: f}
	if r.reader, err = s.reader(f); err != nil {
		r.close()
		return nil, f.failure(err)
	}
	return r, nil
}

func (r *rows) next(to *row) error {
	err := r.reader.next(to)
	if err == nil || err == io.EOF || r.file == nil {
		return err
	}
	return r.file.failure(err)
}

func (r *rows) close() {
	if r.file != nil {
		r.file.close()
	}
}

// lines reads a text file line by line.
type lines struct {
	file *file
	at   int // number of the line that next returned
	long []byte
}

// maxLine bounds a line, in bytes.
const maxLine = 1 << 26

// next returns the next line without its end, valid until the one after, and io.EOF after the last one.
func (l *lines) next() ([]byte, error) {
	l.long = l.long[:0]
	for {
		part, err := l.file.in.ReadSlice('\n')
		if err == bufio.ErrBufferFull {
			if len(l.long)+len(part) > maxLine {
				return nil, l.errorf("the line is longer than %d bytes", maxLine)
			}
			l.long = append(l.long, part...)
			continue
		}
		if err == io.EOF && len(part)+len(l.long) > 0 {
			err = nil
		}
		if err != nil {
			return nil, err
		}
		l.at++
		if len(l.long) > 0 {
			l.long = append(l.long, part...)
			part = l.long
		}
		return bytes.TrimRight(part, "\r\n"), nil
	}
}

func (l *lines) errorf(format string, args ...any) error {
	return fmt.Errorf("%s:%d: %w", l.file.name, max(l.at, 1), fmt.Errorf(format, args...))
}
