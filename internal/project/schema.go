package project

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strconv"
	"strings"
)

const (
	durationPattern = `^([0-9.]+(us|µs|ms|s|m|h|d|w))+$`
	sizePattern     = `^[0-9.]+ ?(B|[KMGT]iB|[kKMGT]B)?$`
	variablePattern = `\$\{`
	namePattern     = `^[A-Za-z_][A-Za-z0-9_]{0,62}$`
)

type schema = map[string]any

// Schema returns the JSON Schema (draft 7) of freshet.yaml, made from the same tags as the decoder. It
// knows shapes; what sections say about each other only Load checks.
func Schema() []byte {
	b := schemaBuilder{definitions: schema{}}
	root := b.object(reflect.TypeFor[Project](), "")
	root["$schema"] = "http://json-schema.org/draft-07/schema#"
	root["title"] = "Freshet project file"
	root["definitions"] = b.definitions
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(root); err != nil {
		panic("project: schema: " + err.Error())
	}
	return out.Bytes()
}

type schemaBuilder struct {
	definitions schema
}

// object describes a struct as the decoder reads it.
func (b *schemaBuilder) object(t reflect.Type, omit string) schema {
	properties := schema{}
	var required []string
	out := schema{"type": "object", "properties": properties, "additionalProperties": false}
	for _, o := range options(t, omit) {
		if o.key == "*" {
			out["additionalProperties"] = b.ref("Feature", b.feature)
			continue
		}
		s := b.value(&o)
		s["description"] = o.doc
		if o.def != "" && o.form != "windows" {
			s["default"] = literal(&o)
		}
		properties[o.key] = s
		if o.secret() {
			properties[o.key+"_file"] = schema{"type": "string", "description": "File that holds " + o.key + "."}
		}
		if o.required && !o.secret() { // a secret may come as KEY_file
			required = append(required, o.key)
		}
	}
	if required != nil {
		out["required"] = required
	}
	return out
}

func literal(o *option) any {
	switch o.typ.Kind() {
	case reflect.Bool:
		return o.def == "true"
	case reflect.Int, reflect.Uint64:
		n, _ := strconv.Atoi(o.def)
		return n
	case reflect.Float64:
		x, _ := strconv.ParseFloat(o.def, 64)
		return x
	case reflect.Slice:
		if o.form == "list" {
			return strings.Split(o.def, ", ")
		}
	}
	return o.def
}

func (b *schemaBuilder) ref(name string, make func() schema) schema {
	if _, ok := b.definitions[name]; !ok {
		b.definitions[name] = schema{}
		b.definitions[name] = make()
	}
	return schema{"allOf": []any{schema{"$ref": "#/definitions/" + name}}}
}

// value describes one key.
func (b *schemaBuilder) value(o *option) schema {
	if o.secret() {
		return scalarSchema()
	}
	switch o.form {
	case "tokens":
		return b.tokens()
	case "extensions":
		return schema{"type": "object", "additionalProperties": scalarSchema()}
	case "fields":
		return b.ref("Fields", b.fields)
	case "any":
		return schema{"type": []string{"string", "object", "array"}}
	case "list":
		return schema{"anyOf": []any{scalarSchema(), schema{"type": "array", "items": scalarSchema()}}}
	case "numbers":
		one := schema{"anyOf": []any{schema{"type": "number"}, variable()}}
		return schema{"anyOf": []any{one, schema{"type": "array", "items": one}}}
	case "params":
		return schema{"type": "object"}
	case "windows":
		w := schema{"type": "string", "anyOf": []any{schema{"pattern": durationPattern}, schema{"const": "lifetime"}, schema{"pattern": variablePattern}}}
		return schema{"anyOf": []any{w, schema{"type": "array", "items": pattern(durationPattern), "minItems": 1}}}
	case "name":
		return pattern(`^[a-z0-9_-]{1,63}$`)
	case "task":
		return enum(taskNames())
	case "instant":
		return pattern(`^\d{4}-\d\d-\d\d`)
	case "expr":
		return scalarSchema()
	}
	if len(o.enum) > 0 {
		return enum(o.enum)
	}
	return b.typed(o)
}

func (b *schemaBuilder) typed(o *option) schema {
	t := o.typ
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case t == durationType:
		return pattern(durationPattern)
	case t == sizeType:
		return schema{"anyOf": []any{schema{"type": "integer", "minimum": 0}, pattern(sizePattern)}}
	case t.Kind() == reflect.Struct:
		return b.ref(t.Name(), func() schema { return b.object(t, "") })
	case t.Kind() == reflect.Slice:
		return b.named(o, t.Elem())
	case t.Kind() == reflect.Bool:
		return schema{"anyOf": []any{schema{"type": "boolean"}, variable()}}
	case t.Kind() == reflect.Int || t.Kind() == reflect.Uint64:
		return schema{"anyOf": []any{bounded("integer", o), variable()}}
	case t.Kind() == reflect.Float64:
		return schema{"anyOf": []any{bounded("number", o), variable()}}
	}
	return scalarSchema()
}

func (b *schemaBuilder) named(o *option, t reflect.Type) schema {
	omit, _ := projectField(o)
	name := t.Name()
	if omit != "" {
		name = "Table"
	}
	item := b.ref(name, func() schema { return b.object(t, omit) })
	if t == reflect.TypeFor[Derived]() {
		item = schema{"anyOf": []any{scalarSchema(), item}}
	}
	return schema{"type": "object", "propertyNames": schema{"pattern": namePattern}, "additionalProperties": item}
}

// tokens describes a token or a list of tokens, each a text or a mapping.
func (b *schemaBuilder) tokens() schema {
	one := schema{"anyOf": []any{scalarSchema(), b.ref("Token", func() schema { return b.object(reflect.TypeFor[Token](), "") })}}
	return schema{"anyOf": []any{one, schema{"type": "array", "items": one}}}
}

func (b *schemaBuilder) fields() schema {
	kind := pattern(`^(string|int|double|bool|time|text)\??$`)
	long := b.ref("Field", func() schema { return b.object(reflect.TypeFor[fieldForm](), "") })
	return schema{"type": "object", "propertyNames": schema{"pattern": namePattern}, "additionalProperties": schema{"anyOf": []any{kind, long}}}
}

// feature describes one aggregation with its settings: exactly one key of the catalogue stands in it.
func (b *schemaBuilder) feature() schema {
	s := b.object(reflect.TypeFor[Feature](), "")
	properties := s["properties"].(schema)
	var one []any
	for _, spec := range aggregations {
		one = append(one, schema{"required": []string{spec.Name}})
		doc := spec.Doc
		if p, ok := properties[spec.Name].(schema); ok {
			doc = p["description"].(string) + " Or the aggregation: " + doc
		}
		properties[spec.Name] = schema{"type": "string", "description": doc}
	}
	s["anyOf"] = one
	return s
}

func bounded(kind string, o *option) schema {
	s := schema{"type": kind}
	if x, err := strconv.ParseFloat(o.minimum, 64); err == nil {
		s["minimum"] = x
	}
	if x, err := strconv.ParseFloat(o.maximum, 64); err == nil {
		s["maximum"] = x
	}
	return s
}

func pattern(p string) schema {
	return schema{"type": "string", "anyOf": []any{schema{"pattern": p}, schema{"pattern": variablePattern}}}
}

func variable() schema { return schema{"type": "string", "pattern": variablePattern} }

func enum(words []string) schema { return schema{"anyOf": []any{schema{"enum": words}, variable()}} }

func scalarSchema() schema { return schema{"type": []string{"string", "number", "boolean"}} }

// typeName names what a key holds, for the reference page.
func typeName(o *option) string {
	switch {
	case len(o.enum) > 0:
		return strings.Join(o.enum, ", ")
	case o.form == "fields":
		return "fields"
	case o.form == "any" && o.key == "pipeline":
		return "pipeline"
	case o.form == "any":
		return "name or mapping"
	case o.form == "list":
		return "text or list"
	case o.form == "numbers":
		return "number or list"
	case o.form == "params":
		return "mapping"
	case o.form == "tokens":
		return "list"
	case o.form == "extensions":
		return "mapping"
	case o.form == "windows":
		return "duration or list"
	case o.form == "instant":
		return "date or time"
	case o.form == "expr":
		return "expression"
	case o.form == "task":
		return "task"
	case o.typ == durationType:
		return "duration"
	case o.typ == sizeType:
		return "size"
	case o.secret():
		return "secret"
	}
	switch o.typ.Kind() {
	case reflect.Bool:
		return "true, false"
	case reflect.Int, reflect.Uint64:
		return "whole number"
	case reflect.Float64:
		return "number"
	case reflect.Slice:
		return "mapping of names"
	case reflect.Struct, reflect.Pointer:
		return "mapping"
	}
	return "text"
}
