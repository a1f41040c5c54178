package evaluate

import (
	"math"

	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/metric"
)

// paired keeps what one model lost more than the first on each row. Beyond maxPairs rows neighbours are added up, so that memory is bounded; the blocks
// of the bootstrap are longer than that anyway.
type paired struct {
	task   models.Task
	losses []string
	sums   [][]float64 // by loss
	stride int         // rows in a sum
	filled int         // rows in the last sum
	rows   int64
}

const maxPairs = 1 << 17

func newPaired(task models.Task) *paired {
	p := &paired{task: task, stride: 1}
	switch task {
	case models.Binary, models.Multiclass:
		p.losses = []string{"log_loss", "accuracy"}
	case models.Anomaly:
	default:
		p.losses = []string{"mae"}
	}
	p.sums = make([][]float64, len(p.losses))
	return p
}

// add takes the answers of this model and of the first to one label.
func (p *paired) add(y float64, mine, first []float64) {
	var d [2]float64
	for i := range p.losses {
		d[i] = p.value(i, y, mine) - p.value(i, y, first)
		if math.IsNaN(d[i]) || math.IsInf(d[i], 0) {
			return // an answer that was not finite is counted by the metrics
		}
	}
	p.rows++
	begin := p.filled == 0
	p.filled++
	for i := range p.losses {
		if begin {
			p.sums[i] = append(p.sums[i], 0)
		}
		p.sums[i][len(p.sums[i])-1] += d[i]
	}
	if p.filled == p.stride {
		p.filled = 0
		p.halve()
	}
}

// halve adds up neighbours when there are too many sums.
func (p *paired) halve() {
	if len(p.losses) == 0 || len(p.sums[0]) < maxPairs {
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

// value is the metric of one answer.
func (p *paired) value(i int, y float64, answer []float64) float64 {
	switch p.losses[i] {
	case "accuracy":
		if class(p.task, answer) == int(y) {
			return 1
		}
		return 0
	case "mae":
		return math.Abs(y - answer[0])
	}
	if p.task == models.Binary {
		return metric.BinaryLogLoss(y, answer[0])
	}
	return metric.ClassLogLoss(int(y), answer)
}

// class is the class that an answer stands for, as metrics see it.
func class(task models.Task, answer []float64) int {
	if task == models.Binary {
		if answer[0] > 0.5 {
			return 1
		}
		return 0
	}
	best := 0
	for c, a := range answer {
		if a > answer[best] {
			best = c
		}
	}
	return best
}

// bands are the mean differences with their bands: the circular block bootstrap with blocks of the label delay or the cube root of the rows, whichever
// is longer.
func (p *paired) bands(o *Options) []Difference {
	var out []Difference
	if p.rows == 0 {
		return nil
	}
	block := max(int64(math.Ceil(math.Cbrt(float64(p.rows)))), o.Delay.Events)
	for i, name := range p.losses {
		means, last := p.sums[i], len(p.sums[i])-1
		scaled := make([]float64, len(means))
		for j, s := range means {
			scaled[j] = s / float64(p.stride)
		}
		if p.filled > 0 {
			scaled[last] = means[last] / float64(p.filled)
		}
		b := metric.PairedBand(scaled, int(max((block+int64(p.stride)-1)/int64(p.stride), 1)), 1000, o.Seed)
		out = append(out, Difference{Metric: name, Mean: b.Mean, Low: b.Low, High: b.High})
	}
	return out
}
