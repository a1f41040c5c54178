package expr

import (
	"math"
	"strings"
	"time"

	"github.com/expr-lang/expr/ast"
	"github.com/freshet-ml/freshet/features"
)

func pickNumber(a, b func(input) float64, pick func(input) tri) func(input) float64 {
	return func(in input) float64 {
		switch pick(in) {
		case yes:
			return a(in)
		case no:
			return b(in)
		}
		return math.NaN()
	}
}

func (c *compiler) binary(n *ast.BinaryNode, depth int) (node, error) {
	a, err := c.node(n.Left, depth+1)
	if err != nil {
		return node{}, err
	}
	if n.Operator == "in" {
		return c.in(n, a, depth)
	}
	b, err := c.node(n.Right, depth+1)
	if err != nil {
		return node{}, err
	}
	switch n.Operator {
	case "+", "-", "*", "/", "%", "**", "^":
		return c.arithmetic(n, a, b)
	case "==", "!=", "<", "<=", ">", ">=":
		return c.compare(n, a, b)
	case "&&", "and", "||", "or":
		return c.logic(n, a, b)
	case "??":
		return c.choose(n, a, b, func(in input) tri { return truthOf(!a.missing(in)) })
	case "contains", "startsWith", "endsWith":
		return c.textTest(n, a, b)
	}
	return node{}, wrong(n, "unknown operator %s", n.Operator)
}

func (c *compiler) arithmetic(n *ast.BinaryNode, a, b node) (node, error) {
	if a.time != nil || b.time != nil {
		return c.timeArithmetic(n, a, b)
	}
	if !isNumber(a) || !isNumber(b) {
		return node{}, wrong(n, "%s takes numbers, not %s and %s", n.Operator, kindName(a), kindName(b))
	}
	x, y := a.num, b.num
	switch n.Operator {
	case "+":
		return numNode(func(in input) float64 { return finite(x(in) + y(in)) }), nil
	case "-":
		return numNode(func(in input) float64 { return finite(x(in) - y(in)) }), nil
	case "*":
		return numNode(func(in input) float64 { return finite(float64(x(in) * y(in))) }), nil
	case "/":
		return numNode(func(in input) float64 { return finite(x(in) / y(in)) }), nil
	case "%":
		return numNode(func(in input) float64 { return finite(math.Mod(x(in), y(in))) }), nil
	}
	return numNode(func(in input) float64 {
		p, q := x(in), y(in)
		if p != p || q != q { // the power of a missing number is missing, also 1^x and x^0
			return math.NaN()
		}
		return finite(math.Pow(p, q))
	}), nil
}

func (c *compiler) timeArithmetic(n *ast.BinaryNode, a, b node) (node, error) {
	if n.Operator == "-" && a.time != nil && b.time != nil {
		x, y := a.time, b.time
		return numNode(func(in input) float64 {
			p, ok1 := x(in)
			q, ok2 := y(in)
			if !ok1 || !ok2 {
				return math.NaN()
			}
			return (float64(p) - float64(q)) / 1e6
		}), nil
	}
	if n.Operator == "+" && b.time != nil && isNumber(a) {
		a, b = b, a
	}
	if a.time == nil || !isNumber(b) || n.Operator != "+" && n.Operator != "-" {
		return node{}, wrong(n, "%s takes no %s and %s; a time allows time - time, time + seconds and time - seconds",
			n.Operator, kindName(a), kindName(b))
	}
	x, y, sign := a.time, b.num, 1e6
	if n.Operator == "-" {
		sign = -1e6
	}
	return timeNode(func(in input) (int64, bool) {
		p, ok := x(in)
		d := math.Round(float64(y(in) * sign))
		if !ok || !(math.Abs(d) < 1<<60) {
			return 0, false
		}
		return p + int64(d), true
	}), nil
}

// test says for the sign of a comparison (-1, 0, 1) whether operator op holds.
func test(op string) func(sign int) tri {
	var want [3]bool
	switch op {
	case "==":
		want = [3]bool{false, true, false}
	case "!=":
		want = [3]bool{true, false, true}
	case "<":
		want = [3]bool{true, false, false}
	case "<=":
		want = [3]bool{true, true, false}
	case ">":
		want = [3]bool{false, false, true}
	case ">=":
		want = [3]bool{false, true, true}
	}
	return func(sign int) tri { return truthOf(want[sign+1]) }
}

func sign[T int64 | float64](a, b T) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func (c *compiler) compare(n *ast.BinaryNode, a, b node) (node, error) {
	if a.kind == features.Null || b.kind == features.Null {
		return node{}, wrong(n, "comparison with nil is always missing; use isnull(x)")
	}
	holds := test(n.Operator)
	a, b = alike(a, b), alike(b, a)
	equality := n.Operator == "==" || n.Operator == "!="
	switch {
	case isNumber(a) && isNumber(b), a.category && b.category && equality:
		x, y := a.num, b.num
		return truthNode(func(in input) tri {
			p, q := x(in), y(in)
			if p != p || q != q {
				return unknown
			}
			return holds(sign(p, q))
		}), nil
	case a.time != nil && b.time != nil:
		return truthNode(comparePairs(a.time, b.time, func(p, q int64) tri { return holds(sign(p, q)) })), nil
	case a.text != nil && b.text != nil:
		return truthNode(comparePairs(a.text, b.text, func(p, q string) tri { return holds(strings.Compare(p, q)) })), nil
	case a.truth != nil && b.truth != nil && equality:
		x, y := a.truth, b.truth
		return truthNode(func(in input) tri {
			p, q := x(in), y(in)
			if p == unknown || q == unknown {
				return unknown
			}
			return holds(int(p) - int(q))
		}), nil
	}
	return node{}, wrong(n, "%s cannot compare %s with %s", n.Operator, kindName(a), kindName(b))
}

func comparePairs[T any](x, y func(input) (T, bool), holds func(p, q T) tri) func(input) tri {
	return func(in input) tri {
		p, ok1 := x(in)
		q, ok2 := y(in)
		if !ok1 || !ok2 {
			return unknown
		}
		return holds(p, q)
	}
}

// alike turns a text literal into what the other operand compares with: the category of the text, or an
// instant.
func alike(n, other node) node {
	if n.literal == nil {
		return n
	}
	if other.category {
		c := constNode(features.Category(*n.literal))
		c.category = true
		return c
	}
	if other.time != nil {
		if t, err := time.Parse(time.RFC3339Nano, *n.literal); err == nil {
			micros := t.UnixMicro()
			return timeNode(func(input) (int64, bool) { return micros, true })
		}
	}
	return n
}

func (c *compiler) logic(n *ast.BinaryNode, a, b node) (node, error) {
	if a.truth == nil || b.truth == nil {
		return node{}, wrong(n, "%s takes conditions, not %s and %s", n.Operator, kindName(a), kindName(b))
	}
	x, y := a.truth, b.truth
	decisive := no // of &&
	if n.Operator == "||" || n.Operator == "or" {
		decisive = yes
	}
	return truthNode(func(in input) tri {
		p := x(in)
		if p == decisive {
			return p
		}
		q := y(in)
		if q == decisive || p != unknown {
			return q
		}
		return unknown
	}), nil
}

func (c *compiler) textTest(n *ast.BinaryNode, a, b node) (node, error) {
	if a.text == nil || b.text == nil {
		return node{}, wrong(n, "%s takes strings, not %s and %s", n.Operator, kindName(a), kindName(b))
	}
	f := strings.Contains
	switch n.Operator {
	case "startsWith":
		f = strings.HasPrefix
	case "endsWith":
		f = strings.HasSuffix
	}
	return truthNode(comparePairs(a.text, b.text, func(p, q string) tri { return truthOf(f(p, q)) })), nil
}

// in compiles x in [a, b]: x equals one of the elements.
func (c *compiler) in(n *ast.BinaryNode, a node, depth int) (node, error) {
	list, ok := n.Right.(*ast.ArrayNode)
	if !ok {
		return node{}, wrong(n.Right, "in takes a list such as [\"a\", \"b\"] on its right")
	}
	tests := make([]func(input) tri, len(list.Nodes))
	for i, e := range list.Nodes {
		b, err := c.node(e, depth+1)
		if err != nil {
			return node{}, err
		}
		eq := &ast.BinaryNode{Operator: "==", Left: n.Left, Right: e}
		eq.SetLocation(e.Location())
		t, err := c.compare(eq, a, b)
		if err != nil {
			return node{}, err
		}
		tests[i] = t.truth
	}
	return truthNode(func(in input) tri {
		result := no
		for _, t := range tests {
			switch t(in) {
			case yes:
				return yes
			case unknown:
				result = unknown
			}
		}
		return result
	}), nil
}
