// Package neural holds nets that learn event by event: one forward and one backward pass for each label, exact derivatives, no batch
// and no second look at the data unless a replay buffer is asked for. In the flow they are the last stage of a pipeline, and they
// take rows as they come: numbers are scaled, missing ones are marked, categories are embedded, and targets are scaled, all inside.
//
// # Parts
//
//   - inputs scales numbers, marks the missing ones and looks up the rows of categories (inputs.go, scale.go, embedding.go).
//   - A body turns that into scores: mlp.go, wide.go, factor.go, hedge.go, towers.go. It is made of layers: dense, layerNorm,
//     activation, dropout, pairwise (a factorisation layer); trunk is a stack of them.
//   - An output says what the scores mean: their loss, its derivative, and the answer (output.go, target.go).
//   - params holds all weights of a net in one flat slice, and all derivatives in another; one optimizer of models/optim moves them.
//   - stride turns derivatives into steps, one for each label or batch of labels (stride.go).
//   - steady guards the steps: it limits the norm of a gradient, leaves out steps that are not finite, and goes back to older weights
//     when the loss explodes (steady.go).
//   - net puts them together as models.Learner and models.Publisher (net.go).
//   - Nets that remember entities are put together in sequence.go instead: a cell (gru.go, rnn.go, linear_recurrence.go) is walked through
//     the last events of an entity (recurrence.go), which the memory of entities holds (entity.go, entity_publish.go, entity_state.go); windows keeps walks to be learned again (windows.go).
//
// # How a layer is written
//
// A layer is a small immutable value: sizes, and the spans of its weights, which it takes from a layout when it is made. Learner and
// snapshots share it. Its methods take the flat weights, so that a learner passes its own and a snapshot passes the copy it holds:
//
//	forward(w, x, y)          writes its outputs into y; keeps nothing
//	backward(w, g, x, dy, dx) adds the derivatives of its weights to g (never overwrites: several uses in one step add up),
//	                          and writes those of its inputs into dx
//
// What backward needs from forward lies in working memory that belongs to one goroutine (pass and what a body hangs into it), is made
// once and reused: no event allocates. A layer without weights has the same methods without w and g. Add it to the table of
// gradient_test.go, which compares every derivative with central differences.
//
// # Bits
//
// The same log, seed and spec give the same bits on every run and with any GOMAXPROCS: all sums have a fixed order, random numbers are
// functions of the seed and of the number of labels learned, and no event runs on more than one goroutine. Products are rounded
// before they are added, float64(x*y) + z, where the code is ours; products of matrices are gonum's, whose sums may differ between
// architectures (docs/adr/0011-neural-kernels.md).
//
// # Publishing
//
// A version copies the dense weights, some ten thousand numbers, as every event changes all of them; rows of embeddings and the memory
// of entities are shared between versions until they change.
package neural
