package expr

import (
	"math"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/expr-lang/expr/ast"
)

// unaryFuncs are the functions of one number. Results that are not finite are missing.
var unaryFuncs = map[string]func(float64) float64{
	"abs": math.Abs, "log": math.Log, "log1p": math.Log1p, "exp": math.Exp, "sqrt": math.Sqrt,
	"floor": math.Floor, "ceil": math.Ceil, "round": math.Round,
	"sign":    func(x float64) float64 { return float64(sign(x, 0)) },
	"minutes": func(x float64) float64 { return x / 60 },
	"hours":   func(x float64) float64 { return x / 3600 },
	"days":    func(x float64) float64 { return x / 86400 },
}

// timeFuncs are the parts of an instant in a zone. weekday: 0 is Monday.
var timeFuncs = map[string]func(time.Time) int{
	"hour":    time.Time.Hour,
	"weekday": func(t time.Time) int { return (int(t.Weekday()) + 6) % 7 },
	"month":   func(t time.Time) int { return int(t.Month()) },
}

// Functions returns the names of all functions, sorted.
func Functions() []string {
	names := []string{"min", "max", "clip", "isnull", "lower", "upper", "len"}
	for name := range unaryFuncs {
		names = append(names, name)
	}
	for name := range timeFuncs {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func (c *compiler) call(at ast.Node, name string, args []ast.Node, depth int) (node, error) {
	if !slices.Contains(Functions(), name) {
		return node{}, wrong(at, "unknown function %s%s", name, Suggest(name, Functions()))
	}
	nodes := make([]node, len(args))
	for i, a := range args {
		n, err := c.node(a, depth+1)
		if err != nil {
			return node{}, err
		}
		nodes[i] = n
	}
	if f, ok := timeFuncs[name]; ok {
		return timePart(at, name, f, args, nodes)
	}
	switch name {
	case "min", "max":
		return extremum(at, name, nodes)
	case "clip":
		return clip(at, nodes)
	}
	if len(nodes) != 1 {
		return node{}, wrong(at, "%s takes one argument, not %d", name, len(nodes))
	}
	return single(at, name, nodes[0])
}

// single compiles the functions of one argument.
func single(at ast.Node, name string, x node) (node, error) {
	switch name {
	case "isnull":
		return truthNode(func(in input) tri { return truthOf(x.missing(in)) }), nil
	case "lower", "upper", "len":
		if x.text == nil {
			return node{}, wrong(at, "%s takes a string, not a %s", name, kindName(x))
		}
		return textFunc(name, x.text), nil
	}
	if !isNumber(x) {
		return node{}, wrong(at, "%s takes a number, not a %s", name, kindName(x))
	}
	f, v := unaryFuncs[name], x.num
	return numNode(func(in input) float64 {
		y := v(in)
		if y != y {
			return y
		}
		return finite(f(y))
	}), nil
}

func textFunc(name string, text func(input) (string, bool)) node {
	if name == "len" {
		return numNode(func(in input) float64 {
			s, ok := text(in)
			if !ok {
				return math.NaN()
			}
			return float64(utf8.RuneCountInString(s))
		})
	}
	f := strings.ToLower
	if name == "upper" {
		f = strings.ToUpper
	}
	return textNode(func(in input) (string, bool) {
		s, ok := text(in)
		return f(s), ok
	})
}

func allNumbers(at ast.Node, name string, nodes []node) error {
	for _, n := range nodes {
		if !isNumber(n) {
			return wrong(at, "%s takes numbers, not a %s", name, kindName(n))
		}
	}
	return nil
}

func extremum(at ast.Node, name string, nodes []node) (node, error) {
	if len(nodes) < 2 {
		return node{}, wrong(at, "%s takes two or more arguments", name)
	}
	if err := allNumbers(at, name, nodes); err != nil {
		return node{}, err
	}
	f := math.Min // NaN if either is NaN
	if name == "max" {
		f = math.Max
	}
	acc := nodes[0].num
	for _, n := range nodes[1:] {
		x, y := acc, n.num
		acc = func(in input) float64 { return f(x(in), y(in)) }
	}
	return numNode(acc), nil
}

func clip(at ast.Node, nodes []node) (node, error) {
	if len(nodes) != 3 {
		return node{}, wrong(at, "clip takes three arguments, clip(x, low, high), not %d", len(nodes))
	}
	if err := allNumbers(at, "clip", nodes); err != nil {
		return node{}, err
	}
	x, lo, hi := nodes[0].num, nodes[1].num, nodes[2].num
	return numNode(func(in input) float64 { return math.Min(math.Max(x(in), lo(in)), hi(in)) }), nil
}

// timePart compiles hour(t), weekday(t) and month(t), with a zone as the optional second argument. A column of a vector is
// taken as seconds since the epoch.
func timePart(at ast.Node, name string, f func(time.Time) int, args []ast.Node, nodes []node) (node, error) {
	if len(nodes) < 1 || len(nodes) > 2 {
		return node{}, wrong(at, "%s takes a time and, if wanted, a time zone", name)
	}
	x := nodes[0].time
	if x == nil {
		x = nodes[0].seconds
	}
	if x == nil {
		return node{}, wrong(at, "%s takes a time, not a %s", name, kindName(nodes[0]))
	}
	zone := time.UTC
	if len(nodes) == 2 {
		if nodes[1].literal == nil {
			return node{}, wrong(args[1], "the time zone must be a text such as \"America/New_York\"")
		}
		z, err := time.LoadLocation(*nodes[1].literal)
		if err != nil || *nodes[1].literal == "Local" {
			return node{}, wrong(args[1], "unknown time zone %q; use an IANA name such as \"America/New_York\"", *nodes[1].literal)
		}
		zone = z
	}
	return numNode(func(in input) float64 {
		t, ok := x(in)
		if !ok {
			return math.NaN()
		}
		return float64(f(time.UnixMicro(t).In(zone)))
	}), nil
}
