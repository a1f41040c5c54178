package project

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/freshet-ml/freshet/features/agg"
	"github.com/freshet-ml/freshet/features/expr"
)

const referenceHead = `# The project file

<!-- Generated from internal/project by its test (go test ./internal/project -update). Do not edit. -->

A project is one YAML file, ` + "`freshet.yaml`" + `. It is read strictly: a key that is not in these tables is an
error, and ` + "`freshet validate`" + ` reports everything that is wrong at once, each with line, column, reason and mend.
For completion and checks in an editor, put this in its first line:

` + "```yaml" + `
# yaml-language-server: $schema=freshet.schema.json
` + "```" + `

` + "`freshet schema`" + ` prints that schema. A whole example is what ` + "`freshet init`" + ` writes.

## Ways of writing

| What | How |
|---|---|
| duration | ` + "`500ms`, `90s`, `5m`, `1h`, `1h30m`, `7d`, `1w`" + `; a day is 24 hours, a week 7 days; at most 100 years |
| size | ` + "`512`, `64KiB`, `4MiB`, `1GiB`, `10MB`" + ` |
| list | ` + "`[a, b]`, or `a` for one" + ` |
| variable | ` + "`${NAME}` is replaced by the environment variable, `${NAME:-text}` by text when it is not set or empty; if NAME is not set and NAME_FILE is, the contents of that file. `$${` stands for `${`. Values only, not keys" + ` |
| secret | ` + "`password: ${PASSWORD}`, or `password_file: path`" + `: the contents of the file without the line end; relative paths count from the project file |
| expression | ` + "`dep_delay > 15 && carrier == \"UA\"`" + `: see Expressions |

Anchors, aliases, merge keys and tags of YAML are not supported. Names of sources, tables, entities, features, fields and
models are a letter or ` + "`_`, then letters, digits and `_`" + `, at most 63. Their order in the file has no meaning, except for
the fields of a source.

`

// referenceSections are the tables of the page: the struct, its heading and what stands before the table.
var referenceSections = []struct {
	title, intro string
	typ          reflect.Type
	omit         string
}{
	{"Top level", "", reflect.TypeFor[Project](), ""},
	{"sources.NAME", "An event topic.", reflect.TypeFor[Source](), ""},
	{"sources.NAME.fields.NAME", "A field is written `amount: double`, `tail: string?`, or at length `amount: {type: double?, from: amt}`, `at: {type: time, format: epoch_ms}`.", reflect.TypeFor[fieldForm](), ""},
	{"sources.NAME.dedupe", "", reflect.TypeFor[Dedupe](), ""},
	{"tables.NAME", "A topic whose newest record of a key is the row of that key: `planes: {key: tail, fields: {seats: int}}`. It takes the keys of a source but `dedupe`, `idle_after`, `max_lateness` and `skew`; `key` is required, `time` is not. Its fields are columns `planes.seats`.", nil, ""},
	{"features.ENTITY", "An entity type: features that share a key. Columns are named ENTITY.FEATURE.", reflect.TypeFor[Entity](), ""},
	{"features.ENTITY.FEATURE", "A feature names its aggregation as a key: `{mean: departed.dep_delay, over: [1h, 6h]}`. Its value is `source`, `source.field`, or `source` with `value:` beside it.", reflect.TypeFor[Feature](), ""},
	{"derived.NAME", "An expression alone, `slack: origin.overdue / origin.count_1h`, or a mapping.", reflect.TypeFor[Derived](), ""},
	{"models.NAME", "", reflect.TypeFor[Model](), ""},
	{"models.NAME.label", "", reflect.TypeFor[Label](), ""},
	{"models.NAME.challengers.NAME", "", reflect.TypeFor[Challenger](), ""},
	{"models.NAME.drift", "", reflect.TypeFor[ModelDrift](), ""},
	{"drift", "", reflect.TypeFor[Drift](), ""},
	{"kafka", "", reflect.TypeFor[Kafka](), ""},
	{"kafka.sasl", "", reflect.TypeFor[SASL](), ""},
	{"kafka.sasl.oauth", "", reflect.TypeFor[OAuth](), ""},
	{"redis", "", reflect.TypeFor[Redis](), ""},
	{"tls", "Of kafka, redis and serving.", reflect.TypeFor[TLS](), ""},
	{"checkpoints", "", reflect.TypeFor[Checkpoints](), ""},
	{"serving", "", reflect.TypeFor[Serving](), ""},
	{"serving.ready", "", reflect.TypeFor[Ready](), ""},
	{"serving.tokens", "Of each token in the list. A text alone is a token with the default scopes.", reflect.TypeFor[Token](), ""},
}

// Reference returns docs/reference/project-file.md, made from the same tags as decoder and schema.
func Reference() []byte {
	var b strings.Builder
	b.WriteString(referenceHead)
	for _, s := range referenceSections {
		fmt.Fprintf(&b, "## %s\n\n", s.title)
		if s.intro != "" {
			b.WriteString(s.intro + "\n\n")
		}
		if s.typ != nil {
			optionTable(&b, options(s.typ, s.omit))
		}
		if s.title == "features.ENTITY.FEATURE" {
			aggregationTable(&b)
		}
	}
	b.WriteString(referenceTail())
	return []byte(b.String())
}

func optionTable(b *strings.Builder, opts []option) {
	b.WriteString("| Key | Value | Default | Meaning |\n|---|---|---|---|\n")
	for _, o := range opts {
		if o.key == "*" {
			fmt.Fprintf(b, "| *FEATURE* | mapping | | %s |\n", cell(o.doc))
			continue
		}
		key, def := "`"+o.key+"`", ""
		if o.secret() {
			key += ", `" + o.key + "_file`"
		}
		switch {
		case o.required:
			def = "required"
		case o.def != "":
			def = "`" + o.def + "`"
		}
		fmt.Fprintf(b, "| %s | %s | %s | %s |\n", key, typeName(&o), def, cell(o.doc+rangeOf(&o)))
	}
	b.WriteByte('\n')
}

func rangeOf(o *option) string {
	switch {
	case o.minimum != "" && o.maximum != "" && o.minimum != o.maximum:
		return " From " + o.minimum + " to " + o.maximum + "."
	case o.minimum != "" && o.maximum == "":
		return " At least " + o.minimum + "."
	}
	return ""
}

func cell(s string) string { return strings.ReplaceAll(s, "|", "\\|") }

func aggregationTable(b *strings.Builder) {
	b.WriteString("### Aggregations and forecasters\n\n| Name | Value | Settings | Meaning |\n|---|---|---|---|\n")
	value := map[agg.Need]string{agg.NoValue: "none", agg.MayValue: "may have one", agg.MustValue: "required"}
	for _, s := range aggregations {
		var keys []string
		for _, k := range settings {
			if k.fits(s) && k.key != "value" && k.key != "at" {
				keys = append(keys, "`"+k.key+"`")
			}
		}
		v := value[s.Value]
		if s.Text && s.Value != agg.NoValue {
			v += ", text too"
		}
		fmt.Fprintf(b, "| `%s` | %s | %s | %s |\n", s.Name, v, strings.Join(keys, ", "), cell(s.Doc))
	}
	b.WriteByte('\n')
}

func referenceTail() string {
	return `## Use

A pattern of ` + "`use`" + ` is the name of a column (` + "`origin.mean_delay_1h`" + `), of a feature (` + "`origin.mean_delay`" + `, all its windows),
or a pattern in which ` + "`*`" + ` stands for any text. ` + "`*`" + ` does not take the id of a model, times, or what
its label is made of; name times where you want them.

## Expressions

Operators: ` + "`+ - * / % **`, `== != < <= > >=`, `&& || !`, `in`, `not in`, `contains`, `startsWith`, `endsWith`, `??`, `condition ? a : b`" + `.
Functions: ` + "`" + strings.Join(expr.Functions(), "`, `") + "`" + `.
The difference of two times is a number of seconds. Missing values make a number missing and a condition neither true nor false; ` + "`where`" + `
leaves such events out, ` + "`expect`" + ` lets them pass.

## Names that are taken

No source, table or entity is called request, derived, feedback, served or control. Topics named PROJECT.events, .served, .feedback,
.control, .hashes, .dead, .parts.…, ….log and ….predictions are Freshet's own.
`
}
