package agg

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// TestOpen compares a Set with a plain map: begins, ends, ends before begins, repeats, forgetting.
func TestOpen(t *testing.T) {
	type begun struct {
		id  uint64
		due int64
	}
	rapid.Check(t, func(t *rapid.T) {
		set, keep := &Set{Keep: 50}, int64(50)
		var open, ends []begun
		now := int64(0)
		has := func(l []begun, id uint64) int {
			return slices.IndexFunc(l, func(b begun) bool { return b.id == id })
		}
		for range rapid.IntRange(0, 60).Draw(t, "steps") {
			now += rapid.Int64Range(0, 9).Draw(t, "pass")
			old := func(b begun) bool { return b.due < now-keep }
			open, ends = slices.DeleteFunc(open, old), slices.DeleteFunc(ends, old)
			set.Forget(now)
			id := rapid.Uint64Range(0, 12).Draw(t, "id")
			if rapid.Bool().Draw(t, "begins") {
				due := now + rapid.Int64Range(-20, 20).Draw(t, "due")
				if set.Begin(id, due); has(open, id) < 0 && has(ends, id) < 0 {
					open = append(open, begun{id, due})
				}
			} else if set.End(id, now); has(open, id) >= 0 {
				open = slices.Delete(open, has(open, id), has(open, id)+1)
			} else if has(ends, id) < 0 {
				ends = append(ends, begun{id, now})
			}
			at := now + rapid.Int64Range(0, 80).Draw(t, "at")
			count, age := 0, int64(0)
			for _, b := range open {
				if b.due <= at && b.due >= at-keep {
					count, age = count+1, age+at-b.due
				}
			}
			if err := set.Check(); err != nil {
				t.Fatal(err)
			}
			if set.Open(at) != count || set.AgeSeconds(at) != float64(age)/1e6 {
				t.Fatalf("open %d age %v, by brute force %d, %d µs", set.Open(at), set.AgeSeconds(at), count, age)
			}
		}
	})
}

func TestFullSetRefuses(t *testing.T) {
	s := &Set{Keep: 10}
	s.B = make([]byte, 8+MaxThings*thing)
	s.B[2] = 1 // 65,536 things
	for i := range MaxThings {
		putU64(s.B, 4+i*thing+8, uint64(i))
	}
	if err := s.Check(); err != nil {
		t.Fatal(err)
	}
	if s.Begin(MaxThings+1, 5) {
		t.Error("a full set took a thing")
	}
	if s.End(3, 5); !s.Begin(MaxThings+1, 5) {
		t.Error("a set with room refused a thing")
	}
}

func Example_open() {
	s := &Set{Keep: 100e6}
	s.Begin(1, 10e6) // due at 10 s
	s.Begin(2, 20e6)
	s.End(1, 25e6)
	fmt.Println(s.Open(15e6), s.Open(30e6))
	// Output: 0 1
}
