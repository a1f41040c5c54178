package serving

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	freshetv1 "github.com/freshet-ml/freshet/proto/freshet/v1"
)

// The JSON of the API is that of protobuf with two changes that people expect: a Value is a plain JSON
// value instead of an object that names its type, and 64-bit integers are numbers. Both are made on the
// decoded JSON, led by the message's descriptor; protobuf's own JSON is understood as well.

var valueName = (&freshetv1.Value{}).ProtoReflect().Descriptor().FullName()

// maxDepth bounds the nesting of a JSON request; the messages need less.
const maxDepth = 16

// unmarshal reads a request. Errors say what is wrong where, as far as the JSON tells.
func unmarshal(b []byte, to proto.Message) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return badJSON(err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return invalid("JSON", "the body goes on behind its JSON object", "send one object")
	}
	if _, ok := v.(map[string]any); !ok {
		return invalid("JSON", "the body is no JSON object", `send an object such as {"model": "…", "rows": [{"fields": {}}]}`)
	}
	v, err := typed(v, to.ProtoReflect().Descriptor(), "", 0)
	if err != nil {
		return err
	}
	b, err = json.Marshal(v)
	if err != nil {
		return badJSON(err)
	}
	if err := protojson.Unmarshal(b, to); err != nil {
		return badJSON(err)
	}
	return nil
}

func badJSON(err error) error {
	text := err.Error()
	if _, after, ok := strings.Cut(text, "): "); ok && strings.HasPrefix(text, "proto:") {
		text = after
	}
	return invalid("JSON", "the body does not fit: "+strings.ToValidUTF8(text, "?"), "see proto/README.md for the messages")
}

// typed turns plain JSON into protobuf's: values get the name of their type.
func typed(v any, d protoreflect.MessageDescriptor, path string, depth int) (any, error) {
	if depth > maxDepth {
		return nil, invalid("JSON", path+" is nested too deeply", "see proto/README.md for the messages")
	}
	if d.FullName() == valueName {
		return typedValue(v, path)
	}
	m, ok := v.(map[string]any)
	if !ok {
		return v, nil
	}
	for name, x := range m {
		f := field(d, name)
		if f == nil {
			continue // protobuf's decoder names the field that is unknown
		}
		y, err := typedField(x, f, join(path, name), depth)
		if err != nil {
			return nil, err
		}
		m[name] = y
	}
	return m, nil
}

func field(d protoreflect.MessageDescriptor, name string) protoreflect.FieldDescriptor {
	if f := d.Fields().ByTextName(name); f != nil {
		return f
	}
	return d.Fields().ByJSONName(name)
}

func typedField(x any, f protoreflect.FieldDescriptor, path string, depth int) (any, error) {
	switch {
	case f.IsMap():
		m, ok := x.(map[string]any)
		if !ok && x != nil {
			return nil, invalid("JSON", path+" is no object", "see proto/README.md for the messages")
		}
		if f.MapValue().Message() == nil {
			return x, nil
		}
		for k, e := range m {
			y, err := typed(e, f.MapValue().Message(), join(path, k), depth+1)
			if err != nil {
				return nil, err
			}
			m[k] = y
		}
		return m, nil
	case f.IsList():
		return typedList(x, f, path, depth)
	case f.Message() != nil:
		return typed(x, f.Message(), path, depth+1)
	}
	return x, nil
}

func typedList(x any, f protoreflect.FieldDescriptor, path string, depth int) (any, error) {
	l, ok := x.([]any)
	if !ok && x != nil {
		return nil, invalid("JSON", path+" is no list", "write it in [ ]")
	}
	if !ok {
		return x, nil
	}
	for i, e := range l {
		switch {
		case f.Message() != nil:
			y, err := typed(e, f.Message(), path+"["+strconv.Itoa(i)+"]", depth+1)
			if err != nil {
				return nil, err
			}
			l[i] = y
		case f.Kind() == protoreflect.DoubleKind && e == nil:
			l[i] = "NaN" // a missing column of a vector
		}
	}
	return l, nil
}

// typedValue names the type of a plain JSON value. A whole number is an int, whatever it is declared as.
func typedValue(v any, path string) (any, error) {
	switch x := v.(type) {
	case nil:
		return map[string]any{"null": nil}, nil
	case string:
		return map[string]any{"string": x}, nil
	case bool:
		return map[string]any{"bool": x}, nil
	case json.Number:
		if _, err := strconv.ParseInt(x.String(), 10, 64); err == nil {
			return map[string]any{"int": x}, nil
		}
		if f, err := x.Float64(); err != nil || math.IsInf(f, 0) {
			return nil, invalid("JSON", fmt.Sprintf("%s: number %s is out of range", path, clip(x.String())), "send a 64-bit number")
		}
		return map[string]any{"double": x}, nil
	case map[string]any:
		return x, nil
	}
	return nil, invalid("JSON", path+" is a list", "send a text, a number, true, false or null")
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + clip(name)
}

var toJSON = protojson.MarshalOptions{UseProtoNames: true, EmitDefaultValues: true}

// marshal writes a response as JSON with the keys of objects in alphabetical order.
func marshal(m proto.Message) ([]byte, error) {
	b, err := toJSON.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("encode response: %w", err)
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, fmt.Errorf("encode response: %w", err)
	}
	return json.Marshal(untyped(v, m.ProtoReflect().Descriptor()))
}

// untyped turns protobuf's JSON into plain JSON, the inverse of typed.
func untyped(v any, d protoreflect.MessageDescriptor) any {
	m, ok := v.(map[string]any)
	if !ok {
		return v
	}
	if d.FullName() == valueName {
		for kind, x := range m {
			if kind == "int" {
				return integer(x)
			}
			return x
		}
		return nil
	}
	for name, x := range m {
		f := field(d, name)
		if f == nil {
			continue
		}
		switch l, isList := x.([]any); {
		case f.IsMap():
			if e, ok := x.(map[string]any); ok && f.MapValue().Message() != nil {
				for k := range e {
					e[k] = untyped(e[k], f.MapValue().Message())
				}
			}
		case isList:
			for i := range l {
				l[i] = untypedElement(l[i], f)
			}
		default:
			m[name] = untypedElement(x, f)
		}
	}
	return m
}

func untypedElement(x any, f protoreflect.FieldDescriptor) any {
	switch {
	case f.Message() != nil:
		return untyped(x, f.Message())
	case f.Kind() == protoreflect.Int64Kind || f.Kind() == protoreflect.Uint64Kind:
		return integer(x)
	}
	return x
}

// integer turns the text of a 64-bit integer into a number if every reader can hold it exactly.
func integer(x any) any {
	s, ok := x.(string)
	if !ok {
		return x
	}
	if i, err := strconv.ParseInt(s, 10, 64); err == nil && i >= -(1<<53) && i <= 1<<53 {
		return json.Number(s)
	}
	return x
}
