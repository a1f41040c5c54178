package checkpoint

import (
	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/internal/frame"
)

// Inputs visits the positions of named inputs, in their order: how far a state has read.
func Inputs(s *codec.State, list *[]frame.Input) {
	codec.Slice(s, list, 29, 1<<16, func(s *codec.State, in *frame.Input) {
		s.Text(&in.Name)
		Position(s, &in.Pos)
	})
}

// Position visits a place in a log of frames: offset (8 bytes), index (4), writer and number of the last counted
// frame (8 each).
func Position(s *codec.State, p *frame.Position) {
	s.Int64(&p.Offset)
	index := uint32(p.Index)
	s.Uint32(&index)
	p.Index = int32(index)
	s.Uint64(&p.Last.Writer)
	s.Uint64(&p.Last.Number)
}
