package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/freshet-ml/freshet/trainer/backtest"
	"github.com/freshet-ml/freshet/trainer/report"
)

// reportFile is the HTML file of a report. It is made before the run, so that a path that cannot be written is told at once, and gets
// its name when it is whole. nil writes nothing.
type reportFile struct {
	path string
	file *os.File
}

func createReport(path string) (*reportFile, error) {
	if path == "" {
		return nil, nil
	}
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return nil, usagef("--report %s: not a file", path)
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return nil, fmt.Errorf("report file: %w", err)
	}
	return &reportFile{path, f}, nil
}

// abandon takes away what was not finished.
func (r *reportFile) abandon() {
	if r != nil && r.file != nil {
		_ = r.file.Close()
		_ = os.Remove(r.file.Name())
	}
}

func (r *reportFile) write(d *report.Document) error {
	err := errors.Join(report.Write(r.file, d), r.file.Chmod(0o644), r.file.Close())
	if err == nil {
		err = os.Rename(r.file.Name(), r.path)
	}
	if err != nil {
		_ = os.Remove(r.file.Name())
		err = fmt.Errorf("report file: %w", err)
	}
	r.file = nil
	return err
}

// backtest writes the report of a backtest that command made; names are those of the candidates.
func (r *reportFile) backtest(command []string, f *backtestFlags, names []string, found *backtest.Report) error {
	if r == nil {
		return nil
	}
	how := report.Repeat{Command: command}
	for i, path := range append([]string{f.project}, f.candidates...) {
		sum, err := fileSum(path)
		if err != nil {
			return err
		}
		how.Projects = append(how.Projects, report.File{Name: "project " + names[i], Path: path, SHA256: sum})
	}
	for _, text := range f.files {
		source, path, _ := strings.Cut(text, "=")
		sum, err := fileSum(path)
		if err != nil {
			return err
		}
		how.Inputs = append(how.Inputs, report.File{Name: "source " + source, Path: path, SHA256: sum})
	}
	return r.write(report.Backtest(found, how))
}

// fileSum is the SHA-256 of a file's bytes.
func fileSum(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", fmt.Errorf("%s: %w", path, err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// command is how this program was called, by its name instead of where it lies.
func (c *cli) command() []string { return append([]string{"freshet"}, c.args[1:]...) }
