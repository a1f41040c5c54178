package ingest

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/freshet-ml/freshet/features"
)

// checkFunc is a compiled check in tests.
type checkFunc func([]features.Value) (truth, known bool)

func (c checkFunc) Truth(fields []features.Value) (bool, bool) { return c(fields) }

func flightSpec() *SourceSpec {
	return &SourceSpec{
		Name: "scheduled", Time: "at",
		Fields: []FieldSpec{
			{Name: "at", Kind: features.Time},
			{Name: "id", Kind: features.String, Key: true},
			{Name: "tail", Kind: features.String, Nullable: true},
			{Name: "flight", Kind: features.Int, Nullable: true},
			{Name: "distance", Kind: features.Double, Nullable: true},
			{Name: "ok", Kind: features.Bool, Nullable: true},
			{Name: "departs", Kind: features.Time, Nullable: true, Layout: EpochMillis},
			{Name: "card", Kind: features.String, Nullable: true, Sensitive: true},
		},
		Expect: []Expectation{{"distance > 0", checkFunc(func(f []features.Value) (bool, bool) {
			return f[4].Float() > 0, !f[4].IsNull()
		})}},
	}
}

func mustDecoder(t testing.TB, spec *SourceSpec) *Decoder {
	t.Helper()
	d, err := NewDecoder(spec)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func texts(fields []features.Value) []string {
	var out []string
	for _, f := range fields {
		out = append(out, f.Kind().String()+":"+f.String())
	}
	return out
}

const goodHead = `{"at":"2013-06-01T10:00:00Z","id":"UA1"`

func TestDecodeJSON(t *testing.T) {
	d := mustDecoder(t, flightSpec())
	for _, c := range []struct{ name, in, want string }{
		{"all fields", goodHead + `,"tail":"N1","flight":7,"distance":1.5,"ok":true,"departs":1370080800000,"card":"x"}`,
			"time:2013-06-01T10:00:00Z string:UA1 string:N1 int:7 double:1.5 bool:true time:2013-06-01T10:00:00Z string:x"},
		{"other order, spaces, unknown", ` { "zzz" : [1,{"a":2}], "id":"é\u00e9\ud83d\ude00\n", "at":"2013-06-01T12:00:00.5+02:00" } `,
			"time:2013-06-01T10:00:00.5Z string:éé😀\n null:null null:null null:null null:null null:null null:null"},
		{"null of a nullable", goodHead + `,"tail":null,"flight":-0,"ok":false}`,
			"time:2013-06-01T10:00:00Z string:UA1 null:null int:0 null:null bool:false null:null null:null"},
		{"a whole number however written", goodHead + `,"flight":1.5e1,"distance":1e3}`,
			"time:2013-06-01T10:00:00Z string:UA1 null:null int:15 double:1000 null:null null:null null:null"},
		{"the widest integers", goodHead + `,"flight":-9223372036854775808}`,
			"time:2013-06-01T10:00:00Z string:UA1 null:null int:-9223372036854775808 null:null null:null null:null null:null"},
		{"escaped name", `{"\u0061t":"2013-06-01T10:00:00Z","id":""}`,
			"time:2013-06-01T10:00:00Z string: null:null null:null null:null null:null null:null null:null"},
		{"keys that look like ours", `{"at":"2013-06-01T10:00:00Z","id":"!off","tail":"a|b"}`,
			"time:2013-06-01T10:00:00Z string:!off string:a|b null:null null:null null:null null:null null:null"},
		{"a far time that is no event time", goodHead + `,"departs":253402300799999}`,
			"time:2013-06-01T10:00:00Z string:UA1 null:null null:null null:null null:null time:9999-12-31T23:59:59.999Z null:null"},
	} {
		t.Run(c.name, func(t *testing.T) {
			fields, at, refusal := d.Decode(nil, &Record{Value: []byte(c.in)})
			if refusal != nil {
				t.Fatal(refusal)
			}
			if got := strings.Join(texts(fields), " "); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
			if at != fields[0].Int() {
				t.Errorf("event time %d, want that of at", at)
			}
		})
	}
}

func TestDecodeRefusesBadInput(t *testing.T) {
	long := strings.Repeat("k", MaxKeyBytes+1)
	for _, c := range []struct {
		name, in, reason, message string
	}{
		{"empty", ``, ReasonMalformed, "cut short"},
		{"only spaces", `  `, ReasonMalformed, "cut short"},
		{"truncated", goodHead, ReasonMalformed, "cut short"},
		{"truncated in a string", `{"at":"2013`, ReasonMalformed, "cut short"},
		{"truncated in a nested value", goodHead + `,"x":[1,`, ReasonMalformed, "cut short"},
		{"trailing comma", goodHead + `,}`, ReasonMalformed, "no valid JSON"},
		{"no comma", goodHead + ` "z":2}`, ReasonMalformed, "no valid JSON at byte"},
		{"a second object", goodHead + `} {}`, ReasonMalformed, "bytes after the object"},
		{"rubbish behind", goodHead + `}x`, ReasonMalformed, "after the object"},
		{"no object", `[1]`, ReasonMalformed, "JSON array"},
		{"only null", `null`, ReasonMalformed, "JSON null"},
		{"no JSON at all", `hello`, ReasonMalformed, "no valid JSON"},
		{"literal NaN", goodHead + `,"distance":NaN}`, ReasonMalformed, "no valid JSON at byte"},
		{"literal Infinity", goodHead + `,"distance":-Infinity}`, ReasonMalformed, "no valid JSON"},
		{"leading zero", goodHead + `,"flight":01}`, ReasonMalformed, "no valid JSON"},
		{"control character", "{\"at\":\"a\nb\"}", ReasonMalformed, "no valid JSON"},
		{"unpaired surrogate", goodHead + `,"tail":"\ud800"}`, ReasonMalformed, "no valid JSON"},
		{"bad UTF-8", goodHead + ",\"tail\":\"\xff\"}", ReasonNotUTF8, "not UTF-8 at byte"},
		{"bad UTF-8 in an unknown field", goodHead + ",\"zz\":\"\xc3\x28\"}", ReasonNotUTF8, "not UTF-8"},
		{"one name twice", goodHead + `,"id":"UA2"}`, ReasonDuplicateKey, "stands twice"},
		{"one name twice, escaped", goodHead + `,"\u0069d":"UA2"}`, ReasonDuplicateKey, "stands twice"},
		{"one unknown name twice", goodHead + `,"z":1,"z":2}`, ReasonDuplicateKey, "stands twice"},
		{"string for a number", goodHead + `,"flight":"7"}`, ReasonWrongType, `field flight (int?): found JSON string "\"7\""; numbers are sent without quotes`},
		{"number for a string", `{"at":"2013-06-01T10:00:00Z","id":1}`, ReasonWrongType, `field id (string): found JSON number "1"; send a string`},
		{"object for a number", goodHead + `,"distance":{"a":1}}`, ReasonWrongType, "found JSON object"},
		{"number for a bool", goodHead + `,"ok":1}`, ReasonWrongType, "found JSON number"},
		{"number for a text time", `{"at":1370080800,"id":"a"}`, ReasonWrongType, "declare a layout such as epoch_ms"},
		{"text for an epoch", goodHead + `,"departs":"1370080800000"}`, ReasonWrongType, "the layout epoch_ms is a number"},
		{"no time", `{"id":"a"}`, ReasonMissing, `found nothing under "at"; send a value or declare the field nullable (time?)`},
		{"null time", `{"at":null,"id":"a"}`, ReasonNull, "field at (time): found null"},
		{"null id", `{"at":"2013-06-01T10:00:00Z","id":null}`, ReasonNull, "field id"},
		{"missing id", `{"at":"2013-06-01T10:00:00Z"}`, ReasonMissing, "field id"},
		{"not whole", goodHead + `,"flight":1.5}`, ReasonOutOfRange, `found "1.5"; it is not whole`},
		{"beyond 64 bits", goodHead + `,"flight":9223372036854775808}`, ReasonOutOfRange, "does not fit 64 bits"},
		{"beyond exact doubles", goodHead + `,"flight":1e17}`, ReasonOutOfRange, "does not fit"},
		{"beyond a double", goodHead + `,"distance":1e999}`, ReasonOutOfRange, "beyond what a double holds"},
		{"time without a zone", `{"at":"2013-06-01 10:00","id":"a"}`, ReasonTimeFormat, `found "2013-06-01 10:00"; it does not follow the layout rfc3339`},
		{"no such day", `{"at":"2013-02-30T10:00:00Z","id":"a"}`, ReasonTimeFormat, "layout"},
		{"time zero", `{"at":"1970-01-01T00:00:00Z","id":"a"}`, ReasonTimeRange, "found 1970-01-01T00:00:00Z; times of this field lie after 1970-01-01 and before 2200-01-01"},
		{"negative time", `{"at":"1969-12-31T00:00:00Z","id":"a"}`, ReasonTimeRange, "1969"},
		{"year 9999", `{"at":"9999-12-31T00:00:00Z","id":"a"}`, ReasonTimeRange, "9999"},
		{"epoch beyond year 9999", goodHead + `,"departs":99999999999999999999}`, ReasonTimeRange, "after year 9999"},
		{"epoch with exponent", goodHead + `,"departs":1e12}`, ReasonTimeFormat, "epoch_ms"},
		{"key too long", `{"at":"2013-06-01T10:00:00Z","id":"` + long + `"}`, ReasonKeyTooLong, "found 1025 bytes"},
		{"key of 1 MB", `{"at":"2013-06-01T10:00:00Z","id":"` + strings.Repeat("k", 1000*1000) + `"}`, ReasonKeyTooLong, "at most 1024 bytes"},
		{"2 MB record", goodHead + `,"z":"` + strings.Repeat("x", 2<<20) + `"}`, ReasonTooLarge, "above the limit of 1048576"},
		{"item too large", goodHead + `,"tail":"` + strings.Repeat("x", 500<<10) + `"}`, ReasonTooLarge, "declared fields of"},
		{"expectation is false", goodHead + `,"distance":0}`, ReasonExpect, "expected distance > 0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := mustDecoder(t, flightSpec())
			dst := []features.Value{features.IntValue(9)}
			for range 2 { // a refusal must leave nothing behind in the decoder
				fields, _, refusal := d.Decode(dst, &Record{Value: []byte(c.in)})
				if refusal == nil {
					t.Fatalf("accepted as %v", texts(fields))
				}
				if refusal.Reason != c.reason || refusal.Class != Poison || refusal.Stage == "" || len(fields) != 1 {
					t.Errorf("got %q (%s), want reason %q", refusal.Reason, refusal, c.reason)
				}
				if !strings.Contains(refusal.Message, c.message) || len(refusal.Message) > 400 {
					t.Errorf("message %q does not say %q briefly", refusal.Message, c.message)
				}
				if _, _, refusal := d.Decode(nil, &Record{Value: []byte(goodHead + "}")}); refusal != nil {
					t.Errorf("good record after it: %v", refusal)
				}
			}
		})
	}
}

func TestDecodeStrictRefusesUnknownFields(t *testing.T) {
	spec := flightSpec()
	spec.Strict = true
	_, _, refusal := mustDecoder(t, spec).Decode(nil, &Record{Value: []byte(goodHead + `,"z\u00e9":1}`)})
	if refusal == nil || refusal.Reason != ReasonUnknownField || !strings.Contains(refusal.Message, `"zé"`) {
		t.Fatalf("got %v", refusal)
	}
}

func TestMessagesNeverShowSensitiveValues(t *testing.T) {
	spec := flightSpec()
	for i := range spec.Fields {
		spec.Fields[i].Sensitive = true
	}
	d := mustDecoder(t, spec)
	for _, in := range []string{`{"at":"secret"}`, `{"id":4111111}`, `{"flight":"secret"}`, `{"flight":4111111.5}`, `{"distance":[4111111]}`,
		`{"at":"1955-05-05T00:00:00Z"}`, `{"card":"secret`, `{"departs":-999999999999999999}`, `{"flight":4111111411111141111114}`} {
		_, _, refusal := d.Decode(nil, &Record{Value: []byte(in)})
		if refusal == nil {
			t.Fatalf("%s accepted", in)
		}
		for _, leak := range []string{"secret", "4111111", "1955", "9999999"} {
			if strings.Contains(refusal.Message, leak) {
				t.Errorf("%s: message %q", in, refusal.Message)
			}
		}
	}
}

func TestLongFindingsAreCutBetweenCharacters(t *testing.T) {
	_, _, refusal := mustDecoder(t, flightSpec()).Decode(nil, &Record{Value: []byte(goodHead + `,"flight":"` + strings.Repeat("é", 500) + `"}`)})
	if refusal == nil || strings.Contains(refusal.Message, `\x`) || !strings.Contains(refusal.Message, "(1002 bytes)") {
		t.Fatalf("got %v", refusal)
	}
}

func planesSpec() *SourceSpec {
	return &SourceSpec{Name: "planes", Table: true, Key: []string{"tail"}, Fields: []FieldSpec{
		{Name: "tail", Kind: features.String}, {Name: "seats", Kind: features.Int}}}
}

func TestTombstones(t *testing.T) {
	two := planesSpec()
	two.Key = []string{"tail", "seats"}
	number := planesSpec()
	number.Key = []string{"seats"}
	for _, c := range []struct {
		name      string
		spec      *SourceSpec
		key, want string
	}{
		{"text", planesSpec(), `N1`, "string:N1 null:null"},
		{"object", planesSpec(), `{"tail":"N1","seats":9,"other":1}`, "string:N1 null:null"},
		{"two", two, `{"seats":4,"tail":"N1"}`, "string:N1 int:4"},
		{"number", number, `44`, "null:null int:44"},
	} {
		d := mustDecoder(t, c.spec)
		rec := &Record{Key: []byte(c.key), Timestamp: 1370080800000}
		fields, at, refusal := d.Decode(nil, rec)
		if refusal != nil || !d.IsTombstone(rec) || strings.Join(texts(fields), " ") != c.want || at != 1370080800000000 {
			t.Errorf("%s: %v at %d, %v", c.name, texts(fields), at, refusal)
		}
	}
	for _, c := range []struct {
		name   string
		spec   *SourceSpec
		key    []byte
		reason string
	}{
		{"null key", planesSpec(), nil, ReasonBadKey},
		{"one text for two fields", two, []byte("N1"), ReasonBadKey},
		{"field missing", two, []byte(`{"tail":"N1"}`), ReasonBadKey},
		{"no number", number, []byte("x"), ReasonWrongType},
		{"not UTF-8", planesSpec(), []byte("\xff"), ReasonBadKey},
		{"broken object", planesSpec(), []byte(`{"tail"`), ReasonMalformed},
		{"long key", planesSpec(), []byte(strings.Repeat("x", 1025)), ReasonKeyTooLong},
	} {
		if _, _, refusal := mustDecoder(t, c.spec).Decode(nil, &Record{Key: c.key, Timestamp: 5}); refusal == nil || refusal.Reason != c.reason {
			t.Errorf("%s: got %v, want %s", c.name, refusal, c.reason)
		}
	}
	if _, _, refusal := mustDecoder(t, flightSpec()).Decode(nil, &Record{Timestamp: 5}); refusal == nil || refusal.Reason != ReasonNoValue {
		t.Errorf("null value of an event: %v", refusal)
	}
	if _, _, refusal := mustDecoder(t, planesSpec()).Decode(nil, &Record{Key: []byte("N1"), Timestamp: -1}); refusal == nil || refusal.Reason != ReasonTimeRange {
		t.Errorf("timestamp −1: %v", refusal)
	}
}

func TestDecodeCSV(t *testing.T) {
	spec := flightSpec()
	spec.Format = CSV
	spec.CSV = CSVSpec{Delimiter: ';', Columns: []string{"id", "at", "other", "distance", "flight", "ok", "tail"}, Null: []string{"NA"}}
	d := mustDecoder(t, spec)
	for _, c := range []struct{ in, want string }{
		{"UA1;2013-06-01T10:00:00Z;x;1.5;7;true;N1", "time:2013-06-01T10:00:00Z string:UA1 string:N1 int:7 double:1.5 bool:true null:null null:null"},
		{"\"a;\"\"b\"\"\nc\";2013-06-01T10:00:00Z;;;NA;0;\r\n", "time:2013-06-01T10:00:00Z string:a;\"b\"\nc null:null null:null null:null bool:false null:null null:null"},
		{"UA1;2013-06-01T10:00:00Z;bad:wrong_type;1;0x10;;", ""},
		{"UA1;2013-06-01T10:00:00Z;bad:out_of_range;1;1.5;;", ""},
		{"UA1;2013-06-01T10:00:00Z;bad:not_finite;NaN;1;;", ""},
		{"UA1;2013-06-01T10:00:00Z;bad:not_finite;-Inf;1;;", ""},
		{"UA1;2013-06-01T10:00:00Z;bad:wrong_type;1_0;1;;", ""},
		{"UA1;2013-06-01T10:00:00Z;bad:out_of_range;1e999;1;;", ""},
		{"UA1;2013-06-01T10:00:00Z;bad:wrong_type;1;1;yes;", ""},
		{"UA1;;bad:null;1;1;;", ""},
		{"UA1;2013;bad:time_format;1;1;;", ""},
		{"bad:columns;2013-06-01T10:00:00Z", ""},
		{"\"bad:malformed;2013-06-01T10:00:00Z;;;;;", ""},
		{"bad:malformed;2013-06-01T10:00:00Z;;;;;\nUA2;2013-06-01T10:00:00Z;;;;;", ""},
		{"bad:malformed;2013-06-01T10:00:00Z;;;;;\nUA2;2013-06-01T10:00:00Z;;;;;\nUA3;2013-06-01T10:00:00Z;;;;;", ""},
		{"UA4;2013-06-01T10:00:00Z;;;;;", "time:2013-06-01T10:00:00Z string:UA4 null:null null:null null:null null:null null:null null:null"},
		{"UA\xff;2013-06-01T10:00:00Z;bad:not_utf8;;;;", ""},
		{"", "bad:malformed"},
		{"UA1;2013-06-01T10:00:00Z;bad:expect;-1;1;;", ""},
	} {
		fields, _, refusal := d.Decode(nil, &Record{Value: []byte(c.in)})
		_, want, bad := strings.Cut(c.in+c.want, "bad:")
		want, _, _ = strings.Cut(want, ";")
		switch {
		case bad && (refusal == nil || refusal.Reason != want):
			t.Errorf("%q: got %v (%v), want reason %s", c.in, refusal, texts(fields), want)
		case !bad && refusal != nil:
			t.Errorf("%q: %v", c.in, refusal)
		case !bad && strings.Join(texts(fields), " ") != c.want:
			t.Errorf("%q: got %v", c.in, texts(fields))
		}
	}
}

func TestTimeLayouts(t *testing.T) {
	york, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		layout, text string
		zone         *time.Location
		want         int64 // µs; math.MinInt64: refused
		back         string
	}{
		{EpochSeconds, "1370080800", nil, 1370080800000000, ""},
		{EpochSeconds, "1370080800.25", nil, 1370080800250000, ""},
		{EpochSeconds, "-1.25", nil, -1250000, ""},
		{EpochSeconds, "-0.0000001", nil, -1, "-0.000001"},
		{EpochSeconds, "1.00000099", nil, 1000000, "1"},
		{EpochMillis, "1370080800123.5", nil, 1370080800123500, ""},
		{EpochMicros, "1370080800123456", nil, 1370080800123456, ""},
		{EpochMicros, "0", nil, 0, ""},
		{EpochSeconds, "1.", nil, math.MinInt64, ""},
		{EpochSeconds, ".5", nil, math.MinInt64, ""},
		{EpochSeconds, "--5", nil, math.MinInt64, ""},
		{EpochSeconds, "5x", nil, math.MinInt64, ""},
		{EpochSeconds, "", nil, math.MinInt64, ""},
		{RFC3339, "2013-06-01T06:00:00-04:00", nil, 1370080800000000, "2013-06-01T10:00:00Z"},
		{"", "2013-06-01T10:00:00.123456Z", nil, 1370080800123456, ""},
		{"%Y-%m-%d %H:%M", "2013-06-01 06:00", york, 1370080800000000, ""},
		{"%d/%m/%Y %I:%M:%S.%f %p", "01/06/2013 06:00:00.500000 AM", york, 1370080800500000, ""},
		{"02 Jan 2006", "01 Jun 2013", nil, 1370044800000000, ""},
		{"%Y-%m-%d %H:%M", "2013-06-01", york, math.MinInt64, ""},
	} {
		l, err := newTimeLayout(c.layout, c.zone)
		if err != nil {
			t.Fatal(err)
		}
		got, err := l.parse(c.text)
		if err != nil {
			got = math.MinInt64
		}
		if got != c.want {
			t.Errorf("%s %q: got %d, want %d", c.layout, c.text, got, c.want)
		}
		if c.back == "" {
			c.back = c.text
		}
		if err == nil && string(l.append(nil, got)) != c.back {
			t.Errorf("%s: wrote %s, want %s", c.layout, l.append(nil, got), c.back)
		}
	}
	for _, bad := range []string{"%Q", "%", "15:04", "%f", "hello", "%Y %f", `%Y-%m-%d"`} {
		if _, err := newTimeLayout(bad, nil); err == nil {
			t.Errorf("layout %q accepted", bad)
		}
	}
}

func TestSpecTellsAllThatIsWrong(t *testing.T) {
	spec := &SourceSpec{Name: "s", Format: "xml", Time: "at", Table: true, OutOfOrder: -1, Dedupe: Dedupe{By: "nope", Within: 1},
		Fields: []FieldSpec{{Name: "at", Kind: features.String}, {Name: "x", Kind: features.Int, Layout: "epoch_s"}, {Name: "x", Kind: features.Time, Layout: "%Q"}}}
	err := spec.Validate()
	if err == nil {
		t.Fatal("accepted")
	}
	for _, want := range []string{`format "xml"`, "declare it as time", "declared twice", "only a time has a layout", "%Q is not known",
		"a table needs key", `no field "nope"`, "must not be negative", `two fields are read from "x"`} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not told in:\n%v", want, err)
		}
	}
}

func TestMarks(t *testing.T) {
	for _, c := range []struct {
		text string
		want int64
		ok   bool
	}{{"1370080800000000", 1370080800000000, true}, {"-5", -5, true}, {"+inf", NoMoreTime, true}, {"inf", 0, false}, {"", 0, false}, {"1.5", 0, false}, {"-9223372036854775808", 0, false}} {
		rec := &Record{Headers: []Header{{"other", nil}, {MarkHeader, []byte(c.text)}}}
		got, ok := MarkOf(rec)
		if got != c.want || ok != c.ok {
			t.Errorf("%q: %d %v", c.text, got, ok)
		}
		if _, _, refusal := mustDecoder(t, planesSpec()).Decode(nil, rec); !ok && (refusal == nil || refusal.Reason != ReasonBadMark) {
			t.Errorf("%q: %v", c.text, refusal)
		}
	}
	for _, at := range []int64{5, NoMoreTime} {
		key, headers := MarkRecord(at, true)
		if got, ok := MarkOf(&Record{Headers: headers}); !ok || got != at || string(key) != MarkHeader {
			t.Errorf("mark %d is read as %d", at, got)
		}
	}
	if key, _ := MarkRecord(5, false); key != nil {
		t.Error("a mark outside compacted topics has no key")
	}
}

func TestRowWriterIsReadBack(t *testing.T) {
	spec := flightSpec()
	w, err := NewRowWriter(spec)
	if err != nil {
		t.Fatal(err)
	}
	d := mustDecoder(t, spec)
	for _, in := range []string{
		goodHead + `,"tail":"\"q\\\u0001é","flight":-7,"distance":1e-300,"ok":true,"departs":-1.5}`,
		goodHead + `,"distance":123456789.125}`,
	} {
		want, _, refusal := d.Decode(nil, &Record{Value: []byte(in)})
		if refusal != nil {
			t.Fatal(refusal)
		}
		out := w.Append(nil, want)
		got, _, refusal := d.Decode(nil, &Record{Value: out})
		if refusal != nil || !cmp.Equal(texts(got), texts(want)) {
			t.Errorf("%s → %s: %v", in, out, refusal)
		}
	}
}
