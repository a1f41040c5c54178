package generator_test

import (
	"fmt"

	"github.com/freshet-ml/freshet/datasets/generator"
)

// Three rows from before and after an abrupt drift.
func Example() {
	s, err := generator.Open("abrupt?first=stagger&second=stagger(concept=3)&at=3&n=6")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("drift after", s.Drifts()[0].At, "rows")
	for r, ok := s.Record(nil); ok; r, ok = s.Record(r[:0]) {
		fmt.Println(r)
	}
	// Output:
	// drift after 3 rows
	// [small blue square false]
	// [small green square false]
	// [large blue square false]
	// [small blue square false]
	// [small green square false]
	// [large blue square true]
}
