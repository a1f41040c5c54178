package forecast

import (
	"math"

	"gonum.org/v1/gonum/mathext"

	"github.com/freshet-ml/freshet/models"
)

// countDist is the distribution of a count: negative binomial with a mean and a size (∞: Poisson), with extra zeros of the share zeros.
type countDist struct {
	mean, size, zeros float64
}

// variance is that of the count.
func (d *countDist) variance() float64 {
	v := d.mean + float64(d.mean*d.mean/d.size)
	return (1 - d.zeros) * (v + d.zeros*d.mean*d.mean)
}

// atZero is the probability of 0, without the extra zeros.
func (d *countDist) atZero() float64 {
	if d.poisson() {
		return math.Exp(-d.mean)
	}
	return math.Exp(-d.size * math.Log1p(d.mean/d.size))
}

// poisson reports whether the size makes no difference.
func (d *countDist) poisson() bool { return d.size > 1e8*(1+d.mean) }

// walkMost is up to which mean plus ten deviations quantiles are found by adding up probabilities.
const walkMost = 400

// quantiles writes those of the levels, which rise.
func (d *countDist) quantiles(dst, levels []float64) {
	deviation := math.Sqrt(d.mean + d.mean*d.mean/d.size)
	if d.mean+10*deviation < walkMost && d.atZero() > 1e-250 {
		d.walk(dst, levels)
		return
	}
	before := 0.0
	for i, u := range levels {
		q := 0.0
		if u > d.zeros {
			q = d.search((u-d.zeros)/(1-d.zeros), deviation)
		}
		before = max(before, q)
		dst[i] = before
	}
}

// walk adds up probabilities from 0 on: p_{k+1} = p_k · (k + r)/(k + 1) · μ/(r + μ).
func (d *countDist) walk(dst, levels []float64) {
	p := (1 - d.zeros) * d.atZero()
	sum, k := d.zeros+p, 0.0
	share := d.mean / (d.size + d.mean)
	for i, u := range levels {
		for sum < u && k < 100*walkMost {
			if d.poisson() {
				p *= d.mean / (k + 1)
			} else {
				p *= (k + d.size) / (k + 1) * share
			}
			k++
			if sum += p; p < 1e-18 && k > d.mean {
				break // what is left is rounding
			}
		}
		dst[i] = k
	}
}

// gammaFrom is the mean from which counts count as continuous.
const gammaFrom = 1e6

// search finds a quantile by bisection of the distribution function.
func (d *countDist) search(u, deviation float64) float64 {
	if d.mean >= gammaFrom {
		if d.poisson() || d.size > 1e6 {
			return max(0, d.mean+deviation*mathext.NormalQuantile(u))
		}
		return gammaQuantile(u, d.mean, d.mean*d.mean/d.size)
	}
	low, high := -1.0, math.Ceil(d.mean+deviation*2)+1
	for d.below(high) < u && high < 1e15 {
		low, high = high, 2*high
	}
	for high-low > 1 {
		if mid := math.Floor((low + high) / 2); d.below(mid) >= u {
			high = mid
		} else {
			low = mid
		}
	}
	return high
}

// below is the probability of at most k, without extra zeros.
func (d *countDist) below(k float64) float64 {
	if d.poisson() {
		return mathext.GammaIncRegComp(k+1, d.mean)
	}
	return mathext.RegIncBeta(d.size, k+1, d.size/(d.size+d.mean))
}

// gammaQuantile is that of a gamma distribution with a mean and a variance; of one without spread the mean.
func gammaQuantile(u, mean, variance float64) float64 {
	switch shape := mean / variance * mean; {
	case mean <= 0:
		return 0
	case !(variance > 0) || shape > 1e8:
		return mean
	case shape > 1e4:
		return max(0, mean+math.Sqrt(variance)*mathext.NormalQuantile(u))
	case shape < 1e-3: // nearly all mass at 0: the tail is what is left
		return mean / 1e-3 * mathext.GammaIncRegInv(1e-3, u)
	default:
		return mean / shape * mathext.GammaIncRegInv(shape, u)
	}
}

// setRow writes mean and quantiles of one step as those of step i.
func setRow(o *models.Outlook, i int, mean float64, quantiles []float64) {
	o.Mean[i] = mean
	copy(o.Quantiles[i*len(o.Levels):(i+1)*len(o.Levels)], quantiles)
}
