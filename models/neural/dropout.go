package neural

import "github.com/freshet-ml/freshet/features"

// dropMask writes, for the units of a layer, 0 with probability rate and 1/(1 − rate) otherwise (Srivastava et al. 2014, scaled while
// learning). The draws are a function of seed and event, the number of labels learned before, and of the unit's number: a replay of the log draws the same.
func dropMask(mask []float64, rate float64, seed, event uint64) {
	r := draws{seed: features.Mix(seed ^ event*golden)}
	whole := 1 / (1 - rate)
	for i := range mask {
		mask[i] = 0
		if r.unit() >= rate {
			mask[i] = whole
		}
	}
}
