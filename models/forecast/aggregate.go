package forecast

import (
	"fmt"

	"github.com/freshet-ml/freshet/internal/codec"
)

// Aggregate says what the value of a step is that has several, such as the sales of a product within an hour. Numbers are part of saved states.
type Aggregate uint8

// What the value of a step can be.
const (
	AggregateNone Aggregate = iota // each value is one, and corrects the state as it comes
	AggregateSum                   // their sum; 0 of a step without any
	AggregateMean                  // their mean
	AggregateLast                  // that of the newest time; of one time the one that came last
)

var aggregateNames = [...]string{"none", "sum", "mean", "last"}

// String returns the name that project files use.
func (a Aggregate) String() string {
	if int(a) < len(aggregateNames) {
		return aggregateNames[a]
	}
	return "unknown"
}

// ParseAggregate reads a name; "" is none.
func ParseAggregate(text string) (Aggregate, error) {
	for i, name := range aggregateNames {
		if text == name {
			return Aggregate(i), nil
		}
	}
	if text == "" {
		return AggregateNone, nil
	}
	return 0, fmt.Errorf("aggregate %q: take none, sum, mean or last", text)
}

// Gathered are the values of one step so far. The zero Gathered is a step without values.
type Gathered struct {
	Time  int64   // of the newest value, µs
	Value float64 // their sum, or the last one
	Count int64
}

// Add takes in a value, finite, at the event time t.
func (g *Gathered) Add(a Aggregate, t int64, y float64) {
	switch {
	case g.Count == 0:
		g.Value = bounded(y)
	case a == AggregateLast && t >= g.Time, a == AggregateNone:
		g.Value = bounded(y)
	case a == AggregateLast:
	default:
		g.Value = bounded(g.Value + y)
	}
	if g.Count == 0 || t > g.Time {
		g.Time = t
	}
	g.Count++
}

// Of returns what the value of the step is; false if a step without values has none.
func (g *Gathered) Of(a Aggregate) (float64, bool) {
	switch {
	case g.Count == 0:
		return 0, a == AggregateSum
	case a == AggregateMean:
		return g.Value / float64(g.Count), true
	}
	return g.Value, true
}

// State visits the values of a step.
func (g *Gathered) State(c *codec.State) {
	c.Int64(&g.Time)
	c.Float64(&g.Value)
	visitCount(c, &g.Count)
	if c.Loading() && !finite(g.Value) {
		c.Fail("values of a step: %v", g.Value)
	}
}
