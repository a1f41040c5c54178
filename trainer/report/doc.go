// Package report draws what a backtest or an evaluation found as one HTML file: text, tables and charts as inline SVG,
// without a script and without a request to anywhere, readable in light and dark and on paper.
//
// It stands at the end of the flow. Charts are pure functions from numbers to SVG; a Document is made from a report
// (Backtest, Evaluate) and written by Write. The same input gives the same bytes. All text is escaped: names of models, columns and
// categories come from data. Every chart has its numbers in a table beside it.
package report
