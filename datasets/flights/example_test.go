package flights_test

import (
	"fmt"

	"github.com/freshet-ml/freshet/datasets/flights"
)

func ExampleDays() {
	s, err := flights.Days(1)
	if err != nil {
		fmt.Println(err)
		return
	}
	for r, ok := s.Next(); ok; r, ok = s.Next() {
		if r.Source == "departed" {
			fmt.Printf("%s\n%s\n", r.Key, r.Value)
			return
		}
	}
	// Output:
	// 2013-01-01-UA1545-EWR
	// {"id":"2013-01-01-UA1545-EWR","at":"2013-01-01T10:17:00Z","carrier":"UA","flight":1545,"tail":"N14228","origin":"EWR","dest":"IAH","departs":"2013-01-01T10:15:00Z","block":244,"dep_delay":2,"expected":"2013-01-01T14:21:00Z"}
}
