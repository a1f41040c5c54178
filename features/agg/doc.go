// Package agg holds the aggregations of streaming features, one file each, and the catalogue that lists
// them. In the flow it stands under features/unit, which keeps partial aggregates in tiles and merges
// them when a vector is read.
//
// A mergeable aggregation is a Fold: a Partial (a partial aggregate over bytes: empty, add a row, merge
// two) and a Finish that turns the merged partial into columns. The bytes are both the memory and the
// storage format, little endian. Aggregations share partials: mean and rate fold the same sums.
//
// To add one: write its file (Spec with the doc sentence, cost, memory and source; Partial if none fits;
// Finish) and its test (aggtest.Check against a brute-force function, and an Example), and add the Spec to Catalog.
package agg
