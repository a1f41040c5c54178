package project

import (
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/features/ingest"
	"github.com/freshet-ml/freshet/internal/spelling"
	"github.com/freshet-ml/freshet/models"
)

// fieldForm is the long way of declaring a field: amount: {type: double?, from: amt}.
type fieldForm struct {
	Type   string `key:"type" required:"true" doc:"string, int, double, bool, time or text; with ? when it may be null or absent. A text is read by its words, by a pipeline that begins with word_ngrams, char_ngrams or tf_idf; what is a name, a category or a key is a string."`
	From   string `key:"from" doc:"Name in the record. Default: the name of the field."`
	Format string `key:"format" doc:"time: epoch_s, epoch_ms, epoch_us, rfc3339, or a pattern in the manner of Go (2006-01-02 15:04) or strftime (%Y-%m-%d %H:%M). Default: rfc3339."`
	Zone   string `key:"zone" doc:"time: IANA time zone of a layout without one, such as America/New_York. Default: UTC."`
	Bytes  int    `key:"bytes" default:"384" min:"6" max:"3072" doc:"text: how much of it is kept, in bytes of UTF-8, rounded up to a multiple of 6; a longer one is cut behind a whole character and counted (freshet_texts_cut_total). Vectors grow by 4 bytes for each 3."`
}

var timeFormats = []string{"epoch_s", "epoch_ms", "epoch_us", "rfc3339"}

// fields decodes declared fields in their order. A field with a wrong type keeps its name, with kind
// Null, so that what refers to it is not reported too.
func (d *decoder) fields(n ast.Node, path string) []Field {
	var list []Field
	for _, p := range d.pairs(n, path, "a mapping of fields") {
		at := join(path, p.key)
		if !isName(p.key) {
			d.add(p.at, at, fmt.Sprintf("%q cannot be the name of a field", p.key),
				"name it with letters, digits and _, and give its name in the record: {type: string, from: "+fmt.Sprintf("%q", p.key)+"}", "")
		}
		list = append(list, d.field(p, at))
	}
	return list
}

func (d *decoder) field(p pair, path string) Field {
	f := Field{Name: p.key, From: p.key}
	if isScalar(p.value) {
		s, ok := d.text(p.value, path, "a type")
		if ok {
			f.Kind, f.Nullable = d.kind(s, posOf(p.value), path)
		}
		return f
	}
	var form fieldForm
	d.structure(p.value, reflect.ValueOf(&form).Elem(), path, "")
	if form.Type != "" {
		f.Kind, f.Nullable = d.kind(form.Type, d.where[join(path, "type")], join(path, "type"))
	}
	if form.From != "" {
		f.From = form.From
	}
	f.Format, f.Zone = form.Format, form.Zone
	d.textForm(&f, &form, path)
	d.timeForm(&f, path)
	return f
}

// kind reads "double" or "double?".
func (d *decoder) kind(s string, at Pos, path string) (features.Kind, bool) {
	name, nullable := strings.CutSuffix(strings.TrimSpace(s), "?")
	k, ok := features.ParseKind(name)
	if !ok {
		names := []string{"string", "int", "double", "bool", "time", "text"}
		near := spelling.Nearest(name, names)
		if alias, ok := kindAliases[name]; ok {
			near = alias
		}
		mend := ""
		switch {
		case strings.Contains(name, ": "):
			mend = "separate the fields with commas"
		case near == "":
			mend = "use " + quoted(names)
		}
		d.add(at, path, fmt.Sprintf("unknown type %q", s), mend, near)
	}
	return k, nullable
}

// kindAliases are names that other systems use.
var kindAliases = map[string]string{
	"float": "double", "float64": "double", "float32": "double", "number": "double", "decimal": "double", "integer": "int", "long": "int", "int64": "int",
	"int32": "int", "varchar": "string", "boolean": "bool", "timestamp": "time", "datetime": "time", "date": "time",
}

// textForm takes how long a text may be.
func (d *decoder) textForm(f *Field, form *fieldForm, path string) {
	at, given := d.keys[join(path, "bytes")]
	switch {
	case f.Kind == features.FreeText && given:
		f.Bytes = features.TextSlots(form.Bytes) * features.TextBytes
	case given && f.Kind != features.Null:
		d.add(at, join(path, "bytes"), "bytes is for texts, and this field is "+f.Kind.String(), "remove it, or write type: text", "")
	}
}

func (d *decoder) timeForm(f *Field, path string) {
	if f.Kind == features.Null {
		return
	}
	if f.Kind != features.Time {
		for _, key := range []string{"format", "zone"} {
			if at, ok := d.keys[join(path, key)]; ok {
				d.add(at, join(path, key), key+" is for times, and this field is "+f.Kind.String(), "remove it, or write type: time", "")
			}
		}
		return
	}
	layout := f.Format != "" && !contains(timeFormats, f.Format)
	if layout && !isLayout(f.Format) {
		near, mend := spelling.Nearest(f.Format, timeFormats), ""
		if near == "" {
			mend = "use " + quoted(timeFormats) + ", or a pattern such as \"2006-01-02 15:04:05\""
		}
		d.add(d.where[join(path, "format")], join(path, "format"), fmt.Sprintf("%q is no way of writing a time", f.Format), mend, near)
	}
	if f.Zone == "" {
		return
	}
	at := d.where[join(path, "zone")]
	if !layout {
		d.add(at, join(path, "zone"), "a zone needs a layout without one", `add format: "2006-01-02 15:04:05", or remove zone`, "")
	} else if _, err := time.LoadLocation(f.Zone); err != nil || f.Zone == "Local" {
		d.add(at, join(path, "zone"), fmt.Sprintf("unknown time zone %q", f.Zone), "use an IANA name such as Europe/Berlin or UTC", spelling.Nearest(f.Zone, someZones))
	}
}

// isLayout reports whether ingest reads times of that layout.
func isLayout(s string) bool {
	probe := ingest.SourceSpec{Name: "probe", Fields: []ingest.FieldSpec{{Name: "t", Kind: features.Time, Layout: s}}}
	return probe.Validate() == nil
}

// someZones are offered for misspelt time zones.
var someZones = []string{
	"UTC", "America/New_York", "America/Chicago", "America/Denver", "America/Los_Angeles", "America/Sao_Paulo", "America/Toronto", "America/Mexico_City",
	"America/Puerto_Rico", "Europe/London", "Europe/Paris", "Europe/Berlin", "Europe/Madrid", "Europe/Rome", "Europe/Zurich", "Europe/Amsterdam",
	"Europe/Stockholm", "Europe/Warsaw", "Europe/Moscow", "Europe/Istanbul", "Africa/Cairo", "Africa/Lagos", "Africa/Johannesburg", "Asia/Dubai",
	"Asia/Kolkata", "Asia/Shanghai", "Asia/Tokyo", "Asia/Singapore", "Asia/Seoul", "Asia/Jakarta", "Australia/Sydney", "Pacific/Auckland",
}

// finish fills in what defaults depend on: topics, implicit fields, the champion's settings.
func (p *Project) finish(d *decoder) {
	for i := range p.Sources {
		p.Sources[i].finish()
	}
	for i := range p.Tables {
		p.Tables[i].Table = true
		p.Tables[i].finish()
	}
	for i := range p.Models {
		m := &p.Models[i]
		m.finish(d, "models."+m.Name)
		if m.Task == models.Forecast {
			p.own = append(p.own, m.series(d))
		}
	}
}

// finish declares the event time and the key fields of a table where the file did not.
func (s *Source) finish() {
	if s.Topic == "" {
		s.Topic = s.Name
	}
	var first []Field
	if s.Table {
		for _, k := range s.Key {
			if s.Field(k) == nil && k != s.Time {
				first = append(first, Field{Name: k, From: k, Kind: features.String})
			}
		}
	}
	if s.Time != "" && s.Field(s.Time) == nil {
		first = append(first, Field{Name: s.Time, From: s.Time, Kind: features.Time})
	}
	s.Fields = append(first, s.Fields...)
	if s.Format == "csv" && len(s.Columns) == 0 {
		for _, f := range s.Fields {
			s.Columns = append(s.Columns, f.From)
		}
	}
}

func (m *Model) finish(d *decoder, path string) {
	if m.Task == models.Forecast {
		defer m.finishForecast(d, path)
	} else if m.Label != nil && m.Label.By == "" && m.Label.From != Feedback {
		m.Label.By = m.ID
	}
	for i := range m.Challengers {
		c := &m.Challengers[i]
		at := path + ".challengers." + c.Name
		if _, ok := d.keys[at+".use"]; !ok {
			c.Use = m.Use
		}
		if _, ok := d.keys[at+".pipeline"]; !ok {
			c.Pipeline = m.Pipeline
		}
		if _, ok := d.keys[at+".learn_until"]; !ok {
			c.LearnUntil = m.LearnUntil
		}
		if c.Seed == 0 {
			c.Seed = m.Seed
		}
	}
}
