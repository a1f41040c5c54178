package neural

import (
	"sync"

	"github.com/freshet-ml/freshet/models"
)

// recurrence is what learner and snapshots of a recurrent net share: from the walk of an entity's last events through a cell, and
// from the newest input, to scores.
type recurrence struct {
	inputs inputs
	cell   cell
	layers *trunk
	top    dense
	out    output
	rate   float64 // least weight of a value in the moments of the inputs
	steps  int     // events that a walk goes back, the newest included
	extra  int     // inputs that are no columns: the label before
	task   models.Task
	pool   sync.Pool // of walks, for all versions
}

// walk is the working memory of one walk, for one goroutine: the states along it, and what the way back needs.
type walk struct {
	n       int // steps made
	parts   []encoded
	h       [][]float64 // before each step, and after the last
	dh      [][]float64 // two, in turn
	cell    any
	z, dz   []float64 // what the layers read: the state after the walk, and the newest input
	trunk   *trunkPass
	scores  []float64
	slopes  []float64
	scratch encoded
}

func (n *recurrence) memory() *walk {
	h, m := n.cell.size(), n.inputs.size()+n.extra
	w := &walk{parts: make([]encoded, n.steps), h: slab(n.steps+1, h), dh: slab(2, h), cell: n.cell.memory(n.steps), z: make([]float64, h+m),
		dz: make([]float64, h+n.inputs.embedded()), trunk: n.layers.memory(), scores: make([]float64, n.out.width()), slopes: make([]float64, n.out.width())}
	for i := range w.parts {
		w.parts[i] = n.encoded()
	}
	w.scratch = n.encoded()
	return w
}

// encoded is the inputs' memory with room for what is no column.
func (n *recurrence) encoded() encoded {
	m := n.inputs.memory()
	m.x = make([]float64, n.inputs.size()+n.extra)
	return m
}

// newest writes the inputs of an example into p: those of its row, and the label that the entity had last.
func (n *recurrence) newest(p *encoded, e *models.Example, k *known, last *entity, learner *table) {
	n.inputs.encode(p, e, k.w, k.stats, k.rows[0], learner)
	if n.extra == 0 {
		return
	}
	x := p.x[n.inputs.size():]
	clear(x)
	if last == nil || last.labelled == 0 {
		return
	}
	switch n.task {
	case models.Binary:
		x[0], x[1] = 1, -1
		if last.label > 0.5 {
			x[1] = 1
		}
	case models.Multiclass:
		if c := int(last.label); c >= 0 && c < len(x) {
			x[c] = 1
		}
	default:
		x[0], x[1] = 1, k.target.scale(last.label, clipInput)
	}
}

// extras is how many inputs tell the label before.
func extras(task models.Task, classes int) int {
	if task == models.Multiclass {
		return classes
	}
	return 2 // whether there is one, and it
}

// held writes the inputs of an event that is held into p.
func (n *recurrence) held(p *encoded, m *entityShape, e *entity, i int, k *known) {
	numbers, names := m.input(e, i)
	for f, name := range names {
		n.inputs.lookUp(p, f, name, 0, k.w, k.rows[0], nil)
	}
	copy(p.x[n.inputs.embedded():], numbers)
}

// walkTo makes the steps of the events before place, at most steps−1 of them: w.h[w.n] is the state that the event of place finds.
func (n *recurrence) walkTo(w *walk, m *entityShape, e *entity, place int, k *known) {
	from, state := max(0, place-n.steps+1), []float64(nil)
	if e != nil && from < len(e.events) {
		state = m.before(e, from)
	}
	n.begin(w, state, k)
	if e == nil {
		return
	}
	for i := from; i < place; i++ {
		n.held(&w.parts[w.n], m, e, i, k)
		n.step(w, k)
	}
}

// begin starts a walk from a state, nil for that of a new entity.
func (n *recurrence) begin(w *walk, state []float64, k *known) {
	w.n = 0
	clear(w.h[0])
	copy(w.h[0], state)
	n.cell.begin(k.w, w.cell)
}

// step goes one event on, whose inputs are in parts[n].
func (n *recurrence) step(w *walk, k *known) {
	n.cell.forward(k.w, w.cell, w.n, w.parts[w.n].x, w.h[w.n], w.h[w.n+1])
	w.n++
}

// read turns the state after the walk and the newest input into scores.
func (n *recurrence) read(w *walk, k *known, learning bool, event uint64) {
	x := w.parts[w.n-1].x
	copy(w.z, x[:n.inputs.embedded()]) // derivatives of these, and of the state, are wanted: they stand first
	copy(w.z[n.inputs.embedded():], w.h[w.n])
	copy(w.z[n.inputs.embedded()+n.cell.size():], x[n.inputs.embedded():])
	n.top.forward(k.w, n.layers.forward(k.w, w.z, w.trunk, learning, event), w.scores)
}

// back adds the derivatives of all weights along the walk to g, and those of the vectors of categories to demb of each step.
func (n *recurrence) back(w *walk, k *known, g []float64) {
	for i := range w.parts[:w.n] {
		clear(w.parts[i].demb)
	}
	embedded := n.inputs.embedded()
	if len(n.layers.layers) == 0 {
		n.top.backward(k.w, g, w.z, w.slopes, w.dz, false)
	} else {
		top := w.trunk.top()
		n.top.backward(k.w, g, top.h, w.slopes, top.dh, false)
		n.layers.backward(k.w, g, w.z, w.trunk, w.dz)
	}
	dh, before := w.dh[0], w.dh[1]
	copy(dh, w.dz[embedded:])
	for t := w.n - 1; t >= 0; t-- {
		p := &w.parts[t]
		n.cell.backward(k.w, g, w.cell, t, p.x, w.h[t], w.h[t+1], dh, before, p.dx)
		if t == w.n-1 {
			for i, d := range w.dz[:embedded] {
				p.dx[i] += d
			}
		}
		n.inputs.fold(p)
		dh, before = before, dh
	}
	n.cell.end(k.w, g, w.cell)
	for i := range w.parts[:w.n] {
		n.inputs.spread(&w.parts[i], g)
	}
}

// answer appends the answer to dst, and for the net itself, when the label comes: the name of the event, the state that it found, and
// the inputs that are no columns.
func (n *recurrence) answer(dst []float64, w *walk, k *known, event uint64) []float64 {
	dst = append(n.out.answer(dst, w.scores, &k.target), float64(event))
	for _, v := range w.h[w.n-1] {
		dst = append(dst, bounded(v))
	}
	return append(dst, w.parts[w.n-1].x[n.inputs.size():]...)
}

// own is the part of an earlier answer that answer appended for the net itself, and false if it is no such answer.
func (n *recurrence) own(past []float64) (event uint64, state, extra []float64, ok bool) {
	h := n.cell.size()
	at := len(past) - 1 - h - n.extra
	if at < 1 || !(past[at] >= 1 && past[at] <= 1<<53) || !allFinite(past[at:]) {
		return 0, nil, nil, false
	}
	return uint64(past[at]), past[at+1 : at+1+h], past[at+1+h:], true
}

// stateLimit bounds the numbers of a hidden state that are kept.
const stateLimit = 1e6

func bounded(v float64) float64 {
	if v != v {
		return 0
	}
	return max(-stateLimit, min(stateLimit, v))
}
