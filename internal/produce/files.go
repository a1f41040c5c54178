package produce

import (
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/freshet-ml/freshet/features/ingest"
	"github.com/freshet-ml/freshet/internal/project"
)

// File names a data file of a source or table.
type File struct {
	Source string
	Path   string // .csv, .tsv, .json, .jsonl or .ndjson, plain or with .gz or .zst after it
}

// FilesOptions describe what is read from files.
type FilesOptions struct {
	From, To int64 // event times in µs, From ≤ t < To; 0: no bound. Rows of tables older than From are kept.
	// Bad is told of rows that their declaration refuses, which are then left out. nil: such a row ends the run.
	Bad func(*ingest.FileError)
}

// Files is the Stream of several files, merged in event time. Close it.
type Files struct {
	inputs []*project.Source
	opts   FilesOptions
	merge  *ingest.Merge
	of     []int // source of each file
	open   []io.Closer
}

// OpenFiles opens the files and reads their beginnings. Rows of a table without an event time get one just
// before the first event. Errors say which file cannot be read, and why.
func OpenFiles(p *project.Project, files []File, o FilesOptions) (*Files, error) {
	f := &Files{inputs: p.Inputs(), opts: o}
	if o.To == 0 {
		f.opts.To = math.MaxInt64
	}
	specs, err := p.SourceSpecs()
	if err != nil {
		return nil, err
	}
	first, err := f.firstTime(files, specs)
	if err != nil {
		return nil, err
	}
	var inputs []ingest.Input
	for _, file := range files {
		i, err := f.find(file)
		if err != nil {
			return nil, errors.Join(err, f.Close())
		}
		rows, err := f.file(file, &specs[i], int32(f.inputs[i].Partitions), first)
		if err != nil {
			return nil, errors.Join(err, f.Close())
		}
		inputs = append(inputs, ingest.Input{Source: file.Source, Rows: &kept{Rows: rows, opts: &f.opts, table: specs[i].Table}, OutOfOrder: specs[i].OutOfOrder})
		f.of = append(f.of, i)
	}
	f.merge = ingest.NewMerge(inputs)
	return f, nil
}

func (f *Files) find(file File) (int, error) {
	i := slices.IndexFunc(f.inputs, func(s *project.Source) bool { return s.Name == file.Source })
	if i < 0 {
		names := make([]string, len(f.inputs))
		for k, in := range f.inputs {
			names[k] = in.Name
		}
		return i, fmt.Errorf("file %s: the project has no source or table %s; it has %s", file.Path, file.Source, strings.Join(names, ", "))
	}
	if f.inputs[i].Format == "csv" {
		return i, fmt.Errorf("file %s: topic %s holds csv; files are produced as JSON, so declare format: json for %s", file.Path, f.inputs[i].Topic, file.Source)
	}
	return i, nil
}

// firstTime is the event time, in µs, that tables without one get: a millisecond before the first event.
func (f *Files) firstTime(files []File, specs []ingest.SourceSpec) (int64, error) {
	first := int64(math.MaxInt64)
	for _, file := range files {
		i, err := f.find(file)
		if err != nil {
			return 0, err
		}
		if specs[i].Time == "" {
			continue
		}
		t, err := f.peek(file, &specs[i])
		if err != nil {
			return 0, err
		}
		first = min(first, max(t, f.opts.From))
	}
	if first == math.MaxInt64 {
		first = 1000
	}
	return max(first/1000-1, 0) * 1000, nil
}

func (f *Files) peek(file File, spec *ingest.SourceSpec) (int64, error) {
	one := &Files{inputs: f.inputs, opts: f.opts}
	defer one.Close()
	if one.opts.Bad != nil {
		one.opts.Bad = func(*ingest.FileError) {} // told when the file is read in earnest
	}
	rows, err := one.file(file, spec, 1, 0)
	if err != nil {
		return 0, err
	}
	var row ingest.Row
	switch err := (&kept{Rows: rows, opts: &one.opts, table: spec.Table}).Next(&row); err {
	case nil:
		return row.Time, nil
	case io.EOF:
		return math.MaxInt64, nil
	default:
		return 0, err
	}
}

// file opens one file as rows of a topic.
func (f *Files) file(file File, spec *ingest.SourceSpec, partitions int32, t int64) (ingest.Rows, error) {
	format, err := formatOf(file.Path)
	if err != nil {
		return nil, err
	}
	r, err := os.Open(file.Path)
	if err != nil {
		return nil, err
	}
	f.open = append(f.open, r)
	in := *spec
	in.Format, in.CSV.Columns = format, nil
	if isTabs(file.Path) && (in.CSV.Delimiter == 0 || in.CSV.Delimiter == ',') {
		in.CSV.Delimiter = '\t'
	}
	rows, err := ingest.NewFile(r, ingest.FileOptions{Name: file.Path, In: &in, Out: spec, Partitions: partitions, Time: t})
	if err != nil {
		return nil, err
	}
	f.open = append(f.open, closer(rows.Close))
	return rows, nil
}

type closer func()

func (c closer) Close() error { c(); return nil }

// extension returns the last extension of a path that does not name a packing.
func extension(path string) string {
	base := strings.ToLower(filepath.Base(path))
	return filepath.Ext(strings.TrimSuffix(strings.TrimSuffix(strings.TrimSuffix(base, ".gz"), ".zst"), ".zstd"))
}

func isTabs(path string) bool { return extension(path) == ".tsv" }

func formatOf(path string) (ingest.Format, error) {
	switch extension(path) {
	case ".csv", ".tsv", ".txt":
		return ingest.CSV, nil
	case ".json", ".jsonl", ".ndjson":
		return ingest.JSON, nil
	case ".parquet":
		return "", fmt.Errorf("file %s: Parquet files cannot be produced; export them as .csv or .jsonl, with .zst after it when packed", path)
	}
	return "", fmt.Errorf("file %s: the name does not say what it holds; name it .csv, .tsv or .jsonl, with .gz or .zst after it when it is packed", path)
}

// Next implements Stream.
func (f *Files) Next(rec *Record) error {
	row, i, err := f.merge.Next()
	if err != nil {
		return err
	}
	*rec = Record{Source: f.of[i], Time: row.Time, Partition: row.Partition, Key: row.Key, Value: row.Value}
	return nil
}

// Mark implements Stream.
func (f *Files) Mark(source int) int64 { return f.merge.Mark(f.inputs[source].Name) }

// Close closes the files.
func (f *Files) Close() error {
	var errs []error
	for _, c := range slices.Backward(f.open) {
		errs = append(errs, c.Close())
	}
	f.open = nil
	return errors.Join(errs...)
}

// kept leaves out rows beyond the asked times, and bad ones when somebody counts them.
type kept struct {
	ingest.Rows
	opts  *FilesOptions
	table bool
}

func (k *kept) Next(row *ingest.Row) error {
	for {
		err := k.Rows.Next(row)
		var at *ingest.FileError
		var bad *ingest.RowError
		switch {
		case k.opts.Bad != nil && errors.As(err, &at) && errors.As(err, &bad):
			k.opts.Bad(at)
		case err != nil:
			return err
		case row.Time < k.opts.To && (k.table || row.Time >= k.opts.From):
			return nil
		}
	}
}
