package client

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	freshetv1 "github.com/freshet-ml/freshet/proto/freshet/v1"
)

// Null is the null value.
func Null() *freshetv1.Value {
	return &freshetv1.Value{Kind: &freshetv1.Value_Null{Null: structpb.NullValue_NULL_VALUE}}
}

// String is a text.
func String(s string) *freshetv1.Value {
	return &freshetv1.Value{Kind: &freshetv1.Value_String_{String_: s}}
}

// Int is an integer.
func Int(i int64) *freshetv1.Value { return &freshetv1.Value{Kind: &freshetv1.Value_Int{Int: i}} }

// Double is a number.
func Double(x float64) *freshetv1.Value {
	return &freshetv1.Value{Kind: &freshetv1.Value_Double{Double: x}}
}

// Bool is a truth value.
func Bool(b bool) *freshetv1.Value { return &freshetv1.Value{Kind: &freshetv1.Value_Bool{Bool: b}} }

// Time is an instant.
func Time(t time.Time) *freshetv1.Value {
	return &freshetv1.Value{Kind: &freshetv1.Value_Time{Time: timestamppb.New(t)}}
}

// Parse reads the text of a value of a declared kind (string, int, double, bool, time, text), as people type
// it. "null" is null for every kind but string and text; times are RFC 3339.
func Parse(kind, text string) (*freshetv1.Value, error) {
	if kind == "string" || kind == "text" {
		return String(text), nil
	}
	if text == "null" {
		return Null(), nil
	}
	switch kind {
	case "int":
		if i, err := strconv.ParseInt(text, 10, 64); err == nil {
			return Int(i), nil
		}
	case "double":
		if x, err := strconv.ParseFloat(text, 64); err == nil {
			return Double(x), nil
		}
	case "bool":
		if b, err := strconv.ParseBool(text); err == nil {
			return Bool(b), nil
		}
	case "time":
		if t, err := time.Parse(time.RFC3339Nano, text); err == nil {
			return Time(t), nil
		}
		return nil, fmt.Errorf("%q is no time; write RFC 3339, such as 2013-07-01T12:00:00Z", text)
	}
	return nil, fmt.Errorf("%q is no %s", text, kind)
}

// ParseFields reads assignments such as origin=JFK into a row's fields, by the kinds that GetModel lists.
func ParseFields(fields []*freshetv1.InputField, assignments []string) (map[string]*freshetv1.Value, error) {
	kinds, names := map[string]string{}, make([]string, len(fields))
	for i, f := range fields {
		kinds[f.GetName()], names[i] = f.GetKind(), f.GetName()
	}
	out := map[string]*freshetv1.Value{}
	for _, a := range assignments {
		name, text, ok := strings.Cut(a, "=")
		if !ok {
			return nil, fmt.Errorf("%q is no assignment; write FIELD=VALUE", a)
		}
		kind, ok := kinds[name]
		if !ok {
			return nil, fmt.Errorf("no field %q; there are %s", name, strings.Join(names, ", "))
		}
		if _, twice := out[name]; twice {
			return nil, fmt.Errorf("field %s is given twice", name)
		}
		v, err := Parse(kind, text)
		if err != nil {
			return nil, fmt.Errorf("field %s: %w", name, err)
		}
		out[name] = v
	}
	return out, nil
}

// Format writes a value as people read it.
func Format(v *freshetv1.Value) string {
	switch k := v.GetKind().(type) {
	case *freshetv1.Value_String_:
		return k.String_
	case *freshetv1.Value_Int:
		return strconv.FormatInt(k.Int, 10)
	case *freshetv1.Value_Double:
		return strconv.FormatFloat(k.Double, 'g', -1, 64)
	case *freshetv1.Value_Bool:
		return strconv.FormatBool(k.Bool)
	case *freshetv1.Value_Time:
		return k.Time.AsTime().Format(time.RFC3339Nano)
	}
	return "null"
}
