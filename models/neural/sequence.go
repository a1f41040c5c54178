package neural

import (
	"math"

	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
)

// Sequence is a recurrent net that learns event by event: it answers from what an entity did before. It implements models.Learner and
// models.Publisher; NewGRU, NewRNN and NewLinearRecurrence make one.
//
// Each entity's last events are held, with their inputs and the hidden state that each found. An answer walks through the last of
// them with the weights as they are now: so weights that moved on do not meet states that they do not know, and a state is never
// older than a walk is long. A label goes back from the event that it belongs to, through the events before it (truncated
// back-propagation through time, Williams and Peng, Neural Computation 2, 1990). It may come as late as the event is held; one that
// comes later still teaches one step, from the state that the answer had found and kept for it. Without that answer (ensembles that
// resample do not hand it on) the event is found by its time and row; if it is not held it is passed over and counted.
//
// Cost of an event: a walk forward and a walk back, and a step of the optimizer in every weight. Under a label delay two walks forward.
type Sequence struct {
	*recurrence
	known
	stride
	table    *table // nil without categories
	entities *entities
	windows  *windows // nil without replay
	late     uint64   // labels that taught one step only
	missed   uint64   // labels whose event was not known any more

	walk   *walk
	walked walked
	moved  uint64 // changes of what walks depend on, but for the entities
}

// walked says what the learner's walk is of: it is made once for the answer, the observation and a label without delay. It is no state:
// a walk that is made again has the same bits.
type walked struct {
	key, event uint64 // the newest event
	moved      uint64
	prefix     bool // the events before it are walked
	whole      bool // it is, too
}

// SequenceCounts says what became of labels and entities.
type SequenceCounts struct {
	Counts
	Late     uint64 // labels whose event was no longer held: one step was learned
	Missed   uint64 // labels whose event was not known: nothing was learned
	Entities int    // that are remembered
	Evicted  uint64 // that had to make room
}

// Counts says what became of labels and entities so far.
func (n *Sequence) Counts() SequenceCounts {
	return SequenceCounts{Counts: n.steady.Counts, Late: n.late, Missed: n.missed, Entities: len(n.entities.slots), Evicted: n.entities.evicted}
}

// Dropped adds what the bounds have cost so far.
func (n *Sequence) Dropped(d *models.Drops) {
	n.steady.dropped(d)
	if n.table != nil {
		n.table.dropped(d)
	}
	d.Add(labelsLate, n.late)
	d.Add(labelsMissed, n.missed)
	d.Add(entitiesEvicted, n.entities.evicted)
}

// Predict appends the answer, and behind it what Learn wants to know of this moment: the event's number, the hidden state, the label before.
func (n *Sequence) Predict(dst []float64, e *models.Example) []float64 {
	of := n.entityOf(e.Key)
	n.before(e.Key, of)
	n.newest(&n.walk.parts[n.walk.n], e, &n.known, of, nil)
	n.step(n.walk, &n.known)
	n.walked.whole = true
	n.read(n.walk, &n.known, false, 0)
	return n.answer(dst, n.walk, &n.known, n.entities.next())
}

// entityOf returns the entity of that key, nil for a new one and for none, whose key is 0.
func (n *Sequence) entityOf(key uint64) *entity {
	if key == 0 {
		return nil
	}
	return n.entities.find(key)
}

// before walks to the state that the next event of an entity finds.
func (n *Sequence) before(key uint64, of *entity) {
	n.walkTo(n.walk, &n.entities.entityShape, of, len(of.held()), &n.known)
	n.walked = walked{key: key, event: n.entities.next(), moved: n.moved, prefix: key != 0}
}

// held are the events of an entity that may be nil.
func (e *entity) held() []heldEvent {
	if e == nil {
		return nil
	}
	return e.events
}

// Observe takes the event into its entity's memory, and the numbers of the row into their means and variances.
func (n *Sequence) Observe(e *models.Example) {
	if e.Key != 0 {
		n.remember(e.Key, e)
	}
	n.inputs.observe(n.stats, e, n.rate) // the walk stays: its inputs were scaled before
}

func (n *Sequence) remember(key uint64, e *models.Example) {
	w, of := n.walk, n.entities.find(key)
	if was := n.walked; !was.prefix || was.key != key || was.event != n.entities.next() || was.moved != n.moved {
		n.before(key, of)
	}
	n.newest(&w.scratch, e, &n.known, of, nil)
	if n.walked.whole {
		w.n--
		n.walked.whole = sameNumbers(w.scratch.x, w.parts[w.n].x)
	}
	of, place := n.entities.observe(key, e.Time, rowHash(&e.Row))
	state := n.entities.before(of, place)
	for i, v := range w.h[w.n] {
		state[i] = bounded(v)
	}
	numbers, names := n.entities.input(of, place)
	copy(numbers, w.scratch.x[n.inputs.embedded():])
	for f := range n.inputs.fields {
		i := n.inputs.fields[f].column
		names[f] = value(e, i)
	}
	if n.walked.whole {
		w.n++
	}
}

// rowHash tells rows apart.
func rowHash(r *models.Row) uint64 {
	h := uint64(len(r.Value))
	for j, v := range r.Value {
		if r.Index != nil {
			h += uint64(r.Index[j])
		}
		h = (h ^ math.Float64bits(v)) * golden
		h ^= h >> 29
	}
	return h
}

func sameNumbers(a, b []float64) bool {
	for i, v := range a {
		if math.Float64bits(v) != math.Float64bits(b[i]) {
			return false
		}
	}
	return true
}

// Learn takes one step on the label, back through the events before the one that it belongs to. A label that the task does not have is left out.
func (n *Sequence) Learn(e *models.Example, past []float64) {
	if !(e.Weight > 0) || !n.out.fits(e.Y) {
		return
	}
	if measures(n.out) {
		n.target.add(e.Y, n.rate)
	}
	of := n.entityOf(e.Key)
	event, state, extra, ok := n.own(past)
	place := -1
	switch {
	case of != nil && ok:
		place = of.at(event)
	case of != nil:
		if place = of.like(e.Time, rowHash(&e.Row)); place >= 0 {
			event = of.events[place].seq
		}
	}
	switch {
	case place >= 0:
		n.toHeld(of, place, e)
	case ok:
		n.toLate(e, state, extra)
		if e.Key != 0 {
			n.late++
		}
	default:
		n.missed++
		n.moved++ // the moments of the target may have
		return
	}
	n.learn(e)
	if of != nil && event > 0 {
		n.entities.own(e.Key).teach(event, bounded(e.Y))
	}
}

// toHeld walks to an event that is held, and one step on. A new category gets its vector before, if it may have one.
func (n *Sequence) toHeld(of *entity, place int, e *models.Example) {
	w := n.walk
	if n.admit(&n.entities.entityShape, of, place, e) || n.walked != (walked{of.key, of.events[place].seq, n.moved, true, true}) {
		n.walkTo(w, &n.entities.entityShape, of, place, &n.known)
		n.held(&w.parts[w.n], &n.entities.entityShape, of, place, &n.known)
		n.step(w, &n.known)
	}
}

// admit looks up the categories of an event for learning, and reports whether that changed the table.
func (n *Sequence) admit(m *entityShape, of *entity, place int, e *models.Example) bool {
	if n.table == nil {
		return false
	}
	before := n.table.count
	_, names := m.input(of, place)
	for f, name := range names {
		n.inputs.lookUp(&n.walk.scratch, f, name, e.Time, n.w, n.rows[0], n.table)
	}
	return n.table.count.Held != before.Held || n.table.count.Evicted != before.Evicted
}

// toLate makes one step from what the answer kept.
func (n *Sequence) toLate(e *models.Example, state, extra []float64) {
	w := n.walk
	n.walkTo(w, &n.entities.entityShape, nil, 0, &n.known)
	copy(w.h[0], state)
	n.newest(&w.parts[0], e, &n.known, nil, n.table)
	copy(w.parts[0].x[n.inputs.size():], extra)
	n.step(w, &n.known)
}

// learn takes the step that the walk asks for, and as many as are asked for on older walks.
func (n *Sequence) learn(e *models.Example) {
	event := n.steady.Learned
	if n.windows != nil {
		n.windows.keep(n.walk, e)
	}
	l := n.descend(e.Y, e.Weight)
	for k := range n.windows.draws() {
		n.descend(n.again(n.windows.draw(event, k)))
	}
	n.watch(l)
	if n.table != nil {
		n.table.expire()
	}
	n.moved++
}

// descend moves weights and vectors of categories by the derivatives of a label at the end of the walk, and returns its loss.
func (n *Sequence) descend(y, weight float64) float64 {
	w := n.walk
	n.read(w, &n.known, true, n.steady.Learned)
	l := n.out.slopes(w.slopes, w.scores, y, &n.target)
	if !finite(l) || !allFinite(w.slopes) {
		n.steady.skip()
		return l
	}
	if weight != 1 {
		for k := range w.slopes {
			w.slopes[k] *= weight
		}
	}
	n.back(w, &n.known, n.params.g)
	rows := 0.0
	for i := range w.parts[:w.n] {
		rows += n.inputs.square(&w.parts[i])
	}
	factor, ok := n.move(rows)
	if !ok || n.table == nil {
		return l
	}
	for i := range w.parts[:w.n] { // the oldest event first
		n.inputs.learn(&w.parts[i], n.table, factor)
	}
	return l
}

// again walks through a kept window with the weights as they are, and returns its label.
func (n *Sequence) again(o *window) (y, weight float64) {
	w := n.walk
	n.begin(w, o.before, &n.known)
	for t := range o.steps {
		p := &w.parts[t]
		numbers, keys := n.windows.event(o, t)
		for f, key := range keys {
			n.inputs.lookUpKey(p, f, key, key != 0, 0, n.w, n.rows[0], nil)
		}
		copy(p.x[n.inputs.embedded():], numbers)
		n.recurrence.step(w, &n.known)
	}
	return o.y, o.weight
}

// State visits weights, optimizer, moments, vectors of categories, the copy of the weights, and the memory of entities.
func (n *Sequence) State(s *codec.State) {
	n.stride.state(s)
	n.known.state(s)
	n.steady.state(s)
	s.Uint64(&n.late)
	s.Uint64(&n.missed)
	if n.table != nil {
		n.table.state(s)
	}
	n.entities.state(s)
	if n.windows != nil {
		n.windows.state(s)
	}
	n.moved++
}

// Publish copies the weights and the moments, and shares the vectors of categories and the memory of entities that did not change.
func (n *Sequence) Publish() models.Predictor {
	s := &sequenceSnapshot{recurrence: n.recurrence, entities: n.entities.publish(), known: n.share([]*table{n.table})}
	return s
}

// sequenceSnapshot is an immutable version of a recurrent net and of all that it remembers.
type sequenceSnapshot struct {
	*recurrence
	known
	entities entityVersion
}

// Predict answers as the net did when it was published.
func (s *sequenceSnapshot) Predict(dst []float64, e *models.Example) []float64 {
	w := s.pool.Get().(*walk)
	var of *entity
	if e.Key != 0 {
		of = s.entities.find(e.Key)
	}
	s.walkTo(w, &s.entities.entityShape, of, len(of.held()), &s.known)
	s.newest(&w.parts[w.n], e, &s.known, of, nil)
	s.step(w, &s.known)
	s.read(w, &s.known, false, 0)
	dst = s.answer(dst, w, &s.known, s.entities.next)
	s.pool.Put(w)
	return dst
}
