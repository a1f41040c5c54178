// Package oracle computes the features and labels of the flights demo a second time, from the data
// files and by brute force: plain lists, linear scans, no tiles and no state. It is for tests only
// and shares no code with features, models, trainer or the reader in datasets/flights, so that an error
// in any of them cannot hide in both.
//
// A vector is what is known when the trigger comes: every event before it in the order (event time, name
// of the source, position in its stream), its own event not among them. Windows are (t − w, t].
package oracle
