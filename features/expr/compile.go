package expr

import (
	"fmt"

	"github.com/expr-lang/expr/ast"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/internal/spelling"
)

// compiler turns a syntax tree into nodes.
type compiler struct {
	names func(string) (node, bool)
	texts func(string) bool // names a text, which no expression over columns reads; nil: none does
	known []string          // for suggestions
	noun  string            // what a name stands for: field, feature
}

func wrong(n ast.Node, format string, args ...any) error {
	return &Error{Column: n.Location().From + 1, Reason: fmt.Sprintf(format, args...)}
}

// node compiles n, which lies depth operations below the root.
func (c *compiler) node(n ast.Node, depth int) (node, error) {
	if n == nil {
		return node{}, &Error{1, "expression without an operand"}
	}
	if depth >= MaxDepth {
		return node{}, wrong(n, "more than %d nested operations; split the expression", MaxDepth)
	}
	switch n := n.(type) {
	case *ast.IntegerNode:
		return constNode(float64(n.Value)), nil
	case *ast.FloatNode:
		return constNode(n.Value), nil
	case *ast.BoolNode:
		t := truthOf(n.Value)
		return truthNode(func(input) tri { return t }), nil
	case *ast.StringNode:
		s := n.Value
		t := textNode(func(input) (string, bool) { return s, true })
		t.literal = &s
		return t, nil
	case *ast.NilNode:
		return node{kind: features.Null}, nil
	case *ast.IdentifierNode, *ast.MemberNode:
		return c.name(n)
	case *ast.UnaryNode:
		return c.unary(n, depth)
	case *ast.BinaryNode:
		return c.binary(n, depth)
	case *ast.ConditionalNode:
		return c.conditional(n, depth)
	case *ast.BuiltinNode:
		return c.call(n, n.Name, n.Arguments, depth)
	case *ast.CallNode:
		if id, ok := n.Callee.(*ast.IdentifierNode); ok {
			return c.call(n, id.Value, n.Arguments, depth)
		}
		return node{}, wrong(n, "only functions can be called; methods do not exist")
	case *ast.ArrayNode:
		return node{}, wrong(n, "a list can only stand after in")
	}
	return node{}, wrong(n, "unsupported syntax; see the reference for the operators and functions")
}

// name resolves a, or a.b.c.
func (c *compiler) name(n ast.Node) (node, error) {
	name, ok := dotted(n)
	if !ok {
		return node{}, wrong(n, "unsupported access; name a %s", c.noun)
	}
	if c.texts != nil && c.texts(name) {
		return node{}, wrong(n, "%s is a text, whose words only a pipeline reads (word_ngrams, char_ngrams, tf_idf); use numbers and categories here", name)
	}
	if f, ok := c.names(name); ok {
		return f, nil
	}
	start := n
	for {
		m, ok := start.(*ast.MemberNode)
		if !ok {
			break
		}
		start = m.Node
	}
	return node{}, wrong(start, "unknown %s %s%s", c.noun, name, Suggest(name, c.known))
}

func dotted(n ast.Node) (string, bool) {
	switch n := n.(type) {
	case *ast.IdentifierNode:
		return n.Value, true
	case *ast.MemberNode:
		left, ok := dotted(n.Node)
		right, isText := n.Property.(*ast.StringNode)
		if !ok || !isText || n.Optional {
			return "", false
		}
		return left + "." + right.Value, true
	}
	return "", false
}

// Suggest returns "; did you mean x?" for the known name that is like name, or "" when none is.
func Suggest(name string, known []string) string {
	if mend := spelling.DidYouMean(name, known); mend != "" {
		return "; " + mend
	}
	return ""
}

func (c *compiler) unary(n *ast.UnaryNode, depth int) (node, error) {
	x, err := c.node(n.Node, depth+1)
	if err != nil {
		return node{}, err
	}
	switch n.Operator {
	case "-", "+":
		if !isNumber(x) {
			return node{}, wrong(n, "%s takes a number, not a %s", n.Operator, kindName(x))
		}
		if n.Operator == "+" {
			return x, nil
		}
		f := x.num
		return numNode(func(in input) float64 { return -f(in) }), nil
	case "!", "not":
		if x.truth == nil {
			return node{}, wrong(n, "%s takes a condition, not a %s", n.Operator, kindName(x))
		}
		return not(x), nil
	}
	return node{}, wrong(n, "unknown operator %s", n.Operator)
}

func not(x node) node {
	f := x.truth
	return truthNode(func(in input) tri {
		switch f(in) {
		case yes:
			return no
		case no:
			return yes
		}
		return unknown
	})
}

func (c *compiler) conditional(n *ast.ConditionalNode, depth int) (node, error) {
	cond, err := c.node(n.Cond, depth+1)
	if err != nil {
		return node{}, err
	}
	a, err := c.node(n.Exp1, depth+1)
	if err != nil {
		return node{}, err
	}
	b, err := c.node(n.Exp2, depth+1)
	if err != nil {
		return node{}, err
	}
	if cond.truth == nil {
		return node{}, wrong(n.Cond, "the condition before ? is a %s", kindName(cond))
	}
	t := cond.truth
	return c.choose(n, a, b, func(in input) tri { return t(in) })
}

// choose returns a where pick is yes, b where it is no, and missing otherwise.
func (c *compiler) choose(at ast.Node, a, b node, pick func(input) tri) (node, error) {
	switch {
	case isNumber(a) && isNumber(b) || a.category && b.category:
		n := numNode(pickNumber(a.num, b.num, pick))
		n.category = a.category
		return n, nil
	case a.text != nil && b.text != nil:
		return textNode(pickPair(a.text, b.text, pick)), nil
	case a.time != nil && b.time != nil:
		return timeNode(pickPair(a.time, b.time, pick)), nil
	case a.truth != nil && b.truth != nil:
		return truthNode(func(in input) tri {
			switch pick(in) {
			case yes:
				return a.truth(in)
			case no:
				return b.truth(in)
			}
			return unknown
		}), nil
	}
	return node{}, wrong(at, "both results must be of one kind, not %s and %s", kindName(a), kindName(b))
}

func pickPair[T any](a, b func(input) (T, bool), pick func(input) tri) func(input) (T, bool) {
	return func(in input) (T, bool) {
		switch pick(in) {
		case yes:
			return a(in)
		case no:
			return b(in)
		}
		var zero T
		return zero, false
	}
}
