package metric

import "math"

// The measures of the M4 competition (Makridakis, Spiliotis & Assimakopoulos 2020, "The M4 Competition: 100,000 time series and 61 forecasting methods",
// §2.2 and appendix A), each for one series; a data set's figure is the mean over its series, and OWA is made of such means.

// SMAPE is the symmetric mean absolute percentage error in per cent, as M4 defines it: the mean over the horizon of
// 200·|y − ŷ|/(|y| + |ŷ|), in [0, 200]; a step where both are 0 counts 0. Steps whose y is NaN are left out; NaN if there is none other.
func SMAPE(y, answer []float64) float64 {
	total, n := 0.0, 0.0
	for i, v := range y {
		if math.IsNaN(v) {
			continue
		}
		if size := math.Abs(v) + math.Abs(answer[i]); size > 0 {
			total += math.Abs(v-answer[i]) / size
		}
		n++
	}
	return 200 * ratio(total, n)
}

// Scaled is a mean error in units of the mean error of a reference on the training part: MASE (Hyndman & Koehler 2006) of a mean absolute error and
// SeasonalError, and MSIS of a mean interval score and the same. NaN when the reference has no error.
func Scaled(mean, reference float64) float64 { return ratio(mean, reference) }

// SeasonalError is the mean of |y(t) − y(t−season)|, what MASE and MSIS are scaled by: the in-sample error of the seasonal naive forecast. Pairs with a NaN are left
// out. NaN for a season below 1 and fewer than season + 1 values; 0 for a history that repeats itself, which has no MASE either.
func SeasonalError(y []float64, season int) float64 {
	if season < 1 {
		return math.NaN()
	}
	total, n := 0.0, 0.0
	for t := season; t < len(y); t++ {
		if d := math.Abs(y[t] - y[t-season]); !math.IsNaN(d) {
			total, n = total+d, n+1
		}
	}
	return ratio(total, n)
}

// MASE is the mean of |y − ŷ| over the horizon, divided by SeasonalError of the history (Hyndman & Koehler 2006). Steps whose y is NaN are left out. NaN where
// there is no step or no scale above 0.
func MASE(y, answer []float64, scale float64) float64 {
	total, n := 0.0, 0.0
	for i, v := range y {
		if !math.IsNaN(v) {
			total, n = total+math.Abs(v-answer[i]), n+1
		}
	}
	return Scaled(ratio(total, n), scale)
}

// MSIS is the mean scaled interval score of central intervals that hold y with probability 1 − alpha (Gneiting & Raftery 2007, §6.2): the mean over the horizon of
// (upper − lower) + 2/alpha·(how far y lies outside), divided by SeasonalError of the history. Steps whose y is NaN are left out. NaN as for MASE.
func MSIS(y, lower, upper []float64, alpha, scale float64) float64 {
	total, n := 0.0, 0.0
	for i, v := range y {
		if !math.IsNaN(v) {
			outside := math.Max(0, lower[i]-v) + math.Max(0, v-upper[i])
			total, n = total+(upper[i]-lower[i])+float64(2/alpha*outside), n+1
		}
	}
	return Scaled(ratio(total, n), scale)
}

// OWA is the overall weighted average of M4: the mean of smape and mase, each relative to that of Naive2, all four being means over the same series.
func OWA(smape, mase, naiveSMAPE, naiveMASE float64) float64 {
	return (ratio(smape, naiveSMAPE) + ratio(mase, naiveMASE)) / 2
}

// SeasonalNaive writes the forecasts of the next len(dst) steps into dst: each the value one season before. The history may have NaN for missing values, which
// count as the newest value before them; where there is less than a season, its newest value is repeated. NaN without history.
func SeasonalNaive(dst, history []float64, season int) {
	y := carried(history)
	season = max(season, 1)
	if len(y) < season {
		season = 1
	}
	for i := range dst {
		dst[i] = math.NaN()
		if len(y) > 0 {
			dst[i] = y[len(y)-season+i%season]
		}
	}
}

// Naive2 writes the forecasts of the next len(dst) steps into dst: the newest value, where the history is seasonal in terms of seasonally adjusted values. It is the reference of OWA,
// as in the benchmarks of the M4 competition: a history of at least three seasons is tested for its autocorrelation at the season with 90 % confidence (Bartlett's
// formula), and adjusted by the classical multiplicative decomposition. The history may have NaN for missing values, which count as the newest value before
// them. One whose seasonal indices are not all above 0 (values ≤ 0) is not adjusted. NaN without history.
func Naive2(dst, history []float64, season int) {
	y := carried(history)
	if len(y) == 0 || !seasonal(y, season) {
		SeasonalNaive(dst, y, 1)
		return
	}
	index := seasonalIndices(y, season)
	if index == nil {
		SeasonalNaive(dst, y, 1)
		return
	}
	last := y[len(y)-1] / index[(len(y)-1)%season]
	for i := range dst {
		// The benchmark repeats the last season of indices, in the order of time.
		dst[i] = last * index[(len(y)+i)%season]
	}
}

// carried is the history from its first value on, where a missing value is the one before it.
func carried(history []float64) []float64 {
	var y []float64
	for _, v := range history {
		switch {
		case !math.IsNaN(v):
			y = append(y, v)
		case len(y) > 0:
			y = append(y, y[len(y)-1])
		}
	}
	return y
}

// seasonal is the benchmark's test: |r(m)| > 1.645·√((1 + 2·Σ r(k)² over k < m)/n), for lags that R's acf computes by default.
func seasonal(y []float64, m int) bool {
	n := len(y)
	if m < 2 || n < 3*m || float64(m) > math.Floor(10*math.Log10(float64(n))) {
		return false
	}
	mean := 0.0
	for _, v := range y {
		mean += v / float64(n)
	}
	lag := func(k int) float64 {
		total := 0.0
		for i := k; i < n; i++ {
			total += float64((y[i] - mean) * (y[i-k] - mean))
		}
		return total
	}
	variance, sum := lag(0), 1.0
	for k := 1; k < m; k++ {
		r := lag(k) / variance
		sum += float64(2 * r * r)
	}
	return math.Abs(lag(m)/variance) > 1.645*math.Sqrt(sum/float64(n))
}

// seasonalIndices are the indices of the classical multiplicative decomposition by place in the season, with mean 1: means of the ratio of y to its centred moving average
// (Kendall & Stuart 1983). It is nil if one is not above 0.
func seasonalIndices(y []float64, m int) []float64 {
	sum, count := make([]float64, m), make([]float64, m)
	half := m / 2
	for i := half; i < len(y)-half; i++ {
		window := 0.0
		for k := i - half; k <= i+half; k++ {
			window += y[k]
		}
		if m%2 == 0 {
			window -= (y[i-half] + y[i+half]) / 2
		}
		sum[i%m] += y[i] / (window / float64(m))
		count[i%m]++
	}
	mean := 0.0
	for i := range sum {
		sum[i] /= count[i]
		mean += sum[i] / float64(m)
	}
	for i := range sum {
		if sum[i] /= mean; !(sum[i] > 0) || math.IsInf(sum[i], 0) {
			return nil
		}
	}
	return sum
}
