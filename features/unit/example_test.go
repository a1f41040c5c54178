package unit_test

import (
	"fmt"
	"time"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/features/unit"
)

func Example() {
	sources := []features.Source{{Name: "departed", Fields: []features.Field{{Name: "origin", Kind: features.String}, {Name: "dep_delay", Kind: features.Double}}}}
	p, err := unit.Compile(unit.Entity{Name: "origin", Key: []string{"origin"}, Features: []unit.Feature{
		{Name: "mean_delay", Agg: "mean", Value: "dep_delay", Over: []time.Duration{time.Hour, 6 * time.Hour}, Suffix: true},
		{Name: "delayed", Agg: "count", Where: "dep_delay > 15", Over: []time.Duration{time.Hour}},
	}}, sources, unit.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	noon := time.Date(2013, 3, 4, 12, 0, 0, 0, time.UTC)
	var st unit.State
	for i, delay := range []float64{40, 20, 3} {
		at := noon.Add(time.Duration(i) * 50 * time.Minute).UnixMicro()
		p.Apply(&st, &features.Item{Seq: uint64(i), Kind: features.EventItem, Time: at,
			Fields: []features.Value{features.StringValue("JFK"), features.DoubleValue(delay)}}, at)
	}
	values, _ := p.Read(nil, &st, noon.Add(105*time.Minute).UnixMicro())
	for i, c := range p.Columns() {
		fmt.Println(c.Name, values[i])
	}
	// Output:
	// origin.mean_delay_1h 11.5
	// origin.mean_delay_6h 21
	// origin.delayed 1
}
