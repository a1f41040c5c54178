package ingest_test

import (
	"fmt"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/features/ingest"
)

// Two topics of one partition each become one order of items; what is bad becomes a refusal at its place.
func ExampleSequencer() {
	fields := []ingest.FieldSpec{
		{Name: "at", Kind: features.Time, Layout: ingest.EpochSeconds},
		{Name: "id", Kind: features.String}}
	s, err := ingest.NewSequencer(ingest.Config{
		Sources:    []ingest.SourceSpec{{Name: "departed", Time: "at", Fields: fields}, {Name: "arrived", Time: "at", Fields: fields}},
		Partitions: []int32{1, 1},
		Ends:       true, // both are read to a known end
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	s.Offer(&ingest.Record{Source: 0, Offset: 0, Value: []byte(`{"at": 20, "id": "UA1"}`)})
	s.Offer(&ingest.Record{Source: 0, Offset: 1, Value: []byte(`{"at": "30", "id": "UA2"}`)})
	s.Offer(&ingest.Record{Source: 1, Offset: 0, Value: []byte(`{"at": 10, "id": "UA7"}`)})
	s.End(0, 0)
	s.End(1, 0)
	for {
		d, ok := s.Next()
		if !ok {
			break
		}
		if d.Refusal != nil {
			fmt.Println("refused:", d.Refusal)
			continue
		}
		fmt.Println(features.TimeValue(d.Item.Time), d.Item.Fields[1])
	}
	// Output:
	// 1970-01-01T00:00:10Z UA7
	// 1970-01-01T00:00:20Z UA1
	// refused: schema: wrong_type: field at (time): found JSON string "\"30\""; the layout epoch_s is a number; send one or declare another layout
}
