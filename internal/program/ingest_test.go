package program_test

import (
	"strings"
	"testing"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/features/ingest"
	"github.com/freshet-ml/freshet/internal/frame"
	"github.com/freshet-ml/freshet/internal/program"
)

// Whoever can write to Freshet's own topics cannot stop the order for good, nor carry a time into it that no clock
// has shown.
func TestRecordsOfPlainSourcesAreChecked(t *testing.T) {
	const now = 1_700_000_000_000_000 // µs
	truth := func(at int64, id string) []byte {
		return program.PlainRecord(at, features.StringValue("m"), features.StringValue(id), features.DoubleValue(1), features.Value{})
	}
	fits := ingest.DefaultMaxItem - len(truth(now, "")) - 2 // the length of the id takes two bytes more
	for _, c := range []struct {
		name         string
		value        []byte
		wall, events string // reasons with each clock
	}{
		{"good", truth(now, "a"), "", ""},
		{"a minute ahead", truth(now+60e6, "a"), "", ""},
		{"more than a minute ahead", truth(now+60e6+1, "a"), "future", ""},
		{"at the end of time", truth(1<<63-1, "a"), "future", ""},
		{"as great as may be", truth(now, strings.Repeat("i", fits)), "", ""},
		{"too great", truth(now, strings.Repeat("i", fits+1)), "too_large", "too_large"},
		{"greater than a frame", truth(now, strings.Repeat("i", frame.MaxItem)), "too_large", "too_large"},
		{"not ours", []byte(`{"id":"a"}`), "bad_record", "bad_record"},
		{"with more behind it", append(truth(now, "a"), 0), "bad_record", "bad_record"},
		{"of another kind", program.PlainRecord(now, features.StringValue("m"), features.StringValue("a"), features.StringValue("1"), features.Value{}), "bad_record", "bad_record"},
	} {
		for clock, want := range map[string]string{"wall": c.wall, "events": c.events} {
			d, size := takePlain(t, clock, c.value, now/1000)
			if d.Item.Reason != want || (d.Refusal != nil) != (want != "") {
				t.Errorf("%s, clock %s: reason %q, want %q", c.name, clock, d.Item.Reason, want)
			}
			if d.Refusal != nil && (d.Refusal.Class != ingest.Poison || d.Item.Time > now || !strings.Contains(d.Refusal.Message, "orders.feedback")) {
				t.Errorf("%s: item of %d, refusal %+v", c.name, d.Item.Time, d.Refusal)
			}
			if size > frame.MaxItem {
				t.Errorf("%s, clock %s: an item of %d bytes fits no frame", c.name, clock, size)
			}
		}
	}
}

// takePlain returns what becomes of a record in $feedback, and the bytes of its item.
func takePlain(t *testing.T, clock string, value []byte, timestamp int64) (ingest.Decision, int) {
	t.Helper()
	cfg, err := compiled(t, strings.Replace(sameEvent, "project: orders", "project: orders\nclock: "+clock, 1)).Ingest(false)
	if err != nil {
		t.Fatal(err)
	}
	s, err := ingest.NewSequencer(cfg)
	if err != nil {
		t.Fatal(err)
	}
	for i := range cfg.Sources {
		if _, headers := ingest.MarkRecord(ingest.NoMoreTime, false); !cfg.Sources[i].Plain {
			s.Offer(&ingest.Record{Source: i, Headers: headers})
		} else if cfg.Sources[i].Name == features.FeedbackSource {
			s.Offer(&ingest.Record{Source: i, Timestamp: timestamp, Value: value})
		}
	}
	d, ok := s.Next()
	if !ok {
		t.Fatalf("the record waits for %v", s.Waiting())
	}
	out := *d
	return out, len(features.AppendItem(nil, &d.Item))
}

// The greatest fields that a source takes make an item that fits a frame, wherever their record lies.
func TestGreatestItemFitsAFrame(t *testing.T) {
	spec := ingest.SourceSpec{Name: "a", Fields: []ingest.FieldSpec{{Name: "text", Kind: features.String}}}
	s, err := ingest.NewSequencer(ingest.Config{Sources: []ingest.SourceSpec{spec}, Partitions: []int32{1}, Ends: true})
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range []struct {
		length int
		reason string
	}{{ingest.DefaultMaxItem - 11, ""}, {ingest.DefaultMaxItem - 10, "too_large"}} {
		s.Offer(&ingest.Record{Offset: int64(i), Timestamp: 1_700_000_000_000, Value: []byte(`{"text":"` + strings.Repeat("x", c.length) + `"}`)})
		d, ok := s.Next()
		if !ok || d.Item.Reason != c.reason {
			t.Fatalf("%d bytes: %t, reason %q, want %q", c.length, ok, d.Item.Reason, c.reason)
		}
		d.Item.Source, d.Item.Partition, d.Item.Offset = 1<<20, 1<<31-1, 1<<62
		if n := len(features.AppendItem(nil, &d.Item)); n > frame.MaxItem {
			t.Errorf("%d bytes make an item of %d, a frame takes %d", c.length, n, frame.MaxItem)
		}
	}
}
