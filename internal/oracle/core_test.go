package oracle_test

import (
	"testing"
	"time"

	"github.com/freshet-ml/freshet/datasets/flights"
	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/features/ingest"
	"github.com/freshet-ml/freshet/internal/codec"
	"github.com/freshet-ml/freshet/internal/oracle"
	"github.com/freshet-ml/freshet/internal/program"
	"github.com/freshet-ml/freshet/internal/project"
	"github.com/freshet-ml/freshet/models"
	"github.com/freshet-ml/freshet/models/catalog"
	"github.com/freshet-ml/freshet/models/fold"
	"github.com/freshet-ml/freshet/trainer"
)

// witness is a model that learns nothing and tells what it is shown.
type witness struct {
	asked   func(e *models.Example)
	learned func(e *models.Example)
}

func (w witness) Predict(dst []float64, e *models.Example) []float64 {
	w.asked(e)
	return append(dst, 0.5)
}
func (w witness) Observe(*models.Example)              {}
func (w witness) Learn(e *models.Example, _ []float64) { w.learned(e) }
func (w witness) State(*codec.State)                   {}

// watched compiles the demo with a witness of the whole union vector instead of its models.
func watched(t *testing.T, w witness) *program.Program {
	t.Helper()
	p, err := project.Parse("freshet.yaml", flights.Project(), func(string) (string, bool) { return "", false })
	if err != nil {
		t.Fatal(err)
	}
	prog, err := program.Compile(p, catalog.All)
	if err != nil {
		t.Fatal(err)
	}
	trigger := prog.Triggers[0]
	m := fold.Member{Name: "witness", Of: "witness", Task: models.Binary, Build: func(*features.Schema) (models.Learner, error) { return w, nil }}
	for i := range trigger.Vector.Schema.Columns {
		m.Columns = append(m.Columns, i)
	}
	trigger.Members = []fold.Member{m}
	return prog
}

// fold replays the records of the stream through the core.
func replay(t *testing.T, prog *program.Program, s *flights.Stream) {
	t.Helper()
	cfg, err := prog.Ingest(true)
	if err != nil {
		t.Fatal(err)
	}
	seq, err := ingest.NewSequencer(cfg)
	if err != nil {
		t.Fatal(err)
	}
	r, err := trainer.NewReplay(prog.Program)
	if err != nil {
		t.Fatal(err)
	}
	drain := func() {
		for d, ok := seq.Next(); ok; d, ok = seq.Next() {
			d.Item.Seq = r.Items()
			if err := r.Apply(&d.Item); err != nil {
				t.Fatal(err)
			}
		}
	}
	offsets := make([]int64, len(cfg.Sources))
	offer := func(rec ingest.Record) {
		rec.Offset = offsets[rec.Source]
		offsets[rec.Source]++
		for !seq.Offer(&rec) {
			drain()
		}
	}
	index := map[string]int{}
	for i, in := range prog.Project.Inputs() {
		index[in.Name] = i
	}
	n := 0
	for rec, ok := s.Next(); ok; rec, ok = s.Next() {
		offer(ingest.Record{Source: index[rec.Source], Key: append([]byte(nil), rec.Key...), Value: append([]byte(nil), rec.Value...), Timestamp: rec.Time / 1000})
		if n++; n%500 == 0 {
			_, headers := ingest.MarkRecord(rec.Time, false)
			for _, i := range index {
				offer(ingest.Record{Source: i, Headers: headers})
			}
			drain()
		}
	}
	for i := range cfg.Sources {
		seq.End(i, 0)
	}
	drain()
}

// scheduled lists the ids of the flights of the first days (0: all), and which of them are sampled.
func scheduled(t *testing.T, days, sample int) (byKey map[uint64]string, all int) {
	t.Helper()
	s, err := flights.Days(days)
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for r, ok := s.Next(); ok; r, ok = s.Next() {
		if r.Source == "scheduled" {
			ids = append(ids, string(r.Key))
		}
	}
	byKey = map[uint64]string{}
	for i := range sample {
		id := ids[i*len(ids)/sample]
		byKey[features.Hash(id)] = id
	}
	return byKey, len(ids)
}

// Every column of the vectors of sampled flights is what the source files say: exactly where it is exact,
// within the stated overshoot where it is a window of tiles; and so is every label, and when it was learned.
func TestVectorsAndLabelsAreWhatTheFilesSay(t *testing.T) {
	days, sample := 0, 2500
	if testing.Short() {
		days, sample = 14, 600
	}
	o, err := oracle.Load("../../datasets/flights/data")
	if err != nil {
		t.Fatal(err)
	}
	byKey, all := scheduled(t, days, sample)
	c := &comparison{t: t, o: o, bad: map[string]int{}}
	prog := watched(t, witness{
		asked: func(e *models.Example) {
			c.seen++
			if id, ok := byKey[e.Key]; ok {
				c.vector(id, e)
			}
		},
		learned: func(e *models.Example) {
			if id, ok := byKey[e.Key]; ok {
				c.label(id, e)
			}
		},
	})
	c.columns = prog.Triggers[0].Vector.Schema.Columns
	s, err := flights.Days(days)
	if err != nil {
		t.Fatal(err)
	}
	replay(t, prog, s)
	if c.seen != all || c.vectors != len(byKey) || len(byKey) < sample*9/10 {
		t.Errorf("%d of %d flights were asked about, %d of %d sampled ones compared", c.seen, all, c.vectors, len(byKey))
	}
	if c.labels < len(byKey)*8/10 {
		t.Errorf("%d labels of %d sampled flights", c.labels, len(byKey))
	}
	if c.over == 0 {
		t.Error("no window overshoots: the comparison does not see tiles")
	}
	t.Logf("%d vectors of %d columns, %d labels; %d values overshoot as stated; wrong %v", c.vectors, len(c.columns), c.labels, c.over, c.bad)
}

// comparison compares what the core shows with the oracle.
type comparison struct {
	t                           *testing.T
	o                           *oracle.Oracle
	columns                     []features.Column
	seen, vectors, labels, over int
	bad                         map[string]int
}

const tolerance = 1e-9

func (c *comparison) vector(id string, e *models.Example) {
	c.vectors++
	want, err := c.o.Vector(id)
	if err != nil {
		c.t.Fatal(err)
	}
	if at := c.o.At(id); at.UnixMicro() != e.Time {
		c.t.Errorf("%s is asked about at %v, the files say %v", id, time.UnixMicro(e.Time).UTC(), at)
	}
	for i, col := range c.columns {
		w, ok := want[col.Name]
		got := e.Value[i]
		switch {
		case !ok:
			c.wrong(id, col.Name, got, "not computed by the oracle")
		case len(w.Text) == 1:
			if got != features.Category(w.Text[0]) {
				c.wrong(id, col.Name, got, w)
			}
		case len(w.Text) > 1: // a cross: a category of its own, compared by the columns that it crosses
		case !w.Close(got, tolerance):
			c.wrong(id, col.Name, got, w)
		default:
			if exact := (oracle.Value{Exact: w.Exact}); !exact.Close(got, tolerance) {
				c.over++
			}
		}
	}
}

func (c *comparison) wrong(id, column string, got float64, want any) {
	if c.bad[column]++; c.bad[column] <= 3 {
		c.t.Errorf("%s: %s is %v, want %+v", id, column, got, want)
	}
}

func (c *comparison) label(id string, e *models.Example) {
	c.labels++
	late, _, ok := c.o.Label(id)
	if y := e.Y != 0; !ok || y != late {
		c.t.Errorf("%s: the label is %v, the files say %v (%t)", id, e.Y, late, ok)
	}
}
