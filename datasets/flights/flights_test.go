package flights

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func open(t testing.TB) *Stream {
	t.Helper()
	s, err := Open(time.Time{}, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// fields are those of every stream's JSON that the tests read.
type fields struct {
	ID, Carrier, Tail, Origin, Dest string
	Flight                          int
	At, Departs, Expected           time.Time
	Block, Distance                 int
	DepDelay                        *int `json:"dep_delay"`
	ArrDelay                        *int `json:"arr_delay"`
	AirTime                         *int `json:"air_time"`
}

// TestCounts checks the facts that PROVENANCE.md states.
func TestCounts(t *testing.T) {
	s := open(t)
	want := map[string]int{"arrived": 327_346, "cancelled": 8_255, "departed": 328_521, "planes": 3_322, "scheduled": 336_776, "weather": 26_115}
	total := 0
	for source, n := range want {
		if got := s.Count(source); got != n {
			t.Errorf("%s: %d records, want %d", source, got, n)
		}
		total += n
	}
	if s.Len() != total {
		t.Errorf("%d records, want %d", s.Len(), total)
	}
}

func TestFactsOfTheLeanTable(t *testing.T) {
	d, err := load()
	if err != nil {
		t.Fatal(err)
	}
	s := &Stream{d: d}
	ids := map[string]bool{}
	known := map[string]bool{}
	for _, p := range d.planes {
		known[p.tail] = true
	}
	destinations := map[uint16]bool{}
	var unlabelled, noTail, matched, late, labelled int
	for i := range d.flights {
		f := &d.flights[i]
		ids[string(s.appendID(nil, f))] = true
		destinations[f.dest] = true
		if d.names[f.tail] == "" {
			noTail++
		} else if known[d.names[f.tail]] {
			matched++
		}
		if f.arrDelay == missing {
			unlabelled++
			continue
		}
		labelled++
		if f.arrDelay > 15 {
			late++
		}
	}
	for _, c := range []struct {
		what      string
		got, want int
	}{
		{"flights", len(d.flights), 336_776}, {"ids", len(ids), 336_776}, {"without a label", unlabelled, 9_430},
		{"without a tail number", noTail, 2_512}, {"destinations", len(destinations), 105},
		{"late per mille", perMille(late, labelled), 237}, {"matched to a plane per mille", perMille(matched, len(d.flights)), 844},
	} {
		if c.got != c.want {
			t.Errorf("%s: %d, want %d", c.what, c.got, c.want)
		}
	}
}

func perMille(n, of int) int { return (n*1000 + of/2) / of }

// TestProvenance checks that PROVENANCE.md lists the files that are there.
func TestProvenance(t *testing.T) {
	page, err := os.ReadFile("PROVENANCE.md")
	if err != nil {
		t.Fatal(err)
	}
	list, err := files.ReadDir("data")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range list {
		b, err := files.ReadFile("data/" + f.Name())
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(page), fmt.Sprintf("%x", sha256.Sum256(b))) {
			t.Errorf("PROVENANCE.md does not have the SHA-256 of %s, %x", f.Name(), sha256.Sum256(b))
		}
		if len(b) > 1_500_000 {
			t.Errorf("%s has %d bytes", f.Name(), len(b))
		}
	}
}

// TestNoise counts the flights that leave before the same tail number's previous flight has arrived.
func TestNoise(t *testing.T) {
	d, err := load()
	if err != nil {
		t.Fatal(err)
	}
	type leg struct{ off, on int }
	legs := map[uint16][]leg{}
	for _, f := range d.flights {
		if f.arrDelay != missing && d.names[f.tail] != "" {
			off := int(f.scheduled) + int(f.depDelay)
			legs[f.tail] = append(legs[f.tail], leg{off, int(f.scheduled) + int(f.block) + int(f.arrDelay)})
		}
	}
	n := 0
	for _, l := range legs {
		slices.SortFunc(l, func(a, b leg) int { return a.off - b.off })
		for i := 1; i < len(l); i++ {
			if l[i].off < l[i-1].on {
				n++
			}
		}
	}
	if n != 126 {
		t.Errorf("%d flights leave before their plane has come, want 126", n)
	}
}

func TestLabelDelay(t *testing.T) {
	d, err := load()
	if err != nil {
		t.Fatal(err)
	}
	var minutes []int
	for _, f := range d.flights {
		if f.arrDelay != missing {
			minutes = append(minutes, 60+int(f.block)+int(f.arrDelay))
		}
	}
	slices.Sort(minutes)
	n := len(minutes)
	if got := []int{minutes[n/2], minutes[n*99/100], minutes[n-1]}; !slices.Equal(got, []int{230, 524, 2022}) {
		t.Errorf("label delays: median, 99 %% and greatest are %v minutes", got)
	}
}

// TestRecords checks every record of two months: order, times, and that each event carries its keys.
func TestRecords(t *testing.T) {
	s, err := Open(time.Date(2013, 3, 1, 0, 0, 0, 0, time.UTC), time.Date(2013, 3, 20, 0, 0, 0, 0, time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	newYork, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	var lastTime int64
	var lastSource string
	for r, ok := s.Next(); ok; r, ok = s.Next() {
		if r.Time < lastTime || r.Time == lastTime && r.Source < lastSource {
			t.Fatalf("%s at %d after %s at %d", r.Source, r.Time, lastSource, lastTime)
		}
		lastTime, lastSource = r.Time, r.Source
		var f fields
		if err := json.Unmarshal(r.Value, &f); err != nil {
			t.Fatalf("%s: %v", r.Value, err)
		}
		if f.At.UnixMicro() != r.Time {
			t.Fatalf("event time %d of %s", r.Time, r.Value)
		}
		checkRecord(t, r, &f, newYork)
	}
}

func checkRecord(t *testing.T, r Record, f *fields, newYork *time.Location) {
	t.Helper()
	switch r.Source {
	case "weather":
		if string(r.Key) != f.Origin {
			t.Fatalf("key %q of %s", r.Key, r.Value)
		}
		return
	case "planes":
		if string(r.Key) != f.Tail || !f.At.Equal(Start) {
			t.Fatalf("key %q of %s", r.Key, r.Value)
		}
		return
	}
	if string(r.Key) != f.ID || f.Carrier == "" || f.Flight == 0 || f.Origin == "" || f.Dest == "" || f.Departs.IsZero() {
		t.Fatalf("key %q, or a key is missing: %s", r.Key, r.Value)
	}
	if want := f.Departs.In(newYork).Format(time.DateOnly); !strings.HasPrefix(f.ID, want) {
		t.Fatalf("id %s of a flight on %s", f.ID, want)
	}
	ok := true
	switch r.Source {
	case "scheduled":
		ok = f.At.Equal(f.Departs.Add(-time.Hour)) && f.Block > 0 && f.Distance > 0 && f.DepDelay == nil && f.ArrDelay == nil
	case "departed":
		ok = f.DepDelay != nil && f.At.Equal(f.Departs.Add(time.Duration(*f.DepDelay)*time.Minute)) && f.Expected.After(f.At)
	case "cancelled":
		ok = f.At.Equal(f.Departs) && f.DepDelay == nil
	case "arrived":
		ok = f.ArrDelay != nil && f.AirTime != nil && f.At.After(f.Departs)
	}
	if !ok {
		t.Fatalf("%s: %s", r.Source, r.Value)
	}
}

func TestRange(t *testing.T) {
	days, err := Days(2)
	if err != nil {
		t.Fatal(err)
	}
	end := Start.AddDate(0, 0, 2).UnixMicro()
	if days.Len() < 5_000 || days.Count("planes") != 3_322 {
		t.Errorf("two days have %d records and %d planes", days.Len(), days.Count("planes"))
	}
	for r, ok := days.Next(); ok; r, ok = days.Next() {
		if r.Time >= end {
			t.Fatalf("a record of %d in two days", r.Time)
		}
	}
	whole, err := Days(0)
	if err != nil {
		t.Fatal(err)
	}
	if whole.Len() != open(t).Len() {
		t.Errorf("0 days are %d records", whole.Len())
	}
	empty, err := Open(End, End.AddDate(1, 0, 0))
	if err != nil {
		t.Fatal(err)
	}
	if empty.Len() != empty.Count("planes") {
		t.Errorf("%d records after the end", empty.Len())
	}
}

func TestWriteFiles(t *testing.T) {
	s, err := Days(2)
	if err != nil {
		t.Fatal(err)
	}
	scheduled := s.Count("scheduled")
	dir := t.TempDir()
	counts, err := s.WriteFiles(dir)
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(dir, "scheduled.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	if n := bytes.Count(b, []byte("\n")); n != scheduled || counts["scheduled"] != n {
		t.Errorf("%d lines, counted %d, want %d", n, counts["scheduled"], scheduled)
	}
	if first, _, _ := bytes.Cut(b, []byte("\n")); !json.Valid(first) {
		t.Errorf("first line is %s", first)
	}
	if _, err := s.WriteFiles(filepath.Join(dir, "none")); err == nil {
		t.Error("no error for a folder that is not there")
	}
}

func TestNextAllocatesNothing(t *testing.T) {
	s := open(t)
	for range 50_000 {
		s.Next()
	}
	if n := testing.AllocsPerRun(10_000, func() { s.Next() }); n != 0 {
		t.Errorf("Next allocates %v times", n)
	}
}

func BenchmarkNext(b *testing.B) {
	s := open(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, ok := s.Next(); !ok {
			s.next = 0
		}
	}
}

func BenchmarkOpen(b *testing.B) {
	for b.Loop() {
		open(b)
	}
}
