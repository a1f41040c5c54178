package flights

import (
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

func TestNextAllocatesNothing(t *testing.T) {
	s := open(t)
	for range 50_000 {
		s.Next()
	}
	if n := testing.AllocsPerRun(10_000, func() { s.Next() }); n != 0 {
		t.Errorf("Next allocates %v times", n)
	}
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
