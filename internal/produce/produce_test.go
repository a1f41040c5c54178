package produce_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/gzip"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/freshet-ml/freshet/datasets/flights"
	"github.com/freshet-ml/freshet/features/ingest"
	"github.com/freshet-ml/freshet/internal/embedded"
	"github.com/freshet-ml/freshet/internal/produce"
	"github.com/freshet-ml/freshet/internal/program"
	"github.com/freshet-ml/freshet/internal/project"
	"github.com/freshet-ml/freshet/internal/stage"
	"github.com/freshet-ml/freshet/models/catalog"
)

func compile(t *testing.T, text []byte, partitions int) *program.Program {
	t.Helper()
	p, err := project.Parse("freshet.yaml", text, func(string) (string, bool) { return "", false })
	if err != nil {
		t.Fatal(err)
	}
	for i := range p.Sources {
		p.Sources[i].Partitions = partitions
	}
	for i := range p.Tables {
		p.Tables[i].Partitions = partitions
	}
	prog, err := program.Compile(p, catalog.All)
	if err != nil {
		t.Fatal(err)
	}
	return prog
}

func broker(t *testing.T) stage.Transport {
	t.Helper()
	servers, err := embedded.Start(embedded.Options{NoStore: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(servers.Close)
	return stage.Transport{Brokers: servers.Brokers, Local: true}
}

// topics reads n records of all topics of the project, by topic and partition.
func topics(t *testing.T, tr stage.Transport, p *program.Program, done func(map[string][]*kgo.Record) bool) map[string][]*kgo.Record {
	t.Helper()
	offsets := map[string]map[int32]kgo.Offset{}
	for _, in := range p.Project.Inputs() {
		offsets[in.Topic] = map[int32]kgo.Offset{}
		for k := range int32(in.Partitions) {
			offsets[in.Topic][k] = kgo.NewOffset().AtStart()
		}
	}
	cl, err := tr.Client(kgo.ConsumePartitions(offsets))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	out := map[string][]*kgo.Record{}
	for !done(out) {
		fetched := cl.PollFetches(ctx)
		if err := fetched.Err(); err != nil {
			t.Fatal(err)
		}
		fetched.EachRecord(func(r *kgo.Record) {
			id := fmt.Sprintf("%s/%d", r.Topic, r.Partition)
			out[id] = append(out[id], r)
		})
	}
	return out
}

func markOf(r *kgo.Record) (int64, bool) {
	rec := ingest.Record{}
	for _, h := range r.Headers {
		rec.Headers = append(rec.Headers, ingest.Header{Key: h.Key, Value: h.Value})
	}
	return ingest.MarkOf(&rec)
}

// ended reports that all partitions have their last mark.
func ended(partitions int) func(map[string][]*kgo.Record) bool {
	return func(all map[string][]*kgo.Record) bool {
		n := 0
		for _, records := range all {
			if m, ok := markOf(records[len(records)-1]); ok && m == ingest.NoMoreTime {
				n++
			}
		}
		return n == partitions
	}
}

// endedConn is a connection that the broker ends before it answers.
type endedConn struct{ net.Conn }

func (c endedConn) Read([]byte) (int, error) { _ = c.Conn.Close(); return 0, io.EOF }

// A broker that restarts ends new connections before their first answer. That is no wrong address or login, since the topics
// were made: the records go when it is back.
func TestBrokerThatRestarts(t *testing.T) {
	prog := compile(t, flights.Project(), 1)
	tr := broker(t)
	if err := produce.EnsureTopics(t.Context(), tr, prog.Project); err != nil {
		t.Fatal(err)
	}
	var dials atomic.Int32
	tr.Dial = func(ctx context.Context, network, host string) (net.Conn, error) {
		c, err := (&net.Dialer{}).DialContext(ctx, network, host)
		if n := dials.Add(1); err == nil && n > 1 && n <= 4 { // the first asks for the topics
			return endedConn{c}, nil
		}
		return c, err
	}
	file := write(t, "arrived.jsonl", `{"at":"2013-01-01T10:00:00Z","id":"1","tail":"N1","carrier":"UA","flight":1,"origin":"EWR","dest":"BOS","departs":"2013-01-01T09:00:00Z","arr_delay":20,"air_time":50}`+"\n")
	stream, err := produce.OpenFiles(prog.Project, []produce.File{{Source: "arrived", Path: file}}, produce.FilesOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if p, err := produce.Run(ctx, produce.Options{Transport: tr, Program: prog, Stream: stream}); err != nil || p.Records != 1 {
		t.Errorf("%d records, %v", p.Records, err)
	}
	if dials.Load() <= 4 {
		t.Errorf("%d connections: the control has ended none of those that sent", dials.Load())
	}
}

// What lies in the topics after a run over files is what the flights give when they are dealt one by one,
// and every mark keeps its promise.
func TestFilesToTopics(t *testing.T) {
	const partitions = 3
	prog := compile(t, flights.Project(), partitions)
	tr := broker(t)
	if err := produce.EnsureTopics(t.Context(), tr, prog.Project); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	s, err := flights.Days(1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.WriteFiles(dir); err != nil {
		t.Fatal(err)
	}
	var files []produce.File
	for _, name := range flights.Sources {
		files = append(files, produce.File{Source: name, Path: filepath.Join(dir, name+".jsonl")})
	}
	stream, err := produce.OpenFiles(prog.Project, files, produce.FilesOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	var mu sync.Mutex
	acked := int64(0)
	p, err := produce.Run(t.Context(), produce.Options{Transport: tr, Program: prog, Stream: stream,
		OnAck: func(int, int32, int64, time.Time) { mu.Lock(); acked++; mu.Unlock() }})
	if err != nil {
		t.Fatal(err)
	}
	got, total := map[string][]string{}, int64(0)
	for id, records := range topics(t, tr, prog, ended(partitions*6)) {
		at := int64(-1 << 62)
		for i, r := range records {
			m, mark := markOf(r)
			table := strings.HasPrefix(id, "planes") || strings.HasPrefix(id, "weather")
			switch {
			case i == 0 && !mark:
				t.Fatalf("%s begins without a mark", id)
			case mark && table != (string(r.Key) == ingest.MarkHeader) || mark && table == (r.Value == nil):
				t.Fatalf("%s: mark with key %q and value %q", id, r.Key, r.Value)
			case mark:
				at = m
			case r.Timestamp.UnixMicro() < at:
				t.Fatalf("%s/%d: %v after the mark %v", id, i, r.Timestamp, time.UnixMicro(at))
			default:
				got[id] = append(got[id], fmt.Sprintf("%s %d", r.Key, r.Timestamp.UnixMicro()))
				total++
			}
		}
	}
	want := map[string][]string{}
	if s, err = flights.Days(1); err != nil {
		t.Fatal(err)
	}
	for r, ok := s.Next(); ok; r, ok = s.Next() {
		id := fmt.Sprintf("%s/%d", r.Source, ingest.PartitionOf(r.Key, 0, partitions))
		want[id] = append(want[id], fmt.Sprintf("%s %d", r.Key, r.Time))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("topics, -dealt +files:\n%.2000s", diff)
	}
	held, err := produce.Held(t.Context(), tr, prog.Project)
	if err != nil || len(held) != 6 || held["scheduled"] <= int64(len(want["scheduled/0"])) {
		t.Errorf("topics hold %v, %v", held, err)
	}
	if p.Records != total || acked != total {
		t.Errorf("%d records told, %d acknowledged, %d in the topics", p.Records, acked, total)
	}
}

const small = `version: 1
project: small
clock: events
sources:
  trips: {time: at, key: [id], fields: {id: string, x: double}}
tables:
  riders: {key: rider, fields: {age: int}}
features:
  all: {key: id, n: {count: trips}}
models:
  m: {task: regression, on: trips, id: id, use: [all.n], label: {from: trips, value: x, wait: 1h}}
`

func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if strings.HasSuffix(name, ".gz") {
		var b strings.Builder
		z := gzip.NewWriter(&b)
		if _, err := io.WriteString(z, text); err != nil {
			t.Fatal(err)
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		text = b.String()
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

const trips = "id,at,x\na,2020-01-01T00:00:00Z,1\nb,2020-01-01T00:00:10Z,2\nc,2020-01-01T00:00:20Z,bad\nd,2020-01-01T00:00:30Z,4\n"

func all(t *testing.T, f *produce.Files) (list []string, err error) {
	t.Helper()
	var rec produce.Record
	for {
		if err := f.Next(&rec); err == io.EOF {
			return list, nil
		} else if err != nil {
			return list, err
		}
		list = append(list, fmt.Sprintf("%d %d %s %s", rec.Source, rec.Time, rec.Key, rec.Value))
	}
}

func TestFilesLeaveOutWhatIsAsked(t *testing.T) {
	p := compile(t, []byte(small), 1).Project
	files := []produce.File{{Source: "trips", Path: write(t, "t.csv.gz", trips)}, {Source: "riders", Path: write(t, "r.jsonl", `{"rider":"z","age":3}`)}}
	var bad []string
	f, err := produce.OpenFiles(p, files, produce.FilesOptions{From: time.Date(2020, 1, 1, 0, 0, 10, 0, time.UTC).UnixMicro(),
		To: time.Date(2020, 1, 1, 0, 0, 30, 0, time.UTC).UnixMicro(), Bad: func(e *ingest.FileError) { bad = append(bad, e.Error()) }})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	got, err := all(t, f)
	// The table's rows stand a millisecond before the first event that is kept.
	want := []string{`0 1577836809999000 z {"rider":"z","age":3}`, `1 1577836810000000 b {"at":"2020-01-01T00:00:10Z","id":"b","x":2}`}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v\n%s", err, diff)
	}
	if len(bad) != 1 || !strings.Contains(bad[0], "t.csv.gz:4: schema: wrong_type: field x") {
		t.Errorf("bad rows: %q", bad)
	}
}

func TestFilesErrors(t *testing.T) {
	p := compile(t, []byte(small), 1).Project
	for _, c := range []struct {
		file produce.File
		want string
	}{
		{produce.File{Source: "trips", Path: write(t, "t.csv", trips)}, "t.csv:4: schema: wrong_type: field x"},
		{produce.File{Source: "trip", Path: write(t, "t.csv", trips)}, "no source or table trip; it has riders, trips"},
		{produce.File{Source: "trips", Path: write(t, "t.dat", trips)}, "the name does not say what it holds"},
		{produce.File{Source: "trips", Path: write(t, "t.parquet", "PAR1")}, "Parquet files cannot be produced; export them as .csv or .jsonl"},
		{produce.File{Source: "trips", Path: filepath.Join(t.TempDir(), "none.csv")}, "no such file"},
	} {
		f, err := produce.OpenFiles(p, []produce.File{c.file}, produce.FilesOptions{})
		if err == nil {
			_, err = all(t, f)
			f.Close()
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %s", c.file.Path, err, c.want)
		}
	}
}

// A run that is interrupted keeps what it sent and writes no end.
func TestInterrupted(t *testing.T) {
	prog, tr := compile(t, []byte(small), 1), broker(t)
	if err := produce.EnsureTopics(t.Context(), tr, prog.Project); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	enough := errors.New("enough")
	n := 0
	p, err := produce.Run(ctx, produce.Options{Transport: tr, Program: prog, Stream: produce.InOrder(func(rec *produce.Record) error {
		if n++; n == 3 {
			cancel(enough)
		}
		*rec = produce.Record{Source: 1, Time: int64(n) * 1000, Partition: -1, Key: []byte("k"), Value: []byte("{}")}
		return nil
	})})
	if !errors.Is(err, enough) || p.Records != 3 {
		t.Fatalf("%d records, %v", p.Records, err)
	}
	records := topics(t, tr, prog, func(all map[string][]*kgo.Record) bool { return len(all["trips/0"]) >= 4 })["trips/0"]
	for _, r := range records {
		if m, ok := markOf(r); ok && m == ingest.NoMoreTime {
			t.Error("an interrupted run wrote an end")
		}
	}
}

// Between records that are far apart the marks already say that nothing comes in between.
func TestMarksGoAheadOfAWait(t *testing.T) {
	prog, tr := compile(t, []byte(small), 1), broker(t)
	if err := produce.EnsureTopics(t.Context(), tr, prog.Project); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	times := []int64{1_000_000, 3_600_000_000}
	done := make(chan error, 1)
	go func() {
		_, err := produce.Run(ctx, produce.Options{Transport: tr, Program: prog, Due: produce.AtSpeed(1), Stream: produce.InOrder(func(rec *produce.Record) error {
			if len(times) == 0 {
				return io.EOF
			}
			*rec = produce.Record{Source: 1, Time: times[0], Partition: -1, Value: []byte("{}")}
			times = times[1:]
			return nil
		})})
		done <- err
	}()
	topics(t, tr, prog, func(all map[string][]*kgo.Record) bool {
		return slices.ContainsFunc(all["riders/0"], func(r *kgo.Record) bool { m, _ := markOf(r); return m == 3_600_000_000 })
	})
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestPace(t *testing.T) {
	due := produce.AtSpeed(60)
	first := due(0, 1e6)
	if got := due(1, 61e6).Sub(first); got != time.Second {
		t.Errorf("a minute at speed 60 takes %v", got)
	}
	rate := produce.AtRate(2000)
	first = rate(500, 0)
	if got := rate(2500, 0).Sub(first); got != time.Second {
		t.Errorf("2000 records at 2000/s take %v", got)
	}
}

func TestEnsureTopicsChecksPartitions(t *testing.T) {
	tr := broker(t)
	if err := produce.EnsureTopics(t.Context(), tr, compile(t, []byte(small), 1).Project); err != nil {
		t.Fatal(err)
	}
	if held, err := produce.Held(t.Context(), tr, compile(t, []byte(small), 1).Project); err != nil || len(held) != 0 {
		t.Errorf("new topics hold %v, %v", held, err)
	}
	err := produce.EnsureTopics(t.Context(), tr, compile(t, []byte(small), 2).Project)
	if err == nil || !strings.Contains(err.Error(), "topic trips: it has 1 partitions, trips declares 2; set partitions: 1") {
		t.Errorf("got %v", err)
	}
}
