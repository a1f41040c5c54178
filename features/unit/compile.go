package unit

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/features/agg"
	"github.com/freshet-ml/freshet/features/expr"
)

// Options are what all entity types of a project share.
type Options struct {
	// MaxSkew is how much older than the newest event a trigger may be whose vector is still right. 0: 1m.
	MaxSkew time.Duration
}

// Bounds of a declaration.
const (
	maxInputs  = 256                        // distinct (value, where) of one source
	maxWindow  = 100 * 365 * 24 * time.Hour // of window + lag, and of keep
	defaultFor = 24 * time.Hour             // keep of open things
)

// compiling is one call of Compile.
type compiling struct {
	p       *Program
	opt     Options
	sources []features.Source
	streams map[streamKey]*streamBuilder
	sets    map[string]*openSet
	errs    []error
}

// Compile checks the declaration of an entity type and compiles it. It returns all that is wrong at once,
// joined, each error naming entity.feature and a mend. sources are the project's; the program keeps no
// reference. Cost: milliseconds at most; for set-up only.
func Compile(e Entity, sources []features.Source, opt Options) (*Program, error) {
	if opt.MaxSkew == 0 {
		opt.MaxSkew = time.Minute
	}
	c := &compiling{
		p:   &Program{entity: e, keep: e.Keep.Microseconds(), skew: opt.MaxSkew.Microseconds()},
		opt: opt, sources: sources, streams: map[streamKey]*streamBuilder{}, sets: map[string]*openSet{},
	}
	c.p.scratch.New = newScratch
	c.p.keys = make([][]int, len(sources))
	c.p.taken = make([]bool, len(sources))
	c.p.bySource = make([][]int, len(sources))
	c.p.groups = make([][]int, len(sources))
	c.entity(&e)
	seen := map[string]bool{}
	for i := range e.Features {
		f := &e.Features[i]
		if seen[f.Name] {
			c.wrong(f.Name, "is declared twice; rename one")
			continue
		}
		seen[f.Name] = true
		c.feature(f)
	}
	c.readable()
	if len(c.errs) > 0 {
		return nil, errors.Join(c.errs...)
	}
	c.finish()
	c.p.fingerprint = c.fingerprint(&e)
	return c.p, nil
}

func (c *compiling) wrong(feature, format string, args ...any) {
	name := c.p.entity.Name
	if feature != "" {
		name += "." + feature
	}
	c.errs = append(c.errs, fmt.Errorf("feature %s: %s", name, fmt.Sprintf(format, args...)))
}

func (c *compiling) entity(e *Entity) {
	if len(e.Key) == 0 {
		c.wrong("", "has no key; name the fields that its events are grouped by")
	}
	if e.Keep < 0 || e.Keep > maxWindow {
		c.wrong("", "keep is %v; set it to 0 (for ever) or up to 100 years", e.Keep)
	}
	if len(e.Features) == 0 {
		c.wrong("", "has no features; add one or remove the entity")
	}
}

// feature compiles one feature. It reports every error that it can tell.
func (c *compiling) feature(f *Feature) {
	spec := agg.Find(f.Agg)
	if spec == nil && c.keyedFeature(f) {
		return
	}
	if spec == nil {
		names := make([]string, len(agg.Catalog))
		for i := range agg.Catalog {
			names[i] = agg.Catalog[i].Name
		}
		c.wrong(f.Name, "unknown aggregation %s%s", f.Agg, expr.Suggest(f.Agg, names))
		return
	}
	if f.Name == "" {
		c.wrong("?", "%s has no name; name it", f.Agg)
	}
	if !c.takes(f, f.Source) {
		return
	}
	n := len(c.errs)
	c.checkUse(f, spec)
	c.checkWindows(f, spec)
	if spec.Set {
		c.openFeature(f, spec, n)
		return
	}
	c.rowsFeature(f, spec, n)
}

// takes notes that source is read and finds the key in it.
func (c *compiling) takes(f *Feature, source int) bool {
	if source < 0 || source >= len(c.sources) {
		c.wrong(f.Name, "names source %d of %d; declare the source", source, len(c.sources))
		return false
	}
	if c.p.keys[source] != nil {
		return true
	}
	s := &c.sources[source]
	key := []int{}
	for _, name := range c.p.entity.Key {
		i := s.FieldIndex(name)
		if i < 0 {
			c.wrong(f.Name, "key field %s is no field of source %s%s; an event must carry the keys that it is grouped by",
				name, s.Name, expr.Suggest(name, fieldNames(s)))
			return false
		}
		key = append(key, i)
	}
	c.p.keys[source], c.p.taken[source] = key, true
	return true
}

// readable finds the key in the sources that no feature takes: their events can be triggers that read
// the entity.
func (c *compiling) readable() {
	for i := range c.sources {
		if c.p.keys[i] != nil || c.sources[i].Plain {
			continue
		}
		var key []int
		for _, name := range c.p.entity.Key {
			if at := c.sources[i].FieldIndex(name); at >= 0 {
				key = append(key, at)
			}
		}
		if len(key) == len(c.p.entity.Key) {
			c.p.keys[i] = key
		}
	}
}

func fieldNames(s *features.Source) []string {
	names := make([]string, len(s.Fields))
	for i, f := range s.Fields {
		names[i] = f.Name
	}
	return names
}

// checkUse reports parameters that the aggregation does not take, or lacks.
func (c *compiling) checkUse(f *Feature, spec *agg.Spec) {
	if spec.Value == agg.NoValue && f.Value != "" {
		c.wrong(f.Name, "%s takes no value; remove %q", f.Agg, f.Value)
	}
	if spec.Value == agg.MustValue && f.Value == "" {
		c.wrong(f.Name, "%s takes a value; name a field of %s", f.Agg, c.sources[f.Source].Name)
	}
	for _, u := range []struct {
		name string
		set  bool
		may  bool
	}{
		{"per", f.Per != "", spec.Per},
		{"k", f.K != 0, slices.Contains(spec.Uses, "k")},
		{"half_life", f.HalfLife != 0, slices.Contains(spec.Uses, "half_life")},
		{"weight", f.Weight != 0, slices.Contains(spec.Uses, "weight")},
		{"cap", f.Cap != 0, slices.Contains(spec.Uses, "cap")},
		{"due", f.Due != "", spec.Set}, {"until", len(f.Until) > 0, spec.Set},
		{"by", f.By != "", spec.Set}, {"keep", f.Keep != 0, spec.Set}, {"at", f.At != "", !spec.Set && spec != keyedSpec},
		{"keyed model", f.Keyed.Model != nil, spec == keyedSpec},
	} {
		if u.set && !u.may {
			c.wrong(f.Name, "%s takes no %s; remove it", f.Agg, u.name)
		}
	}
}

func (c *compiling) checkWindows(f *Feature, spec *agg.Spec) {
	if len(f.Over) == 0 && !spec.Always {
		c.wrong(f.Name, "%s needs a window; add over, such as over: 1h", f.Agg)
	}
	if len(f.Over) > 0 && !spec.Windows {
		c.wrong(f.Name, "%s takes no window; remove over", f.Agg)
	}
	if len(f.Over) == 0 && (f.Exact || f.Lag != 0) {
		c.wrong(f.Name, "exact and lag are for windows; add over or remove them")
	}
	if len(f.Over) > 1 && !f.Suffix {
		c.wrong(f.Name, "has %d windows and no suffixes; give one window or a list", len(f.Over))
	}
	if f.Lag < 0 || f.Lag > maxWindow {
		c.wrong(f.Name, "lag is %v; it must not be negative nor above 100 years", f.Lag)
	}
	for i, w := range f.Over {
		if w < time.Microsecond || w > maxWindow {
			c.wrong(f.Name, "window %v; it must lie between 1us and 100 years", w)
		}
		if slices.Contains(f.Over[:i], w) {
			c.wrong(f.Name, "window %v is listed twice; remove one", w)
		}
	}
}

// compile compiles an expression of a source; wants checks its kind.
func (c *compiling) compile(f *Feature, what, src string, wants func(*expr.Expr) string) *expr.Expr {
	if src == "" {
		return nil
	}
	e, err := expr.Compile(src, expr.FieldsOf(c.sources[f.Source].Fields))
	if err != nil {
		c.wrong(f.Name, "%s %q over source %s: %v", what, src, c.sources[f.Source].Name, err)
		return nil
	}
	if bad := wants(e); bad != "" {
		c.wrong(f.Name, "%s %q: %s", what, src, bad)
	}
	return e
}

func wantsTruth(e *expr.Expr) string {
	if e.Kind() != features.Bool {
		return fmt.Sprintf("is a %v, not a condition; compare it with something", e.Kind())
	}
	return ""
}

func wantsNumber(e *expr.Expr) string {
	if e.Kind() == features.String {
		return "is a string, and the aggregation takes numbers; use len, a comparison, or distinct, last, count"
	}
	return ""
}

// timeField returns the position of a time field of a source, -1 for "".
func (c *compiling) timeField(f *Feature, what, name string) int {
	if name == "" {
		return -1
	}
	s := &c.sources[f.Source]
	i := s.FieldIndex(name)
	switch {
	case i < 0:
		c.wrong(f.Name, "%s %s is no field of source %s%s", what, name, s.Name, expr.Suggest(name, fieldNames(s)))
	case s.Fields[i].Kind != features.Time:
		c.wrong(f.Name, "%s %s is a %v; name a time field of %s", what, name, s.Fields[i].Kind, s.Name)
	}
	return i
}

// column adds a column.
func (c *compiling) column(name string, kind features.ColumnKind, w columnWindow) int {
	c.p.columns = append(c.p.columns, features.Column{Name: c.p.entity.Name + "." + name, Kind: kind})
	c.p.windows = append(c.p.windows, w)
	return len(c.p.columns) - 1
}
