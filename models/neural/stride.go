package neural

import "github.com/freshet-ml/freshet/internal/codec"

// stride turns the derivatives of labels into steps of the weights: one for each label, or one for each batch of them.
type stride struct {
	params *params
	steady steady
	batch  uint64
	kept   uint64 // labels in the derivatives that were not stepped along yet
}

// move takes the step that the derivatives ask for, or keeps them for the end of a batch. rows is the squared norm of the derivatives of vectors of categories,
// which move at every label, by the factor that move returns, unless it says false.
func (s *stride) move(rows float64) (factor float64, ok bool) {
	if s.kept++; s.kept < s.batch {
		return s.steady.shorten(rows)
	}
	whole := 1 / float64(s.kept)
	s.kept = 0
	if factor, ok = s.steady.shorten(float64(s.params.square()*whole*whole) + rows); !ok {
		clear(s.params.g)
		return 0, false
	}
	s.params.move(factor * whole)
	return factor, true
}

// watch takes the loss of a label in. When the weights go back, the derivatives that were kept go too.
func (s *stride) watch(l float64) {
	if s.steady.watch(l, s.params.w) {
		clear(s.params.g)
		s.kept = 0
	}
}

// state visits weights, optimizer, and the derivatives of an unfinished batch.
func (s *stride) state(c *codec.State) {
	s.params.state(c)
	if s.batch <= 1 {
		return
	}
	c.Uint64(&s.kept)
	finiteState(c, "derivatives of the net", s.params.g)
	if s.kept >= s.batch {
		c.Fail("%d labels of a batch of %d", s.kept, s.batch)
		s.kept = 0
	}
}
