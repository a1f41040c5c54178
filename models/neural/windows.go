package neural

import (
	"math"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
)

// windows is the replay buffer of a recurrent net (Lin 1992, experience replay): for each of the newest labels the events that it went back through, with the
// state before them, as they were when it was learned. So a window can be walked through once more when its entity has moved on or had to go, and
// learning it again changes no entity's memory. Which ones are drawn is a function of the seed and of the number of labels.
type windows struct {
	entityShape
	size, each, steps int // windows to draw from, draws for a label, greatest number of events
	seed              uint64
	seen              uint64 // windows kept so far
	list              []window
	numbers           []float64 // by window: the inputs of each event
	keys              []uint64  // by window: the keys of its categories, 0 for a missing one
	states            []float64 // by window
}

// window is one label and where its events are.
type window struct {
	place     int
	steps     int
	y, weight float64
	before    []float64 // the state that the first event found
}

// maxWindows bounds the numbers of all windows of a net: a gigabyte.
const maxWindows = 1 << 27

// newWindows returns a buffer of size windows, each of which labels are learned again after a label; nil for size 0. An error says that it were too large.
func newWindows(size, each, steps int, s entityShape, seed uint64) (*windows, error) {
	if size == 0 {
		return nil, nil
	}
	if per := s.hidden + steps*(s.width+s.names); size > maxWindows/max(1, per) {
		return nil, models.SpecErrors{{Path: "replay", Reason: "windows of more than a gigabyte", Mend: "fewer of them, or fewer steps"}}
	}
	n := size + 1 // the newest is not drawn: it was just learned
	w := &windows{entityShape: s, size: size, each: each, steps: steps, seed: features.Mix(seed ^ 0x7265706c6179), list: make([]window, n),
		numbers: make([]float64, n*steps*s.width), keys: make([]uint64, n*steps*s.names), states: make([]float64, n*s.hidden)}
	for i := range w.list {
		w.list[i] = window{place: i, before: w.states[i*s.hidden : (i+1)*s.hidden]}
	}
	return w, nil
}

// keep writes a walk, which has come to a label, in the place of the oldest.
func (r *windows) keep(w *walk, e *models.Example) {
	o := &r.list[r.seen%uint64(len(r.list))]
	r.seen++
	o.steps, o.y, o.weight = w.n, e.Y, e.Weight
	for i, v := range w.h[0] {
		o.before[i] = bounded(v)
	}
	for t := range w.n {
		p := &w.parts[t]
		numbers, keys := r.event(o, t)
		copy(numbers, p.x[len(p.x)-r.width:])
		for f, key := range p.keys {
			if keys[f] = key; p.slots[f] == missing {
				keys[f] = 0
			}
		}
	}
}

// event is what the tth event of a window has.
func (r *windows) event(o *window, t int) (numbers []float64, keys []uint64) {
	at := o.place*r.steps + t
	return r.numbers[at*r.width : (at+1)*r.width], r.keys[at*r.names : (at+1)*r.names]
}

// draws is how many windows can be learned again now.
func (r *windows) draws() int {
	if r == nil || r.seen < 2 {
		return 0
	}
	return r.each
}

// draw returns the kth window to learn again after label event: any but the newest.
func (r *windows) draw(event uint64, k int) *window {
	n := min(r.seen-1, uint64(r.size))
	back := 1 + features.Mix(r.seed+(event*uint64(r.each)+uint64(k))*golden)%n
	return &r.list[(r.seen-1-back)%uint64(len(r.list))]
}

func (r *windows) state(s *codec.State) {
	s.Fixed("windows of the replay buffer", len(r.list))
	s.Fixed("numbers of a window", r.hidden+r.steps*(r.width+r.names))
	s.Uint64(&r.seen)
	n := int(min(r.seen, uint64(len(r.list))))
	s.Fixed("windows in the replay buffer", n)
	for i := range n {
		o := &r.list[i]
		s.Int(&o.steps)
		s.Float64(&o.y)
		s.Float64(&o.weight)
		if o.steps < 1 || o.steps > r.steps || !(o.weight > 0) || o.y != o.y {
			s.Fail("window of %d events with the label %v of weight %v", o.steps, o.y, o.weight)
		}
		if s.Err() != nil {
			r.seen = 0
			return
		}
		finiteState(s, "state before a window", o.before)
		for t := range o.steps {
			numbers, keys := r.event(o, t)
			for k := range numbers {
				s.Float64(&numbers[k])
				if !(math.Abs(numbers[k]) <= math.MaxFloat64) {
					s.Fail("window with the input %v", numbers[k])
					numbers[k] = 0
				}
			}
			for f := range keys {
				s.Uint64(&keys[f])
			}
		}
	}
}
