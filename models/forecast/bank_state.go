package forecast

import (
	"math"

	"github.com/freshet-ml/freshet/internal/codec"
)

// bankMost bounds the numbers of a state: values are at most bankLimit, and nothing is carried further than its range many times over.
const bankMost = 1e35

// bankNumber visits a finite number within bankMost.
func bankNumber(c *codec.State, v *float64, what string) {
	if c.Float64(v); c.Loading() && !(math.Abs(*v) <= bankMost) {
		c.Fail("forecaster_bank: number %v %s", *v, what)
	}
}

// bankWhole visits a count that is kept as a double.
func bankWhole(c *codec.State, v *float64) {
	if c.Float64(v); c.Loading() && !(*v >= 0 && *v < 1e15 && *v == math.Trunc(*v)) {
		c.Fail("forecaster_bank: count %v", *v)
	}
}

// bankWeight visits a sum of discounted ones.
func bankWeight(c *codec.State, v *float64) {
	if c.Float64(v); c.Loading() && !(*v == 0 || *v >= 1 && *v < 1e15) {
		c.Fail("forecaster_bank: weight %v", *v)
	}
}

// bankCount visits a count of 0 or more.
func bankCount(c *codec.State, v *int64, least, most int64) {
	if c.Int64(v); c.Loading() && (*v < least || *v > most) {
		c.Fail("forecaster_bank: count %d", *v)
	}
}

// bankSingle visits a number of single precision, which may be missing.
func bankSingle(c *codec.State, v *float32, missing bool) {
	bits := math.Float32bits(*v)
	c.Uint32(&bits)
	if c.Loading() {
		*v = math.Float32frombits(bits)
		if f := float64(*v); !(math.Abs(f) <= bankMost) && !(missing && f != f) {
			c.Fail("forecaster_bank: number %v", *v)
		}
	}
}

// State visits all that the series knows. The logarithms of a series that had a value not above 0 are no part of it any more.
func (s *bankSeries) State(c *codec.State) {
	c.Fixed("members of forecaster_bank", s.b.members)
	c.Fixed("season of forecaster_bank", s.b.period)
	bankCount(c, &s.step, -1, math.MaxInt64/2)
	bankCount(c, &s.gap, 0, bankGap)
	bankCount(c, &s.observed, 0, math.MaxInt64)
	bankCount(c, &s.errors, 0, math.MaxInt64)
	bankCount(c, &s.run, math.MinInt64, math.MaxInt64)
	bankCount(c, &s.shifted, 0, math.MaxInt64)
	bankCount(c, &s.health.Anomalies, 0, math.MaxInt64)
	bankCount(c, &s.health.Shifts, 0, math.MaxInt64)
	for _, v := range []*float64{&s.origin, &s.newest, &s.low, &s.high} {
		bankNumber(c, v, "of the range")
	}
	if c.Float64(&s.residual); c.Loading() && math.IsInf(s.residual, 0) {
		c.Fail("forecaster_bank: residual %v", s.residual)
	}
	c.Bool(&s.noLog)
	if c.Loading() && (s.low > s.high || s.gap > s.step+1 || s.observed > 0 && s.step < s.gap) {
		c.Fail("forecaster_bank: range %v to %v, gap %d at step %d", s.low, s.high, s.gap, s.step)
	}
	for v := range s.trunks {
		for i := range s.trunks[v] {
			if v == linearView || !s.noLog {
				s.trunks[v][i].state(c)
			}
		}
		if v == linearView || !s.noLog {
			s.airlines[v].visit(c)
		}
	}
	for i := range s.last {
		bankSingle(c, &s.last[i], true)
	}
	s.scores.state(c)
	for i := range s.waiting {
		bankSingle(c, &s.waiting[i], true)
	}
	for i := range s.emitted {
		bankCount(c, &s.emitted[i], -1, math.MaxInt64)
	}
	s.spread.state(c)
	s.echo.state(c)
	if s.x != nil {
		s.x.state(c)
	}
}

func (k *trunk) state(c *codec.State) {
	c.Bool(&k.started)
	bankWhole(c, &k.n)
	if bankNumber(c, &k.size, "of a trunk"); c.Loading() && k.size < 0 {
		c.Fail("forecaster_bank: errors of size %v", k.size)
	}
	for i := range k.filters {
		f := &k.filters[i]
		bankNumber(c, &f.level, "of a level")
		bankNumber(c, &f.trend, "of a trend")
		bankNumber(c, &f.error, "of an error")
	}
	for _, table := range k.tables {
		for i := range table {
			bankSingle(c, &table[i], false)
		}
	}
}

func (s *scores) state(c *codec.State) {
	for i := range s.loss {
		if bankSingle(c, &s.loss[i], false); c.Loading() && s.loss[i] < 0 {
			c.Fail("forecaster_bank: loss %v", s.loss[i])
		}
	}
	for i := range s.weight {
		bankWeight(c, &s.weight[i])
	}
}

func (s *spread) state(c *codec.State) {
	for k := range s.scale {
		bankNumber(c, &s.scale[k][linearView], "of a spread")
		bankNumber(c, &s.scale[k][logView], "of a spread")
		bankWhole(c, &s.count[k])
		if c.Loading() && (s.scale[k][linearView] < 0 || s.scale[k][logView] < 0) {
			c.Fail("forecaster_bank: errors of size %v", s.scale[k])
		}
	}
	for v := range s.quantile {
		for i := range s.quantile[v] {
			if c.Float64(&s.quantile[v][i]); c.Loading() && !(math.Abs(s.quantile[v][i]) <= mostQuantile) {
				c.Fail("forecaster_bank: quantile %v", s.quantile[v][i])
			}
		}
		bankNumber(c, &s.fit[v], "of a fit")
	}
	bankWhole(c, &s.n)
}
