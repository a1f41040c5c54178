package forecast

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/stat/distuv"
)

// fit finds season, α and θ of the collected values, and the level before the first.
func (s *theta) fit() {
	m := len(s.season)
	x := append([]float64(nil), s.warm...)
	if m > 1 && s.hasSeason(x, m) {
		s.takeOut(x, m)
	}
	s.mean, _ = momentsOf(x[:min(len(x), m)])
	slope := slopeOf(x, 1)
	first, scale := firstOf(x)
	fitTheta := s.f.Variant != StandardTheta
	start := []float64{logit(0.3), 0}
	if fitTheta {
		start = append(start, 0)
	}
	run := func(p []float64) (sse float64) {
		share := 0.0
		if fitTheta {
			share = sigmoid(p[2]) // of the slope: 1 − 1/θ
		}
		return thetaErrors(x, thetaRate(p[0]), share, first+float64(scale*p[1]), slope, s.f.Variant == DynamicTheta) + 1e-6*scale*scale*p[1]*p[1]
	}
	best := minimise(start, fineSearch, run)
	s.alpha, s.level = thetaRate(best[0]), first+float64(scale*best[1])
	if fitTheta {
		s.share = sigmoid(best[2])
	}
}

// thetaRate is α of a point of the search, in (0.05, 1): a series that goes on must be able to follow, and the line counts 1/α times.
func thetaRate(x float64) float64 { return 0.05 + 0.9499*sigmoid(x) }

// firstOf is the first value that is there, and the deviation of all.
func firstOf(x []float64) (first, scale float64) {
	_, scale = momentsOf(x)
	for _, v := range x {
		if finite(v) {
			return v, scale
		}
	}
	return 0, scale
}

// thetaErrors is the sum of the squared one-step errors; running: with the slope of the values before each.
func thetaErrors(x []float64, alpha, share, level, slope float64, running bool) (sse float64) {
	var line runningLine
	left := 1.0 // (1−α)ⁿ
	for i, v := range x {
		if running {
			slope = line.slope()
		}
		f := level + float64(share*slope*(1-left)/alpha)
		left *= 1 - alpha
		if !finite(v) {
			v = f
		} else {
			sse += float64((v - f) * (v - f))
			line.add(float64(i+1), v, 1, true)
		}
		level += float64(alpha * (v - level))
	}
	return sse
}

// hasSeason asks the test that the configuration names.
func (s *theta) hasSeason(x []float64, m int) bool {
	switch s.f.SeasonTest {
	case AutocorrelationTest:
		return seasonal(x, m)
	case AlwaysSeason:
		return true
	}
	return placesDiffer(x, m)
}

// placesDiffer reports whether, about the centred moving average over a season, the means of the places of the season differ by more than chance: an F test at 1 %, which needs
// two seasons only.
func placesDiffer(x []float64, m int) bool {
	sums, counts := make([]float64, m), make([]float64, m)
	n, mean, total := 0.0, 0.0, 0.0
	for i := range x {
		v := x[i] - centred(x, i, m)
		if !finite(v) {
			continue
		}
		sums[i%m] += v
		counts[i%m]++
		n++
		d := v - mean
		mean += d / n
		total += d * (v - mean)
	}
	between, places := 0.0, 0.0
	for k := range sums {
		if counts[k] > 0 {
			places++
			d := sums[k]/counts[k] - mean
			between += counts[k] * d * d
		}
	}
	if places < 2 || n-places < 1 || !(total > 0) {
		return false
	}
	within := max(total-between, 1e-12*total) / (n - places)
	return between/(places-1)/within > distuv.F{D1: places - 1, D2: n - places}.Quantile(0.99)
}

// centred is the moving average over a season about a step, not a number at the ends.
func centred(x []float64, i, m int) float64 {
	half := m / 2
	if i < half || i >= len(x)-half {
		return math.NaN()
	}
	sum := 0.0
	for k := i - half; k <= i+half; k++ {
		w := 1.0
		if m%2 == 0 && (k == i-half || k == i+half) {
			w = 0.5
		}
		sum += w * x[k]
	}
	return sum / float64(m)
}

// seasonal reports whether the autocorrelation one season apart lies beyond 1.645 standard errors by Bartlett's formula.
func seasonal(x []float64, m int) bool {
	mean, _ := momentsOf(x)
	n, total := 0.0, 0.0
	for _, v := range x {
		if finite(v) {
			n++
			total += (v - mean) * (v - mean)
		}
	}
	if !(total > 0) {
		return false
	}
	sum, last := 0.0, 0.0
	for lag := 1; lag <= m; lag++ {
		r := 0.0
		for i := lag; i < len(x); i++ {
			if p := (x[i] - mean) * (x[i-lag] - mean); finite(p) {
				r += p
			}
		}
		if r /= total; lag < m {
			sum += r * r
		} else {
			last = math.Abs(r)
		}
	}
	return last > 1.645*math.Sqrt((1+2*sum)/n)
}

// takeOut takes the season out of x and keeps it.
func (s *theta) takeOut(x []float64, m int) {
	season, factors := seasonOf(x, m)
	s.kind = AdditiveSeason
	if factors {
		s.kind = MultiplicativeSeason
	}
	for i := range season {
		s.season[((s.at-(len(x)-1-i))%m+m)%m] = season[i]
	}
	for i := range x {
		if factors {
			x[i] /= season[i%m]
		} else {
			x[i] -= season[i%m]
		}
	}
}

// clearly is below which share of the errors with factors those with differences must lie for differences to be taken: a few seasons tell close ones apart by chance only.
const clearly = 0.97

// seasonOf decomposes x by factors or differences. Factors are the rule for positive values, as in the published method; differences are taken where a factor would be too small to divide by, and where the errors of smoothing, in
// units of the series, are clearly less with them (both forms by their errors in the sample: Spiliotis, Assimakopoulos & Makridakis 2020, "Generalizing the Theta method for automatic forecasting", Eur. J. Oper. Res. 284).
func seasonOf(x []float64, m int) (season []float64, factors bool) {
	season = decompose(x, m, false)
	for _, v := range x {
		if v <= 0 {
			return season, false
		}
	}
	ratios := decompose(x, m, true)
	if slices.Min(ratios) < leastThetaFactor {
		return season, false
	}
	left := smoothedErrors(x, ratios, true)
	if _, size := momentsOf(x); left > 1e-9*size && smoothedErrors(x, season, false) < clearly*left {
		return season, false
	}
	return ratios, true
}

// smoothedErrors is the sum of the absolute one-step errors of exponential smoothing around a season, in units of x, with the best of four rates.
func smoothedErrors(x, season []float64, factors bool) float64 {
	least := math.Inf(1)
	for _, alpha := range []float64{0.1, 0.3, 0.5, 0.8} {
		level, sum := math.NaN(), 0.0
		for i, v := range x {
			unit, d := 1.0, v-season[i%len(season)]
			if factors {
				unit = season[i%len(season)]
				d = v / unit
			}
			switch {
			case !finite(d):
			case !finite(level):
				level = d
			default:
				sum += unit * math.Abs(d-level)
				level += float64(alpha * (d - level))
			}
		}
		least = min(least, sum)
	}
	return least
}

// decompose is the season of classical decomposition: the mean ratio (factors) or distance of the values to their centred moving average over a season, by place from the first value on;
// factors have the mean 1, distances 0.
func decompose(x []float64, m int, factors bool) []float64 {
	season, counts := make([]float64, m), make([]float64, m)
	for i := range x {
		average := centred(x, i, m)
		v := x[i] - average
		if factors {
			v = x[i] / average
		}
		if finite(v) {
			season[i%m] += v
			counts[i%m]++
		}
	}
	total := 0.0
	for i := range season {
		switch {
		case counts[i] > 0:
			season[i] /= counts[i]
		case factors:
			season[i] = 1
		}
		total += season[i] / float64(m)
	}
	for i := range season {
		if factors {
			season[i] /= total
		} else {
			season[i] -= total
		}
	}
	return season
}
