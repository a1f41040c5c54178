package unit

import (
	"fmt"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/features/agg"
	"github.com/freshet-ml/freshet/features/expr"
)

// openFeature compiles a feature of a set of things; errs is how many errors there were before it.
func (c *compiling) openFeature(f *Feature, spec *agg.Spec, errs int) {
	keep := f.Keep
	if keep == 0 {
		keep = defaultFor
	}
	if keep < 0 || keep > maxWindow {
		c.wrong(f.Name, "keep is %v; it must be positive and at most 100 years", keep)
	}
	if f.By == "" {
		c.wrong(f.Name, "%s needs by: the field that names the thing in every source", f.Agg)
	}
	if len(f.Until) == 0 {
		c.wrong(f.Name, "%s needs until: the sources that end a thing", f.Agg)
	}
	set := &openSet{source: f.Source, keep: keep.Microseconds(), by: make([]int, len(c.sources))}
	for i := range set.by {
		set.by[i] = -1
	}
	set.due = c.timeField(f, "due", f.Due)
	set.where = c.compile(f, "where", f.Where, wantsTruth)
	c.bySources(f, set)
	if len(c.errs) > errs {
		return
	}
	key := fmt.Sprintf("%d %q %v %q %q %v", f.Source, f.Due, f.Until, f.By, f.Where, keep)
	if known := c.sets[key]; known != nil {
		set = known
	} else {
		c.sets[key] = set
		c.p.sets = append(c.p.sets, set)
	}
	set.reads = append(set.reads, setRead{c.column(f.Name, features.Numeric, columnWindow{}), spec.OfSet})
}

// bySources finds the naming field in the source that begins things and in those that end them.
func (c *compiling) bySources(f *Feature, set *openSet) {
	kind := features.Null
	for _, source := range append([]int{f.Source}, f.Until...) {
		if !c.takes(f, source) || f.By == "" {
			continue
		}
		if set.by[source] >= 0 {
			c.wrong(f.Name, "source %s both begins and ends, or ends twice; name it once", c.sources[source].Name)
			continue
		}
		s := &c.sources[source]
		i := s.FieldIndex(f.By)
		if i < 0 {
			c.wrong(f.Name, "by %s is no field of source %s%s", f.By, s.Name, expr.Suggest(f.By, fieldNames(s)))
			continue
		}
		if kind == features.Null {
			kind = s.Fields[i].Kind
		}
		if s.Fields[i].Kind != kind {
			c.wrong(f.Name, "by %s is a %v in source %s and a %v in %s; declare it with one type",
				f.By, kind, c.sources[f.Source].Name, s.Fields[i].Kind, s.Name)
		}
		set.by[source] = i
	}
}
