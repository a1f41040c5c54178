package trainer

import (
	"cmp"
	"math"
	"slices"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/models/fold"
)

// lifecycles says what a joiner must write, in another way: it knows the whole list of items, follows one id at
// a time through its life, and sorts what comes out. No heap, no bits, no state between items.
type lifecycles struct {
	trigger *Trigger
	items   []features.Item
	marks   []int64 // watermark after each item
	out     []told
	stats   JoinStats
}

// told is an entry with the place where it must stand.
type told struct {
	item     int   // that caused it
	phase    int   // fired before the item, label, example, control
	deadline int64 // of what was fired
	example  int   // item of the example
	label    int
	second   bool // the end of a correction, or what follows an example at once
	entry    fold.Entry
}

const (
	phaseFired = iota
	phaseLabel
	phaseExample
	phaseControl
)

// life is an example that waits.
type life struct {
	item    int
	time    int64
	waits   []bool
	correct []int64 // until when a label may be corrected, -1: not
	since   []int   // first item before which the correction may end
}

func (o *lifecycles) run() []told {
	ids := map[string][]int{}
	var order []string
	for i := range o.items {
		it := &o.items[i]
		if it.Kind != features.EventItem {
			continue
		}
		if it.Source == joinControl {
			o.add(told{item: i, phase: phaseControl, entry: fold.Entry{Kind: fold.Control, Event: it.Seq, Time: o.head(i),
				Verb: it.Fields[0].Str(), ID: it.Fields[1].Str()}})
			continue
		}
		id := it.Fields[0].String()
		if it.Fields[0].IsNull() {
			if it.Source == joinTrigger {
				o.example(i, "", nil)
			}
			continue
		}
		if ids[id] == nil {
			order = append(order, id)
		}
		ids[id] = append(ids[id], i)
	}
	for _, id := range order {
		o.follow(id, ids[id])
	}
	return o.sorted()
}

func (o *lifecycles) head(i int) int64 {
	head := int64(features.NoTime)
	for _, it := range o.items[:i+1] {
		if it.Kind == features.TickItem || it.Kind == features.EventItem && it.Source != joinControl {
			head = max(head, it.Time)
		}
	}
	return head
}

// due is the first item from from on whose watermark is beyond t, or the number of items.
func (o *lifecycles) due(t int64, from int) int {
	if from >= len(o.marks) {
		return len(o.items)
	}
	if i := slices.IndexFunc(o.marks[from:], func(m int64) bool { return m > t }); i >= 0 {
		return from + i
	}
	return len(o.items)
}

type earlyOne struct {
	y    float64
	time int64
	item int
}

func (o *lifecycles) follow(id string, at []int) {
	var now *life
	early := make([]*earlyOne, len(o.trigger.Labels))
	for _, i := range append(at, len(o.items)) {
		now = o.expire(id, now, early, i)
		if i == len(o.items) {
			break
		}
		it := &o.items[i]
		if l := it.Source - joinTrigger - 1; l >= 0 {
			now = o.label(id, now, early, l, i)
			continue
		}
		if now != nil {
			o.stats.Duplicates++
			continue
		}
		now = o.example(i, id, early)
	}
}

// expire ends all that is due up to item i, that item included.
func (o *lifecycles) expire(id string, e *life, early []*earlyOne, i int) *life {
	for l, lab := range o.trigger.Labels {
		if x := early[l]; x != nil && o.due(x.time+lab.Early, x.item+1) <= min(i, len(o.items)-1) {
			early[l] = nil
			o.stats.Orphans++
		}
		if e == nil {
			continue
		}
		if k := o.due(e.time+lab.Wait, e.item+1); e.waits[l] && k <= min(i, len(o.items)-1) {
			o.stats.Missing++
			e.waits[l] = false
			where := told{item: k, phase: phaseFired, deadline: e.time + lab.Wait, example: e.item, label: l}
			if lab.Missing == Negative {
				o.learn(id, e, l, 0, e.time+lab.Wait, where, fold.Assumed)
			} else {
				o.close(id, e.item, l, where)
			}
		}
		if c := e.correct[l]; c >= 0 {
			if k := o.due(c, e.since[l]); k <= min(i, len(o.items)-1) {
				e.correct[l] = -1
				o.close(id, e.item, l, told{item: k, phase: phaseFired, deadline: c, example: e.item, label: l, second: true})
			}
		}
	}
	return o.alive(e)
}

func (o *lifecycles) alive(e *life) *life {
	if e == nil || !slices.Contains(e.waits, true) && !slices.ContainsFunc(e.correct, func(c int64) bool { return c >= 0 }) {
		return nil
	}
	return e
}

func (o *lifecycles) close(id string, example, l int, where told) {
	at := min(where.item, len(o.items)-1)
	where.entry = fold.Entry{Kind: fold.Close, Label: uint8(l), Event: o.items[at].Seq, Time: o.marks[at], ID: id}
	where.entry.Flags = o.flags(example)
	where.example, where.label = example, l
	o.add(where)
}

func (o *lifecycles) flags(example int) fold.Flags {
	if o.items[example].Flags&features.NotLearned != 0 {
		return fold.NotLearned
	}
	return 0
}

func (o *lifecycles) learn(id string, e *life, l int, y float64, t int64, where told, flags fold.Flags) {
	lab := o.trigger.Labels[l]
	e.waits[l] = false
	if lab.CorrectFor > 0 {
		e.correct[l], e.since[l] = t+lab.CorrectFor, where.item
		if where.phase != phaseFired {
			e.since[l]++
		}
	} else {
		flags |= fold.Final
	}
	if flags&fold.Assumed == 0 {
		o.stats.Learned++
	}
	o.tell(id, e, l, y, t, where, flags)
}

func (o *lifecycles) tell(id string, e *life, l int, y float64, t int64, where told, flags fold.Flags) {
	where.entry = fold.Entry{Kind: fold.Learn, Flags: flags, Label: uint8(l), Event: o.items[where.item].Seq, Time: t, Taken: e.time,
		Key: features.Hash(id), ID: id, Y: y, Vector: []float64{o.items[e.item].Fields[1].Float()}}
	where.example, where.label = e.item, l
	o.add(where)
}

func (o *lifecycles) label(id string, e *life, early []*earlyOne, l, i int) *life {
	it, lab := &o.items[i], o.trigger.Labels[l]
	y := it.Fields[1].Float()
	where := told{item: i, phase: phaseLabel}
	switch {
	case math.IsNaN(y) || math.IsInf(y, 0):
		o.stats.Unusable++
	case e == nil && lab.Early == 0:
		o.stats.Orphans++
	case e == nil && early[l] != nil:
		o.stats.Twice++
	case e == nil:
		early[l] = &earlyOne{y, it.Time, i}
	case e.waits[l] && it.Time > e.time+lab.Wait:
		o.stats.Late++
	case e.waits[l]:
		o.learn(id, e, l, y, it.Time, where, 0)
	case e.correct[l] >= 0:
		o.stats.Corrected++
		o.tell(id, e, l, y, it.Time, where, fold.Correction)
	default:
		o.stats.Twice++
	}
	return o.alive(e)
}

func (o *lifecycles) example(i int, id string, early []*earlyOne) *life {
	it := &o.items[i]
	o.stats.Predicted++
	where := told{item: i, phase: phaseExample, example: i}
	where.entry = fold.Entry{Kind: fold.Predict, Event: it.Seq, Time: it.Time, Taken: features.NoTime, Flags: o.flags(i),
		Key: features.Hash(id), ID: id, Vector: []float64{it.Fields[1].Float()}}
	o.add(where)
	where.second = true
	if it.Flags&features.NotLearned != 0 {
		o.stats.NotLearned++
	}
	if id == "" || it.Flags&features.NotLearned != 0 {
		o.close(id, i, 0, where)
		return nil
	}
	e := &life{item: i, time: it.Time}
	for l := range o.trigger.Labels {
		e.waits, e.correct, e.since = append(e.waits, true), append(e.correct, -1), append(e.since, 0)
		if x := early[l]; x != nil {
			early[l] = nil
			where.label = l
			o.learn(id, e, l, x.y, x.time, where, 0)
			o.out[len(o.out)-1].entry.Event = o.items[x.item].Seq
		}
	}
	return o.alive(e)
}

func (o *lifecycles) add(x told) { o.out = append(o.out, x) }

// sorted puts the entries into the order of the log and numbers them.
func (o *lifecycles) sorted() []told {
	number := map[bool]int{true: 1}
	slices.SortStableFunc(o.out, func(a, b told) int {
		return cmp.Or(cmp.Compare(a.item, b.item), cmp.Compare(a.phase, b.phase), cmp.Compare(a.deadline, b.deadline),
			cmp.Compare(a.example, b.example), cmp.Compare(number[a.second && a.phase == phaseExample], number[b.second && b.phase == phaseExample]),
			cmp.Compare(a.label, b.label), cmp.Compare(number[a.second], number[b.second]))
	})
	predicts := map[int]uint64{}
	for i := range o.out {
		e := &o.out[i].entry
		e.Seq = uint64(i)
		if e.Kind == fold.Predict {
			predicts[o.out[i].example] = e.Seq
		}
	}
	for i := range o.out {
		if e := &o.out[i].entry; e.Kind == fold.Learn || e.Kind == fold.Close {
			e.Ref = predicts[o.out[i].example]
		}
	}
	return o.out
}
