package project

import (
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"

	"github.com/freshet-ml/freshet/internal/spelling"
	"github.com/freshet-ml/freshet/models"
)

// scalar sets f from text, by the type and the form of the option, and checks enum, min and max.
func (d *decoder) scalar(s string, f reflect.Value, o *option, at Pos, path string) {
	var err error
	switch {
	case o.form == "instant":
		t, e := parseInstant(s)
		f.Set(reflect.ValueOf(t))
		err = e
	case o.form == "task":
		t, ok := models.ParseTask(s)
		if !ok {
			d.notOneOf(s, taskNames(), at, path)
			return
		}
		f.SetUint(uint64(t))
	case o.typ == durationType:
		v, e := ParseDuration(s)
		f.SetInt(int64(v))
		err = e
	case o.typ == sizeType:
		v, e := ParseSize(s)
		f.SetInt(int64(v))
		err = e
	default:
		err = setBasic(s, f)
	}
	if err != nil {
		d.add(at, path, err.Error(), "give "+wanted(o), "")
		return
	}
	if len(o.enum) > 0 && !contains(o.enum, s) {
		d.notOneOf(s, o.enum, at, path)
		return
	}
	d.bounds(s, f, o, at, path)
}

func setBasic(s string, f reflect.Value) error {
	switch f.Kind() {
	case reflect.String:
		f.SetString(s)
	case reflect.Bool:
		if s != "true" && s != "false" {
			return fmt.Errorf("%q is neither true nor false", s)
		}
		f.SetBool(s == "true")
	case reflect.Int:
		i, err := strconv.ParseInt(strings.ReplaceAll(s, "_", ""), 10, 32)
		if err != nil {
			return fmt.Errorf("%q is no whole number", s)
		}
		f.SetInt(i)
	case reflect.Uint64:
		u, err := strconv.ParseUint(strings.ReplaceAll(s, "_", ""), 10, 64)
		if err != nil {
			return fmt.Errorf("%q is no whole number from 0", s)
		}
		f.SetUint(u)
	case reflect.Float64:
		x, err := strconv.ParseFloat(s, 64)
		if err != nil || math.IsNaN(x) || math.IsInf(x, 0) {
			return fmt.Errorf("%q is no number", s)
		}
		f.SetFloat(x)
	}
	return nil
}

func (d *decoder) notOneOf(s string, words []string, at Pos, path string) {
	near, mend := spelling.Nearest(s, words), ""
	if near == "" {
		mend = "use " + quoted(words)
	}
	d.add(at, path, fmt.Sprintf("%q is not known here", s), mend, near)
}

// bounds checks min and max, which are written like values.
func (d *decoder) bounds(s string, f reflect.Value, o *option, at Pos, path string) {
	if o.minimum != "" && number(f) < limit(o.minimum, f) {
		d.add(at, path, fmt.Sprintf("%s is below %s", s, o.minimum), "give at least "+o.minimum, "")
	}
	if o.maximum != "" && number(f) > limit(o.maximum, f) {
		d.add(at, path, fmt.Sprintf("%s is above %s", s, o.maximum), "give at most "+o.maximum, "")
	}
}

func limit(text string, like reflect.Value) float64 {
	v := reflect.New(like.Type()).Elem()
	switch like.Type() {
	case durationType:
		d, _ := ParseDuration(text)
		return float64(d)
	case sizeType:
		b, _ := ParseSize(text)
		return float64(b)
	}
	_ = setBasic(text, v)
	return number(v)
}

func number(v reflect.Value) float64 {
	switch {
	case v.CanInt():
		return float64(v.Int())
	case v.CanUint():
		return float64(v.Uint())
	case v.CanFloat():
		return v.Float()
	}
	return 0
}

func taskNames() []string {
	var names []string
	for t := models.Binary; t <= models.Anomaly; t++ {
		names = append(names, t.String())
	}
	return names
}

func contains(words []string, s string) bool {
	for _, w := range words {
		if w == s {
			return true
		}
	}
	return false
}
