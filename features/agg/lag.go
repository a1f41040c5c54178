package agg

import (
	"fmt"
	"math"
)

var lagSpec = Spec{
	Name: "lag", Doc: "The value k events before the newest. Missing with k events or fewer.",
	Value: MustValue, Text: true, Uses: []string{"k"}, Windows: true, Always: true, Version: 1,
	Cost: "5 ns to add, k moves at worst", Memory: "24·(k + 1) bytes a tile at most", Source: "definition; ties of time by the order of events",
	New: func(p Params) (Fold, error) {
		if p.K < 1 || p.K > maxK {
			return Fold{}, fmt.Errorf("k is %d; set it to 1 to %d", p.K, maxK)
		}
		f := one(edges{k: p.K + 1, newest: true}, func(c []byte, _ Span) float64 {
			if len(c) <= p.K*entry {
				return math.NaN()
			}
			return f64(c, p.K*entry+16)
		})
		f.Category = true
		return f, nil
	},
}
