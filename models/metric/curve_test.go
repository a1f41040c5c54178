package metric_test

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/metric"
)

// Whatever times come in whatever order, the curve keeps its bound, every label is in the point of its time, and the points
// together have the sums of all.
func TestCurveAgainstBruteForce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.IntRange(2, 40).Draw(t, "limit")
		c := metric.NewCurve(models.Binary, limit)
		type label struct {
			at      int64
			y, p, l float64
		}
		var all []label
		for range rapid.IntRange(1, 200).Draw(t, "labels") {
			x := label{at: rapid.Int64Range(-1e13, 1e13).Draw(t, "at"), y: float64(rapid.IntRange(0, 1).Draw(t, "y")), p: rapid.Float64Range(0.01, 0.99).Draw(t, "p")}
			x.l = metric.BinaryLogLoss(x.y, x.p)
			all = append(all, x)
			c.Add(x.at, x.y, x.l, []float64{x.p})
		}
		n := rapid.IntRange(0, 50).Draw(t, "points")
		points := c.Points(n)
		most := limit
		if n > 0 {
			most = min(n, limit)
		}
		if len(points) > most {
			t.Fatalf("%d points of at most %d", len(points), most)
		}
		total := uint64(0)
		for i, p := range points {
			if i > 0 && p.From < points[i-1].From+points[i-1].Span {
				t.Fatalf("point %d begins before the end of the one before", i)
			}
			var labels, sum, squares, pos, neg, above float64
			for _, a := range all {
				if a.at < p.From || a.at >= p.From+p.Span {
					continue
				}
				labels++
				sum += a.l
				squares += (a.p - a.y) * (a.p - a.y)
				if a.y == 1 {
					pos++
				} else {
					neg++
				}
				for _, b := range all {
					if b.at >= p.From && b.at < p.From+p.Span && a.y == 1 && b.y == 0 {
						switch x, y := int(a.p*64), int(b.p*64); {
						case x > y:
							above++
						case x == y:
							above += 0.5
						}
					}
				}
			}
			if float64(p.Labels) != labels || math.Abs(p.Values[0].Value-sum/labels) > 1e-9 || math.Abs(p.Values[1].Value-squares/labels) > 1e-9 {
				t.Fatalf("point %d: %+v; want %v labels, log-loss %v, brier %v", i, p, labels, sum/labels, squares/labels)
			}
			if auc := p.Values[3].Value; pos*neg > 0 && math.Abs(auc-above/(pos*neg)) > 1e-9 || pos*neg == 0 && !math.IsNaN(auc) {
				t.Fatalf("point %d: area %v, want %v of %v", i, auc, above, pos*neg)
			}
			total += p.Labels
		}
		if total != uint64(len(all)) {
			t.Fatalf("%d labels in the points, %d were added", total, len(all))
		}
	})
}

// The band of a mean is the textbook one.
func TestCurveBand(t *testing.T) {
	c := metric.NewCurve(models.Regression, 0)
	for _, e := range []float64{1, 2, 3, 4} {
		c.Add(0, e, e, []float64{0})
	}
	p := c.Points(0)[0]
	if want := 1.96 * math.Sqrt(5.0/3/4); math.Abs(p.HalfBand-want) > 1e-12 {
		t.Errorf("half band %v, want %v", p.HalfBand, want)
	}
	if p.Values[0].Value != 2.5 || math.Abs(p.Values[1].Value-math.Sqrt(7.5)) > 1e-12 || p.Span != time.Minute.Microseconds() {
		t.Errorf("%+v", p)
	}
}

func TestCurveLeavesOutWhatIsNotFinite(t *testing.T) {
	c := metric.NewCurve(models.Binary, 0)
	c.Add(0, 1, math.NaN(), []float64{0.5})
	c.Add(0, 1, math.Inf(1), []float64{0.5})
	c.Add(0, 1, 1, nil)
	if p := c.Points(0); len(p) != 0 {
		t.Errorf("%+v", p)
	}
}

// The bins of calibration are those of ece.
func TestCalibrationGivesECE(t *testing.T) {
	s := metric.New(models.Binary, 2)
	for i := range 1000 {
		p := float64(i%97) / 97
		s.Add(float64(i*i%7%2), []float64{p}, 1)
	}
	sum, weight := 0.0, 0.0
	for _, b := range s.Calibration() {
		sum += b.Weight * math.Abs(b.Confidence-b.Share)
		weight += b.Weight
	}
	if ece, _ := s.Value("ece"); weight != 1000 || math.Abs(ece-sum/weight) > 1e-12 {
		t.Errorf("ece %v, bins give %v of %v", ece, sum/weight, weight)
	}
}
