package factor

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// TestVersionsStayAsTheyWere: under any order of writes and versions every version that is kept reads as the table was, also where places begin
// anew, where the log was cleaned, and after a load.
func TestVersionsStayAsTheyWere(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cells := rapid.SampledFrom([]int{1, 16, 100, 4096, 20_000}).Draw(t, "cells")
		numbers, p := make([]float32, cells), newPages(cells)
		p.log.first = rapid.SampledFrom([]uint32{0, ordinals - 1, ordinals}).Draw(t, "first")
		type kept struct {
			v    version
			want []float32
		}
		var versions []kept
		next := uint64(rapid.IntRange(1, 1<<30).Draw(t, "seed"))
		for step := range rapid.IntRange(1, 40).Draw(t, "steps") {
			for range rapid.SampledFrom([]int{0, 1, 30, 800}).Draw(t, "writes") {
				next = next*6364136223846793005 + 1442695040888963407
				at := int(next>>33) % cells
				numbers[at] = float32(step) + float32(next>>60)
				p.mark(uint32(at))
			}
			if step == 20 && rapid.Bool().Draw(t, "load") {
				p.reset(func(k int) bool {
					return slices.ContainsFunc(numbers[k<<lineBits:min(cells, (k+1)<<lineBits)], func(x float32) bool { return x != 0 })
				})
			}
			versions = append(versions, kept{p.publish(func(i int) float32 { return numbers[i] }), slices.Clone(numbers)})
			if len(versions) > 6 {
				versions = slices.Delete(versions, step%5, step%5+1)
			}
			if len(p.log.list) > p.limit()+2+len(p.chunks)/blockLines {
				t.Fatalf("%d blocks, at most %d are wanted", len(p.log.list), p.limit())
			}
		}
		for n, k := range versions {
			for i, want := range k.want {
				if got := k.v.at(uint32(i)); got != want {
					t.Fatalf("version %d has %v at %d, want %v", n, got, i, want)
				}
			}
		}
	})
}
