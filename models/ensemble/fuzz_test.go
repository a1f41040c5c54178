package ensemble_test

import (
	"testing"

	"github.com/freshet-ml/freshet/internal/codec"
)

// FuzzState: whatever bytes are loaded give an error or an ensemble that answers and learns, never a panic.
func FuzzState(f *testing.F) {
	names := []string{"leveraging_bagging", "bole", "adaptive_random_forest", "streaming_random_patches"}
	for i, name := range names {
		m := build(f, name, env(4))
		accuracy(m, steps(300, 150, 1))
		f.Add(i, codec.Save(m))
	}
	es := steps(20, 20, 2)
	f.Fuzz(func(t *testing.T, i int, state []byte) {
		m := build(t, names[uint(i)%uint(len(names))], env(4))
		if codec.Load(m, state) == nil {
			accuracy(m, es)
		}
	})
}
