package backtest

import (
	"math"

	"github.com/freshet-ml/freshet/models/metric"
)

// fewestBlocks is how many blocks must fit for a band to mean something.
const fewestBlocks = 10

const bandSeed = 1

// paired compares the losses of a model with those of a champion on the examples that both have, in the
// order in which the champion's labels came.
func paired(champion, model []scored, block, resamples int) *Paired {
	other := make(map[uint64]float64, len(model))
	for _, s := range model {
		other[s.key] = s.loss
	}
	differences := make([]float64, 0, len(champion))
	for _, s := range champion {
		if loss, ok := other[s.key]; ok {
			differences = append(differences, loss-s.loss)
		}
	}
	if len(differences) == 0 {
		return nil
	}
	p := &Paired{N: len(differences), Block: max(block, 1), Low: Number(math.NaN()), High: Number(math.NaN())}
	if len(differences) < fewestBlocks*p.Block {
		p.Mean = Number(metric.PairedBand(differences, 1, 1, bandSeed).Mean)
		return p
	}
	band := metric.PairedBand(differences, p.Block, resamples, bandSeed)
	p.Mean, p.Low, p.High = Number(band.Mean), Number(band.Low), Number(band.High)
	p.Differs = band.Low > 0 || band.High < 0
	return p
}

// champions are the scored answers of the first candidate's champions, by model.
type champions map[string]*champion

type champion struct {
	candidate string
	losses    []scored
	block     int
}

// compare fills in the difference of every model to the champion of its name in the first candidate.
func (c champions) compare(run *Result, lines []*line, resamples int) {
	first := len(c) == 0
	if first {
		for _, l := range lines {
			for _, s := range l.scorers {
				if s.spec.Of == s.spec.Name {
					c[s.spec.Name] = &champion{candidate: run.Name, losses: s.losses, block: l.block()}
				}
			}
		}
	}
	for _, l := range lines {
		for _, s := range l.scorers {
			ch := c[s.spec.Of]
			if ch == nil || first && s.spec.Of == s.spec.Name {
				continue
			}
			p := paired(ch.losses, s.losses, max(ch.block, l.block()), resamples)
			if p == nil {
				continue
			}
			p.Against, p.Loss = s.spec.Of, lossName(s.spec.Task)
			if !first {
				p.Against = ch.candidate + "/" + s.spec.Of
			}
			run.Model(s.spec.Name).Paired = p
		}
	}
}

// block is the label delay in examples that 99 % of the scored examples do not exceed, at least 1.
func (l *line) block() int { return max(1, int(quantile(l.delays, 0.99))) }
