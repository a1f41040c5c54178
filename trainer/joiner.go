package trainer

import (
	"encoding/binary"
	"math"
	"slices"
	"strings"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/models/fold"
	"github.com/freshet-ml/freshet/models/forecast"
)

// joinVersion is raised when the joiner's arithmetic or order changes.
const joinVersion = 1

// Joiner folds items, and the parts of vectors that units took at them, into the entries of one
// trigger's example log. It is pure: the same items and parts give the same entries. It belongs to
// one goroutine. Memory: the vectors of the examples that wait for a label.
type Joiner struct {
	trigger  *Trigger
	clock    *features.Clock
	next     uint64              // Seq of the next entry
	examples map[uint64]*example // by Seq of their predict entry
	byID     map[string]uint64   // id of a waiting example to its Seq
	early    []map[string]earlyLabel
	places   []map[string][]uint64           // by label by key: the examples that await the value of a key and step, in their order
	steps    []map[string]*forecast.Gathered // by label by key with an aggregate: the values of a key and step whose end the watermark has not passed
	place    []byte                          // reused
	timers   timers
	schema   uint64 // ID of the vector's
	control  int    // index of the control source, -1 if there is none
	stats    JoinStats
	entry    fold.Entry
	emit     func(*fold.Entry)
	free     []*example // done with; not part of the state
}

type example struct {
	id      string
	event   uint64
	time    int64
	newest  int64
	vector  []float64
	flags   fold.Flags
	places  []string // by label by key: what it awaits
	waiting uint64   // bit l: label l still awaited; bit 32+l: label l came and may be corrected
}

type earlyLabel struct {
	y    float64
	time int64
	seq  uint64
}

// JoinStats counts what the joiner saw since its log began.
type JoinStats struct {
	Predicted  uint64 // examples
	Learned    uint64 // labels joined to an example
	Missing    uint64 // labels that did not come in time
	Corrected  uint64 // second labels within correct_for
	Orphans    uint64 // labels of no waiting example
	Late       uint64 // labels after wait
	Twice      uint64 // second labels that were ignored
	Duplicates uint64 // examples whose id already waited: refused
	NotLearned uint64 // examples predicted and not learned
	Unusable   uint64 // labels that are no number or no declared class
	Evicted    uint64 // examples closed because too many waited
	Foreign    uint64 // served vectors of another schema: refused
	NotFinite  uint64 // vector slots that were not finite and became missing
}

// NewJoiner returns a joiner at the beginning of its log. emit is called for each entry, in order, with
// an entry that it borrows.
func NewJoiner(t *Trigger, sources []features.Source, emit func(*fold.Entry)) *Joiner {
	j := &Joiner{trigger: t, schema: t.Vector.ID(), clock: features.NewClock(sources), emit: emit,
		examples: map[uint64]*example{}, byID: map[string]uint64{}, early: make([]map[string]earlyLabel, len(t.Labels)),
		control: slices.IndexFunc(sources, func(s features.Source) bool { return s.Name == features.ControlSource })}
	for i := range j.early {
		j.early[i] = map[string]earlyLabel{}
		j.places = append(j.places, map[string][]uint64{})
		j.steps = append(j.steps, map[string]*forecast.Gathered{})
	}
	return j
}

// Next returns the Seq that the next entry will have.
func (j *Joiner) Next() uint64 { return j.next }

// Pending returns the number of examples that wait for a label or a correction.
func (j *Joiner) Pending() int { return len(j.examples) }

// Stats returns the counts so far.
func (j *Joiner) Stats() JoinStats { return j.stats }

// Clock returns head and watermark after the last item.
func (j *Joiner) Clock() (head, watermark int64) { return j.clock.Head, j.clock.Watermark }

// Apply folds one item. For an item that the trigger expects, vec is the union vector with the slots
// of all parts filled (Spec.Begin, then each part) and newest the newest event time of those parts;
// Apply finishes the vector, which it borrows. For every other item both are ignored.
func (j *Joiner) Apply(it *features.Item, vec []float64, newest int64) {
	j.clock.Observe(it)
	j.fire(it.Seq)
	if it.Kind != features.EventItem {
		return
	}
	for l := range j.trigger.Labels {
		if j.trigger.Labels[l].Source == it.Source {
			j.label(l, it)
		}
	}
	if j.trigger.Expects(it) {
		j.example(it, vec, newest)
	}
	if it.Source == j.control {
		j.send(fold.Entry{Kind: fold.Control, Event: it.Seq, Time: j.clock.Head,
			ID: it.Fields[features.ControlModel].Str(), Verb: it.Fields[features.ControlVerb].Str()})
	}
}

func (j *Joiner) example(it *features.Item, vec []float64, newest int64) {
	id := j.trigger.name(it)
	if _, waits := j.byID[id]; waits && id != "" {
		j.stats.Duplicates++
		return
	}
	e := j.take()
	*e = example{id: strings.Clone(id), event: it.Seq, time: it.Time, newest: newest, vector: e.vector[:0], places: e.places[:0]}
	if j.trigger.Request {
		e.flags = fold.Served
		vec = unpackVector(vec[:0], it.Fields[j.trigger.Packed].Str())
		if len(vec) != j.trigger.Vector.Width() || uint64(it.Fields[features.ServedSchema].Int()) != j.schema {
			j.stats.Foreign++ // taken by another generation of the model
			return
		}
	} else {
		j.stats.NotFinite += uint64(j.trigger.Vector.Finish(vec, it.Fields))
	}
	if it.Flags&features.NotLearned != 0 && !j.trigger.Request {
		e.flags |= fold.NotLearned
		j.stats.NotLearned++
	}
	seq := j.send(fold.Entry{Kind: fold.Predict, Flags: e.flags, Event: it.Seq, Time: it.Time, Taken: newest,
		Key: features.Hash(id), ID: id, Vector: vec})
	j.stats.Predicted++
	if id == "" || e.flags&fold.NotLearned != 0 || len(j.trigger.Labels) == 0 {
		j.close(seq, e, 0, it.Seq)
		j.free = append(j.free, e)
		return
	}
	e.vector = append(e.vector, vec...)
	j.examples[seq], j.byID[e.id] = e, seq
	for l := range j.trigger.Labels {
		e.waiting |= 1 << l
		if j.trigger.Labels[l].Key != nil {
			j.await(l, seq, e, it)
		}
		j.timers.add(timer{at: addTime(it.Time, j.trigger.Labels[l].Wait), seq: seq, label: l})
	}
	for l := range j.early {
		if y, ok := j.early[l][e.id]; ok {
			delete(j.early[l], e.id)
			j.learn(l, seq, e, y.y, y.time, y.seq, 0)
		}
	}
	j.bound(it.Seq)
}

// bound closes the oldest example while more wait than allowed.
func (j *Joiner) bound(event uint64) {
	limit := j.trigger.MaxPending
	if limit <= 0 {
		limit = 10_000_000
	}
	var keep []timer
	for len(j.examples) > limit {
		tm := j.timers.pop()
		if tm.early != "" || tm.place != "" {
			keep = append(keep, tm)
			continue
		}
		if e, ok := j.examples[tm.seq]; ok {
			j.stats.Evicted++
			j.closeLabels(tm.seq, e, event)
		}
	}
	for _, tm := range keep {
		j.timers.add(tm)
	}
}

func (j *Joiner) closeLabels(seq uint64, e *example, event uint64) {
	for l := range j.trigger.Labels {
		if e.waiting&(1<<l|1<<(32+l)) != 0 {
			j.close(seq, e, l, event)
		}
	}
	j.forget(seq, e)
}

func (j *Joiner) label(l int, it *features.Item) {
	spec := &j.trigger.Labels[l]
	if spec.Model >= 0 && it.Fields[spec.Model].Str() != spec.Of {
		return
	}
	if it.Flags&features.Tombstone != 0 || spec.Key == nil && it.Fields[spec.ID].IsNull() {
		return
	}
	y, ok := spec.value(it.Fields)
	if !ok {
		j.stats.Unusable++
		return
	}
	if spec.Aggregate != forecast.AggregateNone {
		j.gather(l, y, it)
		return
	}
	if spec.Key != nil {
		j.laterValue(l, y, it)
		return
	}
	id := it.Fields[spec.ID].String()
	seq, ok := j.byID[id]
	if !ok {
		j.keepEarly(l, id, y, it)
		return
	}
	j.arrived(l, seq, y, it)
}

// arrived joins the label of an event to an example, or says why not.
func (j *Joiner) arrived(l int, seq uint64, y float64, it *features.Item) {
	spec, e := &j.trigger.Labels[l], j.examples[seq]
	switch {
	case e.waiting&(1<<l) != 0 && it.Time > addTime(e.time, spec.Wait):
		j.stats.Late++
	case e.waiting&(1<<l) != 0:
		j.learn(l, seq, e, y, it.Time, it.Seq, 0)
	case e.waiting&(1<<(32+l)) != 0:
		j.stats.Corrected++
		j.sendLearn(l, seq, e, y, it.Time, it.Seq, fold.Correction)
	default:
		j.stats.Twice++
	}
}

func (j *Joiner) keepEarly(l int, id string, y float64, it *features.Item) {
	spec := &j.trigger.Labels[l]
	if spec.Early <= 0 {
		j.stats.Orphans++
		return
	}
	if _, ok := j.early[l][id]; ok {
		j.stats.Twice++
		return
	}
	id = strings.Clone(id)
	j.early[l][id] = earlyLabel{y: y, time: it.Time, seq: it.Seq}
	j.timers.add(timer{at: addTime(it.Time, spec.Early), seq: it.Seq, label: l, early: id})
}

// learn joins a label to an example that awaits it.
func (j *Joiner) learn(l int, seq uint64, e *example, y float64, t int64, event uint64, flags fold.Flags) {
	spec := &j.trigger.Labels[l]
	e.waiting &^= 1 << l
	if spec.CorrectFor <= 0 {
		flags |= fold.Final
	}
	if flags&fold.Assumed == 0 {
		j.stats.Learned++
	}
	j.sendLearn(l, seq, e, y, t, event, flags)
	if spec.CorrectFor > 0 {
		e.waiting |= 1 << (32 + l)
		j.timers.add(timer{at: addTime(t, spec.CorrectFor), seq: seq, label: l, correction: true})
	}
	j.forget(seq, e)
}

func (j *Joiner) sendLearn(l int, seq uint64, e *example, y float64, t int64, event uint64, flags fold.Flags) {
	j.send(fold.Entry{Kind: fold.Learn, Flags: flags | e.flags, Label: uint8(l), Ref: seq, Event: event, Time: t,
		Taken: e.time, Key: features.Hash(e.id), ID: e.id, Y: y, Vector: e.vector})
}

// forget frees an example for which nothing more can come.
func (j *Joiner) forget(seq uint64, e *example) {
	if e.waiting == 0 {
		delete(j.examples, seq)
		delete(j.byID, e.id)
		j.leave(seq, e)
		if len(j.free) < maxFree {
			j.free = append(j.free, e)
		}
	}
}

// maxFree bounds the examples that are kept to be used again.
const maxFree = 1024

// take returns an example to fill, with the memory of an older one's vector if there is one.
func (j *Joiner) take() *example {
	n := len(j.free)
	if n == 0 {
		return new(example)
	}
	e := j.free[n-1]
	j.free = j.free[:n-1]
	return e
}

func (j *Joiner) close(seq uint64, e *example, l int, event uint64) {
	e.waiting &^= 1<<l | 1<<(32+l)
	j.send(fold.Entry{Kind: fold.Close, Flags: e.flags, Label: uint8(l), Ref: seq, Event: event, Time: j.clock.Watermark, ID: e.id})
}

// fire closes, or assumes the label of, what the watermark has made due, in the order (deadline, seq).
func (j *Joiner) fire(event uint64) {
	for j.timers.due(j.clock.Watermark) {
		tm := j.timers.pop()
		if tm.place != "" {
			j.stepOver(&tm, event)
			continue
		}
		if tm.early != "" {
			if y, ok := j.early[tm.label][tm.early]; ok && y.seq == tm.seq {
				delete(j.early[tm.label], tm.early)
				j.stats.Orphans++
			}
			continue
		}
		e, ok := j.examples[tm.seq]
		if !ok {
			continue
		}
		j.expire(tm, e, event)
	}
}

func (j *Joiner) expire(tm timer, e *example, event uint64) {
	bit := uint64(1) << tm.label
	if tm.correction {
		bit <<= 32
	}
	if e.waiting&bit == 0 {
		return
	}
	switch {
	case tm.correction:
		j.close(tm.seq, e, tm.label, event)
	case j.trigger.Labels[tm.label].Missing == Negative:
		j.stats.Missing++
		j.learn(tm.label, tm.seq, e, 0, tm.at, event, fold.Assumed)
		return
	default:
		j.stats.Missing++
		j.close(tm.seq, e, tm.label, event)
	}
	j.forget(tm.seq, e)
}

func (j *Joiner) send(e fold.Entry) uint64 {
	e.Seq = j.next
	j.next++
	j.entry = e
	j.emit(&j.entry)
	return e.Seq
}

// addTime adds without passing the end of time.
func addTime(t, d int64) int64 {
	if d > 0 && t > math.MaxInt64-d {
		return math.MaxInt64
	}
	return t + d
}

// PackVector appends a served vector as the bytes of a `served` event's field.
func PackVector(dst []byte, vec []float64) []byte {
	for _, v := range vec {
		dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(v))
	}
	return dst
}

func unpackVector(dst []float64, s string) []float64 {
	for ; len(s) >= 8; s = s[8:] {
		u := uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
			uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
		dst = append(dst, math.Float64frombits(u))
	}
	return dst
}
