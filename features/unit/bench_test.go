package unit

import (
	"testing"
	"time"

	"github.com/freshet-ml/freshet/features"
)

// benchProgram is an entity with six aggregations over two windows.
func benchProgram(t testing.TB) *Program {
	var fs []Feature
	for _, a := range []string{"count", "sum", "mean", "min", "max", "stddev"} {
		f := Feature{Name: a, Agg: a, Value: "x", Over: []time.Duration{time.Hour, 6 * time.Hour}, Suffix: true}
		if a == "count" {
			f.Value, f.Where = "", "x > 15"
		}
		fs = append(fs, f)
	}
	return mustCompile(t, fs)
}

// feed applies n events, each gap after the one before, and returns the next time and ordinal.
func feed(p *Program, st *State, it *features.Item, from int64, n int, gap int64) int64 {
	for range n {
		from += gap
		it.Seq++
		it.Time = from
		it.Fields[1] = features.DoubleValue(float64(it.Seq % 97))
		p.Apply(st, it, from)
	}
	return from
}

const benchStart = 1_700_000_000 * second

func BenchmarkApply(b *testing.B) {
	p, it := benchProgram(b), sold(1, benchStart, 1, 1, "n")
	var st State
	at := feed(p, &st, it, benchStart, 5000, 10*second)
	b.ReportAllocs()
	b.ResetTimer()
	feed(p, &st, it, at, b.N, 10*second)
	b.ReportMetric(float64(len(st.Head)+len(st.Tiles)), "state_bytes")
}

func BenchmarkRead(b *testing.B) {
	for name, n := range map[string]int{"dense": 5000, "sparse": 10} {
		b.Run(name, func(b *testing.B) {
			p, it := benchProgram(b), sold(1, benchStart, 1, 1, "n")
			var st State
			at := feed(p, &st, it, benchStart, n, 10*second)
			dst := make([]float64, 0, 16)
			b.ReportAllocs()
			b.ResetTimer()
			for range b.N {
				dst, _ = p.Read(dst[:0], &st, at)
			}
			b.ReportMetric(float64(len(st.Head)+len(st.Tiles)), "state_bytes")
		})
	}
}

func TestApplyAndReadDoNotAllocate(t *testing.T) {
	p, it := benchProgram(t), sold(1, benchStart, 1, 1, "n")
	var st State
	at := feed(p, &st, it, benchStart, 20000, 10*second)
	if n := testing.AllocsPerRun(10, func() { at = feed(p, &st, it, at, 1000, 10*second) }); n > 0 {
		t.Errorf("1,000 applications allocate %v times", n)
	}
	dst := make([]float64, 0, 16)
	if n := testing.AllocsPerRun(1000, func() { dst, _ = p.Read(dst[:0], &st, at) }); n > 0 {
		t.Errorf("a read allocates %v times", n)
	}
}

// BenchmarkCheckState is what loading a state costs beside the copy.
func BenchmarkCheckState(b *testing.B) {
	p, it := benchProgram(b), sold(1, benchStart, 1, 1, "n")
	var st State
	feed(p, &st, it, benchStart, 5000, 10*second)
	b.ReportAllocs()
	for range b.N {
		if err := p.CheckState(&st); err != nil {
			b.Fatal(err)
		}
	}
}
