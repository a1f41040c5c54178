// Package project reads freshet.yaml: it decodes the file strictly, reports everything that is wrong
// with it at once (line, column, reason, mend, nearest name), checks the sections against each other,
// and turns them into the declarations that the other packages compile from.
//
// It stands before the flow: no event passes through it. The structs of this package carry their keys,
// defaults and meaning in tags; decoder, JSON Schema and reference page read the same tags, so they
// cannot disagree. The package also proposes a project for a data file (Propose) and says what a
// project costs and what a change of it rebuilds (PlanOf, Compare).
package project
