package ingest

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/freshet-ml/freshet/features"
)

// Row is one row of a file on its way into a topic.
type Row struct {
	Line      int64 // in the file, from 1
	Time      int64 // event time, µs
	Partition int32 // where it belongs
	Key       []byte
	Value     []byte           // JSON; Key and Value are never written again
	Fields    []features.Value // valid until the next row is read
}

// Record returns the row as a record of a source, with its event time as timestamp.
func (r *Row) Record(source int, offset int64) Record {
	return Record{Source: source, Partition: r.Partition, Offset: offset, Timestamp: r.Time / 1000, Key: r.Key, Value: r.Value}
}

// Rows reads rows one after the other.
type Rows interface {
	// Next fills row, or returns io.EOF after the last one. Any other error is a *FileError.
	Next(row *Row) error
	// Name is the name of the file, for errors.
	Name() string
}

// FileError says where in which file reading failed.
type FileError struct {
	File string
	Line int64
	Err  error
}

func (e *FileError) Error() string {
	return e.File + ":" + strconv.FormatInt(e.Line, 10) + ": " + e.Err.Error()
}

// Unwrap returns the cause; a refused row is a *RowError.
func (e *FileError) Unwrap() error { return e.Err }

// RowError is a row that its declaration refuses.
type RowError struct{ Refusal *Refusal }

func (e *RowError) Error() string { return e.Refusal.Error() }

// FileOptions say how a file is written and what becomes of its rows.
type FileOptions struct {
	Name string
	// In declares the file: JSON lines or CSV, with its names and layouts. A CSV file without columns has
	// them in its first row. Expectations are left to the sequencer.
	In *SourceSpec
	// Out declares the topic, whose fields must have the names and kinds of In; nil: as In, in JSON.
	Out        *SourceSpec
	Partitions int32 // of the topic; 0: 1
	Time       int64 // event time of the rows when In has none, µs
}

// File reads a file of JSON lines or CSV, plain or packed with gzip or zstd, which it recognises by its
// first bytes. It holds one line at a time. It belongs to one goroutine; Close frees what unpacking holds.
type File struct {
	opts    FileOptions
	decoder *Decoder
	writer  *RowWriter
	close   func()
	lines   *bufio.Scanner // JSON
	rows    *csv.Reader
	header  bool
	line    int64
	arena   []byte
	err     error
}

// NewFile returns a reader of r. It reads the first bytes.
func NewFile(r io.Reader, opts FileOptions) (*File, error) {
	f := &File{opts: opts, close: func() {}}
	if opts.Out == nil {
		out := *opts.In
		out.Format = JSON
		f.opts.Out = &out
	}
	f.opts.Partitions = max(opts.Partitions, 1)
	if err := sameFields(opts.In, f.opts.Out); err != nil {
		return nil, fmt.Errorf("file %s: %w", opts.Name, err)
	}
	var err error
	if f.decoder, err = NewDecoder(opts.In); err == nil {
		f.decoder.uncut = true // the sequencer cuts, so that a project can be given longer texts without producing anew
		f.writer, err = NewRowWriter(f.opts.Out)
	}
	if err != nil {
		return nil, fmt.Errorf("file %s: %w", opts.Name, err)
	}
	plain, err := f.unpack(r)
	if err != nil {
		return nil, fmt.Errorf("file %s: %w", opts.Name, err)
	}
	if opts.In.Format == CSV {
		f.rows, f.header = f.decoder.newRows(plain), opts.In.CSV.Columns == nil
		return f, nil
	}
	f.lines = bufio.NewScanner(plain)
	f.lines.Buffer(nil, f.decoder.maxRec+2)
	return f, nil
}

func sameFields(in, out *SourceSpec) error {
	if len(in.Fields) != len(out.Fields) {
		return fmt.Errorf("%d fields, its topic has %d", len(in.Fields), len(out.Fields))
	}
	for i := range in.Fields {
		a, b := &in.Fields[i], &out.Fields[i]
		if a.Name != b.Name || a.Kind != b.Kind {
			return fmt.Errorf("field %d is %s %s, in its topic %s %s", i+1, a.Name, a.Kind, b.Name, b.Kind)
		}
	}
	return nil
}

// unpack looks at the first bytes, unpacks what is packed and drops a byte order mark.
func (f *File) unpack(r io.Reader) (*bufio.Reader, error) {
	const size = 64 << 10
	b := bufio.NewReaderSize(r, size)
	magic, _ := b.Peek(4)
	switch {
	case bytes.HasPrefix(magic, []byte{0x1f, 0x8b}):
		z, err := gzip.NewReader(b)
		if err != nil {
			return nil, fmt.Errorf("unpack gzip: %w", err)
		}
		b = bufio.NewReaderSize(z, size)
	case bytes.Equal(magic, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		z, err := zstd.NewReader(b, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(1<<30))
		if err != nil {
			return nil, fmt.Errorf("unpack zstd: %w", err)
		}
		f.close = z.Close
		b = bufio.NewReaderSize(z, size)
	}
	if mark, _ := b.Peek(3); string(mark) == "\ufeff" {
		if _, err := b.Discard(3); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// Close frees what unpacking holds. It does not close the reader that the file was made from.
func (f *File) Close() { f.close() }

// Name implements Rows.
func (f *File) Name() string { return f.opts.Name }

// Next implements Rows. After a row that is refused (*RowError) the next call reads on; after any other
// error it returns that error again.
func (f *File) Next(row *Row) error {
	if f.err != nil {
		return f.err
	}
	err := f.next(row)
	var refused *RowError
	switch {
	case err == nil:
		return nil
	case err == io.EOF:
		f.err = err
		return err
	}
	at := &FileError{File: f.opts.Name, Line: f.line, Err: err}
	if !errors.As(err, &refused) {
		f.err = at
	}
	return at
}

func (f *File) next(row *Row) error {
	fields := slices.Grow(row.Fields[:0], len(f.opts.In.Fields))[:len(f.opts.In.Fields)]
	clear(fields)
	clear(f.decoder.seen)
	var refusal *Refusal
	var err error
	if f.rows != nil {
		refusal, err = f.nextCSV(fields)
	} else {
		refusal, err = f.nextJSON(fields)
	}
	if err != nil {
		return err
	}
	t := f.opts.Time
	if refusal == nil && f.decoder.time >= 0 {
		t = fields[f.decoder.time].Int()
	}
	if refusal != nil {
		return &RowError{refusal}
	}
	row.Line, row.Time, row.Fields = f.line, t, fields
	f.write(row)
	return nil
}

// write fills key, value and partition. Rows share blocks of memory that are never written twice.
func (f *File) write(row *Row) {
	const block = 256 << 10
	if cap(f.arena)-len(f.arena) < block/8 {
		f.arena = make([]byte, 0, block)
	}
	start := len(f.arena)
	f.arena = f.writer.Append(f.arena, row.Fields)
	row.Value = f.arena[start:len(f.arena):len(f.arena)]
	start = len(f.arena)
	row.Key = nil
	if b := f.writer.AppendRecordKey(f.arena, row.Fields); b != nil {
		f.arena = b
		row.Key = b[start:len(b):len(b)]
	}
	row.Partition = PartitionOf(row.Key, row.Line, f.opts.Partitions)
}

func (f *File) nextJSON(fields []features.Value) (*Refusal, error) {
	for f.lines.Scan() {
		f.line++
		line := f.lines.Bytes()
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		if refusal := f.decoder.object(fields, line); refusal != nil {
			return refusal, nil
		}
		return f.decoder.missing(fields), nil
	}
	err := f.lines.Err()
	switch {
	case err == nil:
		return nil, io.EOF
	case errors.Is(err, bufio.ErrTooLong):
		f.line++
		return nil, fmt.Errorf("line is longer than %d bytes: %w", f.decoder.maxRec, err)
	}
	return nil, err
}

func (f *File) nextCSV(fields []features.Value) (*Refusal, error) {
	if f.header {
		f.header = false
		names, err := f.read()
		if err == io.EOF {
			return nil, errors.New("no header: the first row must name the columns")
		}
		if err != nil {
			return nil, err
		}
		trimmed := make([]string, len(names))
		for i, name := range names {
			trimmed[i] = strings.Clone(strings.TrimSpace(name))
		}
		if err := f.decoder.setColumns(trimmed); err != nil {
			return nil, err
		}
	}
	cells, err := f.read()
	if err != nil {
		return nil, err
	}
	return f.decoder.row(fields, cells), nil
}

func (f *File) read() ([]string, error) {
	cells, err := f.rows.Read()
	var at *csv.ParseError
	switch {
	case errors.As(err, &at):
		f.line = int64(at.StartLine)
		return nil, fmt.Errorf("no valid CSV row: %w (column %d)", at.Err, at.Column)
	case err == io.EOF:
		return nil, err
	case err != nil:
		f.line++
		return nil, err
	}
	line, _ := f.rows.FieldPos(0)
	f.line = int64(line)
	return cells, nil
}
