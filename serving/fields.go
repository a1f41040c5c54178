package serving

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/features/vector"
	freshetv1 "github.com/freshet-ml/freshet/proto/freshet/v1"
)

const (
	maxKey   = 1 << 10 // bytes of a text that is part of an entity's key
	maxIDLen = 256     // bytes of a prediction id
)

// convert makes a request's value a field of its declared kind. Integers are accepted where a double
// is declared, doubles without a fraction where an int is, and RFC 3339 texts where a time is, since
// JSON cannot tell them apart; nothing else is converted.
func convert(f *features.Field, v *freshetv1.Value) (features.Value, error) {
	switch k := v.GetKind().(type) {
	case nil, *freshetv1.Value_Null:
		if f.Nullable {
			return features.Value{}, nil
		}
		return features.Value{}, invalid("NULL_VALUE", fmt.Sprintf("field %s is null", f.Name), "give it a value of type "+f.Kind.String())
	case *freshetv1.Value_String_:
		return convertText(f, k.String_)
	case *freshetv1.Value_Int:
		switch f.Kind {
		case features.Int:
			return features.IntValue(k.Int), nil
		case features.Double:
			return features.DoubleValue(float64(k.Int)), nil
		}
	case *freshetv1.Value_Double:
		return convertDouble(f, k.Double)
	case *freshetv1.Value_Bool:
		if f.Kind == features.Bool {
			return features.BoolValue(k.Bool), nil
		}
	case *freshetv1.Value_Time:
		if f.Kind == features.Time {
			if err := k.Time.CheckValid(); err != nil {
				return features.Value{}, invalid("WRONG_TYPE", fmt.Sprintf("field %s: time out of range", f.Name), "years 1 to 9999")
			}
			return features.TimeValue(k.Time.AsTime().UnixMicro()), nil
		}
	}
	return features.Value{}, wrongType(f, kindName(v))
}

func convertText(f *features.Field, s string) (features.Value, error) {
	switch f.Kind {
	case features.String:
		return features.StringValue(s), nil
	case features.FreeText:
		if !utf8.ValidString(s) {
			return features.Value{}, invalid("NOT_UTF8", fmt.Sprintf("field %s is not UTF-8", f.Name), "encode it as UTF-8")
		}
		return features.StringValue(s), nil
	case features.Time:
		t, err := time.Parse(time.RFC3339Nano, s)
		if err != nil {
			return features.Value{}, invalid("WRONG_TYPE", fmt.Sprintf("field %s: %q is no time", f.Name, clip(s)), "write RFC 3339, such as 2013-07-01T12:00:00Z")
		}
		return features.TimeValue(t.UnixMicro()), nil
	}
	return features.Value{}, wrongType(f, "string")
}

func convertDouble(f *features.Field, x float64) (features.Value, error) {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return features.Value{}, invalid("NOT_FINITE", fmt.Sprintf("field %s is not a finite number", f.Name), "send null for a missing value of a nullable field")
	}
	switch {
	case f.Kind == features.Double:
		return features.DoubleValue(x), nil
	case f.Kind == features.Int && x == math.Trunc(x) && math.Abs(x) <= 1<<53:
		return features.IntValue(int64(x)), nil
	}
	return features.Value{}, wrongType(f, "double")
}

// checkKey refuses texts that are too long for an entity's key.
func checkKey(f *features.Field, v features.Value) error {
	if n := len(v.Str()); n > maxKey {
		return invalid("KEY_TOO_LONG", fmt.Sprintf("key field %s has %d bytes", f.Name, n), fmt.Sprintf("at most %d", maxKey))
	}
	return nil
}

func wrongType(f *features.Field, got string) error {
	return invalid("WRONG_TYPE", fmt.Sprintf("field %s is declared %s, got %s", f.Name, f.Kind, got), "send a value of type "+f.Kind.String())
}

func kindName(v *freshetv1.Value) string {
	switch v.GetKind().(type) {
	case *freshetv1.Value_String_:
		return "string"
	case *freshetv1.Value_Int:
		return "int"
	case *freshetv1.Value_Double:
		return "double"
	case *freshetv1.Value_Bool:
		return "bool"
	case *freshetv1.Value_Time:
		return "time"
	}
	return "null"
}

// values fills dst, one for each field of the model's trigger, from a request's values. A field that
// is neither nullable nor required for this model may be left out, and is null.
func (s *served) values(dst []features.Value, row int, given map[string]*freshetv1.Value) ([]features.Value, error) {
	seen := 0
	for i := range s.Fields {
		x, there, err := s.value(i, row, given)
		if err != nil {
			return dst, err
		}
		if there {
			seen++
		}
		dst = append(dst, x)
	}
	if seen < len(given) {
		return dst, s.unknownField(row, given)
	}
	return dst, nil
}

// value converts the i-th field of the trigger, and reports whether it was given.
func (s *served) value(i, row int, given map[string]*freshetv1.Value) (x features.Value, there bool, err error) {
	f := &s.Fields[i]
	v, there := given[f.Name]
	if !there {
		if s.required[i] && !f.Nullable {
			err = invalid("FIELD_MISSING", fmt.Sprintf("row %d: field %s is missing", row, f.Name), "give it a value of type "+f.Kind.String())
		}
		return x, false, err
	}
	x, err = convert(f, v)
	if err == nil && s.key[i] {
		err = checkKey(f, x)
	}
	if n := s.slots[i]; n > 0 && len(x.Str()) > n*features.TextBytes {
		s.metrics.cut.Inc()
	}
	if err != nil {
		err.(*Error).Message = fmt.Sprintf("row %d: %s", row, err.(*Error).Message)
	}
	return x, true, err
}

// besideVector reports whether a field is given beside a vector, since none holds it: one of the model's key, or a text.
func (s *served) besideVector(field int) bool {
	return slices.Contains(s.Key, field) || slices.ContainsFunc(s.texts, func(t text) bool { return t.field == field })
}

// vectorValues is values for a row whose vector is given: the fields that no vector holds, and null for all others.
func (s *served) vectorValues(dst []features.Value, row int, given map[string]*freshetv1.Value) ([]features.Value, error) {
	seen := 0
	for i := range s.Fields {
		if !s.besideVector(i) {
			dst = append(dst, features.Value{})
			continue
		}
		x, there, err := s.value(i, row, given)
		if err != nil {
			if !there && s.slots[i] > 0 {
				err.(*Error).Message += ": it is a text, which no vector holds"
			} else if !there {
				err.(*Error).Message += fmt.Sprintf(": model %s remembers entities, and a vector does not say whose it is", s.Name)
			}
			return dst, err
		}
		if there {
			seen++
		}
		dst = append(dst, x)
	}
	if seen < len(given) {
		return dst, invalid("FIELDS_AND_VECTOR", fmt.Sprintf("row %d has a vector, and fields that it holds", row),
			"beside a vector give "+s.besideNames()+" only, or give all fields and no vector")
	}
	return dst, nil
}

// besideNames lists the fields that are given beside a vector.
func (s *served) besideNames() string {
	var names []string
	for i := range s.Fields {
		if s.besideVector(i) {
			names = append(names, s.Fields[i].Name)
		}
	}
	return strings.Join(names, ", ")
}

func (s *served) unknownField(row int, given map[string]*freshetv1.Value) error {
	var unknown, known []string
	for name := range given {
		if _, ok := s.fields[name]; !ok {
			unknown = append(unknown, clip(name))
		}
	}
	slices.Sort(unknown)
	for i := range s.Fields {
		known = append(known, s.Fields[i].Name)
	}
	return invalid("UNKNOWN_FIELD", fmt.Sprintf("row %d: model %s takes no field %s", row, s.Name, list(unknown)), "it takes "+list(known))
}

// vector checks a vector that was given and copies it to dst, with the texts of values at their places, where it holds NaN.
func (s *served) vector(dst []float64, row int, given []float64, values []features.Value) ([]float64, error) {
	if len(given) != s.columns {
		return dst, invalid("VECTOR_LENGTH", fmt.Sprintf("row %d: vector of %d numbers, model %s takes %d", row, len(given), s.Name, s.columns),
			"the model's columns, in order, are listed by GetModel")
	}
	for i, x := range given {
		if math.IsInf(x, 0) {
			return dst, invalid("NOT_FINITE", fmt.Sprintf("row %d: column %d is infinite", row, i), "send NaN (null in JSON) for a missing value")
		}
	}
	from := len(dst)
	for _, t := range s.texts {
		n := t.at - (len(dst) - from) // numbers before the text
		dst, given = append(dst, given[:n]...), given[n:]
		if given[0] == given[0] {
			return dst, invalid("TEXT_IN_VECTOR", fmt.Sprintf("row %d: the vector has the number %v where %s is, a text", row, given[0], s.Fields[t.field].Name),
				"send NaN (null in JSON) there, and the text in fields")
		}
		dst, given = vector.AppendText(dst, values[t.field], t.n), given[1:]
	}
	return append(dst, given...), nil
}
