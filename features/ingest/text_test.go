package ingest

import (
	"strings"
	"testing"

	"github.com/freshet-ml/freshet/features"
)

func ticketSpec() SourceSpec {
	return SourceSpec{Name: "tickets", Time: "at", Fields: []FieldSpec{{Name: "at", Kind: features.Time, Layout: EpochMillis},
		{Name: "note", Kind: features.FreeText, Nullable: true, Bytes: 8}, {Name: "story", Kind: features.FreeText, Nullable: true}}}
}

// TestDecodeTexts: texts are strings that are cut where their field ends, behind a whole character; what is none is refused.
func TestDecodeTexts(t *testing.T) {
	spec := ticketSpec()
	d := mustDecoder(t, &spec)
	long := strings.Repeat("grüße ", 200)
	for _, c := range []struct{ name, in, want string }{
		{"short", `"note":"so"`, "time:2013-06-01T10:00:00Z string:so null:null"},
		{"null", `"note":null`, "time:2013-06-01T10:00:00Z null:null null:null"},
		{"empty", `"note":""`, "time:2013-06-01T10:00:00Z string: null:null"},
		{"whole slots", `"note":"123456789012"`, "time:2013-06-01T10:00:00Z string:123456789012 null:null"},
		{"cut before a character", `"note":"12345678901ü"`, "time:2013-06-01T10:00:00Z string:12345678901 null:null"},
		{"cut after an escape", `"note":"\u00e4\n345678901 more"`, "time:2013-06-01T10:00:00Z string:ä\n345678901 null:null"},
		{"cut where none is said", `"story":"` + long + `"`, "time:2013-06-01T10:00:00Z null:null string:" + long[:384]},
		{"a number", `"note":7`, "wrong_type"},
		{"a list", `"note":["a"]`, "wrong_type"},
		{"an object", `"note":{"a":"b"}`, "wrong_type"},
		{"bytes", "\"note\":\"\xff\"", "not_utf8"},
		{"half a surrogate", `"note":"\ud83d"`, "malformed"},
	} {
		fields, _, refusal := d.Decode(nil, &Record{Value: []byte(`{"at":1370080800000,` + c.in + `}`)})
		got := strings.Join(texts(fields), " ")
		if refusal != nil {
			got = refusal.Reason
		}
		if got != c.want {
			t.Errorf("%s: %.200s, want %.200s", c.name, got, c.want)
		}
	}
}

// TestTextsAreMarked: an event of which a text was cut says so; a file is not cut, so that its topic has all.
func TestTextsAreMarked(t *testing.T) {
	spec := ticketSpec()
	s := mustSequencer(t, Config{Sources: []SourceSpec{spec}, Partitions: []int32{1}, Ends: true})
	long := strings.Repeat("x", 500<<10)
	for i, note := range []string{"short", "longer than twelve", "short", long} {
		value := []byte(`{"at":137008080000` + string(rune('0'+i)) + `,"note":"` + note + `"}`)
		s.Offer(&Record{Offset: int64(i), Value: value, Timestamp: 1370080800000})
	}
	s.End(0, 0)
	var marks []bool
	for {
		d, ok := s.Next()
		if !ok {
			break
		}
		if d.Refusal != nil {
			t.Fatal(d.Refusal)
		}
		marks = append(marks, d.Item.Flags&features.TextCut != 0)
	}
	if len(marks) != 4 || marks[0] || !marks[1] || marks[2] || !marks[3] {
		t.Errorf("marks %v", marks)
	}
	f, err := NewFile(strings.NewReader(`{"at":1370080800000,"note":"`+long+`"}`), FileOptions{Name: "tickets.jsonl", In: &spec})
	if err != nil {
		t.Fatal(err)
	}
	out, err := readAll(t, f)
	if err != nil || len(out) != 1 || !strings.Contains(out[0], long) {
		t.Errorf("%d rows, %v", len(out), err)
	}
}

func TestTextsAreChecked(t *testing.T) {
	for bytes, want := range map[int]string{-1: "of at most 3072", 4000: "of at most 3072"} {
		spec := ticketSpec()
		spec.Fields[1].Bytes = bytes
		if err := spec.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%d bytes: %v", bytes, err)
		}
	}
	a, b := ticketSpec(), ticketSpec()
	b.Fields[1].Bytes = 12 // two slots, as 8
	if a.rules() != b.rules() {
		t.Error("8 and 12 bytes are two rules")
	}
	if b.Fields[1].Bytes = 13; a.rules() == b.rules() {
		t.Error("8 and 13 bytes are one rule")
	}
}
