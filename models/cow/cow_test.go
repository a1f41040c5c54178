package cow_test

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/freshet-ml/freshet/models/cow"
)

// TestSharesAreIsolated: every view keeps what the pages held when it was taken, under any order of writes and views.
func TestSharesAreIsolated(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pages, size := rapid.IntRange(1, 5).Draw(t, "pages"), rapid.IntRange(1, 4).Draw(t, "size")
		p, plain := cow.New[int](pages, size), make([]int, pages*size)
		type view struct {
			p    cow.Pages[int]
			want []int
		}
		var views []view
		for step := range 60 {
			if rapid.Bool().Draw(t, "share") {
				views = append(views, view{p.Share(), append([]int(nil), plain...)})
			}
			at := rapid.IntRange(0, pages*size-1).Draw(t, "at")
			p.Own(at / size)[at%size], plain[at] = step+1, step+1
		}
		views = append(views, view{p, plain})
		for n, v := range views {
			for i, want := range v.want {
				if got := v.p.Page(i / size)[i%size]; got != want {
					t.Fatalf("view %d has %d at %d, want %d", n, got, i, want)
				}
			}
		}
	})
}

func TestOwnCopiesOnce(t *testing.T) {
	p := cow.New[float64](4, 100)
	if n := testing.AllocsPerRun(100, func() { p.Own(1)[3]++ }); n != 0 {
		t.Errorf("%v allocations per write of an unshared page", n)
	}
	p.Share()
	first := &p.Own(1)[0]
	if first != &p.Own(1)[0] {
		t.Error("a page was copied twice after one view")
	}
}

func Example() {
	p := cow.New[int](2, 3)
	p.Own(0)[1] = 7
	seen := p.Share()
	p.Own(0)[1] = 8
	fmt.Println(seen.Page(0), p.Page(0))
	// Output: [0 7 0] [0 8 0]
}
