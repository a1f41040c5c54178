package project

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/features/expr"
	"github.com/freshet-ml/freshet/internal/secret"
	"github.com/freshet-ml/freshet/internal/spelling"
)

// checker compares the sections of a decoded project with each other. It also runs when decoding met
// problems; names that could not be decoded whole are known to it, so that one mistake gives one problem.
type checker struct {
	p *Project
	d *decoder
}

// reserved names stand for something else in use, derived and label.
var reserved = map[string]string{
	"request": "the fields of a Predict call", "derived": "the derived features", "feedback": "the labels of Feedback calls",
	"served": "Freshet's log of served answers", "control": "Freshet's control records",
}

func (c *checker) bad(path, reason, mend, near string) {
	c.d.add(c.p.At(path), path, reason, mend, near)
}

// badKey is bad, at the key of path instead of its value.
func (c *checker) badKey(path, reason, mend, near string) {
	at, ok := c.d.keys[path]
	if !ok {
		at = c.p.At(path)
	}
	c.d.add(at, path, reason, mend, near)
}

func (c *checker) given(path string) bool {
	_, ok := c.d.keys[path]
	return ok
}

func (c *checker) project() {
	p := c.p
	if p.Name != "" && !isProjectName(p.Name) {
		c.bad("project", fmt.Sprintf("%q cannot be the name of a project", p.Name), "use 1 to 63 of a-z, 0-9, _ and -", "")
	}
	if c.given("sources") && len(p.Sources) == 0 && len(c.d.problems) == 0 {
		c.badKey("sources", "no source is declared", "add one", "")
	}
	if len(p.Features) == 0 && len(p.Models) == 0 && !c.d.broken[""] {
		c.d.add(Pos{1, 1}, "", "neither a feature nor a model is declared", "add one under features: or models:", "")
	}
	c.names()
	for i := range p.Sources {
		c.source(&p.Sources[i], "sources."+p.Sources[i].Name)
	}
	for i := range p.Tables {
		c.source(&p.Tables[i], "tables."+p.Tables[i].Name)
	}
	c.topics()
	for i := range p.Features {
		c.entity(&p.Features[i])
	}
	c.derived()
	for i := range p.Models {
		c.model(&p.Models[i])
	}
	c.drift()
	c.servers()
	c.servedModels()
	c.services()
	c.compiles()
}

// names checks that sources, tables and entities do not share a name: use: could not tell them apart.
func (c *checker) names() {
	first := map[string]string{}
	check := func(section, name string) {
		path := section + "." + name
		if why, ok := reserved[name]; ok {
			c.badKey(path, fmt.Sprintf("the name %q is reserved for %s", name, why), "choose another", "")
		}
		if other, ok := first[name]; ok {
			c.badKey(path, fmt.Sprintf("the name %q is taken by %s", name, other), "sources, tables, features and models of forecasts need different names", "")
			return
		}
		first[name] = path
	}
	for i := range c.p.Sources {
		check("sources", c.p.Sources[i].Name)
	}
	for i := range c.p.Tables {
		check("tables", c.p.Tables[i].Name)
	}
	for i := range c.p.Features {
		check("features", c.p.Features[i].Name)
	}
	for i := range c.p.own { // columns are named after the model
		check("models", c.p.own[i].Name)
	}
}

// ownTopics ends, after the name of the project and a dot, the names of Freshet's topics.
var ownTopics = []string{"events", "served", "feedback", "control", "hashes", "dead"}

func (c *checker) topics() {
	taken := map[string]string{}
	for _, list := range [][]Source{c.p.Sources, c.p.Tables} {
		for i := range list {
			s := &list[i]
			path := sectionOf(s) + "." + s.Name
			at := path + ".topic"
			if !isTopic(s.Topic) {
				c.bad(at, fmt.Sprintf("%q cannot be the name of a topic", s.Topic), "use 1 to 249 of a-z, A-Z, 0-9, ., _ and -", "")
			}
			if other, ok := taken[s.Topic]; ok {
				c.bad(at, fmt.Sprintf("the topic %q is read by %s too", s.Topic, other), "one topic belongs to one source", "")
			}
			taken[s.Topic] = path
			if rest, ok := strings.CutPrefix(s.Topic, c.p.Name+"."); ok && c.p.Name != "" && isOwnTopic(rest) {
				c.bad(at, fmt.Sprintf("the topic %q belongs to Freshet", s.Topic), "choose another, or another name for the project", "")
			}
		}
	}
}

func isOwnTopic(rest string) bool {
	return contains(ownTopics, rest) || strings.HasPrefix(rest, "parts.") || strings.HasSuffix(rest, ".log") || strings.HasSuffix(rest, ".predictions")
}

func sectionOf(s *Source) string {
	if s.Table {
		return "tables"
	}
	return "sources"
}

func (c *checker) source(s *Source, path string) {
	if len(s.Fields) == 0 && c.given(path+".fields") {
		c.badKey(path+".fields", "no field is declared", "add one, such as id: string", "")
	}
	from := map[string]string{}
	for _, f := range s.Fields {
		if other, ok := from[f.From]; ok {
			c.bad(path+".fields."+f.Name, fmt.Sprintf("%q of the record is read by %s too", f.From, other), "remove one", "")
		}
		from[f.From] = f.Name
		if s.Table && f.Kind == features.FreeText {
			c.bad(path+".fields."+f.Name, fmt.Sprintf("the field %s of a table is a text, and no state holds texts", f.Name), "declare it as string to use it as a category, or leave it out", "")
		}
	}
	c.sourceTime(s, path)
	c.sourceKey(s, path)
	for i, e := range s.Expect {
		c.expression(e, s, fmt.Sprintf("%s.expect[%d]", path, i), features.Bool)
	}
	if s.Dedupe != nil && s.Dedupe.By != "" {
		if f := c.field(s, s.Dedupe.By, path+".dedupe.by"); f != nil && f.Kind == features.FreeText {
			c.keyKind(f, path+".dedupe.by")
		}
		if s.Dedupe.Within == 0 && c.given(path+".dedupe.within") {
			c.bad(path+".dedupe.within", "ids are remembered for no time", "give a duration such as 1h", "")
		}
	}
	for i, f := range s.Sensitive {
		c.field(s, f, fmt.Sprintf("%s.sensitive[%d]", path, i))
	}
	c.csv(s, path)
}

func (c *checker) sourceTime(s *Source, path string) {
	switch f := s.Field(s.Time); {
	case s.Time == "" && !s.Table && !c.given(path+".time") && !c.d.broken[path]:
		c.badKey(path, "time is missing", "add time: the field that holds the event time", "")
	case f == nil || f.Kind == features.Null:
	case f.Kind != features.Time:
		c.bad(path+".time", fmt.Sprintf("the field %s is declared as %s", s.Time, f.Kind), "declare it as time", "")
	case f.Nullable:
		c.bad(path+".time", fmt.Sprintf("the field %s may be null", s.Time), "an event needs a time: remove the ?", "")
	}
}

func (c *checker) sourceKey(s *Source, path string) {
	if s.Table && len(s.Key) == 0 && !c.given(path+".key") && !c.d.broken[path] {
		c.badKey(path, "key is missing", "add key: the field or fields that name a row", "")
	}
	for i, k := range s.Key {
		at := fmt.Sprintf("%s.key[%d]", path, i)
		if f := c.field(s, k, at); f != nil {
			c.keyKind(f, at)
			if s.Table && f.Nullable {
				c.bad(at, fmt.Sprintf("the key field %s may be null", k), "a row needs a key: remove the ?", "")
			}
		}
		if slices.Index(s.Key, k) < i {
			c.bad(at, fmt.Sprintf("the field %s stands here twice", k), "remove one", "")
		}
	}
}

// keyKind refuses doubles as keys: 1 and 1.0 would be the same to some programs and not to others. It refuses texts, which may be cut.
func (c *checker) keyKind(f *Field, path string) {
	if f.Kind == features.FreeText {
		c.bad(path, fmt.Sprintf("the field %s is a text, which cannot be a key", f.Name), "declare it as string", "")
	}
	if f.Kind == features.Double {
		c.bad(path, fmt.Sprintf("the field %s is a double, which cannot be a key", f.Name), "declare it as int or string", "")
	}
}

func (c *checker) csv(s *Source, path string) {
	if s.Format != "csv" && c.given(path+".columns") {
		c.badKey(path+".columns", "columns is for format: csv", "remove it, or add format: csv", "")
	}
	if r := []rune(s.Delimiter); len(r) != 1 || r[0] == '"' || r[0] == '\n' || r[0] == '\r' {
		c.bad(path+".delimiter", fmt.Sprintf("%q cannot be a delimiter", s.Delimiter), `give one character, such as ";"`, "")
	}
	for _, f := range s.Fields {
		if s.Format == "csv" && !contains(s.Columns, f.From) {
			c.bad(path+".columns", fmt.Sprintf("the field %s has no column %q", f.Name, f.From), "name all columns in their order", spelling.Nearest(f.From, s.Columns))
		}
	}
}

// field returns the field of that name, or reports that there is none.
func (c *checker) field(s *Source, name, path string) *Field {
	f := s.Field(name)
	if f != nil {
		return f
	}
	near, mend := spelling.Nearest(name, fieldNames(s)), ""
	if near == "" {
		mend = "declared: " + strings.Join(fieldNames(s), ", ")
	}
	c.bad(path, fmt.Sprintf("%s has no field %q", s.Name, name), mend, near)
	return nil
}

func fieldNames(s *Source) []string {
	names := make([]string, len(s.Fields))
	for i := range s.Fields {
		names[i] = s.Fields[i].Name
	}
	return names
}

// whole reports whether all fields of s have a kind: else expressions over it are not judged.
func whole(fields []Field) bool {
	for i := range fields {
		if fields[i].Kind == features.Null {
			return false
		}
	}
	return len(fields) > 0
}

// expression compiles src over the fields of s and reports what is wrong. want Null: any kind; Double:
// any number. It returns the kind, Null when unknown.
func (c *checker) expression(src string, s *Source, path string, want features.Kind) features.Kind {
	if !whole(s.Fields) {
		return features.Null
	}
	e, err := expr.Compile(src, expr.FieldsOf(declared(s.Fields)))
	if err != nil {
		c.badExpression(err, path)
		return features.Null
	}
	if want == features.Bool && e.Kind() != features.Bool {
		c.bad(path, fmt.Sprintf("%s is no condition: its result is %s", src, e.Kind()), "compare it with something, such as "+conditionOf(src, e.Kind()), "")
	}
	return e.Kind()
}

func (c *checker) badExpression(err error, path string) {
	var e *expr.Error
	if !errors.As(err, &e) {
		c.bad(path, err.Error(), "", "")
		return
	}
	reason, near := e.Reason, ""
	if before, after, ok := strings.Cut(reason, "; did you mean "); ok {
		reason, near = before, strings.TrimSuffix(after, "?")
	}
	if e.Column > 1 {
		reason += fmt.Sprintf(" (character %d of the expression)", e.Column)
	}
	c.bad(path, reason, "", near)
}

// declared converts fields to what the other packages see.
func declared(fields []Field) []features.Field {
	out := make([]features.Field, len(fields))
	for i, f := range fields {
		out[i] = features.Field{Name: f.Name, Kind: f.Kind, Nullable: f.Nullable}
	}
	return out
}

// servedModels checks that a server is asked for models that there are, once each.
func (c *checker) servedModels() {
	var known []string
	for i := range c.p.Models {
		m := &c.p.Models[i]
		known = append(known, m.Name)
		for k := range m.Challengers {
			known = append(known, m.Name+"."+m.Challengers[k].Name)
		}
	}
	for i, name := range c.p.Serving.Models {
		path := fmt.Sprintf("serving.models[%d]", i)
		switch {
		case !slices.Contains(known, name):
			c.bad(path, fmt.Sprintf("there is no model %q", name), "known: "+strings.Join(known, ", "), "")
		case slices.Index(c.p.Serving.Models, name) < i:
			c.bad(path, name+" is named twice", "name it once", "")
		}
	}
	if s := &c.p.Serving; s.Notice > s.Drain {
		c.bad("serving.notice", "it is longer than serving.drain, of which it is a part", "make drain longer, or notice shorter", "")
	}
}

func (c *checker) hostPort(addr, path, example string) {
	host, port, err := net.SplitHostPort(addr)
	if _, wrong := strconv.ParseUint(port, 10, 16); err != nil || host == "" || wrong != nil || strings.ContainsAny(host, "@/") {
		c.bad(path, fmt.Sprintf("%q is no address", secret.Address(addr)), "write host:port, such as "+example, "")
	}
}

var blobSchemes = []string{"file", "mem", "s3"}

func (c *checker) url(text, path string) {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		c.bad(path, "malformed address of a folder or bucket", "write file:///folder or s3://bucket/folder", "")
	case u.User != nil || u.RawQuery != "":
		c.bad(path, "the address holds a user or parameters", "name them beside it: endpoint, region, path_style, access_key, secret_key_file", "")
	case !contains(blobSchemes, u.Scheme):
		c.bad(path, fmt.Sprintf("%q is no folder or bucket that Freshet knows", secret.Address(text)), "begin with file://, s3:// or mem://", "")
	}
}
