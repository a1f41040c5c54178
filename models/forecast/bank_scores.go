package forecast

import "math"

// Columns of scores: one step ahead, up to half of the horizon, beyond, and the last two together.
const (
	scoreGroups  = 3
	pooled       = 3
	scoreColumns = 4
)

// scores are the discounted absolute errors of the members of a bank.
type scores struct {
	b      *Bank
	loss   []float32             // by member and column
	weight [scoreColumns]float64 // of the errors in a column
}

func newScores(b *Bank) scores { return scores{b: b, loss: make([]float32, b.members*scoreColumns)} }

// outlying is how many times its usual size an error may count: what no member foresaw must not decide between them for long.
const outlying = 10

// add scores the answers for the kth distance; typical is the usual size of errors there, 0 if not known. A member without an answer is taken for average.
func (s *scores) add(k int, y float64, answers []float64, typical float64) {
	most := math.Inf(1)
	if typical > 0 {
		most = outlying * typical
	}
	total, count := 0.0, 0.0
	for i, f := range answers {
		e := min(math.Abs(y-f), most)
		if answers[i] = e; e == e {
			total, count = total+e, count+1
		}
	}
	if count == 0 {
		return
	}
	s.column(s.b.groups[k], answers, total/count)
	if k > 0 {
		s.column(pooled, answers, total/count)
	}
}

func (s *scores) column(g int, errors []float64, average float64) {
	fade := s.b.fade[g]
	s.weight[g] = float64(s.weight[g]*fade) + 1
	for i, e := range errors {
		if e != e {
			e = average
		}
		at := i*scoreColumns + g
		s.loss[at] = float32(float64(float64(s.loss[at])*fade) + e)
	}
}

// pick is the members that share a forecast.
type pick struct {
	n      int
	member [maxTop]uint16
	weight [maxTop]float64
}

// faith is how many errors must be known before they count as much as the belief that the best few are equally good.
const faith = 10

// pick chooses the best of the members that have an answer: in a group by the mean of its own errors and those of all distances beyond one step, as far as there are any.
func (s *scores) pick(p *pick, g int, answers []float64) {
	own, all, known := s.columns(g)
	p.n = 0
	for i, f := range answers {
		if f != f {
			continue
		}
		row := s.loss[i*scoreColumns : (i+1)*scoreColumns]
		e := float64(own*float64(row[g])) + float64(all*float64(row[pooled]))
		if known == 0 {
			e = float64(float64(row[0]) / max(s.weight[0], 1))
		}
		p.insert(i, e, s.b.cfg.Top)
	}
	if p.n > 0 {
		p.share(faith/(faith+known), s.b.cfg.Sharpness)
	}
}

// columns says by what the errors in column g and the pooled ones are multiplied, and how much is known.
func (s *scores) columns(g int) (own, all, known float64) {
	if s.weight[g] > 0 {
		own = 1 / s.weight[g]
	}
	if g == 0 {
		return own, 0, s.weight[0]
	}
	if s.weight[pooled] > 0 {
		all = 1 / s.weight[pooled]
	}
	if own > 0 && all > 0 {
		own, all = own/2, all/2
	}
	return own, all, s.weight[pooled]
}

// insert keeps the top members by rising error; of equal ones the first.
func (p *pick) insert(member int, e float64, top int) {
	if p.n == top {
		if e >= p.weight[p.n-1] {
			return
		}
		p.n--
	}
	at := p.n
	for ; at > 0 && p.weight[at-1] > e; at-- {
		p.member[at], p.weight[at] = p.member[at-1], p.weight[at-1]
	}
	p.member[at], p.weight[at] = uint16(member), e
	p.n++
}

// share turns errors into weights; doubt in [0, 1] draws them together.
func (p *pick) share(doubt, sharpness float64) {
	best, worst := p.weight[0], p.weight[p.n-1]
	total := 0.0
	for i := range p.n {
		e := p.weight[i] + float64(doubt*(worst-p.weight[i]))
		least := best + float64(doubt*(worst-best))
		p.weight[i] = 1
		if e > least {
			p.weight[i] = math.Exp(sharpness * math.Log(max(least/e, 1e-30)))
		}
		total += p.weight[i]
	}
	for i := range p.n {
		p.weight[i] /= total
	}
}

// combine is the weighted mean of the picked answers, other if there is none.
func (p *pick) combine(answers []float64, other float64) float64 {
	sum, total := 0.0, 0.0
	for i, m := range p.member[:p.n] {
		if f := answers[m]; f == f {
			sum += float64(p.weight[i] * f)
			total += p.weight[i]
		}
	}
	if !(total > 0) {
		return other
	}
	return sum / total
}
