package forecasts

import (
	"math"

	"github.com/freshet-ml/freshet/models/metric"
	"github.com/freshet-ml/freshet/trainer/evaluate"
)

// compared are the measures whose differences to the first model are taken.
var compared = [...]string{"mae", "smape", "mase", "crps"}

// compare takes the difference of one forecast.
func (b *block) compare(other int, this, first *errorsOf) {
	d := [len(compared)]float64{this.abs.value() - first.abs.value(), 200 * (this.relative.value() - first.relative.value()),
		this.scaled.value() - first.scaled.value(), this.crps.value() - first.crps.value()}
	b.between[other] = append(b.between[other], d[:]...)
}

// endComparison hands on the differences of a series: their mean, where series are the units.
func (b *block) endComparison() {
	for other, list := range b.between {
		if b.panel && len(list) > 0 {
			var sum [len(compared)]float64
			for i, d := range list {
				sum[i%len(compared)] += d
			}
			for i := range sum {
				sum[i] /= float64(len(list) / len(compared))
			}
			list = sum[:]
		}
		b.differences[other] = append(b.differences[other], list...)
		b.between[other] = b.between[other][:0]
	}
}

// paired keeps differences. Beyond maxPairs neighbours are added up, so that memory is bounded.
type paired struct {
	sums   [len(compared)][]float64
	counts [len(compared)]float64 // that are defined
	stride int
	filled int
	rows   int64
}

const maxPairs = 1 << 17

// fewest is how many forecasts differences need.
const fewest = 8

// add takes the differences of one unit; those that are not defined count 0, and are not in the mean.
func (p *paired) add(d [len(compared)]float64) {
	if p.filled == 0 {
		for i := range p.sums {
			p.sums[i] = append(p.sums[i], 0)
		}
	}
	for i := range p.sums {
		if !math.IsNaN(d[i]) {
			p.sums[i][len(p.sums[i])-1] += d[i]
			p.counts[i]++
		}
	}
	p.rows++
	if p.filled++; p.filled < p.stride {
		return
	}
	p.filled = 0
	if len(p.sums[0]) < maxPairs {
		return
	}
	for i, s := range p.sums {
		for j := range len(s) / 2 {
			s[j] = s[2*j] + s[2*j+1]
		}
		p.sums[i] = s[:len(s)/2]
	}
	p.stride *= 2
}

// bands are the mean differences with their bands, by the circular block bootstrap: over series, which are drawn one by one, or over forecasts in blocks that are
// as long as a horizon, or the cube root of their number. Of less than fewest units there is no band that means anything, and no difference.
func (p *paired) bands(o *Options, panel bool) []evaluate.Difference {
	var out []evaluate.Difference
	if p.rows < fewest {
		return []evaluate.Difference{}
	}
	block := 1.0
	if !panel {
		block = math.Max(math.Ceil(math.Cbrt(float64(p.rows))), math.Ceil(float64(o.Horizon)/float64(max(o.Origins.Stride, 1))))
	}
	for i, name := range compared {
		if p.counts[i] == 0 {
			continue
		}
		scaled := make([]float64, len(p.sums[i]))
		for j, s := range p.sums[i] {
			scaled[j] = s * float64(len(scaled)) / p.counts[i]
		}
		b := metric.PairedBand(scaled, int(math.Ceil(block/float64(p.stride))), 1000, o.Seed)
		out = append(out, evaluate.Difference{Metric: name, Mean: b.Mean, Low: b.Low, High: b.High})
	}
	return out
}
