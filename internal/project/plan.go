package project

import (
	"slices"
	"time"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/features/agg"
	"github.com/freshet-ml/freshet/features/window"
	"github.com/freshet-ml/freshet/models"
)

// PlanOptions is what a plan cannot know from the file.
type PlanOptions struct {
	Rates      map[string]float64 // events a second by source or table
	Rate       float64            // of sources that Rates does not name; 0: 1 a second, tables 0.01
	Generation string             // in the names of topics; empty: Generation of the project
}

// Plan is what a project costs and keeps. Sizes are estimates before compression, from the declared
// fields: 16 bytes a text, 9 a number; see each field.
type Plan struct {
	Project         string      `json:"project"`
	Generation      string      `json:"generation"`
	Embedded        bool        `json:"embedded"` // broker in memory
	EventsPerSecond float64     `json:"events_per_second"`
	BytesPerDay     float64     `json:"bytes_per_day"` // of Freshet's own topics
	RecordsPerEvent float64     `json:"records_per_event"`
	Units           []UnitPlan  `json:"units"`
	Topics          []TopicPlan `json:"topics"`
	Models          []ModelPlan `json:"models"`
}

// UnitPlan is an entity type: Buckets units of work and storage.
type UnitPlan struct {
	Entity  string   `json:"entity"`
	Table   bool     `json:"table,omitempty"`
	Key     []string `json:"key"`
	Buckets int      `json:"buckets"`
	Columns int      `json:"columns"`
	// StateQuiet is the size of an entity with ten events in each stream, kept raw; StateBusy that of one
	// whose windows are all covered with tiles.
	StateQuiet int `json:"state_bytes_quiet"`
	StateBusy  int `json:"state_bytes_busy"`
}

// TopicPlan is a topic with the settings that Freshet gives it.
type TopicPlan struct {
	Name             string            `json:"name"`
	Own              bool              `json:"own"` // written by Freshet; else by you
	Partitions       int               `json:"partitions"`
	Replication      int               `json:"replication"`
	Settings         map[string]string `json:"settings,omitempty"`
	RecordsPerSecond float64           `json:"records_per_second"`
	BytesPerDay      float64           `json:"bytes_per_day"`
}

// ModelPlan is a model with its challengers.
type ModelPlan struct {
	Name              string   `json:"name"`
	On                string   `json:"on"`
	Members           []string `json:"members"`
	Columns           int      `json:"columns"` // of the union vector
	ExamplesPerSecond float64  `json:"examples_per_second"`
	Wait              string   `json:"wait,omitempty"`
	WaitingExamples   float64  `json:"waiting_examples"` // rate × (wait + correct_for): at most
	WaitingBytes      float64  `json:"waiting_bytes"`
}

const (
	itemHead    = 14 // bytes of an item before its fields
	partHead    = 16
	exampleHead = 40
	answerBytes = 48
	daySeconds  = 86400
)

// PlanOf computes the plan of a project.
func PlanOf(p *Project, opt PlanOptions) Plan {
	if opt.Generation == "" {
		opt.Generation = p.Generation()
	}
	b := planner{p: p, opt: opt, plan: Plan{Project: p.Name, Generation: opt.Generation, Embedded: len(p.Kafka.Brokers) == 0}}
	b.units()
	b.inputs()
	b.models()
	for _, t := range b.plan.Topics {
		if t.Own {
			b.plan.BytesPerDay += t.BytesPerDay
			b.plan.RecordsPerEvent += t.RecordsPerSecond
		}
	}
	if b.plan.EventsPerSecond > 0 {
		b.plan.RecordsPerEvent /= b.plan.EventsPerSecond
	}
	return b.plan
}

type planner struct {
	p    *Project
	opt  PlanOptions
	plan Plan
}

func (b *planner) rate(name string) float64 {
	if r, ok := b.opt.Rates[name]; ok {
		return r
	}
	if s := b.p.Input(name); s != nil && s.Table {
		return 0.01
	}
	if b.opt.Rate > 0 {
		return b.opt.Rate
	}
	return 1
}

func (b *planner) units() {
	for _, own := range slices.Concat(b.p.Features, b.p.own) {
		e := &own
		quiet, busy := b.p.stateBytes(e)
		b.plan.Units = append(b.plan.Units, UnitPlan{Entity: e.Name, Key: e.Key, Buckets: e.Buckets, Columns: len(b.p.entityColumns(e)), StateQuiet: quiet, StateBusy: busy})
	}
	for i := range b.p.Tables {
		t := &b.p.Tables[i]
		n := len(t.Fields) - len(t.Key)
		if t.Time != "" {
			n--
		}
		size := 24 + 8*n
		b.plan.Units = append(b.plan.Units, UnitPlan{Entity: t.Name, Table: true, Key: t.Key, Buckets: defaultBuckets, Columns: n, StateQuiet: size, StateBusy: size})
	}
}

// stateBytes estimates the state of an entity: ten raw rows in each stream, and every window in tiles.
func (p *Project) stateBytes(e *Entity) (quiet, busy int) {
	type stream struct {
		inputs, width int
		tiles         int64
	}
	streams := map[string]*stream{}
	for i := range e.Features {
		f := &e.Features[i]
		spec := agg.Find(f.Agg)
		if f.forecasts() {
			q, b := f.forecasterBytes()
			quiet, busy = quiet+q, busy+b
			continue
		}
		if spec == nil {
			continue
		}
		if spec.Set {
			quiet, busy = quiet+10*16, busy+100*16
			continue
		}
		id := f.Source + "/" + f.At
		if f.Exact {
			id += "/" + f.Name
		}
		s := streams[id]
		if s == nil {
			s = &stream{}
			streams[id] = s
		}
		if f.Value != "" {
			s.inputs++
		}
		s.width += partialWidth(f, spec)
		for _, w := range f.Over {
			s.tiles = max(s.tiles, int64(w.Microseconds())/window.Hop(window.CodeFor(w.Microseconds()))+1)
		}
	}
	for _, s := range streams {
		row := 16 + 8*s.inputs
		quiet += 10 * row
		busy += 64*row + int(max(s.tiles, 1))*(21+s.width)
	}
	return quiet + 16, busy + 16
}

func partialWidth(f *Feature, spec *agg.Spec) int {
	fold, err := spec.New(agg.Params{Valued: f.Value != "", K: f.K, HalfLife: f.HalfLife, Weight: f.Weight, Cap: f.Cap})
	if err != nil {
		return 8
	}
	if w := fold.Partial.Width(); w > 0 {
		return w
	}
	return 24 * max(f.K, 4)
}

// fieldBytes is the packed size of an event's fields.
func fieldBytes(fields []Field) int {
	n := 0
	for _, f := range fields {
		switch f.Kind {
		case features.String:
			n += 16
		case features.FreeText:
			n += 2 + features.TextSlots(f.Bytes)*features.TextBytes
		default:
			n += 9
		}
	}
	return n
}

func (b *planner) topic(t TopicPlan) { b.plan.Topics = append(b.plan.Topics, t) }

func (b *planner) own(name string, partitions int, records, bytesPerSecond float64) {
	retention := "-1"
	if b.p.Kafka.Retention > 0 {
		retention = FormatDuration(b.p.Kafka.Retention)
	}
	b.topic(TopicPlan{Name: b.p.Name + "." + name, Own: true, Partitions: partitions, Replication: b.p.Kafka.Replication,
		Settings:         map[string]string{"cleanup.policy": "delete", "retention": retention, "unclean.leader.election.enable": "false"},
		RecordsPerSecond: records, BytesPerDay: bytesPerSecond * daySeconds})
}

// inputs plans the source topics, the events log and the parts.
func (b *planner) inputs() {
	var records, size, parts, partBytes float64
	for _, s := range b.p.Inputs() {
		r, n := b.rate(s.Name), float64(itemHead+fieldBytes(s.Fields))
		records, size = records+r, size+r*n
		settings := map[string]string{}
		if s.Table {
			settings["cleanup.policy"] = "compact"
		}
		b.topic(TopicPlan{Name: s.Topic, Partitions: s.Partitions, Replication: b.p.Kafka.Replication, Settings: settings,
			RecordsPerSecond: r, BytesPerDay: r * n * 2 * daySeconds})
		for _, u := range b.triggered(s) {
			parts += r
			partBytes += r * float64(partHead+8*u.Columns)
		}
	}
	b.plan.EventsPerSecond = records
	b.own("events", 1, records, size)
	partitions := 32
	if b.plan.Embedded {
		partitions = 8
	}
	b.own("parts."+b.opt.Generation, partitions, parts, partBytes)
	for _, name := range []string{"served", "feedback", "control", "hashes", "dead"} {
		b.own(name, 1, 0, 0)
	}
}

// triggered returns the units that emit a part for an event of s: those of the columns that its models use.
func (b *planner) triggered(s *Source) []UnitPlan {
	var list []UnitPlan
	used := map[string]bool{}
	for i := range b.p.Models {
		if m := &b.p.Models[i]; m.On == s.Name {
			for _, c := range b.p.union(m) {
				used[c.Group] = used[c.Group] || c.Origin == FromEntity || c.Origin == FromTable
			}
		}
	}
	for _, u := range b.plan.Units {
		if used[u.Entity] {
			list = append(list, u)
		}
	}
	return list
}

// union returns the columns that a model or one of its challengers uses.
func (p *Project) union(m *Model) []Column {
	use := slices.Clone(m.Use)
	for _, c := range m.Challengers {
		use = append(use, c.Use...)
	}
	columns, _ := p.Use(m, use)
	return columns
}

// models plans example logs, one for each trigger, predictions, and the examples that wait for labels.
func (b *planner) models() {
	type log struct{ records, bytes float64 }
	logs := map[string]*log{}
	var order []string
	for i := range b.p.Models {
		m := &b.p.Models[i]
		columns := len(b.p.union(m))
		if m.Task != models.Forecast && len(m.Key) > 0 {
			columns++ // a slot says whose the example is
		}
		example := float64(exampleHead + 8*columns)
		plan := ModelPlan{Name: m.Name, On: m.On, Members: []string{m.Name}, Columns: columns, ExamplesPerSecond: b.rate(m.On)}
		for _, c := range m.Challengers {
			plan.Members = append(plan.Members, c.Name)
		}
		if m.Label != nil {
			wait := m.Label.Wait + m.Label.CorrectFor + m.Label.Ahead
			plan.Wait = FormatDuration(wait)
			plan.WaitingExamples = plan.ExamplesPerSecond * wait.Seconds()
			plan.WaitingBytes = plan.WaitingExamples * example
		}
		b.plan.Models = append(b.plan.Models, plan)
		l := logs[m.On]
		if l == nil {
			l = &log{}
			logs[m.On] = l
			order = append(order, m.On)
		}
		l.records += 2 * plan.ExamplesPerSecond // predict, then learn or close
		l.bytes += 2 * plan.ExamplesPerSecond * example
		for _, member := range plan.Members {
			b.own(member+".predictions", 1, plan.ExamplesPerSecond, plan.ExamplesPerSecond*answerBytes)
		}
	}
	for _, on := range order {
		b.own(on+"."+b.opt.Generation+".log", 1, logs[on].records, logs[on].bytes)
	}
}

// longest returns the longest window of the project with its lag: what a rebuild must see back.
func (p *Project) longest() time.Duration {
	var most time.Duration
	for i := range p.Features {
		for _, f := range p.Features[i].Features {
			for _, w := range f.Over {
				most = max(most, w+f.Lag)
			}
		}
	}
	return most
}
