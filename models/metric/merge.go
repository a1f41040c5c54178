package metric

// Merge adds the answers of another set of the same task to this one, as if they had been scored after
// its own: the months of Periods make a quarter. Kappa_t and kappa_m count the seams between the two as
// each set saw its own beginning. It panics for a set of another task or number of classes.
func (s *Set) Merge(o *Set) {
	if s.task != o.task || s.classes != o.classes {
		panic("metric: merge of sets of different tasks")
	}
	s.invalid += o.invalid
	s.events += o.events
	s.weight += o.weight
	s.tally.merge(&o.tally)
	s.losses.log += o.losses.log
	s.losses.squares += o.losses.squares
	s.losses.weight += o.losses.weight
	for i := range s.reliability.weight {
		s.reliability.confidence[i] += o.reliability.confidence[i]
		s.reliability.right[i] += o.reliability.right[i]
		s.reliability.weight[i] += o.reliability.weight[i]
	}
	s.scores.merge(&o.scores)
	s.errors.merge(&o.errors)
	if s.quantiles != nil && o.quantiles != nil {
		s.quantiles.merge(o.quantiles)
	}
}

func (t *tally) merge(o *tally) {
	for i := range t.truth {
		t.hits[i] += o.hits[i]
		t.truth[i] += o.truth[i]
		t.predicted[i] += o.predicted[i]
	}
	t.noChange += o.noChange
	t.majority += o.majority
	t.last = o.last
	for i, w := range t.truth {
		if w > t.truth[t.most] {
			t.most = i
		}
	}
}

// merge joins the spread of the labels by the update of Chan, Golub and LeVeque (1979), eq. 2.1.
func (r *residuals) merge(o *residuals) {
	if o.weight == 0 {
		return
	}
	r.abs += o.abs
	r.squares += o.squares
	r.relative += o.relative
	all, d := r.weight+o.weight, o.mean-r.mean
	r.spread += o.spread + float64(float64(d*d)*(r.weight*o.weight/all))
	r.mean += float64(d * (o.weight / all))
	r.weight = all
}
