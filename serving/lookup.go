package serving

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/freshet-ml/freshet/features"
	freshetv1 "github.com/freshet-ml/freshet/proto/freshet/v1"
)

// GetFeatures reads features of several entities at a time, by the code that makes vectors.
func (s *Server) GetFeatures(ctx context.Context, req *freshetv1.GetFeaturesRequest) (*freshetv1.GetFeaturesResponse, error) {
	resp, err := s.lookup(ctx, req)
	err = toStatus(s.logged(err, "lookup"))
	s.deps.Metrics.Lookups.WithLabelValues(codeName(status.Code(err))).Inc()
	return resp, err
}

// selection is what a lookup asks for: columns in the order of the response, and their entity types.
type selection struct {
	columns  []column
	entities []int
}

func (s *Server) lookup(ctx context.Context, req *freshetv1.GetFeaturesRequest) (*freshetv1.GetFeaturesResponse, error) {
	if err := s.checkRows(len(req.GetRows())); err != nil {
		return nil, err
	}
	asked, err := s.asked(nil, req.GetAsOf())
	if err != nil {
		return nil, err
	}
	sel, err := s.selection(req)
	if err != nil {
		return nil, err
	}
	c := s.calls.Get().(*call)
	defer s.calls.Put(c)
	defer c.release()
	c.reset(nil, nil)
	for i, row := range req.GetRows() {
		if err := s.lookupKeys(c, sel, i, row.GetKeys()); err != nil {
			return nil, err
		}
	}
	if err := s.predictor.read(ctx, c, req.GetAllowStale() || s.config.AllowStale); err != nil {
		return nil, err
	}
	if err := s.predictor.time(c, asked); err != nil {
		return nil, err
	}
	return s.table(c, sel, len(req.GetRows()), req.GetMaxAge()), nil
}

// selection resolves the names of a request; without names it is every entity type whose key fields
// the first row has.
func (s *Server) selection(req *freshetv1.GetFeaturesRequest) (*selection, error) {
	sel := &selection{}
	for _, name := range req.GetFeatures() {
		if entity, ok := strings.CutSuffix(name, ".*"); ok {
			i, known := s.index.entities[entity]
			if !known {
				return nil, s.unknownFeature(name)
			}
			sel.all(i, &s.catalog.Entities[i])
			continue
		}
		col, ok := s.index.features[name]
		if !ok {
			return nil, s.unknownFeature(name)
		}
		sel.add(col)
	}
	if len(req.GetFeatures()) > 0 {
		return sel, nil
	}
	first := req.GetRows()[0].GetKeys()
	for i := range s.catalog.Entities {
		e := &s.catalog.Entities[i]
		if !slices.ContainsFunc(e.Key, func(f features.Field) bool { return first[f.Name] == nil }) {
			sel.all(i, e)
		}
	}
	if len(sel.entities) == 0 {
		return nil, invalid("KEY_MISSING", "the first row has the key of no entity type", "known: "+s.keyHint())
	}
	return sel, nil
}

func (sel *selection) all(entity int, e *Entity) {
	for at := range e.Reader.Columns() {
		sel.add(column{entity: entity, at: at})
	}
}

func (sel *selection) add(c column) {
	if slices.Contains(sel.columns, c) {
		return
	}
	sel.columns = append(sel.columns, c)
	if !slices.Contains(sel.entities, c.entity) {
		sel.entities = append(sel.entities, c.entity)
	}
}

func (s *Server) unknownFeature(name string) error {
	entity, _, _ := strings.Cut(name, ".")
	if i, ok := s.index.entities[entity]; ok {
		var known []string
		for _, c := range s.catalog.Entities[i].Reader.Columns() {
			known = append(known, c.Name)
		}
		return notFound("UNKNOWN_FEATURE", fmt.Sprintf("no feature %q", clip(name)), "known: "+list(known))
	}
	return notFound("UNKNOWN_FEATURE", fmt.Sprintf("no entity type %q", clip(entity)), "known: "+s.keyHint())
}

// keyHint lists the entity types with their keys, such as "origin (origin), route (origin, carrier)".
func (s *Server) keyHint() string {
	var all []string
	for i := range s.catalog.Entities {
		var fields []string
		for _, f := range s.catalog.Entities[i].Key {
			fields = append(fields, f.Name)
		}
		all = append(all, s.catalog.Entities[i].Name+" ("+strings.Join(fields, ", ")+")")
	}
	return list(all)
}

// lookupKeys adds one key for each entity type of the selection.
func (s *Server) lookupKeys(c *call, sel *selection, row int, given map[string]*freshetv1.Value) error {
	if err := s.unknownKeys(row, given); err != nil {
		return err
	}
	for _, e := range sel.entities {
		entity := &s.catalog.Entities[e]
		var fault error
		values := func(name string) (features.Value, bool) {
			i := slices.IndexFunc(entity.Key, func(f features.Field) bool { return f.Name == name })
			if i < 0 {
				return features.Value{}, false
			}
			f := entity.Key[i]
			f.Nullable = true // an explicit null is a key that finds nothing
			v, ok := given[name]
			if !ok {
				fault = invalid("KEY_MISSING", fmt.Sprintf("row %d: key field %s of %s is missing", row, name, entity.Name), "known: "+s.keyHint())
				return features.Value{}, false
			}
			x, err := convert(&f, v)
			if err == nil {
				err = checkKey(&f, x)
			}
			if err != nil {
				err.(*Error).Message = fmt.Sprintf("row %d: %s", row, err.(*Error).Message)
				fault = err
			}
			return x, err == nil
		}
		c.slot = append(c.slot, c.key(e, entity.Reader, values))
		if fault != nil {
			return fault
		}
	}
	return nil
}

// unknownKeys refuses fields that no entity type has in its key; those of types that are not asked for
// may be there.
func (s *Server) unknownKeys(row int, given map[string]*freshetv1.Value) error {
	var unknown []string
	for name := range given {
		if !s.index.keys[name] {
			unknown = append(unknown, clip(name))
		}
	}
	if len(unknown) == 0 {
		return nil
	}
	slices.Sort(unknown)
	return invalid("UNKNOWN_FIELD", fmt.Sprintf("row %d: %s is no key field", row, list(unknown)), "known: "+s.keyHint())
}

// table reads all entities and lays their features out as columns.
func (s *Server) table(c *call, sel *selection, rows int, maxAge *durationpb.Duration) *freshetv1.GetFeaturesResponse {
	resp := &freshetv1.GetFeaturesResponse{AsOf: timestamp(c.now), Stale: c.stale}
	for _, col := range sel.columns {
		resp.Columns = append(resp.Columns, s.header(col, rows))
	}
	var read []float64
	cells := newCells(len(sel.columns) * rows)
	for j, e := range sel.entities {
		entity := &s.catalog.Entities[e]
		fresh := &freshetv1.EntityColumn{Entity: entity.Name}
		for i := range rows {
			var st *EntityState
			if key := c.slot[i*len(sel.entities)+j]; key >= 0 {
				st = s.predictor.state(c, key)
			}
			f := &freshetv1.EntityFreshness{Found: st != nil}
			status := freshetv1.FeatureColumn_NOT_FOUND
			read = read[:0]
			if st != nil {
				var newest int64
				read, newest = entity.Reader.Read(read, &st.State, c.now)
				status = setAge(f, c.now, newest, maxAge)
			}
			fresh.Rows = append(fresh.Rows, f)
			for k, col := range sel.columns {
				if col.entity == e {
					cells.set(resp.Columns[k], read, col.at, status)
				}
			}
		}
		resp.Entities = append(resp.Entities, fresh)
	}
	return resp
}

func (s *Server) header(col column, rows int) *freshetv1.FeatureColumn {
	r := s.catalog.Entities[col.entity].Reader
	c := r.Columns()[col.at]
	out := &freshetv1.FeatureColumn{Name: c.Name, Values: make([]*freshetv1.Value, 0, rows), Statuses: make([]freshetv1.FeatureColumn_Status, 0, rows)}
	if c.Kind == features.Categorical {
		out.Kind = freshetv1.FeatureColumn_CATEGORICAL
	}
	window, hop, lag := r.Window(col.at)
	out.Window, out.Hop, out.Lag = positive(window), positive(hop), positive(lag)
	return out
}

func positive(d time.Duration) *durationpb.Duration {
	if d <= 0 {
		return nil
	}
	return durationpb.New(d)
}

// setAge fills in how fresh an entity is and returns the status of its values.
func setAge(f *freshetv1.EntityFreshness, now, newest int64, maxAge *durationpb.Duration) freshetv1.FeatureColumn_Status {
	if newest == features.NoTime {
		return freshetv1.FeatureColumn_PRESENT
	}
	age := time.Duration(now-newest) * time.Microsecond
	f.EventTime, f.Age = timestamp(newest), durationpb.New(age)
	if maxAge != nil && age > maxAge.AsDuration() {
		return freshetv1.FeatureColumn_OUTSIDE_MAX_AGE
	}
	return freshetv1.FeatureColumn_PRESENT
}

// cells are the values of a response, made two allocations for all instead of two for each: a lookup of 100 entities with 50 features has
// 5,000 of them. They live as long as the response.
type cells struct {
	values  []freshetv1.Value
	numbers []freshetv1.Value_Double
}

func newCells(n int) *cells {
	return &cells{values: make([]freshetv1.Value, n), numbers: make([]freshetv1.Value_Double, n)}
}

// null is the kind of all missing values; nobody writes it.
var null = &freshetv1.Value_Null{Null: structpb.NullValue_NULL_VALUE}

// set appends the value of one row to a column.
func (c *cells) set(col *freshetv1.FeatureColumn, read []float64, at int, status freshetv1.FeatureColumn_Status) {
	v := &c.values[0]
	c.values = c.values[1:]
	switch {
	case status == freshetv1.FeatureColumn_NOT_FOUND:
		v.Kind = null
	case math.IsNaN(read[at]):
		v.Kind = null
		status = freshetv1.FeatureColumn_NULL
	default:
		x := &c.numbers[0]
		c.numbers = c.numbers[1:]
		x.Double, v.Kind = read[at], x
	}
	col.Values = append(col.Values, v)
	col.Statuses = append(col.Statuses, status)
}
