package serving

import "math"

const (
	// pairSpan is how many of its newest losses a model is compared by, and pairLeast how many two models must have in common.
	pairSpan, pairLeast = 4096, 1000
	// pairBlocks is how many blocks of consecutive examples the spread of the difference is taken from, so that examples may depend on
	// their neighbours (batch means: Conway 1963; Law & Carson 1979).
	pairBlocks = 20
	// pairErrors is half the width of the band in standard errors. It is looked at all the time, so it is wider than that of one look.
	pairErrors = 3
)

// losses are the newest losses of a model, by the place of the label in the log.
type losses struct {
	n    uint64
	seq  [pairSpan]uint64
	loss [pairSpan]float32
}

func (l *losses) add(seq uint64, loss float64) {
	l.seq[l.n%pairSpan], l.loss[l.n%pairSpan] = seq, float32(loss)
	l.n++
}

// copyTo returns the losses, the oldest first.
func (l *losses) copyTo(seq []uint64, loss []float32) ([]uint64, []float32) {
	at := 0
	if l.n > pairSpan {
		at = int(l.n % pairSpan)
		seq, loss = append(seq, l.seq[at:]...), append(loss, l.loss[at:]...)
		return append(seq, l.seq[:at]...), append(loss, l.loss[:at]...)
	}
	return append(seq, l.seq[:l.n]...), append(loss, l.loss[:l.n]...)
}

// Comparison is how two models did on the newest examples that both were scored on.
type Comparison struct {
	Examples int
	Mean     float64 // mean loss of the one less that of the other; below 0: the one is better
	HalfBand float64 // three standard errors of it
}

// Compare compares the newest losses of two models, at most 4,096; false before they have 1,000 in common. Cost: a pass over them.
func (c *Curves) Compare(one, other string) (Comparison, bool) {
	seqA, a := c.losses(one)
	seqB, b := c.losses(other)
	d := make([]float64, 0, min(len(a), len(b)))
	for i, j := 0, 0; i < len(a) && j < len(b); {
		switch {
		case seqA[i] < seqB[j]:
			i++
		case seqA[i] > seqB[j]:
			j++
		default:
			d = append(d, float64(a[i])-float64(b[j]))
			i, j = i+1, j+1
		}
	}
	if len(d) < pairLeast {
		return Comparison{}, false
	}
	return compared(d), true
}

// compared is the mean of differences in the order of time, with its band from the means of blocks of equal length. The oldest that fill no block
// are left out.
func compared(d []float64) Comparison {
	block := len(d) / pairBlocks
	d = d[len(d)-block*pairBlocks:]
	var means [pairBlocks]float64
	mean := 0.0
	for i := range means {
		for _, x := range d[i*block : (i+1)*block] {
			means[i] += x
		}
		means[i] /= float64(block)
		mean += means[i] / pairBlocks
	}
	square := 0.0
	for _, m := range means {
		square += float64((m - mean) * (m - mean))
	}
	return Comparison{Examples: len(d), Mean: mean, HalfBand: pairErrors * math.Sqrt(square/(pairBlocks-1)/pairBlocks)}
}

func (c *Curves) losses(model string) ([]uint64, []float32) {
	if c == nil {
		return nil, nil
	}
	c.mu.Lock()
	m := c.models[model]
	c.mu.Unlock()
	if m == nil {
		return nil, nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.losses.copyTo(nil, nil)
}
