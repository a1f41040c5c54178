package project

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/features/agg"
	"github.com/freshet-ml/freshet/internal/spelling"
	"github.com/freshet-ml/freshet/models"
)

func (c *checker) entity(e *Entity) {
	path := "features." + e.Name
	if len(e.Features) == 0 && !c.d.broken[path] {
		c.badKey(path, "no feature is declared", "add one, such as recent: {count: source, over: 1h}", "")
	}
	for i, k := range e.Key {
		if slices.Index(e.Key, k) < i {
			c.bad(fmt.Sprintf("%s.key[%d]", path, i), fmt.Sprintf("the field %s stands here twice", k), "remove one", "")
		}
	}
	if len(e.Key) == 0 && c.given(path+".key") {
		c.badKey(path+".key", "no field is named", "name the field that the features are grouped by", "")
	}
	for i := range e.Features {
		f := &e.Features[i]
		if f.Agg != "" {
			c.feature(e, f, path+"."+f.Name)
		}
	}
	c.entityKeys(e, path)
}

// entityKeys checks that every source that the features use carries the key, with one kind.
func (c *checker) entityKeys(e *Entity, path string) {
	var names []string
	for i := range e.Features {
		for _, name := range append([]string{e.Features[i].Source}, e.Features[i].Until...) {
			if s := c.p.Input(name); s != nil && !s.Table && len(s.Fields) > 0 && !contains(names, name) {
				names = append(names, name)
			}
		}
	}
	for i, k := range e.Key {
		at := fmt.Sprintf("%s.key[%d]", path, i)
		if !c.given(at) {
			at = path + ".key"
		}
		kind, first := features.Null, ""
		var lacking []string
		for _, name := range names {
			f := c.p.Input(name).Field(k)
			switch {
			case f == nil:
				lacking = append(lacking, name)
			case kind == features.Null && f.Kind != features.Null:
				kind, first = f.Kind, name
				c.keyKind(f, at)
			case f.Kind != kind && f.Kind != features.Null:
				c.bad(at, fmt.Sprintf("the field %s is %s in %s and %s in %s", k, kind, first, f.Kind, name), "declare it alike in both", "")
			}
		}
		c.lackingKey(k, names, lacking, at)
	}
}

func (c *checker) lackingKey(key string, names, lacking []string, path string) {
	if len(lacking) == 0 {
		return
	}
	if len(lacking) < len(names) {
		c.bad(path, fmt.Sprintf("%s has no field %q", strings.Join(lacking, " and "), key),
			"every event carries the keys that it is grouped by: declare the field there, or move the features that use it to another entity", "")
		return
	}
	c.bad(path, fmt.Sprintf("no source of these features has a field %q", key), "name a field that they carry", spelling.Nearest(key, fieldNames(c.p.Input(names[0]))))
}

// feature checks one aggregation against its source and against what the aggregation takes.
func (c *checker) feature(e *Entity, f *Feature, path string) {
	at := path + "." + f.Agg
	s := c.source1(f.Source, at)
	spec := find(f.Agg)
	c.settings(f, spec, path)
	if s == nil {
		return
	}
	c.featureValue(f, s, spec, path)
	if f.Where != "" {
		c.expression(f.Where, s, path+".where", features.Bool)
	}
	if f.Per != "" && spec.Per {
		c.number(f.Per, s, path+".per")
	}
	c.timeField(s, f.At, path+".at")
	c.timeField(s, f.Due, path+".due")
	if spec.Set {
		c.open(f, s, path)
	}
	if f.forecasts() {
		c.forecaster(f, s, path)
		if !usesRegressors(f.Agg) {
			c.leftAside(f.Agg, path)
		}
	}
}

// forecaster checks the settings and parameters of a forecaster, at path.
func (c *checker) forecaster(f *Feature, s *Source, path string) {
	for i, src := range f.Regressors {
		at := fmt.Sprintf("%s.regressors[%d]", path, i)
		if !c.given(at) {
			at = path + ".regressors"
		}
		c.number(src, s, at)
	}
	_, err := f.keyed()
	var errs models.SpecErrors
	if errors.As(err, &errs) {
		for i := range errs {
			errs[i].Path = strings.TrimPrefix(strings.TrimPrefix(errs[i].Path, f.Agg), ".")
		}
		c.specErrors(errs, path+".with", path+"."+f.Agg)
		return
	}
	if err == nil || f.Horizon < 1 || f.Horizon > 4096 { // the range was judged when it was read
		return
	}
	key, rest, ok := strings.Cut(err.Error(), ": ")
	if !ok || !contains(forecasting, key) {
		key, rest = strings.Fields(err.Error())[0], err.Error()
	}
	at := path + "." + strings.Replace(key, "seasons", "season", 1)
	if !c.given(at) {
		at, rest = path, err.Error()
	}
	reason, mend, _ := strings.Cut(rest, ": ")
	c.bad(at, reason, mend, "")
}

// source1 returns the source of that name, or reports that there is none or that it is a table.
func (c *checker) source1(name, path string) *Source {
	s := c.p.Input(name)
	switch {
	case s == nil:
		var names []string
		for i := range c.p.Sources {
			names = append(names, c.p.Sources[i].Name)
		}
		near, mend := spelling.Nearest(name, names), ""
		if near == "" {
			mend = "declared: " + strings.Join(names, ", ")
		}
		c.bad(path, fmt.Sprintf("unknown source %q", name), mend, near)
		return nil
	case s.Table:
		c.bad(path, fmt.Sprintf("%s is a table, not a source", name), "its fields are features already: use "+name+".FIELD", "")
		return nil
	}
	return s
}

func (c *checker) featureValue(f *Feature, s *Source, spec *agg.Spec, path string) {
	at := path + "." + f.Agg
	if c.given(path + ".value") {
		at = path + ".value"
	}
	switch {
	case f.Value == "" && spec.Value == agg.MustValue:
		c.bad(at, fmt.Sprintf("%s of what? no field is named", f.Agg), fmt.Sprintf("write %s: %s.FIELD, or add value: with an expression", f.Agg, f.Source), "")
		return
	case f.Value != "" && spec.Value == agg.NoValue:
		c.bad(path+"."+f.Agg, f.Agg+" takes no value", fmt.Sprintf("write %s: %s, and where: to leave events out", f.Agg, f.Source), "")
		return
	case f.Value == "":
		return
	case isName(f.Value) && s.Field(f.Value) == nil && whole(s.Fields):
		c.field(s, f.Value, at)
		return
	}
	if g := s.Field(f.Value); g != nil && g.Kind == features.FreeText && f.keepsValue() {
		c.bad(at, fmt.Sprintf("%s is a text, and no state holds texts", f.Value), "declare it as string to keep it as a category; a model on "+s.Name+" can use the text of the event itself", "")
		return
	}
	if spec.Text {
		c.expression(f.Value, s, at, features.Null)
		return
	}
	c.number(f.Value, s, at)
}

// number checks that an expression over s gives a number or a condition.
func (c *checker) number(src string, s *Source, path string) {
	if k := c.expression(src, s, path, features.Null); k == features.String || k == features.Time {
		mend := "use last, first or distinct"
		if f := s.Field(src); f != nil && f.Kind == features.FreeText {
			c.bad(path, src+" is a text, not a number", "use len("+src+"), or distinct", "")
			return
		}
		if k == features.Time {
			mend = "take the difference of two times: it is a number of seconds"
		}
		c.bad(path, fmt.Sprintf("%s is a %s, not a number", src, k), mend, "")
	}
}

func (c *checker) timeField(s *Source, name, path string) {
	if name == "" {
		return
	}
	if f := c.field(s, name, path); f != nil && f.Kind != features.Time && f.Kind != features.Null {
		c.bad(path, fmt.Sprintf("the field %s is %s", name, f.Kind), "name a field declared as time", "")
	}
}

// open checks what begins, names and ends the things that are counted.
func (c *checker) open(f *Feature, s *Source, path string) {
	if f.By == "" {
		c.badKey(path, "by is missing", "name the field that says which thing begins and ends", "")
	}
	if len(f.Until) == 0 {
		c.badKey(path, "until is missing", "name the sources whose events end a thing", "")
	}
	if f.By == "" {
		return
	}
	by := c.field(s, f.By, path+".by")
	if by != nil && by.Kind == features.FreeText {
		c.keyKind(by, path+".by")
	}
	for i, name := range f.Until {
		at := fmt.Sprintf("%s.until[%d]", path, i)
		if !c.given(at) {
			at = path + ".until"
		}
		u := c.source1(name, at)
		if u == nil || by == nil {
			continue
		}
		switch g := u.Field(f.By); {
		case g == nil:
			c.bad(at, fmt.Sprintf("%s has no field %q, by which things are named", name, f.By), "declare it there", "")
		case g.Kind != by.Kind && g.Kind != features.Null && by.Kind != features.Null:
			c.bad(at, fmt.Sprintf("%s is %s in %s and %s in %s", f.By, by.Kind, s.Name, g.Kind, name), "declare it alike in both", "")
		}
	}
}

// settings reports settings that the aggregation does not have, or that it needs.
func (c *checker) settings(f *Feature, spec *agg.Spec, path string) {
	for _, s := range settings {
		if at := path + "." + s.key; !s.fits(spec) && c.given(at) {
			c.badKey(at, fmt.Sprintf("%s has no setting %s", f.Agg, s.key), "remove it: "+s.key+" is for "+s.whose, "")
		}
	}
	weighted := contains(spec.Uses, "weight")
	switch {
	case weighted && (f.HalfLife > 0) == (f.Weight > 0):
		c.badKey(path, f.Agg+" needs half_life or weight", "give one of them, such as half_life: 7d", "")
	case f.Weight == 1:
		c.bad(path+".weight", "the weight 1 keeps the newest value only", "use last, or a weight below 1", "")
	case contains(spec.Uses, "half_life") && !weighted && f.HalfLife == 0:
		c.badKey(path, f.Agg+" needs half_life", needs["half_life"], "")
	case contains(spec.Uses, "k") && f.K == 0:
		c.badKey(path, f.Agg+" needs k", needs["k"], "")
	case spec.New != nil:
		if _, err := spec.New(agg.Params{Valued: f.Value != "", K: f.K, HalfLife: f.HalfLife, Weight: f.Weight, Cap: f.Cap}); err != nil {
			c.badKey(path, err.Error(), "", "")
		}
	}
	if spec.Windows {
		c.windowSettings(f, spec, path)
	}
}

func (c *checker) windowSettings(f *Feature, spec *agg.Spec, path string) {
	if f.Lag > 0 && len(f.Over) == 0 && f.Agg != "lag" {
		c.badKey(path+".lag", "a lag needs a window", "add over:", "")
	}
	if f.Exact && len(f.Over) == 0 {
		c.badKey(path+".exact", "exact needs a window", "add over:, or remove exact", "")
	}
	if !spec.Always && len(f.Over) == 0 {
		c.badKey(path, f.Agg+" needs a window", "add over: 1h", "")
	}
	for _, w := range f.Over {
		if w > 50*365*24*time.Hour {
			c.bad(path+".over", fmt.Sprintf("the window %s is too long", FormatDuration(w)), "leave over away for all events so far", "")
		}
	}
}
