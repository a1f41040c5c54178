package unit

import (
	"fmt"
	"strings"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/features/agg"
)

// fingerprint hashes all that state bytes and columns depend on.
func fingerprint(e *Entity, sources []features.Source, opt Options) uint64 {
	var b strings.Builder
	fmt.Fprintf(&b, "layout %d entity %q key %q keep %d buckets %d skew %d\n", version, e.Name, e.Key, e.Keep, e.Buckets, opt.MaxSkew)
	for i := range e.Features {
		f := &e.Features[i]
		fmt.Fprintf(&b, "%q %s@%d value %q where %q at %q per %q over %d suffix %t exact %t lag %d k %d half %d weight %x",
			f.Name, f.Agg, agg.Find(f.Agg).Version, f.Value, f.Where, f.At, f.Per, f.Over, f.Suffix, f.Exact, f.Lag, f.K, f.HalfLife, f.Weight)
		fmt.Fprintf(&b, " due %q by %q keep %d cap %d\n", f.Due, f.By, f.Keep, f.Cap)
		for _, source := range append([]int{f.Source}, f.Until...) {
			s := &sources[source]
			fmt.Fprintf(&b, " source %q table %t", s.Name, s.Table)
			for _, field := range s.Fields {
				fmt.Fprintf(&b, " %q %v", field.Name, field.Kind)
			}
			b.WriteByte('\n')
		}
	}
	return features.Hash(b.String())
}
