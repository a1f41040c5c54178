package backtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/features/ingest"
)

// Feed offers recorded records to a sequencer.
type Feed interface {
	// Feed offers some more records, marks or ends, in the order of offsets of each partition. It returns false when it has told
	// the end of every partition. The caller takes all decisions that are ready before it asks again.
	Feed(ctx context.Context, seq *ingest.Sequencer) (more bool, err error)
	Close()
}

// Sequenced is the items that the sequencer of cfg makes of what a feed offers. open is called at every
// walk. cfg.Ends must be set: all sources are read up to a known end.
func Sequenced(cfg ingest.Config, open func(context.Context) (Feed, error)) Items {
	return func(ctx context.Context, visit Visit) error {
		seq, err := ingest.NewSequencer(cfg)
		if err != nil {
			return err
		}
		feed, err := open(ctx)
		if err != nil {
			return err
		}
		defer feed.Close()
		for more := true; more; {
			if err := ctx.Err(); err != nil {
				return context.Cause(ctx)
			}
			if more, err = feed.Feed(ctx, seq); err != nil {
				return err
			}
			if err := drain(seq, visit); err != nil {
				return err
			}
		}
		if n := seq.Queued(); n > 0 {
			return fmt.Errorf("%d records wait behind the end of their partitions: %v", n, seq.Waiting())
		}
		return nil
	}
}

func drain(seq *ingest.Sequencer, visit Visit) error {
	for {
		d, ok := seq.Next()
		if !ok {
			return nil
		}
		appended := int64(features.NoTime)
		if d.Record != nil && d.Record.Timestamp > 0 {
			appended = d.Record.Timestamp * 1000
		}
		if err := visit(&d.Item, appended); err != nil {
			return err
		}
	}
}

// File is a recorded source: JSON lines or CSV, plain, gz or zst, in the order of event times within
// out_of_orderness.
type File struct {
	Source string
	Name   string // for errors
	CSV    bool   // rows of CSV, the first of which names the columns, instead of JSON lines
	Tabs   bool   // the columns of CSV stand between tabs, unless the source declares another delimiter
	Open   func() (io.ReadCloser, error)
}

// Queue of a partition while files are read: more than what lies within a usual out_of_orderness.
const fileQueue = 1 << 20

// Files is the items of a project whose topics are filled from files: rows are dealt to the declared partitions as Kafka's own
// producers do it, so that ties fall as in the topics. Sources without a file are empty. Errors wrap ErrUnknown for a source
// that cfg does not have.
func Files(cfg ingest.Config, files []File) (Items, error) {
	in := slices.Clone(cfg.Sources)
	cfg.Sources = slices.Clone(cfg.Sources)
	cfg.Ends, cfg.Clock, cfg.Queue = true, ingest.ClockEvents, max(cfg.Queue, fileQueue)
	for i := range cfg.Sources {
		if !cfg.Sources[i].Plain {
			cfg.Sources[i].Format = ingest.JSON
		}
	}
	var errs []error
	for _, f := range files {
		if sourceOf(in, f) < 0 {
			errs = append(errs, fmt.Errorf("file %s: source %q: %w: the project has %s", f.Name, f.Source, ErrUnknown, namesOf(in)))
		}
	}
	if len(files) == 0 {
		errs = append(errs, fmt.Errorf("no file to replay: %w", ErrOptions))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	list := Sequenced(cfg, func(context.Context) (Feed, error) { return openFiles(&cfg, in, files) })
	return func(ctx context.Context, visit Visit) error {
		// The rows of files go with their event time as timestamp; nobody knows when they were appended.
		return list(ctx, func(it *features.Item, _ int64) error { return visit(it, features.NoTime) })
	}, nil
}

// fileFeed merges files and offers their rows, with a mark behind every few of them.
type fileFeed struct {
	cfg     *ingest.Config
	merge   *ingest.Merge
	source  []int     // of each input
	offsets [][]int64 // by source and partition
	has     []bool    // sources with a file
	every   int       // rows between two marks
	close   []func()
}

func openFiles(cfg *ingest.Config, in []ingest.SourceSpec, files []File) (*fileFeed, error) {
	f := &fileFeed{cfg: cfg, has: make([]bool, len(in)), every: 256}
	first, err := firstTime(cfg, in, files)
	if err != nil {
		return nil, err
	}
	lanes := 0
	for _, n := range cfg.Partitions {
		f.offsets = append(f.offsets, make([]int64, n))
		lanes += int(n)
	}
	f.every = max(f.every, lanes)
	var inputs []ingest.Input
	for _, file := range files {
		i := sourceOf(in, file)
		rows, err := f.open(file, in[i], &cfg.Sources[i], cfg.Partitions[i], first)
		if err != nil {
			f.Close()
			return nil, err
		}
		f.source, f.has[i] = append(f.source, i), true
		inputs = append(inputs, ingest.Input{Source: file.Source, Rows: rows, OutOfOrder: in[i].OutOfOrder})
	}
	f.merge = ingest.NewMerge(inputs)
	return f, nil
}

func namesOf(in []ingest.SourceSpec) string {
	var names []string
	for i := range in {
		if !in[i].Plain {
			names = append(names, in[i].Name)
		}
	}
	return strings.Join(names, ", ")
}

func sourceOf(in []ingest.SourceSpec, file File) int {
	return slices.IndexFunc(in, func(s ingest.SourceSpec) bool { return s.Name == file.Source && !s.Plain })
}

// firstTime is the event time, in µs, that rows of a table without one get: a millisecond before the first event,
// as when files are produced.
func firstTime(cfg *ingest.Config, in []ingest.SourceSpec, files []File) (int64, error) {
	first := endOfTime
	if !slices.ContainsFunc(files, func(file File) bool { return in[sourceOf(in, file)].Time == "" }) {
		return 0, nil
	}
	peek := &fileFeed{}
	defer peek.Close()
	for _, file := range files {
		i := sourceOf(in, file)
		if in[i].Time == "" {
			continue
		}
		rows, err := peek.open(file, in[i], &cfg.Sources[i], 1, 0)
		if err != nil {
			return 0, err
		}
		var row ingest.Row
		switch err := rows.Next(&row); err {
		case nil:
			first = min(first, row.Time)
		case io.EOF:
		default:
			return 0, err
		}
	}
	if first == endOfTime {
		first = 2000
	}
	return max(first/1000-1, 1) * 1000, nil
}

func (f *fileFeed) open(file File, in ingest.SourceSpec, out *ingest.SourceSpec, partitions int32, t int64) (*ingest.File, error) {
	in.Format, in.CSV.Columns = ingest.JSON, nil
	if file.CSV {
		in.Format = ingest.CSV
	}
	if file.Tabs && (in.CSV.Delimiter == 0 || in.CSV.Delimiter == ',') {
		in.CSV.Delimiter = '\t'
	}
	r, err := file.Open()
	if err != nil {
		return nil, fmt.Errorf("file %s: %w", file.Name, err)
	}
	f.close = append(f.close, func() { r.Close() }) // read only: nothing is lost
	rows, err := ingest.NewFile(r, ingest.FileOptions{Name: file.Name, In: &in, Out: out, Partitions: partitions, Time: t})
	if err != nil {
		return nil, err
	}
	f.close = append(f.close, rows.Close)
	return rows, nil
}

// Close implements Feed.
func (f *fileFeed) Close() {
	for i := len(f.close) - 1; i >= 0; i-- {
		f.close[i]()
	}
}

// Feed implements Feed.
func (f *fileFeed) Feed(_ context.Context, seq *ingest.Sequencer) (bool, error) {
	for range f.every {
		row, input, err := f.merge.Next()
		if err == io.EOF {
			f.end(seq)
			return false, nil
		}
		if err != nil {
			return false, err
		}
		source := f.source[input]
		if err := f.offer(seq, row.Record(source, f.next(source, row.Partition))); err != nil {
			return false, err
		}
	}
	return true, f.mark(seq)
}

func (f *fileFeed) next(source int, partition int32) int64 {
	f.offsets[source][partition]++
	return f.offsets[source][partition] - 1
}

func (f *fileFeed) offer(seq *ingest.Sequencer, rec ingest.Record) error {
	if !seq.Offer(&rec) {
		s := &f.cfg.Sources[rec.Source]
		return fmt.Errorf("source %s: %d records of one partition lie within out_of_orderness (%s): declare less", s.Name, f.cfg.Queue,
			s.OutOfOrder.Round(time.Millisecond))
	}
	return nil
}

// mark tells how far each source is.
func (f *fileFeed) mark(seq *ingest.Sequencer) error {
	for i := range f.cfg.Sources {
		if !f.has[i] {
			f.endSource(seq, i)
			continue
		}
		t := f.merge.Mark(f.cfg.Sources[i].Name)
		if t == features.NoTime {
			continue
		}
		_, headers := ingest.MarkRecord(t, false)
		for p := range f.cfg.Partitions[i] {
			if err := f.offer(seq, ingest.Record{Source: i, Partition: p, Offset: f.next(i, p), Headers: headers}); err != nil {
				return err
			}
		}
	}
	return nil
}

func (f *fileFeed) end(seq *ingest.Sequencer) {
	for i := range f.cfg.Sources {
		f.endSource(seq, i)
	}
}

func (f *fileFeed) endSource(seq *ingest.Sequencer, source int) {
	for p := range f.cfg.Partitions[source] {
		seq.End(source, p)
	}
}

var _ Feed = (*fileFeed)(nil)
