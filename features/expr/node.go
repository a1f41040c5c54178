package expr

import (
	"math"

	"github.com/freshet-ml/freshet/features"
)

// input is what an expression is evaluated over: one of the two is set. It is passed by value, so that
// nothing escapes to the heap.
type input struct {
	fields []features.Value
	vec    []float64
}

// tri is a three-valued truth.
type tri uint8

const (
	no tri = iota
	yes
	unknown
)

func truthOf(b bool) tri {
	if b {
		return yes
	}
	return no
}

// node is a compiled operation: its kind, and the evaluators that fit it. num is set for Int and
// Double, truth for Bool, text for String, time for Time.
type node struct {
	kind     features.Kind
	num      func(input) float64
	truth    func(input) tri
	text     func(input) (string, bool)
	time     func(input) (int64, bool)
	seconds  func(input) (int64, bool)  // a numeric column of a vector, read as a time
	field    func(input) features.Value // a lone int field
	category bool                       // num is the features.Category of a text
	literal  *string                    // a text literal
}

// number evaluates n as a slot of a vector.
func (n *node) number(in input) float64 {
	switch n.kind {
	case features.Bool:
		switch n.truth(in) {
		case yes:
			return 1
		case no:
			return 0
		}
	case features.String:
		if s, ok := n.text(in); ok {
			return features.Category(s)
		}
	case features.Time:
		if t, ok := n.time(in); ok {
			return float64(t) / 1e6
		}
	default:
		return n.num(in)
	}
	return math.NaN()
}

// missing evaluates whether n has no value.
func (n *node) missing(in input) bool {
	switch n.kind {
	case features.Bool:
		return n.truth(in) == unknown
	case features.String:
		_, ok := n.text(in)
		return !ok
	case features.Time:
		_, ok := n.time(in)
		return !ok
	case features.Null:
		return true
	}
	return math.IsNaN(n.num(in))
}

func numNode(f func(input) float64) node         { return node{kind: features.Double, num: f} }
func truthNode(f func(input) tri) node           { return node{kind: features.Bool, truth: f} }
func constNode(x float64) node                   { return numNode(func(input) float64 { return x }) }
func textNode(f func(input) (string, bool)) node { return node{kind: features.String, text: f} }
func timeNode(f func(input) (int64, bool)) node  { return node{kind: features.Time, time: f} }

// finite turns infinities into missing.
func finite(x float64) float64 {
	if math.IsInf(x, 0) {
		return math.NaN()
	}
	return x
}

func fieldNode(f Field) node {
	slot := f.Slot
	value := func(in input) features.Value {
		if slot >= len(in.fields) {
			return features.Value{}
		}
		return in.fields[slot]
	}
	switch f.Kind {
	case features.String, features.FreeText:
		return textNode(func(in input) (string, bool) {
			v := value(in)
			return v.Str(), v.Kind() == features.String
		})
	case features.Time:
		return timeNode(func(in input) (int64, bool) {
			v := value(in)
			return v.Int(), v.Kind() == features.Time
		})
	case features.Bool:
		return truthNode(func(in input) tri {
			v := value(in)
			if v.Kind() != features.Bool {
				return unknown
			}
			return truthOf(v.Bool())
		})
	}
	n := numNode(func(in input) float64 { return finite(value(in).Float()) })
	n.kind = f.Kind
	n.field = value
	return n
}

func columnNode(slot int, kind features.ColumnKind) node {
	n := numNode(func(in input) float64 {
		if slot >= len(in.vec) {
			return math.NaN()
		}
		return finite(in.vec[slot])
	})
	n.category = kind == features.Categorical
	if num := n.num; !n.category {
		n.seconds = func(in input) (int64, bool) { return microsOf(num(in)) }
	}
	return n
}

// microsOf reads a column of a vector as a time: seconds since the epoch, as features.Value.Float gives it.
func microsOf(seconds float64) (int64, bool) {
	if math.IsNaN(seconds) || math.Abs(seconds) > 9e12 {
		return 0, false
	}
	return int64(math.Round(seconds * 1e6)), true
}

func isNumber(n node) bool {
	return (n.kind == features.Double || n.kind == features.Int) && !n.category
}

// kindName is the word for n's kind in messages.
func kindName(n node) string {
	switch {
	case n.category:
		return "category"
	case isNumber(n):
		return "number"
	case n.kind == features.Null:
		return "nil"
	}
	return n.kind.String()
}
