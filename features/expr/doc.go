// Package expr compiles the expressions of a project file: `where:` and value expressions over the
// fields of an event, and derived features over the columns of a vector. In the flow it stands inside
// the feature units, between an event's fields and the aggregations.
//
// The syntax is parsed by github.com/expr-lang/expr; the tree is then checked against the field types
// and turned into typed closures that evaluate without allocating (lower and upper allocate when they
// change a text). An expression is a pure function of its input.
//
// Operators: + - * / % ** (or ^), == != < <= > >=, && || ! (and, or, not), in, not in, contains,
// startsWith, endsWith, ??, and the ternary c ? a : b. Numbers are doubles, also those of int fields.
// Times compare with times and with texts in RFC 3339; time − time is a number of seconds, time ±
// seconds a time.
//
// Missing: a null field, NaN, and every result that is not finite. Arithmetic with a missing operand is
// missing, a comparison with one is neither true nor false but missing (`where:` leaves such an event
// out), && || ! are three-valued (false && missing is false), x ?? y is the first that is not missing,
// isnull(x) asks. A conditional whose condition is missing is missing.
package expr
