// Package demo runs a shipped data set through the whole of Freshet in one process: an embedded broker and
// store, the data as topics, streaming features, models that learn while labels come hours later in event
// time, and a server that answers. At the end it says what came of it.
package demo
