package serving

import (
	"context"
	"fmt"
	"math"
	"time"
	"unsafe"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/features/vector"
	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/fold"
	freshetv1 "github.com/freshet-ml/freshet/proto/freshet/v1"
)

// call is the working memory of one call. Calls come from a pool and keep their memory, so that
// between decoding a request and encoding its answer nothing is allocated in the steady state.
type call struct {
	model    *served
	snapshot *fold.Snapshot
	now      int64 // the time at which features are read, µs
	stale    bool  // some state is being rebuilt
	logged   bool  // the vectors are kept for the log

	ids     []string         // of all rows
	values  []features.Value // of all rows, len(model.Fields) for each
	bytes   []byte           // keys
	keys    []EntityKey
	states  []EntityState
	slot    []int     // for each row and needed part: index of its key, -1 if it is null
	union   []float64 // union vectors: of all rows when they are logged, else of one
	row     []float64 // the model's columns of one row
	raw     []float64 // what the model appended for one row
	answers []answer
	numbers []float64 // of all answers
	example models.Example

	at     int                                      // row whose fields lookup reads
	lookup func(name string) (features.Value, bool) // made once, so that it costs nothing
}

// answer is one row's answer.
type answer struct {
	from, to       int // in numbers
	newest, oldest int64
	missing        int
	notFound       uint64 // bit i: the i-th needed part's entity was not found
	vector         bool   // a vector was given
}

func newCall() any {
	c := new(call)
	c.lookup = c.field
	return c
}

// field returns a field of the row at hand by name.
func (c *call) field(name string) (features.Value, bool) {
	i, ok := c.model.fields[name]
	if !ok {
		return features.Value{}, false
	}
	return c.values[c.at*len(c.model.Fields)+i], true
}

func (c *call) reset(m *served, s *fold.Snapshot) {
	c.model, c.snapshot, c.stale, c.logged = m, s, false, false
	c.ids, c.values, c.bytes, c.keys, c.slot = c.ids[:0], c.values[:0], c.bytes[:0], c.keys[:0], c.slot[:0]
	c.union, c.answers, c.numbers = c.union[:0], c.answers[:0], c.numbers[:0]
}

// release drops what a pooled call must not keep alive.
func (c *call) release() {
	clear(c.ids)
	clear(c.values)
	clear(c.keys)
	c.model, c.snapshot = nil, nil
}

// predictor answers calls: fields → keys → states in one read → vector → answer.
type predictor struct {
	catalog *Catalog
	states  States
	recent  States // for predictions: states read a moment ago will do; nil: as states
	now     func() time.Time
	newID   func() string
	timeout time.Duration // of a read, for calls without a deadline: those of streams
}

// run answers all rows of a request. c was reset for its model and version. asked is the time that
// the request names, or features.NoTime.
func (p *predictor) run(ctx context.Context, c *call, rows []*freshetv1.Row, asked int64, allowStale bool) error {
	if err := p.keys(c, rows); err != nil {
		return err
	}
	if err := p.read(ctx, c, allowStale); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil { // while the states were read; nobody waits any more
		return err
	}
	if err := p.time(c, asked); err != nil {
		return err
	}
	for i, r := range rows {
		if err := p.answer(c, i, r); err != nil {
			return err
		}
	}
	return nil
}

// keys converts the fields of all rows and works out which entities they name.
func (p *predictor) keys(c *call, rows []*freshetv1.Row) (err error) {
	m := c.model
	for i, r := range rows {
		if r == nil {
			return invalid("ROW_EMPTY", fmt.Sprintf("row %d is empty", i), "give it fields or a vector")
		}
		if len(r.GetId()) > maxIDLen {
			return invalid("ID_TOO_LONG", fmt.Sprintf("row %d: id of %d bytes", i, len(r.GetId())), fmt.Sprintf("at most %d", maxIDLen))
		}
		if len(r.GetVector()) > 0 {
			if err := m.vectorAllowed(i, r); err != nil {
				return err
			}
			if c.values, err = m.vectorValues(c.values, i, r.GetFields()); err != nil {
				return err
			}
			for range m.need {
				c.slot = append(c.slot, -1)
			}
			c.ids = append(c.ids, p.id(c, i, r))
			continue
		}
		if c.values, err = m.values(c.values, i, r.GetFields()); err != nil {
			return err
		}
		c.ids = append(c.ids, p.id(c, i, r))
		c.at = i
		for _, part := range m.need {
			e := m.Vector.Parts[part].Entity
			c.slot = append(c.slot, c.key(e, p.catalog.Entities[e].Reader, c.lookup))
		}
	}
	return nil
}

// id names an answer: as the caller says, by the field that names examples, or by a new name.
func (p *predictor) id(c *call, i int, r *freshetv1.Row) string {
	if id := r.GetId(); id != "" {
		return id
	}
	if m := c.model; m.ID >= 0 {
		if v := c.values[i*len(m.Fields)+m.ID]; !v.IsNull() {
			return v.String()
		}
	}
	return p.newID()
}

// vectorAllowed refuses a vector where it could not be used, and fields beside it, but where there are some that no vector holds.
func (m *served) vectorAllowed(row int, r *freshetv1.Row) error {
	if len(r.GetFields()) > 0 && len(m.Key) == 0 && len(m.texts) == 0 {
		return invalid("FIELDS_AND_VECTOR", fmt.Sprintf("row %d has fields and a vector", row), "give one of them")
	}
	if m.Request {
		return invalid("VECTOR_NOT_LOGGED", fmt.Sprintf("row %d: model %s learns from the calls that it answers, and a given vector has no features to learn from", row, m.Name),
			"give fields")
	}
	return nil
}

// key adds the entity that the values name and returns the index of its key, or -1 if a part of it is null.
func (c *call) key(entity int, r Reader, values func(string) (features.Value, bool)) int {
	from := len(c.bytes)
	b, ok := r.AppendKeyFrom(c.bytes, values)
	if !ok {
		c.bytes = c.bytes[:from]
		return -1
	}
	c.bytes = b
	key := ""
	if n := len(b) - from; n > 0 {
		key = unsafe.String(&b[from], n) // bytes before len are not written again until the call is reset
	}
	c.keys = append(c.keys, EntityKey{Entity: entity, Key: key})
	return len(c.keys) - 1
}

// read reads the states of all keys in one round trip. A prediction takes states that were read a moment ago too; a lookup,
// which has no model, shows what is committed.
func (p *predictor) read(ctx context.Context, c *call, allowStale bool) error {
	if len(c.keys) == 0 {
		return nil
	}
	for len(c.states) < len(c.keys) {
		c.states = append(c.states, EntityState{})
	}
	states := c.states[:len(c.keys)]
	ctx, cancel := bounded(ctx, p.timeout)
	defer cancel()
	src := p.states
	if c.model != nil && p.recent != nil {
		src = p.recent
	}
	if err := src.Read(ctx, c.keys, states); err != nil {
		return &ioError{reason: "STORE_UNAVAILABLE", message: "features cannot be read now", err: err}
	}
	for i := range states {
		if !states[i].Rebuilding {
			continue
		}
		if !allowStale {
			return unavailable("REBUILDING", "features of "+p.catalog.Entities[c.keys[i].Entity].Name+" are being rebuilt",
				"try again later, or set allow_stale to take the old ones")
		}
		c.stale = true
	}
	return nil
}

// time settles at which time features are read: the asked one if it can be read back to, else now.
func (p *predictor) time(c *call, asked int64) error {
	head := int64(features.NoTime)
	for i := range c.keys {
		head = max(head, c.states[i].Head)
	}
	now := p.now().UnixMicro()
	if p.catalog.EventsClock && head != features.NoTime {
		now = head
	}
	c.now = now
	if asked == features.NoTime {
		return nil
	}
	if earliest := min(now, max(head, 0)) - p.catalog.Lookback.Microseconds(); asked < earliest {
		return invalid("TOO_FAR_BACK", "as_of is earlier than features can be read", "not earlier than "+
			time.UnixMicro(earliest).UTC().Format(time.RFC3339)+"; a backtest answers for earlier times")
	}
	c.now = asked
	return nil
}

// state returns what the unit would read for this key: nil for an entity that was never seen or is idle
// for longer than it is kept.
func (p *predictor) state(c *call, key int) *EntityState {
	st := &c.states[key]
	if !st.Found || p.catalog.Entities[c.keys[key].Entity].Reader.Expired(&st.State, st.Watermark) {
		return nil
	}
	return st
}

// answer predicts one row.
func (p *predictor) answer(c *call, i int, r *freshetv1.Row) (err error) {
	m := c.model
	a := answer{newest: features.NoTime, oldest: features.NoTime, vector: len(r.GetVector()) > 0}
	c.row = c.row[:0]
	if a.vector {
		c.row, err = m.vector(c.row, i, r.GetVector(), c.values[i*len(m.Fields):(i+1)*len(m.Fields)])
		if err != nil {
			return err
		}
	} else {
		c.row = c.snapshot.Project(c.row, p.assemble(c, i, &a))
	}
	a.missing = m.missing(c.row)
	c.example = models.Example{Row: models.Row{Value: c.row}, Key: c.entity(i), Time: c.now, Weight: 1}
	c.raw = c.snapshot.Predictor.Predict(c.raw[:0], &c.example)
	n := models.AnswerLen(m.Task, len(m.Classes))
	if m.Task == models.Forecast {
		n = 1 + len(m.Forecast.Levels)
	}
	a.from = len(c.numbers)
	c.numbers = append(c.numbers, c.raw[:min(n, len(c.raw))]...)
	a.to = len(c.numbers)
	c.answers = append(c.answers, a)
	return checkAnswer(m, i, c.numbers[a.from:], n)
}

// missing counts the columns of a row that have no value, a text as one.
func (s *served) missing(row []float64) (n int) {
	for _, x := range row {
		if math.IsNaN(x) {
			n++
		}
	}
	for _, t := range s.texts {
		if math.IsNaN(row[t.at]) {
			n -= t.n - 1
		}
	}
	return n
}

// entity is Example.Key of row i, as the fold has it for an example of the log.
func (c *call) entity(i int) uint64 {
	m := c.model
	if len(m.Key) == 0 {
		return features.Hash(c.ids[i])
	}
	return fold.EntityKey(vector.Key(m.Key, c.values[i*len(m.Fields):(i+1)*len(m.Fields)]))
}

func checkAnswer(m *served, row int, numbers []float64, want int) error {
	if len(numbers) != want || want == 0 {
		return fmt.Errorf("model %s, row %d: answer of %d numbers, %d expected", m.Name, row, len(numbers), want)
	}
	for _, x := range numbers {
		if m.Task == models.Forecast && math.IsNaN(x) { // a series that is not known yet
			continue
		}
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return fmt.Errorf("model %s, row %d: answer is not finite", m.Name, row)
		}
	}
	return nil
}

// assemble makes the union vector of a row, as the joiner does.
func (p *predictor) assemble(c *call, i int, a *answer) []float64 {
	m := c.model
	from := 0
	if c.logged {
		from = len(c.union)
	}
	c.union = grow(c.union[:from], m.Vector.Width())
	union := m.Vector.Begin(c.union[from:])
	for j, part := range m.need {
		key := c.slot[i*len(m.need)+j]
		if key < 0 {
			a.notFound |= 1 << (j & 63)
			continue
		}
		st := p.state(c, key)
		reader := p.catalog.Entities[c.keys[key].Entity].Reader
		if st == nil {
			a.notFound |= 1 << (j & 63)
			reader.Read(m.Vector.Part(union, part), nil, c.now)
			continue
		}
		_, newest := reader.Read(m.Vector.Part(union, part), &st.State, c.now)
		if newest == features.NoTime {
			continue
		}
		if a.newest = max(a.newest, newest); a.oldest == features.NoTime || newest < a.oldest {
			a.oldest = newest
		}
	}
	m.Vector.Finish(union, c.values[i*len(m.Fields):(i+1)*len(m.Fields)])
	return union
}

// grow extends s by n slots without setting them.
func grow(s []float64, n int) []float64 {
	if cap(s)-len(s) < n {
		t := make([]float64, len(s), 2*cap(s)+n)
		copy(t, s)
		s = t
	}
	return s[:len(s)+n]
}
