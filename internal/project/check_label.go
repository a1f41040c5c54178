package project

import (
	"fmt"
	"strings"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/models"
)

// label checks where the truth comes from, how it finds its example, and what it is.
func (c *checker) label(m *Model, fields []Field, path string) {
	l := m.Label
	if l.Missing == "negative" && m.Task != models.Binary && m.Task != 0 {
		c.bad(path+".missing", "negative is for task: binary", "use drop", "")
	}
	if l.Ahead > 0 && m.Task != models.Forecast && m.Task != 0 {
		c.badKey(path+".ahead", "ahead is for task: forecast", "remove it", "")
	}
	if l.Wait == 0 && !c.given(path+".wait") && m.Task != models.Forecast && !c.d.broken[path] {
		c.badKey(path, "wait is missing", "add wait: how long after the trigger a label is waited for, in event time", "")
	}
	if l.Wait == 0 && c.given(path+".wait") && l.From != m.On {
		c.bad(path+".wait", "a label is waited for no time", "give the longest delay that is worth waiting for, such as 1h", "")
	}
	if l.From == Feedback {
		for _, key := range []string{"by", "value", "ahead"} {
			if c.given(path + "." + key) {
				c.badKey(path+"."+key, key+" is for labels from a source", "remove it: Feedback calls bring id and value", "")
			}
		}
		return
	}
	if l.From == "" {
		return
	}
	s := c.source1(l.From, path+".from")
	if s == nil {
		return
	}
	c.labelBy(m, s, fields, path)
	c.labelValue(m, s, path)
}

func (c *checker) labelBy(m *Model, s *Source, fields []Field, path string) {
	l := m.Label
	if l.By == "key" && s.Field("key") == nil {
		c.labelByKey(m, path)
		return
	}
	if l.By == "" && m.On != Request {
		return // the id is missing, which is reported
	}
	if l.By == "" {
		c.badKey(path, "by is missing", "name the field of "+l.From+" that equals the example's id", "")
		return
	}
	at := path + ".by"
	by := s.Field(l.By)
	if by == nil {
		if c.given(at) {
			c.field(s, l.By, at)
			return
		}
		c.bad(path+".from", fmt.Sprintf("%s has no field %q, the id of the model", s.Name, l.By), "add by: the field that equals the id", "")
		return
	}
	if by.Kind == features.FreeText {
		c.keyKind(by, at)
		return
	}
	trigger := Source{Fields: fields}
	if id := trigger.Field(m.ID); id != nil && id.Kind != by.Kind && id.Kind != features.Null && by.Kind != features.Null {
		c.bad(at, fmt.Sprintf("%s is %s in %s, and the id %s is %s in %s", l.By, by.Kind, s.Name, m.ID, id.Kind, m.On), "declare them alike", "")
	}
}

// labelByKey refuses a label that is the key's later value: those of forecasts are checked by forecastLabel.
func (c *checker) labelByKey(m *Model, path string) {
	if m.Task != 0 {
		c.bad(path+".by", "by: key is for task: forecast", "name the field of "+m.Label.From+" that equals the example's id", "")
	}
}

func (c *checker) labelValue(m *Model, s *Source, path string) {
	l := m.Label
	at := path + ".value"
	if l.Value == "" {
		if !c.given(at) {
			c.badKey(path, "value is missing", "say what the label is: an expression over the fields of "+s.Name, "")
		}
		return
	}
	kind := c.expression(l.Value, s, at, features.Null)
	if kind == features.Null {
		return
	}
	switch m.Task {
	case models.Binary:
		if kind != features.Bool {
			c.bad(at, fmt.Sprintf("%s is %s, and a binary label is a condition", l.Value, kind), "compare it, such as "+conditionOf(l.Value, kind), "")
		}
	case models.Multiclass:
		if kind != features.String && kind != features.Int {
			c.bad(at, fmt.Sprintf("%s is %s, and classes are texts or whole numbers", l.Value, kind), "name a string or int field", "")
		}
	case models.Regression, models.Forecast:
		if kind != features.Int && kind != features.Double {
			c.bad(at, fmt.Sprintf("%s is %s, and a label of %s is a number", l.Value, kind, m.Task), "give a number", "")
		}
	}
}

func conditionOf(value string, kind features.Kind) string {
	if strings.ContainsAny(value, " +-*/") {
		value = "(" + value + ")"
	}
	if kind == features.String {
		return value + ` == "yes"`
	}
	return value + " > 0"
}
