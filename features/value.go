package features

import (
	"math"
	"strconv"
	"time"
)

// Kind is the type of a field. The zero Kind is Null, which only a Value can have.
type Kind uint8

// The kinds of fields that a project can declare.
const (
	Null     Kind = iota
	String        // UTF-8 text
	Int           // signed 64-bit integer
	Double        // IEEE 754 double, finite
	Bool          // true or false
	Time          // an instant, µs since 1970-01-01T00:00:00Z
	FreeText      // of fields alone: UTF-8 text that models read by its words, up to a bound; its values are of kind String
)

var kindNames = [...]string{"null", "string", "int", "double", "bool", "time", "text"}

// String returns the name that a project file uses for the kind.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return "kind(" + strconv.Itoa(int(k)) + ")"
}

// ParseKind returns the kind of that name, and false if there is none.
func ParseKind(name string) (Kind, bool) {
	for k := String; k <= FreeText; k++ {
		if kindNames[k] == name {
			return k, true
		}
	}
	return Null, false
}

// Value is one typed field of an event: a small immutable union passed by value. The zero Value is
// null. A string value may borrow memory of the log record it was decoded from; that memory is never
// written again, so keeping a Value is safe, but keeps the whole record alive: clone strings that
// outlive the event (strings.Clone).
type Value struct {
	str  string
	bits uint64
	kind Kind
}

// StringValue, IntValue, DoubleValue, BoolValue and TimeValue make a value of that kind.
func StringValue(s string) Value  { return Value{kind: String, str: s} }
func IntValue(i int64) Value      { return Value{kind: Int, bits: uint64(i)} }
func DoubleValue(f float64) Value { return Value{kind: Double, bits: math.Float64bits(f)} }

// BoolValue makes a boolean value.
func BoolValue(b bool) Value {
	if b {
		return Value{kind: Bool, bits: 1}
	}
	return Value{kind: Bool}
}

// TimeValue makes an instant from µs since the epoch.
func TimeValue(micros int64) Value { return Value{kind: Time, bits: uint64(micros)} }

// Kind returns the kind of the value; Null for the zero Value.
func (v Value) Kind() Kind { return v.kind }

// IsNull reports whether the value is null.
func (v Value) IsNull() bool { return v.kind == Null }

// Str returns the text of a string value, and "" for every other kind.
func (v Value) Str() string { return v.str }

// Int returns the integer of an Int, the µs of a Time, 0 or 1 of a Bool, and 0 for every other kind.
func (v Value) Int() int64 {
	switch v.kind {
	case Int, Time, Bool:
		return int64(v.bits)
	}
	return 0
}

// Bool reports whether the value is the boolean true.
func (v Value) Bool() bool { return v.kind == Bool && v.bits == 1 }

// Float returns the value as a number: a Bool as 0 or 1, a Time in seconds since the epoch, and NaN
// (missing) for null and for strings.
func (v Value) Float() float64 {
	switch v.kind {
	case Double:
		return math.Float64frombits(v.bits)
	case Int:
		return float64(int64(v.bits))
	case Bool:
		return float64(v.bits)
	case Time:
		return float64(int64(v.bits)) / 1e6
	}
	return math.NaN()
}

// Feature returns the value as one slot of a feature vector: Float for numbers, Category for strings.
func (v Value) Feature() float64 {
	if v.kind == String {
		return Category(v.str)
	}
	return v.Float()
}

// Hash tells values of one kind apart: that of the text of a string, else of its bits; 0 for null. Zero and minus zero are two doubles.
func (v Value) Hash() uint64 {
	switch v.kind {
	case String:
		return Hash(v.str)
	case Null:
		return 0
	}
	return Mix(v.bits + uint64(v.kind)<<56)
}

// String formats the value for people; times are RFC 3339 in UTC.
func (v Value) String() string {
	switch v.kind {
	case String:
		return v.str
	case Int:
		return strconv.FormatInt(int64(v.bits), 10)
	case Double:
		return strconv.FormatFloat(math.Float64frombits(v.bits), 'g', -1, 64)
	case Bool:
		return strconv.FormatBool(v.bits == 1)
	case Time:
		return time.UnixMicro(int64(v.bits)).UTC().Format(time.RFC3339Nano)
	}
	return "null"
}

// Category is the number that stands for a text in a feature vector: 53 bits of its FNV-1a hash,
// passed through a finaliser (splitmix64, Steele et al. 2014), hence an exact integer in [0, 2^53).
// Two of n distinct texts collide with probability about n²/2^54. Encoders (one-hot, hashing, target)
// key their dictionaries by it.
func Category(s string) float64 { return float64(Hash(s) >> 11) }

// Hash is the 64-bit hash behind Category and behind every placement of keys (buckets, parts).
// It is part of the storage format and never changes.
func Hash(s string) uint64 {
	h := uint64(14695981039346656037)
	for i := 0; i < len(s); i++ {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return Mix(h)
}

// Mix is the finaliser of Hash: a bijection of 64 bits in which each bit depends on all.
func Mix(h uint64) uint64 {
	h ^= h >> 30
	h *= 0xbf58476d1ce4e5b9
	h ^= h >> 27
	h *= 0x94d049bb133111eb
	return h ^ h>>31
}
