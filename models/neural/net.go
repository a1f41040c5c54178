package neural

import (
	"sync"

	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
)

// body turns encoded rows into scores. It is immutable: learner and snapshots share it.
type body interface {
	// memory returns working memory for one goroutine, which a pass hands back as own.
	memory() any
	// forward writes the scores of the pass.
	forward(w []float64, p *pass)
	// backward adds the derivatives of the weights to g, and those of the rows of embeddings to demb of each part, which are 0 before. The
	// slopes of the scores are in the pass, which was forwarded for learning.
	backward(w, g []float64, p *pass)
}

// pass is the working memory of one row on its way through a net, for one goroutine.
type pass struct {
	parts          []encoded // one for each of the net's inputs: towers have two
	scores, slopes []float64
	learning       bool
	event          uint64 // number of labels learned before: dropout draws by it
	own            any    // of the body
}

// shape is what learner and snapshots of a net share.
type shape struct {
	parts []inputs
	body  body
	out   output
	rate  float64   // least weight of a value in the moments of the inputs
	idle  sync.Pool // working memory that no snapshot uses just now: versions come and go, it stays
}

// borrow returns working memory for one answer of a snapshot; it goes back to idle.
func (n *shape) borrow() *pass {
	if p, ok := n.idle.Get().(*pass); ok {
		return p
	}
	return n.memory()
}

func (n *shape) memory() *pass {
	p := &pass{scores: make([]float64, n.out.width()), slopes: make([]float64, n.out.width()), own: n.body.memory()}
	for i := range n.parts {
		p.parts = append(p.parts, n.parts[i].memory())
	}
	return p
}

// known is what a net has learned, as answers need it.
type known struct {
	w      []float64
	stats  []moments // of the numeric columns
	target moments   // of the labels of a regression
	rows   []*rows   // by part; nil for one without categories
}

// newKnown is what a net with these weights and so many numeric columns knows before the first example.
func newKnown(w []float64, numbers int) known {
	k := known{w: w, stats: make([]moments, numbers)}
	for i := range k.stats {
		k.stats[i].measure()
	}
	k.target.measure()
	return k
}

// share copies weights and moments, and shares the rows of the tables, which are those of k.
func (k *known) share(tables []*table) known {
	c := known{w: append([]float64(nil), k.w...), stats: append([]moments(nil), k.stats...), target: k.target, rows: make([]*rows, len(tables))}
	for i, t := range tables {
		if t != nil {
			version := t.publish()
			c.rows[i] = &version
		}
	}
	return c
}

// state visits the moments of inputs and target.
func (k *known) state(s *codec.State) {
	s.Fixed("numbers of a net", len(k.stats))
	for i := range k.stats {
		k.stats[i].state(s)
	}
	k.target.state(s)
}

// scores runs a row forward. Learners are the tables that k's rows are of, or nil: with them, categories get rows.
func (n *shape) scores(k *known, p *pass, e *models.Example, learners []*table) {
	for i := range n.parts {
		var learner *table
		if learners != nil {
			learner = learners[i]
		}
		n.parts[i].encode(&p.parts[i], e, k.w, k.stats, k.rows[i], learner)
	}
	n.body.forward(k.w, p)
}

// Net is a net that learns event by event. It implements models.Learner and models.Publisher; the functions of this package that
// begin with New make one. Cost of an event: two forward passes, one backward pass and a step of the optimizer in every weight.
type Net struct {
	*shape
	known
	stride
	tables []*table // by part; nil for one without categories
	replay *replay
	pass   *pass
}

// Counts says what became of the labels so far.
func (n *Net) Counts() Counts { return n.steady.Counts }

// Categories says what became of the categories so far.
func (n *Net) Categories() CategoryCounts {
	var c CategoryCounts
	for _, t := range n.tables {
		if t != nil {
			c.Held += t.count.Held
			c.Evicted += t.count.Evicted
			c.Expired += t.count.Expired
			c.Waited += t.count.Waited
		}
	}
	return c
}

// Dropped adds the steps that were left out or taken back, and the categories without numbers of their own.
func (n *Net) Dropped(d *models.Drops) {
	n.steady.dropped(d)
	for _, t := range n.tables {
		if t != nil {
			t.dropped(d)
		}
	}
}

// Predict appends the answer.
func (n *Net) Predict(dst []float64, e *models.Example) []float64 {
	n.pass.learning = false
	n.scores(&n.known, n.pass, e, nil)
	return n.out.answer(dst, n.pass.scores, &n.target)
}

// Observe takes the numbers of the row into their means and variances.
func (n *Net) Observe(e *models.Example) {
	for i := range n.parts {
		n.parts[i].observe(n.stats, e, n.rate)
	}
}

// Learn takes one step on the label, and as many as are asked for on older ones. A label that the task does not have is left out.
func (n *Net) Learn(e *models.Example, _ []float64) {
	if !(e.Weight > 0) || !n.out.fits(e.Y) {
		return
	}
	if measures(n.out) {
		n.target.add(e.Y, n.rate)
	}
	event := n.steady.Learned
	l := n.step(e)
	if n.replay != nil {
		if n.replay.seen > 0 {
			for k := range n.replay.steps {
				n.step(n.replay.draw(event, k))
			}
		}
		n.replay.keep(e)
	}
	n.watch(l)
	for _, t := range n.tables {
		if t != nil {
			t.expire()
		}
	}
}

// step learns one label and returns its loss.
func (n *Net) step(e *models.Example) float64 {
	p := n.pass
	p.learning, p.event = true, n.steady.Learned
	n.scores(&n.known, p, e, n.tables)
	l := n.out.slopes(p.slopes, p.scores, e.Y, &n.target)
	if !finite(l) || !allFinite(p.slopes) {
		n.steady.skip()
		return l
	}
	if e.Weight != 1 {
		for k := range p.slopes {
			p.slopes[k] *= e.Weight
		}
	}
	for i := range p.parts {
		clear(p.parts[i].demb)
	}
	n.body.backward(n.w, n.params.g, p)
	n.descend(p)
	if b, ok := n.body.(settler); ok {
		b.settle(n.w, p, e.Y, &n.target)
	}
	return l
}

// settler is a body that changes some of its weights by another rule than by derivatives, after each step.
type settler interface {
	settle(w []float64, p *pass, y float64, target *moments)
}

// descend moves weights and rows of embeddings by the derivatives of the pass.
func (n *Net) descend(p *pass) {
	rows := 0.0
	for i := range n.parts {
		n.parts[i].spread(&p.parts[i], n.params.g)
		rows += n.parts[i].square(&p.parts[i])
	}
	factor, ok := n.move(rows)
	if !ok {
		return
	}
	for i, t := range n.tables {
		if t != nil {
			n.parts[i].learn(&p.parts[i], t, factor)
		}
	}
}

// State visits weights, optimizer, moments, rows of embeddings, the copy of the weights, and the replay buffer.
func (n *Net) State(s *codec.State) {
	n.stride.state(s)
	n.known.state(s)
	n.steady.state(s)
	for _, t := range n.tables {
		if t != nil {
			t.state(s)
		}
	}
	if n.replay != nil {
		n.replay.state(s)
	}
}

// Publish copies the weights and the moments, and shares the rows of embeddings.
func (n *Net) Publish() models.Predictor {
	return &snapshot{n.shape, n.share(n.tables)}
}

// snapshot is an immutable version of a net.
type snapshot struct {
	*shape
	known
}

// Predict answers as the net did when it was published.
func (s *snapshot) Predict(dst []float64, e *models.Example) []float64 {
	p := s.borrow()
	s.scores(&s.known, p, e, nil)
	dst = s.out.answer(dst, p.scores, &s.target)
	s.idle.Put(p)
	return dst
}
