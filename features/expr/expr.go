package expr

import (
	"errors"
	"fmt"
	"math"

	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/parser"
	"github.com/freshet-ml/freshet/features"
)

// Bounds of an expression.
const (
	MaxLength = 4096 // bytes
	MaxDepth  = 64   // nested operations
)

// Field is where an expression finds a name: a position among the fields of an event, and its kind.
type Field struct {
	Slot int
	Kind features.Kind
}

// Env is the names that an expression may use.
type Env map[string]Field

// FieldsOf returns the environment of a source: its declared fields in their order.
func FieldsOf(fields []features.Field) Env {
	env := make(Env, len(fields))
	for i, f := range fields {
		env[f.Name] = Field{Slot: i, Kind: f.Kind}
	}
	return env
}

// Error is what is wrong with an expression, and where.
type Error struct {
	Column int    // of the first wrong character, counted from 1
	Reason string // with a mend where one is known
}

// Error returns "column 4: reason".
func (e *Error) Error() string { return fmt.Sprintf("column %d: %s", e.Column, e.Reason) }

// Expr is a compiled expression. It is immutable and safe for any number of goroutines.
type Expr struct {
	root node
}

// Compile parses and checks src, an expression over the fields of an event. Errors are *Error.
// Cost: microseconds; for set-up only.
func Compile(src string, env Env) (*Expr, error) {
	c := &compiler{names: func(name string) (node, bool) {
		f, ok := env[name]
		if !ok {
			return node{}, false
		}
		return fieldNode(f), true
	}, noun: "field"}
	for name := range env {
		c.known = append(c.known, name)
	}
	root, err := c.compile(src)
	if err != nil {
		return nil, err
	}
	return &Expr{root: root}, nil
}

// Kind returns what the expression results in: String, Int (a lone int field), Double, Bool or Time.
func (e *Expr) Kind() features.Kind { return e.root.kind }

// Number evaluates the expression as one slot of a feature vector: numbers as they are, booleans as 0
// or 1, times in seconds since the epoch, texts as features.Category, missing as NaN. fields are borrowed.
func (e *Expr) Number(fields []features.Value) float64 { return e.root.number(input{fields: fields}) }

// Truth evaluates a boolean expression; ok is false when it is missing or not boolean.
func (e *Expr) Truth(fields []features.Value) (truth, ok bool) {
	if e.root.truth == nil {
		return false, false
	}
	t := e.root.truth(input{fields: fields})
	return t == yes, t != unknown
}

// Value evaluates the expression to a value of its Kind, or null when it is missing. A text may borrow
// the memory of fields.
func (e *Expr) Value(fields []features.Value) features.Value {
	in := input{fields: fields}
	switch e.root.kind {
	case features.String:
		if s, ok := e.root.text(in); ok {
			return features.StringValue(s)
		}
	case features.Time:
		if t, ok := e.root.time(in); ok {
			return features.TimeValue(t)
		}
	case features.Bool:
		if t := e.root.truth(in); t != unknown {
			return features.BoolValue(t == yes)
		}
	case features.Int:
		return e.root.field(in)
	default:
		if x := e.root.num(in); !math.IsNaN(x) {
			return features.DoubleValue(x)
		}
	}
	return features.Value{}
}

// Micros evaluates an expression of kind Time to µs since the epoch; ok is false when it is missing.
func (e *Expr) Micros(fields []features.Value) (micros int64, ok bool) {
	if e.root.time == nil {
		return 0, false
	}
	return e.root.time(input{fields: fields})
}

// Numeric is a compiled expression over the columns of a feature vector: a derived feature. It is
// immutable and safe for any number of goroutines.
type Numeric struct {
	root node
}

// CompileNumeric parses and checks src, an expression over columns, whose names may hold dots. A
// categorical column compares with text literals, by features.Category, and with other categorical columns; one of a text is refused. Errors are
// *Error. Cost: microseconds; for set-up only.
func CompileNumeric(src string, columns []features.Column) (*Numeric, error) {
	slots := make(map[string]int, len(columns))
	c := &compiler{noun: "feature"}
	for i, col := range columns {
		slots[col.Name] = i
		if col.Kind == features.Text {
			continue
		}
		c.known = append(c.known, col.Name)
	}
	c.texts = func(name string) bool {
		i, ok := slots[name]
		return ok && columns[i].Kind == features.Text
	}
	c.names = func(name string) (node, bool) {
		i, ok := slots[name]
		if !ok {
			return node{}, false
		}
		return columnNode(i, columns[i].Kind), true
	}
	root, err := c.compile(src)
	if err != nil {
		return nil, err
	}
	return &Numeric{root: root}, nil
}

// Eval evaluates the expression over vec, which holds the columns in their order and is borrowed.
// Missing is NaN. Booleans are 0 or 1.
func (n *Numeric) Eval(vec []float64) float64 { return n.root.number(input{vec: vec}) }

// Kind returns Categorical when the expression results in a category, else Numeric.
func (n *Numeric) Kind() features.ColumnKind {
	if n.root.category || n.root.kind == features.String {
		return features.Categorical
	}
	return features.Numeric
}

func (c *compiler) compile(src string) (n node, err error) {
	if len(src) > MaxLength {
		return node{}, &Error{1, fmt.Sprintf("expression of %d bytes; at most %d are allowed", len(src), MaxLength)}
	}
	tree, err := parser.Parse(src)
	if err != nil {
		var fe *file.Error
		if errors.As(err, &fe) {
			return node{}, &Error{fe.Column + 1, fe.Message}
		}
		return node{}, &Error{1, err.Error()}
	}
	n, err = c.node(tree.Node, 0)
	if err != nil {
		return node{}, err
	}
	if n.kind == features.Null {
		return node{}, &Error{1, "the result is nil; name a field"}
	}
	return n, nil
}
