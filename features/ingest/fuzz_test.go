package ingest

import (
	"encoding/json"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/freshet-ml/freshet/features"
)

// FuzzDecode holds for any bytes: no panic, a refusal is complete, and what is accepted as JSON is
// valid for the standard library too and is read back the same from what RowWriter writes.
func FuzzDecode(f *testing.F) {
	for _, s := range []string{goodHead + `,"tail":"\u00e9\n","flight":1.0,"distance":-1e5,"ok":false,"departs":1.5,"z":[{}]}`, `{"at":1}`, `{}`, ``, "{\"id\":\"\xff\"}",
		"2013-06-01T10:00:00Z,UA1,,7,1.5,true,5,x", "\"a\"\"\n\",b", `{"id":"{"}`} {
		f.Add([]byte(s), false)
		f.Add([]byte(s), true)
	}
	spec := flightSpec()
	rows := *spec
	rows.Format = CSV
	w, err := NewRowWriter(spec)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, value []byte, asCSV bool) {
		d := mustDecoder(t, spec)
		if asCSV {
			d = mustDecoder(t, &rows)
		}
		fields, at, refusal := d.Decode(nil, &Record{Value: append([]byte{}, value...), Timestamp: 1})
		if refusal != nil {
			if refusal.Reason == "" || refusal.Stage == "" || refusal.Message == "" || !utf8.ValidString(refusal.Message) || len(fields) != 0 {
				t.Fatalf("refusal %+v", refusal)
			}
			return
		}
		if at < MinEventTime || at > MaxEventTime || len(fields) != len(spec.Fields) || !asCSV && !json.Valid(value) {
			t.Fatalf("accepted %q as %v at %d", value, texts(fields), at)
		}
		back, _, refusal := mustDecoder(t, spec).Decode(nil, &Record{Value: w.Append(nil, fields)})
		if refusal != nil || !cmp.Equal(texts(fields), texts(back)) {
			t.Fatalf("%q is read back as %v, %v", value, texts(back), refusal)
		}
	})
}

var benchValue = []byte(`{"at":"2013-06-01T10:00:00Z","id":"2013-06-01-UA1545-EWR","carrier":"UA","flight":1545,"tail":"N14228","origin":"EWR","dest":"IAH","distance":1400,"departs":1370080800000,"block":227.5}`)

func benchSpec() *SourceSpec {
	s := &SourceSpec{Name: "scheduled", Time: "at", Fields: []FieldSpec{{Name: "at", Kind: features.Time}, {Name: "id", Kind: features.String}}}
	for _, name := range []string{"carrier", "tail", "origin", "dest"} {
		s.Fields = append(s.Fields, FieldSpec{Name: name, Kind: features.String})
	}
	s.Fields = append(s.Fields, FieldSpec{Name: "flight", Kind: features.Int}, FieldSpec{Name: "distance", Kind: features.Double},
		FieldSpec{Name: "departs", Kind: features.Time, Layout: EpochMillis}, FieldSpec{Name: "block", Kind: features.Double})
	return s
}

func TestDecodeAllocatesNothing(t *testing.T) {
	d := mustDecoder(t, benchSpec())
	rec := &Record{Value: benchValue}
	var fields []features.Value
	if n := testing.AllocsPerRun(100, func() {
		var refusal *Refusal
		if fields, _, refusal = d.Decode(fields[:0], rec); refusal != nil {
			t.Fatal(refusal)
		}
	}); n != 0 {
		t.Fatalf("%v allocations a record", n)
	}
}

func BenchmarkDecodeJSON(b *testing.B) {
	d := mustDecoder(b, benchSpec())
	rec := &Record{Value: benchValue}
	var fields []features.Value
	b.ReportAllocs()
	b.SetBytes(int64(len(benchValue)))
	for b.Loop() {
		var refusal *Refusal
		if fields, _, refusal = d.Decode(fields[:0], rec); refusal != nil {
			b.Fatal(refusal)
		}
	}
}

func BenchmarkDecodeCSV(b *testing.B) {
	spec := benchSpec()
	spec.Format = CSV
	d := mustDecoder(b, spec)
	rec := &Record{Value: []byte("2013-06-01T10:00:00Z,2013-06-01-UA1545-EWR,UA,N14228,EWR,IAH,1545,1400,1370080800000,227.5")}
	var fields []features.Value
	b.ReportAllocs()
	for b.Loop() {
		var refusal *Refusal
		if fields, _, refusal = d.Decode(fields[:0], rec); refusal != nil {
			b.Fatal(refusal)
		}
	}
}

// BenchmarkSequencer is the whole way of a record: offer, decode, choose, decide, fold.
func BenchmarkSequencer(b *testing.B) {
	cfg := Config{Sources: []SourceSpec{*benchSpec()}, Partitions: []int32{1}, Ends: true}
	s := mustSequencer(b, cfg)
	rec := &Record{Value: benchValue}
	b.ReportAllocs()
	for b.Loop() {
		s.Offer(rec)
		if d, ok := s.Next(); !ok || d.Refusal != nil {
			b.Fatal("no event")
		}
		rec.Offset++
	}
}
