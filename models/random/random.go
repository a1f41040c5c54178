// Package random is the seeded random numbers of models. It stands inside a model: what is drawn is a function of the seed and
// of how much was drawn before, and the source is part of the model's state.
package random

import (
	"math"
	"math/rand/v2"

	"github.com/freshet-ml/freshet/internal/codec"
)

// Source is a PCG-DXSM stream (O'Neill 2014). A copy draws the same numbers again. It belongs to one goroutine and is not for
// secrets.
type Source struct{ rand.PCG }

// New returns the stream of that number under a seed: parts of a model that draw from streams of their own do not depend on
// who draws first.
func New(seed, stream uint64) Source { return Source{*rand.NewPCG(seed, stream)} }

// Unit is uniform in [0, 1), of 53 bits.
func (r *Source) Unit() float64 { return float64(r.Uint64()>>11) / (1 << 53) }

// Below is uniform in 0 … n−1 for n ≥ 1; the bias is below n/2⁵³.
func (r *Source) Below(n int) int { return int(r.Unit() * float64(n)) }

// Normal is standard normal (Box and Muller 1958), one number for two draws.
func (r *Source) Normal() float64 {
	u, v := 1-r.Unit(), r.Unit()
	return math.Sqrt(-2*math.Log(u)) * math.Cos(2*math.Pi*v)
}

// State visits the source.
func (r *Source) State(s *codec.State) { s.PCG(&r.PCG) }
