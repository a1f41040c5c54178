package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/grpc"

	"github.com/freshet-ml/freshet/internal/embedded"
	freshetv1 "github.com/freshet-ml/freshet/proto/freshet/v1"
)

// countedService is fixedService with streams, and remembers what it was asked. Every fifth streamed request is shed.
type countedService struct {
	fixedService
	mu      sync.Mutex
	rows    map[int]int // calls by rows
	carrier map[string]int
	width   map[int]int // of vectors
}

func (s *countedService) note(rows []*freshetv1.Row) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rows[len(rows)]++
	for _, r := range rows {
		s.carrier[r.GetFields()["carrier"].GetString_()]++
		s.width[len(r.GetVector())]++
	}
}

func (s *countedService) Predict(ctx context.Context, r *freshetv1.PredictRequest) (*freshetv1.PredictResponse, error) {
	s.note(r.GetRows())
	return s.fixedService.Predict(ctx, r)
}

func (s *countedService) PredictStream(stream grpc.BidiStreamingServer[freshetv1.PredictStreamRequest, freshetv1.PredictStreamResponse]) error {
	for {
		req, err := stream.Recv()
		if err != nil {
			return nil
		}
		s.note(req.GetRequest().GetRows())
		out := &freshetv1.PredictStreamResponse{Sequence: req.GetSequence()}
		if req.GetSequence()%5 == 0 {
			out.Result = &freshetv1.PredictStreamResponse_Error{Error: &freshetv1.Error{Code: "RESOURCE_EXHAUSTED", Message: "busy"}}
		}
		if err := stream.Send(out); err != nil {
			return err
		}
	}
}

// counted serves a countedService and a page of metrics on which each look finds 2 more seconds of CPU.
func counted(t *testing.T) (s *countedService, addr, metrics string) {
	t.Helper()
	s = &countedService{rows: map[int]int{}, carrier: map[string]int{}, width: map[int]int{}}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := grpc.NewServer()
	freshetv1.RegisterFreshetServer(g, s)
	go func() { _ = g.Serve(l) }()
	t.Cleanup(g.Stop)
	var looks atomic.Int64
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, "# TYPE process_cpu_seconds_total counter\nprocess_cpu_seconds_total %d\n", 2*looks.Add(1))
	}))
	t.Cleanup(web.Close)
	return s, l.Addr().String(), web.URL
}

// freshetBench runs the command and returns its exit code, its result if that is JSON, and what it wrote to stderr.
func freshetBench(t *testing.T, args ...string) (int, benchRun, string) {
	t.Helper()
	var out, messages bytes.Buffer
	code := run(t.Context(), append([]string{"freshet", "bench"}, args...), noEnv, &out, &messages)
	var r benchRun
	if code == exitOK {
		if err := json.Unmarshal(out.Bytes(), &r); err != nil {
			t.Fatalf("%v in %s", err, out.String())
		}
	}
	return code, r, messages.String()
}

func TestBench(t *testing.T) {
	s, addr, metrics := counted(t)
	common := []string{"--addr", addr, "--metrics", metrics, "--rate", "200,400", "--duration", "200ms", "--warmup", "100ms", "--connections", "2", "-q", "-o", "json"}
	for _, tc := range []struct {
		args     []string
		rows     int
		answered [2]int // least of each rate
	}{
		{[]string{"predict", "late", "origin=JFK|EWR", "carrier=c{}", "--entities", "7", "--rows", "3"}, 3, [2]int{40, 80}},
		{[]string{"predict", "late", "--by", "vector", "--rows", "2"}, 2, [2]int{40, 80}},
		{[]string{"stream", "late", "carrier=UA", "origin=JFK"}, 1, [2]int{28, 60}},
		{[]string{"lookup", "origin", "origin=o{}", "--entities", "5"}, 1, [2]int{40, 80}},
	} {
		code, r, messages := freshetBench(t, append(tc.args, common...)...)
		if code != exitOK || r.What != tc.args[0] || r.Rows != tc.rows || len(r.Runs) != 2 {
			t.Errorf("%v: exit code %d, %+v, %s", tc.args, code, r, messages)
			continue
		}
		for i, one := range r.Runs {
			shed := one.Errors["ResourceExhausted"]
			if one.Calls != 40*(i+1) || one.Answered < tc.answered[i] || one.Answered+shed != one.Calls || (shed > 0) != (tc.args[0] == "stream") {
				t.Errorf("%v: %+v", tc.args, one)
			}
			counts := uint64(0)
			for _, c := range one.Histogram {
				counts += c.Calls
			}
			if one.ServerCPUSeconds == nil || *one.ServerCPUSeconds != 2 || *one.ServerCPUMicros <= 0 || counts != uint64(one.Answered) || one.Latency.P999 < one.Latency.P50 {
				t.Errorf("%v: server CPU, or histogram: %+v", tc.args, one)
			}
		}
	}
	if len(s.carrier) != 9 || s.rows[3] == 0 || s.rows[2] == 0 || s.width[2] == 0 { // c0 … c6, UA, and none in vectors
		t.Errorf("asked: rows %v, carriers %v, vectors %v", s.rows, s.carrier, s.width)
	}
}

func TestBenchUsage(t *testing.T) {
	_, addr, metrics := counted(t)
	for says, args := range map[string][]string{
		"--yes-remote":              {"predict", "late", "--addr", "10.0.0.1:7070"},
		"not an address of this":    {"predict", "late", "--addr", addr, "--metrics", "http://10.0.0.1:7071/metrics"},
		"a rate of":                 {"predict", "late", "--rate", "1000,1e9"},
		"--rows 0":                  {"predict", "late", "--rows", "0"},
		"neither entity nor vector": {"stream", "late", "--by", "row"},
		"leave the fields out":      {"predict", "late", "origin=JFK", "--by", "vector", "--addr", addr, "--metrics", metrics},
		"--entities 0":              {"lookup", "--entities", "0"},
		"--connections 0":           {"lookup", "--connections", "0"},
		"a duration of":             {"stream", "--duration", "1h"},
		"no address such as":        {"stream", "--addr", addr, "--metrics", "here"},
	} {
		if code, _, messages := freshetBench(t, args...); code != exitUsage || !strings.Contains(messages, says) {
			t.Errorf("%v: exit code %d, %s; want %q", args, code, messages, says)
		}
	}
}

const benchProject = `version: 1
project: load
sources:
  payments: {time: at, key: [user], fields: {at: {type: time, format: epoch_ms}, user: string, amount: double, note: string?}}
features:
  user:
    key: user
    spent: {sum: payments.amount, over: 1h}
`

func TestBenchProduce(t *testing.T) {
	servers, err := embedded.Start(embedded.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(servers.Close)
	file := filepath.Join(t.TempDir(), "freshet.yaml")
	if err := os.WriteFile(file, []byte(benchProject), 0o600); err != nil {
		t.Fatal(err)
	}
	brokers := strings.Join(servers.Brokers, ",")
	code, r, messages := freshetBench(t, "produce", "payments", "user=u{}", "amount=1.5|2", "--entities", "3", "-p", file, "--brokers", brokers,
		"--rate", "200", "--duration", "200ms", "--warmup", "0s", "-q", "-o", "json")
	if code != exitOK || len(r.Runs) != 1 || r.Runs[0].Answered != 40 {
		t.Fatalf("exit code %d, %+v, %s", code, r, messages)
	}
	cl, err := kgo.NewClient(kgo.SeedBrokers(servers.Brokers...), kgo.ConsumeTopics("payments"))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	keys, n := map[string]int{}, 0
	for n < 41 { // one more, that is made to see whether it goes
		for _, rec := range cl.PollFetches(t.Context()).Records() {
			n++
			var v struct {
				At     int64
				User   string
				Amount float64
			}
			if err := json.Unmarshal(rec.Value, &v); err != nil || v.User != string(rec.Key) || v.At < 1.7e12 || v.Amount != 1.5 && v.Amount != 2 {
				t.Fatalf("record %s=%s: %v", rec.Key, rec.Value, err)
			}
			keys[v.User]++
		}
	}
	if len(keys) != 3 {
		t.Errorf("users %v", keys)
	}
	for says, args := range map[string][]string{
		"no source":    {"payment"},
		"no field":     {"payments", "sum=1"},
		"user is":      {"payments", "amount=1"},
		"is no double": {"payments", "user=1", "amount=much"},
		"--yes-remote": {"payments", "user=1", "amount=1", "--brokers", "10.0.0.1:9092"},
		"FIELD=VALUE":  {"payments", "user"},
	} {
		if code, _, messages := freshetBench(t, append([]string{"produce", "-p", file, "--brokers", brokers}, args...)...); code != exitUsage || !strings.Contains(messages, says) {
			t.Errorf("%v: exit code %d, %s; want %q", args, code, messages, says)
		}
	}
}
