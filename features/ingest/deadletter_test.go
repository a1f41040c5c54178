package ingest

import (
	"slices"
	"strings"
	"testing"
)

func headerText(headers []Header) string {
	var out []string
	for _, h := range headers {
		out = append(out, strings.TrimPrefix(h.Key, ErrorHeader)+"="+string(h.Value))
	}
	return strings.Join(out, "\n")
}

func TestDeadLetterKeepsTheRecord(t *testing.T) {
	rec := &Record{Partition: 3, Offset: 77, Timestamp: 1234, TopicID: [16]byte{1, 2}, Key: []byte("k\x00"), Value: []byte(`{"at": 1 }`), Headers: []Header{{"trace", []byte{0xff}}}}
	_, _, refusal := mustDecoder(t, flightSpec()).Decode(nil, rec)
	spec := flightSpec()
	spec.Fields, spec.Topic = spec.Fields[:3], "ops.scheduled"
	key, value, headers := DeadLetter(rec, spec, refusal, nil)
	if string(key) != "k\x00" || string(value) != `{"at": 1 }` {
		t.Errorf("got %q %q", key, value)
	}
	want := "trace=\xff\ntopic=ops.scheduled\ntopic_id=01020000000000000000000000000000\npartition=3\noffset=77\ntimestamp=1234\nsource=scheduled\n" +
		"stage=schema\nclass=poison\nreason=wrong_type\nfield=at\nmessage=" + refusal.Message
	if got := headerText(headers); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if len(rec.Headers) != 1 {
		t.Error("the headers of the record were changed")
	}
}

func TestDeadLetterHashesSensitiveFields(t *testing.T) {
	refusal := refuse(StageExpect, ReasonExpect, "", "m")
	for _, c := range []struct{ name, key, value, wantKey, wantValue, redacted string }{
		{"field", "other", `{ "card" : "4111" , "id":"x","at":"now"}`, "other", `{ "card" : "#" , "id":"x","at":"now"}`, "fields"},
		{"number, escaped name", "", `{"c\u0061rd":4111}`, "", `{"c\u0061rd":"#"}`, "fields"},
		{"object and twice", "", `{"card":{"n":4111},"card":[4111]}`, "", `{"card":"#","card":"#"}`, "fields"},
		{"null", "k", `{"card":null}`, "k", `{"card":null}`, ""},
		{"absent", "4111", `{"id":"4111"}`, "4111", `{"id":"4111"}`, ""},
		{"in the key", "u-4111", `{"card":"4\u0031\u00311"}`, "#", `{"card":"#"}`, "fields key"},
		{"cut short", "4111", `{"id":"x","card":"41`, "#", "#", "value key"},
		{"no JSON", "", `card 4111`, "", "#", "value"},
		{"no value", "k", ``, "k", "", ""},
	} {
		rec := &Record{Key: []byte(c.key), Value: []byte(c.value)}
		key, value, headers := DeadLetter(rec, flightSpec(), refusal, []byte("pepper"))
		if mask(key) != c.wantKey || mask(value) != c.wantValue || strings.Contains(string(value)+string(key), "4111") && c.redacted != "" {
			t.Errorf("%s: got %s %s", c.name, key, value)
		}
		_, got, _ := strings.Cut(headerText(headers), "redacted=")
		if got != c.redacted {
			t.Errorf("%s: redacted %q, want %q", c.name, got, c.redacted)
		}
	}
	rec := &Record{Value: []byte(`{"card":"4111"}`)}
	_, a, _ := DeadLetter(rec, flightSpec(), refusal, []byte("pepper"))
	_, b, _ := DeadLetter(rec, flightSpec(), refusal, []byte("pepper"))
	_, c, _ := DeadLetter(rec, flightSpec(), refusal, []byte("salt"))
	if !slices.Equal(a, b) || slices.Equal(a, c) {
		t.Error("the hash must depend on value and secret alone")
	}
}

func TestDeadLetterHashesCSVCellsAndKeyFields(t *testing.T) {
	spec := planesSpec()
	spec.Format, spec.Fields[0].Sensitive = CSV, true
	rec := &Record{Key: []byte("N1"), Value: []byte("N1,\"a,b\"")}
	_, _, refusal := mustDecoder(t, spec).Decode(nil, rec)
	key, value, _ := DeadLetter(rec, spec, refusal, nil)
	if mask(key) != "#" || mask(value) != "#,\"a,b\"" {
		t.Errorf("got %s %s", key, value)
	}
	key, value, _ = DeadLetter(&Record{Key: []byte("N1")}, spec, refusal, nil)
	if mask(key) != "#" || value != nil {
		t.Errorf("tombstone: got %s %s", key, value)
	}
}

// mask writes # for every hash.
func mask(b []byte) string {
	parts := strings.Split(string(b), "hmac-sha256:")
	for i := range parts {
		if i > 0 {
			parts[i] = "#" + parts[i][64:]
		}
	}
	return strings.Join(parts, "")
}
