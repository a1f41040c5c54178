package preprocess

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

// TestMomentsOfRows: whole rows give the bits that columns one by one give, with missing, great and constant values among them.
func TestMomentsOfRows(t *testing.T) {
	value := rapid.OneOf(rapid.Float64Range(-1e3, 1e3), rapid.Float64(), rapid.SampledFrom([]float64{math.NaN(), 0, 7, -7, 1e100, 1e300, -1e300, math.Inf(1), math.Inf(-1), 5e-324}))
	rapid.Check(t, func(t *rapid.T) {
		columns := rapid.IntRange(0, 13).Draw(t, "columns")
		whole, single := newColumnMoments(columns), newColumnMoments(columns)
		got, want := make([]float64, columns), make([]float64, columns)
		for range rapid.IntRange(1, 20).Draw(t, "rows") {
			x := rapid.SliceOfN(value, columns, columns).Draw(t, "x")
			whole.add(x)
			for j := range x {
				addMomentsPlain(x[j:j+1], single.n[j:j+1], single.mean[j:j+1], single.m2[j:j+1], single.scale[j:j+1])
				scaleValuesPlain(want[j:j+1], x[j:j+1], single.mean[j:j+1], single.scale[j:j+1])
			}
			whole.scaleTo(got, x)
			for name, pair := range map[string][2][]float64{"n": {whole.n, single.n}, "mean": {whole.mean, single.mean}, "m2": {whole.m2, single.m2}, "scale": {whole.scale, single.scale}, "scaled": {got, want}} {
				for j := range x {
					if a, b := pair[0][j], pair[1][j]; math.Float64bits(a) != math.Float64bits(b) && !(a != a && b != b) {
						t.Fatalf("%s of column %d: %v, one by one %v, after %v", name, j, a, b, x[j])
					}
				}
			}
		}
	})
}
