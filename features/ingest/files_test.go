package ingest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/twmb/franz-go/pkg/kgo"
	"pgregory.net/rapid"

	"github.com/freshet-ml/freshet/features"
)

func tripSpec() *SourceSpec {
	return &SourceSpec{Name: "trips", Format: CSV, Time: "at", Key: []string{"tail"}, Fields: []FieldSpec{
		{Name: "at", Kind: features.Time, From: "when", Layout: "%Y-%m-%d %H:%M"},
		{Name: "tail", Kind: features.String, Nullable: true},
		{Name: "delay", Kind: features.Double, Nullable: true}}, CSV: CSVSpec{Null: []string{"NA"}}}
}

const trips = "\ufefftail, when ,note,delay\nN1,2013-06-01 10:00,\"a\nb\",1.5\n\nN2,2013-06-01 10:01,,NA\n,2013-06-01 10:02,x,-3\n"

func packed(t *testing.T, how, text string) io.Reader {
	t.Helper()
	var b bytes.Buffer
	var w io.WriteCloser
	switch how {
	case "gz":
		w = gzip.NewWriter(&b)
	case "zst":
		z, err := zstd.NewWriter(&b)
		if err != nil {
			t.Fatal(err)
		}
		w = z
	default:
		return strings.NewReader(text)
	}
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return &b
}

func readAll(t *testing.T, f *File) (out []string, err error) {
	t.Helper()
	defer f.Close()
	var row Row
	for {
		if err := f.Next(&row); err == io.EOF {
			return out, nil
		} else if err != nil {
			return out, err
		}
		if cap(row.Value) != len(row.Value) || cap(row.Key) != len(row.Key) {
			t.Fatal("an append to a row would write into the next one")
		}
		out = append(out, fmt.Sprintf("%d %d p%d %s=%s", row.Line, row.Time, row.Partition, row.Key, row.Value))
	}
}

func TestFileCSV(t *testing.T) {
	out := *tripSpec()
	out.Format, out.Fields = JSON, slices.Clone(out.Fields)
	out.Fields[0].From, out.Fields[0].Layout = "", EpochSeconds
	want := []string{
		`2 1370080800000000 p0 N1={"at":1370080800,"tail":"N1","delay":1.5}`,
		`5 1370080860000000 p0 N2={"at":1370080860,"tail":"N2"}`,
		`6 1370080920000000 p2 ={"at":1370080920,"delay":-3}`}
	for _, how := range []string{"plain", "gz", "zst"} {
		f, err := NewFile(packed(t, how, trips), FileOptions{Name: "t.csv", In: tripSpec(), Out: &out, Partitions: 3})
		if err != nil {
			t.Fatal(err)
		}
		got, err := readAll(t, f)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %v\ngot  %q\nwant %q", how, err, got, want)
		}
	}
}

func TestFileJSONLines(t *testing.T) {
	spec := eventSpec("a")
	spec.Key = []string{"id", "x"}
	f, err := NewFile(strings.NewReader("{\"at\":1,\"id\":\"i\",\"x\":2,\"other\":[]}\r\n\n{\"id\":\"{j\",\"at\":2}"), FileOptions{Name: "a.jsonl", In: &spec})
	if err != nil {
		t.Fatal(err)
	}
	got, err := readAll(t, f)
	want := []string{`1 1000000 p0 {"id":"i","x":2}={"at":1,"id":"i","x":2}`, `3 2000000 p0 ={"at":2,"id":"{j"}`}
	if err != nil || !slices.Equal(got, want) {
		t.Fatalf("%v\ngot  %q\nwant %q", err, got, want)
	}
}

func TestFileErrorsCarryFileAndLine(t *testing.T) {
	lines := eventSpec("a")
	for _, c := range []struct {
		name, text string
		in         *SourceSpec
		line       int64
		want       string
	}{
		{"bad JSON", "{\"at\":1,\"id\":\"\"}\n\n{\"at\":", &lines, 3, "t:3: decode: malformed: JSON is cut short"},
		{"wrong type", "{\"at\":1,\"id\":\"\"}\n{\"at\":\"1\"}", &lines, 2, "t:2: schema: wrong_type: field at"},
		{"long line", "{\"at\":1,\"id\":\"\"}\n" + strings.Repeat("x", 2<<20), &lines, 2, "t:2: line is longer than 1048576 bytes"},
		{"bad cell", strings.Replace(trips, "-3", "3x", 1), tripSpec(), 6, `t:6: schema: wrong_type: field delay (double?): found "3x"`},
		{"bad time", "tail,when,delay\nN1,2013-06-01,\n", tripSpec(), 2, "time_format"},
		{"columns", "tail,when,delay\nN1\n", tripSpec(), 2, "columns: row has 1 columns, 3 are declared"},
		{"quote", "tail,when,delay\nN1,\"x,\n", tripSpec(), 2, "t:2: no valid CSV row"},
		{"no such column", "tail,delay\n", tripSpec(), 1, `t:1: source trips: there is no column "when" for field at: its columns are tail, delay`},
		{"column twice", "tail,tail,when\n", tripSpec(), 1, `column "tail" stands twice`},
		{"no header", "", tripSpec(), 0, "no header"},
	} {
		f, err := NewFile(strings.NewReader(c.text), FileOptions{Name: "t", In: c.in})
		if err != nil {
			t.Fatal(err)
		}
		_, err = readAll(t, f)
		var at *FileError
		if !errors.As(err, &at) || at.Line != c.line || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v", c.name, err)
		}
	}
	var b bytes.Buffer
	if _, err := io.Copy(&b, packed(t, "gz", trips)); err != nil {
		t.Fatal(err)
	}
	f, err := NewFile(bytes.NewReader(b.Bytes()[:b.Len()-6]), FileOptions{Name: "cut.gz", In: tripSpec()})
	if err != nil {
		t.Fatal(err)
	}
	if _, err = readAll(t, f); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a file that was cut short: %v", err)
	}
	if _, err := NewFile(strings.NewReader(""), FileOptions{Name: "t", In: tripSpec(), Out: &lines}); err == nil {
		t.Error("fields of another topic were accepted")
	}
}

// list is a Rows in memory.
type list struct {
	name  string
	times []int64
	n     int64
}

func (l *list) Name() string { return l.name }

func (l *list) Next(row *Row) error {
	if int(l.n) == len(l.times) {
		return io.EOF
	}
	row.Time = l.times[l.n]
	l.n++
	row.Line = l.n
	return nil
}

// The merge gives every row once, in the order of DESIGN, and no row older than a mark comes after it.
func TestMerge(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var inputs []Input
		var lanes []Lane
		var streams [][]step
		for i := range rapid.IntRange(1, 5).Draw(t, "files") {
			source := rapid.SampledFrom([]string{"b", "a"}).Draw(t, "source")
			l := &list{name: fmt.Sprint("f", i)}
			var stream []step
			newest := int64(10)
			for n := range rapid.IntRange(0, 6).Draw(t, "rows") {
				at := newest + rapid.Int64Range(-2, 4).Draw(t, "step")
				newest = max(newest, at)
				l.times = append(l.times, at)
				stream = append(stream, step{i, at, false, n})
			}
			inputs = append(inputs, Input{Source: source, Rows: l, OutOfOrder: 2 * time.Microsecond})
			lanes = append(lanes, Lane{Source: source, Partition: int32(i)})
			streams = append(streams, stream)
		}
		m := NewMerge(inputs)
		marks := map[string]int64{"a": features.NoTime, "b": features.NoTime}
		for _, want := range sorted(lanes, streams) {
			row, i, err := m.Next()
			if err != nil || i != want.lane || row.Time != want.t || row.Line != int64(want.n+1) {
				t.Fatalf("got %v of %d, %v, want %v", row, i, err, want)
			}
			if source := inputs[i].Source; row.Time < marks[source] {
				t.Fatalf("row of %d after mark %d", row.Time, marks[source])
			}
			for source := range marks {
				marks[source] = max(marks[source], m.Mark(source))
			}
		}
		if _, _, err := m.Next(); err != io.EOF || m.Mark("a") != NoMoreTime || m.Mark("b") != NoMoreTime {
			t.Fatalf("end: %v, marks %d %d", err, m.Mark("a"), m.Mark("b"))
		}
	})
}

func TestMergeRefusesFilesOutOfOrder(t *testing.T) {
	m := NewMerge([]Input{{Source: "a", Rows: &list{name: "a.csv", times: []int64{50, 49, 47}}, OutOfOrder: 2 * time.Microsecond}})
	var err error
	for err == nil {
		_, _, err = m.Next()
	}
	var at *FileError
	if !errors.As(err, &at) || at.Line != 3 || !strings.Contains(err.Error(), "a.csv:3: event time 1970-01-01T00:00:00.000047Z is older than 1970-01-01T00:00:00.00005Z of line 1") {
		t.Fatalf("got %v", err)
	}
}

// Values of Kafka's own Java code, and agreement with the client that produces.
func TestPartitionOf(t *testing.T) {
	for key, want := range map[string]int32{"21": -973932308, "foobar": -790332482, "a-little-bit-long-string": -985981536,
		"a-little-bit-longer-string": -1486304829, "lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971, "abc": 479470107} {
		if got := int32(murmur2([]byte(key))); got != want {
			t.Errorf("murmur2(%s) = %d, want %d", key, got, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		key := rapid.SliceOf(rapid.Byte()).Draw(t, "key")
		n := rapid.Int32Range(1, 300).Draw(t, "partitions")
		client := kgo.StickyKeyPartitioner(nil).ForTopic("t")
		if got, want := PartitionOf(key, 1, n), int32(client.Partition(&kgo.Record{Key: key}, int(n))); got != want {
			t.Fatalf("partition %d, the client says %d", got, want)
		}
	})
	if got := []int32{PartitionOf(nil, 1, 3), PartitionOf(nil, 3, 3), PartitionOf(nil, 4, 3), PartitionOf(nil, 0, 3)}; !slices.Equal(got, []int32{0, 2, 0, 0}) {
		t.Errorf("without a key: %v", got)
	}
}

// What files write as Kafka key is what tombstones are read by.
func TestRecordKeysAreReadAsTombstones(t *testing.T) {
	two := planesSpec()
	two.Key = []string{"seats", "tail"}
	for _, spec := range []*SourceSpec{planesSpec(), two} {
		w, err := NewRowWriter(spec)
		if err != nil {
			t.Fatal(err)
		}
		for _, tail := range []string{"N1", "", "{", `{"a":1}`, `"`, "a|b"} {
			fields := []features.Value{features.StringValue(tail), features.IntValue(-4)}
			key := w.AppendRecordKey(nil, fields)
			got, _, refusal := mustDecoder(t, spec).Decode(nil, &Record{Key: key, Timestamp: 5})
			if refusal != nil || got[0].Str() != tail {
				t.Errorf("key %s of %q: %v, %v", key, tail, texts(got), refusal)
			}
		}
	}
}
