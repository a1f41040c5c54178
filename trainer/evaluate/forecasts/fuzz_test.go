package forecasts

import (
	"context"
	"math"
	"strings"
	"testing"
)

// FuzzData: no text of rows ends otherwise than in series whose steps rise, or in an error.
func FuzzData(f *testing.F) {
	f.Add("k,t,v\na,1,2\na,2,3\nb,7,1\n", uint8(0))
	f.Add("k,t,v\na,2024-01-31,2\na,2024-02-29,3\na,2024-03-31,\n", uint8(1))
	f.Add("id,V1,V2\na,1,2\nb,,3\n", uint8(2))
	f.Add("day,a,b\n2024-10-27T02:00+02:00,1,2\n2024-10-27T02:00+01:00,3,4\n", uint8(3))
	f.Add("k,t,v\na,-1e11,2\na,999999999999,3\na,0.000001,3\n", uint8(4))
	f.Add("k,t,v\na,2024Q4,2\na,2024-W3,3\n", uint8(7))
	f.Fuzz(func(t *testing.T, text string, how uint8) {
		o := Options{Reader: strings.NewReader(text), Format: "csv", Horizon: 2, Repeat: []string{"error", "mean", "sum", "last"}[how/4%4], Snap: how&16 != 0}
		switch how % 4 {
		case 0, 1:
			o.Key, o.Time, o.Target = "k", "t", "v"
		case 2:
			o.Layout = "rows"
		}
		if how&32 != 0 {
			o.Step = "1d"
		}
		d, err := readData(context.Background(), &o, nil)
		if err != nil {
			return
		}
		for _, s := range d.series {
			if len(s.points) > 0 && math.IsNaN(s.points[0].y) {
				t.Errorf("%q begins with a missing value", s.key)
			}
			for i := 1; i < len(s.points); i++ {
				if s.points[i].t <= s.points[i-1].t {
					t.Errorf("%q: step %d after %d", s.key, s.points[i].t, s.points[i-1].t)
				}
			}
			for _, at := range o.origins(s) {
				if at.steps < 1 || at.steps > o.Horizon || at.point >= len(s.points)-1 {
					t.Errorf("%q: origin %+v of %d points", s.key, at, len(s.points))
				}
				d.grid.text(s.at(at.point), s.base)
			}
		}
	})
}
