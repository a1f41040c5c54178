package project

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/features/expr"
	"github.com/freshet-ml/freshet/internal/spelling"
	"github.com/freshet-ml/freshet/models"
)

// derived checks the shape of derived features, and those that no model uses against all that could be
// meant; those that are used are compiled for each model that uses them.
func (c *checker) derived() {
	for i := range c.p.Derived {
		d := &c.p.Derived[i]
		path := "derived." + d.Name
		switch {
		case d.Expr == "" && len(d.Cross) == 0:
			if !c.given(path + ".expr") {
				c.badKey(path, "neither expr nor cross", "write an expression", "")
			}
		case d.Expr != "" && len(d.Cross) > 0:
			c.badKey(path, "both expr and cross", "keep one", "")
		case len(d.Cross) == 1:
			c.bad(path+".cross", "one category cannot be crossed", "name two or more", "")
		}
		if !c.isUsed(d.Name) {
			c.derivedIn(d, c.everything(), path, nil)
		}
	}
}

func (c *checker) isUsed(derived string) bool {
	for i := range c.p.Models {
		m := &c.p.Models[i]
		for _, use := range c.uses(m) {
			for _, pattern := range use {
				col := Column{Name: "derived." + derived, Group: "derived", Member: derived, Plain: true}
				if col.matches(pattern) && len(c.triggerFields(m)) > 0 {
					return true
				}
			}
		}
	}
	return false
}

// uses returns the use lists of a model and its challengers.
func (c *checker) uses(m *Model) [][]string {
	lists := [][]string{m.Use}
	for i := range m.Challengers {
		lists = append(lists, m.Challengers[i].Use)
	}
	return lists
}

func (c *checker) triggerFields(m *Model) []Field {
	_, fields := c.p.trigger(m)
	return fields
}

// everything returns the columns of all entities, tables and possible triggers.
func (c *checker) everything() []Column {
	var list []Column
	seen := map[string]bool{}
	add := func(m *Model) {
		for _, col := range c.p.Columns(m) {
			if !seen[col.Name] {
				seen[col.Name] = true
				list = append(list, col)
			}
		}
	}
	for i := range c.p.Sources {
		add(&Model{On: c.p.Sources[i].Name})
	}
	for i := range c.p.Models {
		add(&c.p.Models[i])
	}
	return list
}

// derivedIn compiles a derived feature over the columns; m is the model that uses it, for the message.
func (c *checker) derivedIn(d *Derived, columns []Column, path string, m *Model) {
	var cols []features.Column
	kinds := map[string]features.ColumnKind{}
	for _, col := range columns {
		if col.Origin != FromDerived {
			cols = append(cols, features.Column{Name: col.Name, Kind: col.Kind})
			kinds[col.Name] = col.Kind
		}
	}
	for i, name := range d.Cross {
		at := fmt.Sprintf("%s.cross[%d]", path, i)
		if kind, ok := kinds[name]; !ok {
			c.bad(at, fmt.Sprintf("unknown column %q", name), "", spelling.Nearest(name, columnNames(columns)))
		} else if kind != features.Categorical {
			c.bad(at, fmt.Sprintf("%s is no category", name), "cross fields that are strings", "")
		}
	}
	if d.Expr == "" || c.unfinished() {
		return
	}
	if _, err := expr.CompileNumeric(d.Expr, cols); err != nil {
		at := path
		if c.given(path + ".expr") {
			at += ".expr"
		}
		if m != nil {
			err = inModel(err, m)
		}
		c.badExpression(err, at)
	}
}

func inModel(err error, m *Model) error {
	var e *expr.Error
	if !errors.As(err, &e) {
		return err
	}
	reason, near, ok := strings.Cut(e.Reason, "; did you mean ")
	reason += fmt.Sprintf(" (in model %s, on %s)", m.Name, m.On)
	if ok {
		reason += "; did you mean " + near
	}
	return &expr.Error{Column: e.Column, Reason: reason}
}

// unfinished reports whether a feature could not be decoded: its columns are not known then, and what
// names them is not judged.
func (c *checker) unfinished() bool {
	for i := range c.p.Features {
		for _, f := range c.p.Features[i].Features {
			if f.Agg == "" {
				return true
			}
		}
	}
	return false
}

func columnNames(columns []Column) []string {
	var names []string
	for _, col := range columns {
		names = append(names, col.Name)
		if both := col.Group + "." + col.Member; both != col.Name && !contains(names, both) {
			names = append(names, both)
		}
	}
	return names
}

func (c *checker) model(m *Model) {
	path := "models." + m.Name
	fields := c.trigger(m, path)
	if m.Task == models.Forecast {
		c.forecastModel(m, fields, path)
		return
	}
	c.notForecast(m, path)
	c.id(m, fields, path)
	if len(m.Use) == 0 && !c.given(path+".use") && (m.Task != 0 || !c.given(path+".task")) && !c.d.broken[path] {
		c.badKey(path, "use is missing", "add use: the columns of the vector, such as entity.feature, table.field or trigger.field", "")
	}
	c.use(m, m.Use, path)
	c.pipeline(m.Pipeline, m.Task, path+".pipeline")
	for i := range m.Challengers {
		ch := &m.Challengers[i]
		at := path + ".challengers." + ch.Name
		if ch.Name == m.Name {
			c.badKey(at, "the challenger has the name of its model", "choose another", "")
		}
		if c.given(at + ".use") {
			c.use(m, ch.Use, at)
		}
		if c.given(at + ".pipeline") {
			c.pipeline(ch.Pipeline, m.Task, at+".pipeline")
		}
	}
	c.challengerNames(m, path)
	c.classes(m, path)
	if m.Label == nil {
		if m.Task != models.Anomaly && m.Task != 0 && !c.given(path+".label") && !c.d.broken[path] {
			c.badKey(path, "label is missing", "add label: where the truth comes from; only anomaly can do without", "")
		}
		return
	}
	c.label(m, fields, path+".label")
}

// challengerNames keeps names of models unique: their predictions and scores are told apart by them.
func (c *checker) challengerNames(m *Model, path string) {
	for i := range m.Challengers {
		name := m.Challengers[i].Name
		if c.p.Model(name) != nil && name != m.Name {
			c.badKey(path+".challengers."+name, fmt.Sprintf("the name %q is taken by a model", name), "choose another", "")
		}
		for j := range c.p.Models {
			o := &c.p.Models[j]
			if o.Name >= m.Name {
				continue
			}
			if slices.ContainsFunc(o.Challengers, func(x Challenger) bool { return x.Name == name }) {
				c.badKey(path+".challengers."+name, fmt.Sprintf("the name %q is taken by a challenger of %s", name, o.Name), "choose another", "")
			}
		}
	}
}

// trigger checks on: and returns the fields that a trigger brings, nil when they are not known.
func (c *checker) trigger(m *Model, path string) []Field {
	for _, key := range []string{"request", "log"} {
		if m.On != Request && m.On != "" && c.given(path+"."+key) {
			c.badKey(path+"."+key, key+" is for on: request", "remove it", "")
		}
	}
	if m.On == Request {
		if len(m.Request) == 0 && !c.given(path+".request") {
			c.badKey(path, "request is missing", "declare the fields that a call brings, such as {user: string, amount: double}", "")
		}
		return m.Request
	}
	if m.On == "" {
		return nil
	}
	if s := c.source1(m.On, path+".on"); s != nil {
		return s.Fields
	}
	return nil
}

func (c *checker) id(m *Model, fields []Field, path string) {
	if m.ID == "" {
		if m.On != Request && m.On != "" && !c.given(path+".id") && len(fields) > 0 && m.Task != models.Forecast {
			c.badKey(path, "id is missing", "name the field that tells examples apart", "")
		}
	} else {
		c.triggerField(m, fields, m.ID, path+".id")
	}
	c.remembers(m, path)
	for i, k := range m.Key {
		c.triggerField(m, fields, k, fmt.Sprintf("%s.key[%d]", path, i))
	}
}

// remembers checks that a model that remembers entities has a key, which says whose its examples are, and that no other has one.
func (c *checker) remembers(m *Model, path string) {
	if m.Task == models.Forecast || m.Task == 0 {
		return
	}
	pipelines := map[string]any{path + ".pipeline": m.Pipeline}
	for i := range m.Challengers {
		pipelines[path+".challengers."+m.Challengers[i].Name+".pipeline"] = m.Challengers[i].Pipeline
	}
	needed, judged := false, true
	for _, at := range slices.Sorted(maps.Keys(pipelines)) {
		name, ok := remembering(pipelines[at], m.Task)
		needed, judged = needed || name != "", judged && ok
		if name != "" && len(m.Key) == 0 && !c.given(path+".key") {
			c.bad(at, name+" remembers entities, and the model does not say whose an example is", "add key: to models."+m.Name+", the field or fields of "+m.On+" that name the entity", "")
			return
		}
	}
	if !needed && judged && len(m.Key) > 0 {
		c.badKey(path+".key", "nothing here remembers entities: key is for task: forecast and for "+strings.Join(rememberers(), ", "), "remove it", "")
	}
}

func (c *checker) triggerField(m *Model, fields []Field, name, path string) {
	if len(fields) == 0 {
		return
	}
	group, _ := c.p.trigger(m)
	if f := c.field(&Source{Name: group, Fields: fields}, name, path); f != nil {
		c.keyKind(f, path)
	}
}

// use checks that every pattern takes columns, that the trigger carries the keys of their entities, and
// that the label is not among them.
func (c *checker) use(m *Model, use []string, path string) {
	columns := c.p.Columns(m)
	fields := c.triggerFields(m)
	for i, pattern := range use {
		at := fmt.Sprintf("%s.use[%d]", path, i)
		if !c.given(at) {
			at = path + ".use"
		}
		groups := map[string]bool{}
		found := false
		for j := range columns {
			col := &columns[j]
			if !col.matches(pattern) {
				continue
			}
			found = true
			if !groups[col.Group] && len(fields) > 0 {
				groups[col.Group] = true
				c.carries(m, fields, col, at)
			}
			if col.Origin == FromTrigger && !col.Plain && c.isLabel(m, col.Member) {
				c.bad(at, fmt.Sprintf("%s is part of the label", col.Name), "remove it: the model would be told the answer", "")
			}
		}
		if !found {
			c.vain(m, pattern, columns, at)
		}
	}
	c.usedDerived(m, use, columns)
}

func (c *checker) usedDerived(m *Model, use []string, columns []Column) {
	if len(c.triggerFields(m)) == 0 || !whole(c.triggerFields(m)) {
		return
	}
	for i := range c.p.Derived {
		d := &c.p.Derived[i]
		col := Column{Name: "derived." + d.Name, Group: "derived", Member: d.Name, Plain: true}
		if slices.ContainsFunc(use, col.matches) {
			c.derivedIn(d, columns, "derived."+d.Name, m)
		}
	}
}

func (c *checker) isLabel(m *Model, field string) bool {
	return m.Label != nil && m.Label.From == m.On && m.Label.Ahead == 0 && mentions(m.Label.Value, field)
}

// carries checks that the trigger has the key fields of the column's entity or table.
func (c *checker) carries(m *Model, fields []Field, col *Column, path string) {
	var key []string
	kinds := map[string]features.Kind{}
	switch col.Origin {
	case FromEntity:
		e := c.p.Entity(col.Group)
		key = e.Key
		for _, f := range e.Features {
			if s := c.p.Input(f.Source); s != nil {
				for _, k := range key {
					if g := s.Field(k); g != nil {
						kinds[k] = g.Kind
					}
				}
			}
		}
	case FromTable:
		t := c.p.Input(col.Group)
		key = t.Key
		for _, k := range key {
			if g := t.Field(k); g != nil {
				kinds[k] = g.Kind
			}
		}
	}
	trigger := Source{Fields: fields}
	for _, k := range key {
		switch f := trigger.Field(k); {
		case f == nil:
			c.bad(path, fmt.Sprintf("%s has no field %q, the key of %s", m.On, k, col.Group), "declare it there, or do not use "+col.Group, "")
		case f.Kind != kinds[k] && f.Kind != features.Null && kinds[k] != features.Null:
			c.bad(path, fmt.Sprintf("the key %s is %s in %s and %s in %s", k, f.Kind, m.On, kinds[k], col.Group), "declare it alike in both", "")
		}
	}
}

// vain explains a pattern that takes no column.
func (c *checker) vain(m *Model, pattern string, columns []Column, path string) {
	group, member, dotted := strings.Cut(pattern, ".")
	s := c.p.Input(group)
	switch {
	case !dotted && pattern != "*":
		c.bad(path, fmt.Sprintf("%q is no column", pattern), "write group.name, such as "+example(columns), "")
	case s != nil && !s.Table && group != m.On:
		c.bad(path, fmt.Sprintf("%s is not the trigger of this model", group), fmt.Sprintf("its fields come in through features, such as {last: %s.%s}", group, strings.Trim(member, "*")), "")
	default:
		near, mend := nearestColumn(group, member, columns)
		c.bad(path, fmt.Sprintf("%q takes no column", pattern), mend, near)
	}
}

// nearestColumn looks for a group like the given one, then for a member of it like the given one.
func nearestColumn(group, member string, columns []Column) (near, mend string) {
	var groups, members []string
	for _, col := range columns {
		if !contains(groups, col.Group) {
			groups = append(groups, col.Group)
		}
		if col.Group == group && !contains(members, col.Member) {
			members = append(members, col.Member)
		}
	}
	if len(members) > 0 {
		if near = spelling.Nearest(member, members); near != "" {
			return group + "." + near, ""
		}
		return "", group + " has " + strings.Join(members, ", ")
	}
	if near = spelling.Nearest(group, groups); near != "" {
		return near + "." + member, ""
	}
	return "", "there are columns of " + strings.Join(groups, ", ")
}

func example(columns []Column) string {
	if len(columns) == 0 {
		return "origin.mean_delay"
	}
	return columns[0].Name
}

// pipeline checks the shape of a pipeline and places its errors at the stage they are about.
func (c *checker) pipeline(v any, task models.Task, path string) {
	if v == nil {
		return
	}
	spec, err := models.ParseSpec(v)
	if err == nil && task != 0 {
		err = resolve(spec, task)
	}
	var errs models.SpecErrors
	if !errors.As(err, &errs) {
		if err != nil {
			c.bad(path, err.Error(), "", "")
		}
		return
	}
	c.specErrors(errs, path, path)
}

// specErrors places the errors of a spec below path, at the path itself where that is not in the file: at whole.
func (c *checker) specErrors(errs models.SpecErrors, path, whole string) {
	if !c.given(path) {
		path = whole
	}
	for _, e := range errs {
		at := path
		switch {
		case strings.HasPrefix(e.Path, "["):
			at += e.Path
		case e.Path != "":
			at += "." + e.Path
		}
		mend, near := e.Mend, ""
		if word, ok := strings.CutPrefix(mend, "did you mean "); ok {
			mend, near = "", strings.TrimSuffix(word, "?")
		}
		c.bad(at, e.Reason, mend, near)
	}
}

func (c *checker) classes(m *Model, path string) {
	switch {
	case m.Task != models.Multiclass:
		if len(m.Classes) > 0 && m.Task != 0 {
			c.badKey(path+".classes", "classes are for task: multiclass", "remove them", "")
		}
	case len(m.Classes) < 2:
		c.badKey(path, "multiclass needs classes", "list the values of the label, at least two", "")
	default:
		for i, name := range m.Classes {
			if slices.Index(m.Classes, name) < i {
				c.bad(fmt.Sprintf("%s.classes[%d]", path, i), fmt.Sprintf("the class %q stands here twice", name), "remove one", "")
			}
		}
	}
}
