package serving

import (
	"fmt"
	"slices"
	"time"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/features/unit"
	"github.com/freshet-ml/freshet/features/vector"
	"github.com/freshet-ml/freshet/models"
	freshetv1 "github.com/freshet-ml/freshet/proto/freshet/v1"
)

// Catalog is a compiled project as servers see it. Whoever wires a server fills it in; it is immutable
// afterwards.
type Catalog struct {
	Project    string
	Generation string // fingerprint of the compiled project
	Build      string
	// EventsClock marks a project whose time is moved by events only: "now" is then the head.
	EventsClock bool
	// Lookback is how far before the head features can be read: the max_skew that entity states keep
	// raw events for.
	Lookback time.Duration
	Entities []Entity
	Models   []Model // champions, each followed by its challengers and baselines
}

// Reader reads the features of one entity type from a state; *unit.Program is one. It is safe for
// concurrent use.
type Reader interface {
	Columns() []features.Column
	AppendKeyFrom(dst []byte, values func(name string) (features.Value, bool)) (key []byte, ok bool)
	Read(dst []float64, st *unit.State, t int64) (values []float64, newest int64)
	Expired(st *unit.State, watermark int64) bool
	Window(column int) (window, hop, lag time.Duration)
	KeyedState(st *unit.State, feature string) (model features.Keyed, state []byte, ok bool)
}

// Entity is one entity type; its index in the catalog is the Entity of keys and parts.
type Entity struct {
	Name   string
	Key    []features.Field
	Reader Reader
}

// Label describes where the truth about a model comes from, as the project file says it.
type Label struct {
	From, By, Value, Missing string
	Wait                     time.Duration
	Feedback                 bool // labels come by Feedback
}

// Model is one model of the catalog.
type Model struct {
	Name    string
	Of      string // the model that it challenges; its own name for a champion
	Role    freshetv1.Model_Role
	Task    models.Task
	Classes []string // multiclass only
	On      string   // name of the trigger: a source, or "request"
	Log     string   // name of the example log; with a snapshot's Seq it is the version

	// Request marks models whose examples are Predict calls: what is served is logged, before the
	// answer, or after it if Async.
	Request bool
	Async   bool

	Vector   *vector.Spec
	Fields   []features.Field // of the trigger, in the order that Vector was made with
	ID       int              // field that names an example, -1 if none
	Columns  []int            // slots of the union vector that the model sees
	Key      []int            // fields that name the entity whose memory the model answers from; none: it remembers none
	Pipeline string
	Label    Label
	MaxAge   time.Duration // 0: never stale
	Forecast *Forecast     // of a forecast, else nil
	// Await marks the models that the server answers for: it is not ready without them. The others answer where they
	// happen to have a version.
	Await bool
}

// Forecast says where the series of a forecast are, and what may be asked.
type Forecast struct {
	Entity     int    // index of the entity type whose states hold them
	Feature    string // of that entity type
	Horizon    int    // steps that may be asked for at most
	Levels     []float64
	Regressors []string // names of the regressors that each step asked for needs
}

// served is a model with what was worked out for calls.
type served struct {
	*Model
	need     []int  // parts of the vector that calls read
	required []bool // fields that must be there unless nullable
	key      []bool // fields that are part of a needed entity's key, or of the model's
	fields   map[string]int
	slots    []int  // of each field: how many slots of the vector hold it if it is a text, else 0
	texts    []text // of the model's columns, in their order
	columns  int    // of the model, a text counted as one
	metrics  modelMetrics
	schema   uint64 // ID of its vector's
}

// text is a text among the columns of a model.
type text struct {
	at, n int // its first column, and how many there are
	field int // of the trigger
}

// maxParts bounds the entity types of one vector: answers mark the absent ones in one word.
const maxParts = 64

// compile works out which parts and fields a call for the model needs: all for a request model, whose
// whole vector is logged, and for one with derived columns; else only those behind its own columns.
func compile(m *Model) (*served, error) {
	if err := m.check(); err != nil {
		return nil, err
	}
	s := &served{Model: m, schema: m.Vector.ID(), required: make([]bool, len(m.Fields)), key: make([]bool, len(m.Fields)), fields: make(map[string]int, len(m.Fields))}
	for i, f := range m.Fields {
		s.fields[f.Name] = i
	}
	fieldAt := 0
	for _, p := range m.Vector.Parts {
		fieldAt += p.Width
	}
	derived := fieldAt
	for i := range m.Vector.Fields {
		_, n := m.Vector.FieldSlots(i)
		derived += n
	}
	all := m.Request || len(m.Columns) > 0 && slices.Max(m.Columns) >= derived
	for i, p := range m.Vector.Parts {
		if all || slices.ContainsFunc(m.Columns, func(c int) bool { return c >= p.Offset && c < p.Offset+p.Width }) {
			s.need = append(s.need, i)
		}
	}
	if len(s.need) > maxParts {
		return nil, fmt.Errorf("model %s: its vector has parts of %d entity types, at most %d can be served", m.Name, len(s.need), maxParts)
	}
	s.slots, s.columns = make([]int, len(m.Fields)), len(m.Columns)
	for i, f := range m.Vector.Fields {
		first, n := m.Vector.FieldSlots(i)
		at := slices.Index(m.Columns, first)
		if all || at >= 0 {
			s.required[f] = true
		}
		if m.Fields[f].Kind != features.FreeText {
			continue
		}
		if s.slots[f] = n; at >= 0 {
			s.texts, s.columns = append(s.texts, text{at, n, f}), s.columns-(n-1)
		}
	}
	slices.SortFunc(s.texts, func(a, b text) int { return a.at - b.at })
	for _, f := range m.Key {
		s.required[f], s.key[f] = true, true
	}
	return s, nil
}

func (m *Model) check() error {
	switch {
	case m.Vector == nil:
		return fmt.Errorf("model %s: no vector", m.Name)
	case m.Task == models.Multiclass && len(m.Classes) < 2:
		return fmt.Errorf("model %s: a multiclass model has at least 2 classes, not %d", m.Name, len(m.Classes))
	case (m.Forecast != nil) != (m.Task == models.Forecast):
		return fmt.Errorf("model %s: of the task %s, with a forecast or without: %t", m.Name, m.Task, m.Forecast != nil)
	case m.ID >= len(m.Fields):
		return fmt.Errorf("model %s: field %d names its examples, of %d", m.Name, m.ID, len(m.Fields))
	}
	for _, f := range slices.Concat(m.Vector.Fields, slices.Concat(m.Vector.Keys...), m.Key) {
		if f < 0 || f >= len(m.Fields) {
			return fmt.Errorf("model %s: its vector or its key reads field %d of a trigger with %d", m.Name, f, len(m.Fields))
		}
	}
	for i := range m.Vector.Fields {
		first, n := m.Vector.FieldSlots(i)
		at := slices.Index(m.Columns, first)
		for k := 1; k < n && at >= 0; k++ {
			if at+k >= len(m.Columns) || m.Columns[at+k] != first+k {
				return fmt.Errorf("model %s: it sees a part of the text %s", m.Name, m.Vector.Schema.Columns[first].Name)
			}
		}
	}
	for _, c := range m.Columns {
		if c < 0 || c >= len(m.Vector.Schema.Columns) {
			return fmt.Errorf("model %s: column %d of a vector of %d", m.Name, c, len(m.Vector.Schema.Columns))
		}
	}
	return nil
}

// index maps the names of a catalog; it is immutable.
type index struct {
	models   map[string]*served
	names    []string // in the order of the catalog
	entities map[string]int
	features map[string]column
	keys     map[string]bool // fields that are part of some entity's key
}

// column is one feature of an entity type.
type column struct{ entity, at int }

func newIndex(c *Catalog) (*index, error) {
	x := &index{models: map[string]*served{}, entities: map[string]int{}, features: map[string]column{}, keys: map[string]bool{}}
	for i := range c.Entities {
		e := &c.Entities[i]
		x.entities[e.Name] = i
		for _, k := range e.Key {
			x.keys[k.Name] = true
		}
		for at, col := range e.Reader.Columns() {
			x.features[col.Name] = column{entity: i, at: at}
		}
	}
	for i := range c.Models {
		m := &c.Models[i]
		s, err := compile(m)
		if err != nil {
			return nil, fmt.Errorf("serving catalog: %w", err)
		}
		if _, twice := x.models[m.Name]; twice {
			return nil, fmt.Errorf("serving catalog: two models are named %s", m.Name)
		}
		if f := m.Forecast; f != nil && (f.Entity < 0 || f.Entity >= len(c.Entities) || f.Horizon < 1) {
			return nil, fmt.Errorf("serving catalog: model %s: series of entity type %d, of %d, horizon %d", m.Name, f.Entity, len(c.Entities), f.Horizon)
		}
		for _, p := range m.Vector.Parts {
			if p.Entity < 0 || p.Entity >= len(c.Entities) {
				return nil, fmt.Errorf("serving catalog: model %s: part of entity type %d, of %d", m.Name, p.Entity, len(c.Entities))
			}
			for _, k := range c.Entities[p.Entity].Key {
				if _, ok := s.fields[k.Name]; !ok {
					return nil, fmt.Errorf("serving catalog: model %s: its trigger has no field %s, the key of %s", m.Name, k.Name, c.Entities[p.Entity].Name)
				}
			}
		}
		s.requireKeys(c.Entities)
		x.models[m.Name], x.names = s, append(x.names, m.Name)
	}
	return x, nil
}

func (s *served) requireKeys(entities []Entity) {
	for _, i := range s.need {
		for _, k := range entities[s.Vector.Parts[i].Entity].Key {
			at := s.fields[k.Name]
			s.required[at], s.key[at] = true, true
		}
	}
}

func (x *index) model(name string) (*served, error) {
	if s, ok := x.models[name]; ok {
		return s, nil
	}
	if name == "" {
		return nil, invalid("MODEL_MISSING", "no model named in the request", "set model to one of "+list(x.names))
	}
	return nil, notFound("UNKNOWN_MODEL", fmt.Sprintf("no model %q", clip(name)), "known: "+list(x.names))
}
