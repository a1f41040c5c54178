package metric

import (
	"time"

	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/models"
)

// DefaultMonths is how many calendar months Periods keeps unless told otherwise.
const DefaultMonths = 36

// Month is a calendar month in UTC: months since January of year 0.
type Month int

// MonthOf returns the month of an event time in µs since the epoch.
func MonthOf(t int64) Month {
	u := time.UnixMicro(t).UTC()
	return Month(u.Year()*12 + int(u.Month()) - 1)
}

// String formats the month as 2006-01.
func (m Month) String() string {
	return time.Date(int(m)/12, time.Month(int(m)%12+1), 1, 0, 0, 0, 0, time.UTC).Format("2006-01")
}

// Period is the scores of one calendar month. Its bins of scores are four times as wide as those of a Set from New: many
// months are kept, and what a month has of errors by chance is far above what the width adds to its AUC. Months before the last two keep
// them packed, in 2 KB or so.
type Period struct {
	Month Month
	*Set
}

// Periods keeps a Set for each calendar month (UTC) of event time, the newest ones up to a bound. It belongs to one goroutine.
type Periods struct {
	task    models.Task
	classes int
	levels  []float64 // of forecasts
	limit   int
	list    []Period // by month
	dropped uint64   // answers of months that were older than all kept
	// The bounds of the month of the last answer, so that most answers need no calendar.
	from, to int64
	at       int
}

// NewPeriods returns empty scores by month for a task (see New), keeping at most limit months;
// limit 0 means DefaultMonths.
func NewPeriods(task models.Task, classes, limit int) *Periods {
	if limit <= 0 {
		limit = DefaultMonths
	}
	New(task, classes) // refuses what no set can be made for
	return &Periods{task: task, classes: classes, limit: limit, from: 1}
}

// NewForecastPeriods returns empty scores by month of forecasts with quantiles (see NewForecast).
func NewForecastPeriods(levels []float64, limit int) *Periods {
	p := NewPeriods(models.Forecast, 0, limit)
	p.levels = levels
	return p
}

func (p *Periods) newSet() *Set {
	if len(p.levels) > 0 {
		return NewForecast(p.levels)
	}
	return newCoarse(p.task, p.classes)
}

func newCoarse(task models.Task, classes int) *Set {
	s := New(task, classes)
	s.scores.shift = coarse
	return s
}

// Add scores one answer in the month of its event time t (µs). When a month beyond the bound begins,
// the oldest one is forgotten; an answer older than all kept months is counted by Dropped. It allocates only when a month begins.
func (p *Periods) Add(t int64, y float64, answer []float64, weight float64) {
	if t < p.from || t >= p.to {
		p.turn(t)
	}
	if p.at < 0 {
		p.dropped++
		return
	}
	p.list[p.at].Add(y, answer, weight)
}

// turn finds or makes the month of t and remembers its bounds.
func (p *Periods) turn(t int64) {
	u := time.UnixMicro(t).UTC()
	first := time.Date(u.Year(), u.Month(), 1, 0, 0, 0, 0, time.UTC)
	p.from, p.to = first.UnixMicro(), first.AddDate(0, 1, 0).UnixMicro()
	m := MonthOf(t)
	i := len(p.list)
	for i > 0 && p.list[i-1].Month > m {
		i--
	}
	if i > 0 && p.list[i-1].Month == m {
		p.at = i - 1
		return
	}
	if i == 0 && len(p.list) == p.limit {
		p.at = -1
		return
	}
	p.list = append(p.list, Period{})
	copy(p.list[i+1:], p.list[i:])
	p.list[i] = Period{Month: m, Set: p.newSet()}
	if len(p.list) > p.limit {
		p.list = append(p.list[:0], p.list[1:]...)
		i--
	}
	p.at = i
	p.pack()
}

// pack packs the months before the last two.
func (p *Periods) pack() {
	for i := range p.list[:max(0, len(p.list)-2)] {
		p.list[i].scores.pack()
	}
}

// List returns the months in order; the caller must not change it.
func (p *Periods) List() []Period { return p.list }

// Dropped returns the number of answers that were older than all kept months.
func (p *Periods) Dropped() uint64 { return p.dropped }

// State visits all months. Loading keeps the bound of the receiver and refuses more months than that.
func (p *Periods) State(c *codec.State) {
	c.Uint64(&p.dropped)
	codec.Slice(c, &p.list, 9, p.limit, func(c *codec.State, e *Period) {
		m := int(e.Month)
		c.Int(&m)
		e.Month = Month(m)
		if c.Loading() {
			e.Set = p.newSet()
		}
		e.Set.State(c)
	})
	if !c.Loading() {
		return
	}
	p.from, p.to, p.at = 1, 0, 0
	p.pack()
	for i := 1; i < len(p.list); i++ {
		if p.list[i].Month <= p.list[i-1].Month {
			c.Fail("month %d after %d", p.list[i].Month, p.list[i-1].Month)
		}
	}
}
