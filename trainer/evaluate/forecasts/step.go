package forecasts

import (
	"maps"
	"math"
	"slices"
	"time"
)

// finding collects what the times of all series say about the length of a step.
type finding struct {
	kinds map[scaleOf]*gaps
	days  map[int]struct{} // of the month
	ends  bool             // every time lies on the last day of its month
}

// gaps counts the differences between neighbouring times of a key.
type gaps struct {
	count map[int64]int64
	least int64
	gcd   int64
}

// maxGaps bounds the distinct differences that are counted; others only enter gcd and least.
const maxGaps = 1 << 16

func (g *gaps) add(d int64) {
	if d <= 0 {
		return
	}
	if g.count == nil {
		g.count = map[int64]int64{}
		g.least = d
	}
	g.least = min(g.least, d)
	g.gcd = gcd(g.gcd, d)
	if _, ok := g.count[d]; ok || len(g.count) < maxGaps {
		g.count[d]++
	}
}

func gcd(a, b int64) int64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// step is the most frequent difference if it divides all others, else the greatest that does, if it is not far below the least: times that jitter have a common
// divisor too. 0 if there is none.
func (g *gaps) step() int64 {
	if len(g.count) == 0 {
		return 0
	}
	if most := g.most(); g.gcd == most {
		return most
	}
	const finest = 12 // the least difference is at most so many steps
	if g.least <= finest*g.gcd {
		return g.gcd
	}
	return 0
}

// most is the most frequent difference, the least of several.
func (g *gaps) most() int64 {
	best := int64(0)
	for _, d := range slices.Sorted(maps.Keys(g.count)) {
		if best == 0 || g.count[d] > g.count[best] {
			best = d
		}
	}
	return best
}

func newFinding() *finding {
	return &finding{kinds: map[scaleOf]*gaps{byMoment: {}, byClock: {}, byMonth: {}}, days: map[int]struct{}{}, ends: true}
}

// series adds the times of one key, in order.
func (f *finding) series(points []point, numbers bool) {
	for i := range points {
		s := points[i].stamp()
		if !numbers {
			f.day(s)
		}
		if i == 0 {
			continue
		}
		before := points[i-1].stamp()
		f.kinds[byMoment].add(s.t - before.t)
		if !numbers {
			f.kinds[byClock].add(s.wall() - before.wall())
			f.kinds[byMonth].add(s.month() - before.month())
		}
	}
}

func (f *finding) day(s stamp) {
	if len(f.days) > 1 && !f.ends {
		return
	}
	t := time.UnixMicro(s.wall()).UTC()
	f.days[t.Day()] = struct{}{}
	f.ends = f.ends && t.AddDate(0, 0, 1).Day() == 1
}

// grid is what the times fit: months where days of the month are the same and differences are so long, then equal differences, then those of whole days on the wall. Its step is
// 0 if there is none.
func (f *finding) grid(numbers, monthly bool) grid {
	if numbers {
		return grid{kind: byNumber, step: f.kinds[byMoment].step()}
	}
	months := f.kinds[byMonth]
	if step := months.step(); step > 0 && (monthly || f.kinds[byClock].least >= 28*dayLength && (len(f.days) == 1 || f.ends)) {
		return grid{kind: byMonth, step: step}
	}
	moments, clock := f.kinds[byMoment].step(), f.kinds[byClock].step()
	if clock > 0 && clock%dayLength == 0 {
		return grid{kind: byClock, step: clock}
	}
	return grid{kind: byMoment, step: moments}
}

// usual is the most frequent difference, for messages.
func (f *finding) usual(numbers bool) grid {
	g := grid{kind: byMoment, step: max(f.kinds[byMoment].most(), 1)}
	if numbers {
		g.kind = byNumber
	}
	return g
}

const never = math.MinInt64
