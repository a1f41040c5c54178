package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/freshet-ml/freshet/features/ingest"
	"github.com/freshet-ml/freshet/internal/program"
	"github.com/freshet-ml/freshet/models/fold"
	"github.com/freshet-ml/freshet/trainer/backtest"
)

// backtestRecords is what a backtest replays: files, topics, or an events log.
type backtestRecords struct {
	items   func(candidate int, p *program.Program) (backtest.Items, error)
	live    func(ctx context.Context, trigger string, visit func(*fold.Entry) error) error // nil: nothing to compare with
	missing []string                                                                       // sources without records
	total   int64                                                                          // bytes, records or items of one candidate
	read    []atomic.Int64                                                                 // of them, by candidate
}

// share is how much of a candidate's records is read, 0 to 1.
func (r *backtestRecords) share(candidate int) float64 {
	return float64(r.read[candidate].Load()) / float64(max(r.total, 1))
}

// fileRecords checks the files of --source-file. A file must belong to a source of some project; a project
// without that source does not read it.
func fileRecords(list []string, programs []*program.Program) (*backtestRecords, error) {
	r := &backtestRecords{read: make([]atomic.Int64, len(programs))}
	var files []backtest.File
	has := map[string]bool{}
	for _, text := range list {
		source, path, ok := strings.Cut(text, "=")
		if !ok || source == "" || path == "" {
			return nil, usagef("--source-file %q: write SOURCE=FILE, such as scheduled=scheduled.jsonl.gz", text)
		}
		file := backtest.File{Source: source, Name: path}
		if err := known(source, programs); err != nil {
			return nil, err
		}
		switch extension := dataExtension(path); extension {
		case ".csv", ".tsv", ".txt":
			file.CSV, file.Tabs = true, extension == ".tsv"
		case ".json", ".jsonl", ".ndjson":
		default:
			return nil, usagef("--source-file %s: the name does not say what the file holds; name it .csv, .tsv or .jsonl, with .gz or .zst after it when it is packed", text)
		}
		info, err := os.Stat(path)
		if err != nil {
			return nil, fmt.Errorf("--source-file %s: %w", source, err)
		}
		r.total += info.Size()
		files, has[source] = append(files, file), true
	}
	for _, p := range programs {
		for _, in := range p.Project.Inputs() {
			if !has[in.Name] && !slices.Contains(r.missing, in.Name) {
				r.missing = append(r.missing, in.Name)
			}
		}
	}
	r.items = func(candidate int, p *program.Program) (backtest.Items, error) {
		cfg, err := p.Ingest(true)
		if err != nil {
			return nil, err
		}
		for i, in := range p.Project.Inputs() {
			cfg.Sources[i].CSV.Null = in.Nulls
		}
		var own []backtest.File
		for _, file := range files {
			if p.Project.Input(file.Source) == nil {
				continue
			}
			file.Open = func() (io.ReadCloser, error) {
				f, err := os.Open(file.Name)
				return &countedFile{f, &r.read[candidate]}, err
			}
			own = append(own, file)
		}
		return backtest.Files(cfg, own)
	}
	return r, nil
}

func known(source string, programs []*program.Program) error {
	var names []string
	for _, p := range programs {
		if p.Project.Input(source) != nil {
			return nil
		}
		for _, in := range p.Project.Inputs() {
			names = append(names, in.Name)
		}
	}
	return usagef("--source-file %s: there is no source or table of that name%s", source, didYouMean(source, names))
}

// dataExtension is the last extension of a path that does not name a packing.
func dataExtension(path string) string {
	base := strings.ToLower(filepath.Base(path))
	for _, packed := range []string{".gz", ".zst", ".zstd"} {
		base = strings.TrimSuffix(base, packed)
	}
	return filepath.Ext(base)
}

// countedFile counts the bytes that are read.
type countedFile struct {
	*os.File
	read *atomic.Int64
}

func (f *countedFile) Read(b []byte) (int, error) {
	n, err := f.File.Read(b)
	f.read.Add(int64(n))
	return n, err
}

// endedIngest is the sequencer of a project whose sources are read up to a known end.
func endedIngest(p *program.Program) (ingest.Config, error) {
	cfg, err := p.Ingest(true)
	cfg.Ends, cfg.Clock = true, ingest.ClockEvents
	return cfg, err
}
