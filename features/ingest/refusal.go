package ingest

import (
	"strconv"
	"unicode/utf8"

	"github.com/freshet-ml/freshet/features"
)

// Stage says which check refused a record.
type Stage string

// The stages at which a record is refused, in the order of the checks.
const (
	StageDecode Stage = "decode" // the bytes are no JSON object or CSV row
	StageSchema Stage = "schema" // the fields are not the declared ones
	StageExpect Stage = "expect" // an expectation of the source is false
	StageTime   Stage = "time"   // late or future
	StageDedupe Stage = "dedupe" // an id that came before
)

// Poison is the class of every refusal: it would be refused again, so it is not tried again.
const Poison = "poison"

// The reasons of refusals: stable codes, kept in items and dead letters.
const (
	ReasonTooLarge     = "too_large"     // record or item above its limit
	ReasonBadMark      = "bad_mark"      // a time mark whose header cannot be read
	ReasonNoValue      = "no_value"      // null value on a source that is no table
	ReasonMalformed    = "malformed"     // no JSON object or no CSV row, or cut short
	ReasonNotUTF8      = "not_utf8"      // text that is not UTF-8
	ReasonDuplicateKey = "duplicate_key" // one name twice in a JSON object
	ReasonColumns      = "columns"       // a CSV row with another number of columns
	ReasonUnknownField = "unknown_field" // strict: a field that is not declared
	ReasonMissing      = "missing"       // a field that is not nullable is missing
	ReasonNull         = "null"          // a field that is not nullable is null
	ReasonWrongType    = "wrong_type"    // a value of another type
	ReasonOutOfRange   = "out_of_range"  // an integer outside 64 bits or not whole, a number beyond a double
	ReasonNotFinite    = "not_finite"    // NaN or Inf
	ReasonTimeFormat   = "time_format"   // a time that does not follow its layout
	ReasonTimeRange    = "time_range"    // a time outside its range
	ReasonKeyTooLong   = "key_too_long"  // a key above MaxKeyBytes
	ReasonBadKey       = "bad_key"       // a tombstone whose Kafka key does not hold the key fields
	ReasonExpect       = "expect"        // an expectation is false
	ReasonLate         = "late"          // older than watermark − max_lateness
	ReasonFuture       = "future"        // ahead of the record's own timestamp
	ReasonDuplicate    = "duplicate"     // the same id within the time of dedupe
)

// Refusal says why a record is not accepted, for the item, the dead letter and people.
type Refusal struct {
	Stage   Stage
	Class   string // always Poison
	Reason  string // one of the Reason codes
	Field   string // of the source, empty where no single one is meant
	Message string // what was found (cut short; never of a sensitive field) and how to mend it
}

// Error returns the message with stage and reason.
func (r *Refusal) Error() string { return string(r.Stage) + ": " + r.Reason + ": " + r.Message }

func refuse(stage Stage, reason, field, message string) *Refusal {
	return &Refusal{Stage: stage, Class: Poison, Reason: reason, Field: field, Message: message}
}

// about makes a refusal for one field: what was found in it, then how to mend it.
func about(f *FieldSpec, reason, found, mend string) *Refusal {
	return refuse(StageSchema, reason, f.Name, "field "+f.Name+" ("+kindName(f)+"): found "+found+"; "+mend)
}

func kindName(f *FieldSpec) string {
	if f.Nullable {
		return f.Kind.String() + "?"
	}
	return f.Kind.String()
}

// shown is how many bytes of a refused value a message shows.
const shown = 64

// show quotes what was found for a message, cut short, and hides what is sensitive.
func show[T ~string | ~[]byte](f *FieldSpec, text T) string {
	if f.Sensitive {
		return "a value that is not shown"
	}
	return quote(string(text[:min(len(text), shown)]), len(text))
}

func quote(s string, n int) string {
	if len(s) == n {
		return strconv.Quote(s)
	}
	for len(s) > 0 && !utf8.ValidString(s[max(0, len(s)-utf8.UTFMax):]) && len(s) > shown-utf8.UTFMax {
		s = s[:len(s)-1]
	}
	return strconv.Quote(s) + "… (" + strconv.Itoa(n) + " bytes)"
}

// Check is a compiled boolean expression over the fields of an item. known is false when a null made
// the answer unknown.
type Check interface {
	Truth(fields []features.Value) (truth, known bool)
}

// Expectation is a check with its source text. It fails when it is known to be false; unknown passes,
// as with a CHECK constraint of SQL.
type Expectation struct {
	Text  string
	Check Check
}
