// Package chaos is the survival harness, for tests alone: two processes each of features, trainer and serve over a real Kafka broker and a real
// Redis, a feed of the flights demo, and faults drawn by a seed while it runs. `make chaos` runs it; a short seed of it is part of `make test`.
//
// At the end of a run the order of all events and every label, and the vectors of sampled examples, are compared with what the data files
// say (internal/oracle), and the hashes of items, states, example log, weights and scores with those of the undisturbed core.
// Controls, which the same run must find wrong, stand beside it: servers that do not compare owner and position, commits of several writes, and an
// order of arrival. The first two are the same commands linked with other scripts, the third is a feed whose time marks say nothing.
package chaos
