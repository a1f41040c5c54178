package trainer

import (
	"encoding/binary"
	"slices"
	"time"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/models/forecast"
)

// name returns the id of an example: the field that names it, or its key with its time, such as berlin/42@2024-03-01T00:00:00Z; "" if there is none.
func (t *Trigger) name(it *features.Item) string {
	if t.ID >= 0 {
		if it.Fields[t.ID].IsNull() {
			return ""
		}
		return it.Fields[t.ID].String()
	}
	if len(t.Key) == 0 {
		return ""
	}
	var b []byte
	for i, f := range t.Key {
		if it.Fields[f].IsNull() {
			return ""
		}
		if i > 0 {
			b = append(b, '/')
		}
		b = append(b, it.Fields[f].String()...)
	}
	b = append(b, '@')
	return string(time.UnixMicro(it.Time).UTC().AppendFormat(b, time.RFC3339Nano))
}

// stepOf is the step of an event time.
func (l *Label) stepOf(t int64) int64 {
	s := t / l.StepLength
	if t < 0 && s*l.StepLength != t {
		s--
	}
	return s
}

// at names a key and a step; false if a field of the key is null.
func (l *Label) at(dst []byte, it *features.Item, fields []int, step int64) ([]byte, bool) {
	for _, f := range fields {
		if it.Fields[f].IsNull() {
			return dst, false
		}
		dst = features.AppendKey(dst, it.Fields[f].String())
	}
	return binary.BigEndian.AppendUint64(dst, uint64(step)), true
}

// await notes which value the example awaits for label l; without a key there is none to wait for.
func (j *Joiner) await(l int, seq uint64, e *example, it *features.Item) {
	spec := &j.trigger.Labels[l]
	var ok bool
	j.place, ok = spec.at(j.place[:0], it, spec.Asked, spec.stepOf(it.Time)+spec.Lead)
	for len(e.places) <= l {
		e.places = append(e.places, "")
	}
	if !ok {
		return
	}
	if spec.Aggregate != forecast.AggregateNone && j.open(l, spec.stepOf(it.Time)+spec.Lead, it.Seq) == nil {
		return // all its values have gone by
	}
	e.places[l] = string(j.place)
	j.places[l][e.places[l]] = append(j.places[l][e.places[l]], seq)
}

// laterValue joins the value of a key to all examples that await it.
func (j *Joiner) laterValue(l int, y float64, it *features.Item) {
	spec := &j.trigger.Labels[l]
	var ok bool
	if j.place, ok = spec.at(j.place[:0], it, spec.Key, spec.stepOf(it.Time)); !ok {
		return
	}
	list := j.places[l][string(j.place)]
	if len(list) == 0 {
		j.stats.Orphans++
		return
	}
	for _, seq := range slices.Clone(list) { // a label that is final takes its example out
		j.arrived(l, seq, y, it)
	}
}

// leave takes an example out of the lists of those that await a value.
func (j *Joiner) leave(seq uint64, e *example) {
	for l, place := range e.places {
		if place == "" {
			continue
		}
		list := slices.DeleteFunc(j.places[l][place], func(s uint64) bool { return s == seq })
		if len(list) == 0 {
			delete(j.places[l], place)
		} else {
			j.places[l][place] = list
		}
	}
}
