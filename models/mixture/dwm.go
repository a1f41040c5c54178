package mixture

import (
	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
)

// DynamicWeightedMajority is the catalogue entry of the dynamic weighted majority.
var DynamicWeightedMajority = models.Component{
	Name: "dynamic_weighted_majority", Kind: models.ModelKind, Tasks: []models.Task{models.Binary, models.Multiclass}, Fold: 2,
	Bounds: []models.Bound{{What: membersDropped, Doc: "members that lost their place, for too little weight or want of room"}},
	Params: []models.Param{
		{Name: "model", Default: models.Named("naive_bayes"), Part: models.ModelKind, Doc: "what every member is"},
		{Name: "beta", Default: 0.5, Range: models.Inside(0, 1), Doc: "what a member keeps of its weight when it was wrong"},
		{Name: "theta", Default: 0.01, Range: models.Inside(0, 1), Doc: "weight below which a member goes; the best one has 1"},
		{Name: "period", Default: 50, Range: models.Between(1, 1<<30), Unit: "labels", Doc: "how often weights change, and members come and go"},
		{Name: "max_members", Default: 25, Range: models.Between(1, 1000), Doc: "a new member takes the place of the one with the least weight"},
	},
	Doc: "A set of models that grows and shrinks: every period, members that are wrong lose weight, those with too little go, and a new one comes if the set as a whole is wrong. " +
		"The answer is the mean of the members' probabilities by weight. Members are judged by what they said at the predict record. Missing values go to the members as they are.",
	Cost: "that of the members", Memory: "max_members times that of a member", Source: "Kolter and Maloof 2007, Dynamic weighted majority, figure 1",
	NewModel: func(a models.Args, env models.Env) (models.Learner, error) {
		d := &DWM{task: env.Task, k: models.AnswerLen(env.Task, env.Classes), beta: a.Float("beta"), theta: a.Float("theta"), period: uint64(a.Int("period")), limit: a.Int("max_members")}
		d.make = func(id uint64) (models.Learner, error) {
			own := env
			own.Seed += id
			return a.Model("model", own)
		}
		first, err := d.make(0)
		if err != nil {
			return nil, err
		}
		d.members, d.next = []dwmMember{{learner: first, weight: 1}}, 1
		if _, ok := first.(models.Publisher); ok {
			return &publishingDWM{d}, nil
		}
		return d, nil
	},
}

// DWM is a dynamic weighted majority. It implements models.Learner, and models.Publisher where its members do.
type DWM struct {
	task        models.Task
	k           int
	beta, theta float64
	period      uint64
	limit       int
	make        func(id uint64) (models.Learner, error)
	members     []dwmMember
	next        uint64 // id of the next member
	labels      uint64
	dropped     uint64
	gone        models.Drops // counts of members that are gone
	said        []float64
}

type dwmMember struct {
	learner models.Learner
	id      uint64
	weight  float64
}

// Predict appends the answer; after it, for Learn, the id of every member, how many numbers it said, and these.
func (d *DWM) Predict(dst []float64, e *models.Example) []float64 {
	b := begin(dst, d.k)
	for i := range d.members {
		m := &d.members[i]
		b.add(m.learner, e, m.id, m.weight)
	}
	return b.end()
}

// Observe lets every member observe.
func (d *DWM) Observe(e *models.Example) {
	for i := range d.members {
		d.members[i].learner.Observe(e)
	}
}

// Learn judges the members, at the end of a period changes the set, and teaches those that remain. An example with a label out of range
// changes nothing.
func (d *DWM) Learn(e *models.Example, past []float64) {
	if !(e.Weight > 0) || !(e.Y >= 0 && e.Y < float64(max(2, d.k))) {
		return
	}
	if !d.whole(past) {
		d.said = d.Predict(d.said[:0], e)
		past = d.said
	}
	d.labels++
	if d.labels%d.period == 0 {
		d.change(int(e.Y), past)
	}
	for i := range d.members {
		m := &d.members[i]
		m.learner.Learn(e, find(past[d.k:], m.id))
	}
}

// class is what an answer puts first.
func (d *DWM) class(answer []float64) int {
	if d.k > 1 {
		return first(answer[:d.k])
	}
	if answer[0] > 0.5 {
		return 1
	}
	return 0
}

// change is the end of a period: lines 8 to 21 of the paper's figure.
func (d *DWM) change(y int, past []float64) {
	best := 0.0
	for i := range d.members {
		m := &d.members[i]
		if own := find(past[d.k:], m.id); own != nil && d.class(own) != y {
			m.weight *= d.beta
		}
		best = max(best, m.weight)
	}
	kept := d.members[:0]
	for _, m := range d.members {
		if m.weight /= best; m.weight >= d.theta {
			kept = append(kept, m)
		} else {
			d.gone.Of(m.learner)
		}
	}
	d.dropped += uint64(len(d.members) - len(kept))
	clear(d.members[len(kept):])
	d.members = kept
	if d.class(past) == y {
		return
	}
	l, err := d.make(d.next)
	if err != nil {
		return // the first one could be made of the same spec
	}
	m := dwmMember{learner: l, id: d.next, weight: 1}
	d.next++
	if len(d.members) < d.limit {
		d.members = append(d.members, m)
		return
	}
	least := 0
	for i := range d.members {
		if d.members[i].weight < d.members[least].weight {
			least = i
		}
	}
	d.gone.Of(d.members[least].learner)
	d.members[least] = m
	d.dropped++
}

// find returns what the member of that id said, nil if it was not there yet.
func find(said []float64, id uint64) []float64 {
	for len(said) > 1 {
		n := int(said[1])
		if said[0] == float64(id) {
			return said[2 : 2+n]
		}
		said = said[2+n:]
	}
	return nil
}

// whole reports whether past is what Predict appended, then or now.
func (d *DWM) whole(past []float64) bool {
	if len(past) <= d.k {
		return false
	}
	for past = past[d.k:]; len(past) > 0; {
		if len(past) < 2 || !(past[1] >= float64(d.k) && past[1] <= float64(len(past)-2)) {
			return false
		}
		past = past[2+int(past[1]):]
	}
	return true
}

// Members returns how many members there are.
func (d *DWM) Members() int { return len(d.members) }

// membersDropped is the name of what is counted.
const membersDropped = "members_dropped"

// Dropped adds how many members lost their place, and what members count, those that are gone included.
func (d *DWM) Dropped(to *models.Drops) {
	to.Add(membersDropped, d.dropped)
	to.Of(d.gone)
	for i := range d.members {
		to.Of(d.members[i].learner)
	}
}

// State visits the counters, then the members in their order.
func (d *DWM) State(s *codec.State) {
	for _, v := range []*uint64{&d.next, &d.labels, &d.dropped} {
		s.Uint64(v)
	}
	d.gone.State(s)
	n := s.Len(len(d.members), 17, d.limit)
	if n == 0 {
		s.Fail("no members")
	}
	if s.Err() != nil {
		return
	}
	if s.Loading() {
		d.members = make([]dwmMember, n)
	}
	for i := range d.members {
		m := &d.members[i]
		s.Uint64(&m.id)
		finite(s, &m.weight)
		if s.Loading() {
			if !(m.weight > 0 && m.weight <= 1) || m.id >= d.next || m.id >= 1<<53 {
				s.Fail("member %d with the weight %v", m.id, m.weight)
				m.weight = 1
			}
			l, err := d.make(m.id)
			if err != nil {
				s.Fail("make a member: %v", err)
				return
			}
			m.learner = l
		}
		m.learner.State(s)
	}
}

type publishingDWM struct{ *DWM }

// Publish snapshots the members.
func (d *publishingDWM) Publish() models.Predictor {
	f := &frozenDWM{k: d.k}
	for _, m := range d.members {
		f.members = append(f.members, frozenMember{m.learner.(models.Publisher).Publish(), m.id, m.weight})
	}
	return f
}

type frozenMember struct {
	models.Predictor
	id     uint64
	weight float64
}

type frozenDWM struct {
	k       int
	members []frozenMember
}

// Predict answers as the set did when it was published.
func (f *frozenDWM) Predict(dst []float64, e *models.Example) []float64 {
	b := begin(dst, f.k)
	for _, m := range f.members {
		b.add(m, e, m.id, m.weight)
	}
	return b.end()
}

// ballot collects what the members say behind the answer, and the answer from it.
type ballot struct {
	dst     []float64
	head, k int
	total   float64
}

func begin(dst []float64, k int) ballot {
	b := ballot{head: len(dst), k: k}
	for range k {
		dst = append(dst, 0)
	}
	b.dst = dst
	return b
}

func (b *ballot) add(p models.Predictor, e *models.Example, id uint64, weight float64) {
	at := len(b.dst)
	b.dst = p.Predict(append(b.dst, float64(id), 0), e)
	b.dst[at+1] = float64(len(b.dst) - at - 2)
	for j := range b.k {
		b.dst[b.head+j] += float64(weight * b.dst[at+2+j])
	}
	b.total += weight
}

func (b *ballot) end() []float64 {
	for j := range b.k {
		b.dst[b.head+j] = min(1, b.dst[b.head+j]/b.total)
	}
	return b.dst
}
