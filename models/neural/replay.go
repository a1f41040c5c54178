package neural

import (
	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
)

// replay keeps the newest labelled rows, so that a net can learn some of them once more (Lin 1992, experience replay). Which ones is a function of the seed
// and of the number of labels: a replay of the log draws the same.
type replay struct {
	size, steps int
	columns     int
	seed        uint64
	seen        uint64 // rows kept so far
	values      []float64
	others      []replayed
	e           models.Example // scratch
}

type replayed struct {
	key       uint64
	time      int64
	y, weight float64
}

// newReplay returns a buffer of size rows of which steps are learned again at each label; nil for size 0.
func newReplay(size, steps, columns int, seed uint64) *replay {
	if size == 0 {
		return nil
	}
	return &replay{size: size, steps: steps, columns: columns, seed: features.Mix(seed ^ 0x7265706c6179), values: make([]float64, size*columns), others: make([]replayed, size)}
}

// draw returns the kth row to learn again after label event; borrowed until the next draw. There must be one.
func (r *replay) draw(event uint64, k int) *models.Example {
	n := min(r.seen, uint64(r.size))
	i := int(features.Mix(r.seed+(event*uint64(r.steps)+uint64(k))*golden) % n)
	o := &r.others[i]
	r.e = models.Example{Row: models.Row{Value: r.values[i*r.columns : (i+1)*r.columns]}, Key: o.key, Time: o.time, Y: o.y, Weight: o.weight}
	return &r.e
}

// keep writes a row in the place of the oldest.
func (r *replay) keep(e *models.Example) {
	i := int(r.seen % uint64(r.size))
	r.seen++
	for c := range r.columns {
		r.values[i*r.columns+c] = value(e, c)
	}
	r.others[i] = replayed{e.Key, e.Time, e.Y, e.Weight}
}

func (r *replay) state(s *codec.State) {
	s.Fixed("rows of the replay buffer", r.size)
	s.Fixed("columns of the replay buffer", r.columns)
	s.Uint64(&r.seen)
	n := int(min(r.seen, uint64(r.size)))
	s.Fixed("rows in the replay buffer", n)
	for i := range n {
		if s.Err() != nil {
			r.seen = 0
			return
		}
		for c := range r.columns {
			s.Float64(&r.values[i*r.columns+c])
		}
		o := &r.others[i]
		s.Uint64(&o.key)
		s.Int64(&o.time)
		s.Float64(&o.y)
		s.Float64(&o.weight)
		if !(o.weight >= 0) || o.y != o.y {
			s.Fail("replay buffer with the label %v of weight %v", o.y, o.weight)
		}
	}
}
