package serving_test

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/features/unit"
	"github.com/freshet-ml/freshet/internal/bench"
	"github.com/freshet-ml/freshet/internal/heap"
	"github.com/freshet-ml/freshet/internal/realtest"
	"github.com/freshet-ml/freshet/internal/stage/redis"
	freshetv1 "github.com/freshet-ml/freshet/proto/freshet/v1"
	"github.com/freshet-ml/freshet/serving"
	"github.com/freshet-ml/freshet/serving/client"
)

var againstEcho = flag.Bool("echo", false, "measure the server against an empty echo; make bench-serving")

const (
	echoRounds  = 5
	echoTime    = 500 * time.Millisecond
	echoCallers = 32
	echoUsers   = 2000
)

// Predict answers with nothing.
func (empty) Predict(context.Context, *freshetv1.PredictRequest) (*freshetv1.PredictResponse, error) {
	return &freshetv1.PredictResponse{}, nil
}

// echoCase is one kind of call. worker returns what one of the callers does again and again.
type echoCase struct {
	name   string
	rows   int // per call
	want   float64
	worker func(ctx context.Context) (call func() error, err error)
}

// TestAgainstEcho measures calls a second of a server in this process beside those of an empty gRPC echo in turn: 32 callers on one
// connection, the client on the same cores, medians of five rounds with least and greatest. Where others use the cores, the CPU for each call is the steadier figure. The store is a real redis-server.
func TestAgainstEcho(t *testing.T) {
	if !*againstEcho {
		t.Skip("a measurement, not a test: make bench-serving runs it")
	}
	realtest.Need(t, realtest.Redis)
	heap.Ease(heap.Service) // as the service does; the echo has the same
	cases := echoCases(t)
	rates, cpu := make([][]float64, len(cases)), make([][]float64, len(cases))
	for range echoRounds {
		for i := range cases {
			rate, micros := calling(t, &cases[i])
			rates[i], cpu[i] = append(rates[i], rate), append(cpu[i], micros)
		}
	}
	echo := rates[0]
	for i, c := range cases {
		ratios := make([]float64, echoRounds)
		for k := range ratios {
			ratios[k] = rates[i][k] * float64(c.rows) / echo[k]
		}
		less := make([]float64, echoRounds)
		for k := range less {
			less[k] = cpu[0][k] * float64(c.rows) / cpu[i][k]
		}
		fmt.Printf("%-34s %8.0f calls/s (%.0f … %.0f)  %5.2f × echo in rows (%.2f … %.2f)  asked ≥ %.2f; CPU %.0f µs a call, %.2f × (%.2f … %.2f) the echo's rows for it\n", c.name, middle(rates[i]), slices.Min(rates[i]), slices.Max(rates[i]),
			middle(ratios), slices.Min(ratios), slices.Max(ratios), c.want, middle(cpu[i]), middle(less), slices.Min(less), slices.Max(less))
	}
}

func middle(x []float64) float64 {
	s := slices.Sorted(slices.Values(x))
	return s[len(s)/2]
}

// calling returns how many calls a second the callers make together, and the CPU of this process, client and server, for each, µs.
func calling(t *testing.T, c *echoCase) (rate, micros float64) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	calls := make([]func() error, echoCallers)
	for i := range calls {
		var err error
		if calls[i], err = c.worker(ctx); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
	}
	var n atomic.Int64
	var all sync.WaitGroup
	began, cpu := time.Now(), bench.CPUSeconds()
	for _, call := range calls {
		all.Go(func() {
			for time.Since(began) < echoTime {
				if err := call(); err != nil {
					t.Errorf("%s: %v", c.name, err)
					return
				}
				n.Add(1)
			}
		})
	}
	all.Wait()
	return float64(n.Load()) / time.Since(began).Seconds(), 1e6 * (bench.CPUSeconds() - cpu) / float64(max(n.Load(), 1))
}

func echoCases(t *testing.T) []echoCase {
	r := ready(t)
	memory, _ := r.serve(client.Options{})
	echo := emptyServer(t)
	stored := storedServer(t)
	vector := &freshetv1.Row{Vector: []float64{3, 20, 10, 500, 100, 6}}
	unary := func(c freshetv1.FreshetClient, req *freshetv1.PredictRequest) func(context.Context) (func() error, error) {
		return func(ctx context.Context) (func() error, error) {
			return func() error { _, err := c.Predict(ctx, req); return err }, nil
		}
	}
	stream := func(c freshetv1.FreshetClient, ahead int, req *freshetv1.PredictRequest) func(context.Context) (func() error, error) {
		return func(ctx context.Context) (func() error, error) {
			s, err := c.PredictStream(ctx)
			if err != nil {
				return nil, err
			}
			msg := &freshetv1.PredictStreamRequest{Request: req}
			for range ahead {
				if err := s.Send(msg); err != nil {
					return nil, err
				}
			}
			return func() error {
				if err := s.Send(msg); err != nil {
					return err
				}
				got, err := s.Recv()
				if err == nil && got.GetError() != nil {
					err = fmt.Errorf("%s", got.GetError().GetMessage())
				}
				return err
			}, nil
		}
	}
	sixteen := slices.Repeat([]*freshetv1.Row{vector}, 16)
	return []echoCase{
		{"empty echo", 1, 1, unary(echo, &freshetv1.PredictRequest{})},
		{"unary, vector", 1, .85, unary(memory, ask("late", vector))},
		{"unary, entity, states in memory", 1, .80, unary(memory, ask("late", flight(nil)))},
		{"unary, entity, Redis", 1, .30, unary(stored, ask("late", flight(nil)))},
		{"empty echo, stream", 1, 1, stream(echo, 0, &freshetv1.PredictRequest{})},
		{"stream, vector", 1, 3, stream(memory, 0, ask("late", vector))},
		{"empty echo, stream, 15 sent ahead", 1, 1, stream(echo, 15, &freshetv1.PredictRequest{})},
		{"stream, vector, 15 sent ahead", 1, 3, stream(memory, 15, ask("late", vector))},
		{"unary, 16 vectors", 16, 8, unary(memory, ask("late", sixteen...))},
		{"lookup of 1 × 20, Redis", 1, 0, lookups(stored, "twenty", 1)},
		{"lookup of 100 × 50, Redis", 1, 0, lookups(stored, "fifty", 100)},
	}
}

// lookups asks for entities in turn.
func lookups(c freshetv1.FreshetClient, entity string, rows int) func(context.Context) (func() error, error) {
	var next atomic.Int64
	call := lookupCall(c, entity, rows)
	return func(ctx context.Context) (func() error, error) {
		return func() error { return call(ctx, int(next.Add(1))) }, nil
	}
}

func lookupCall(c freshetv1.FreshetClient, entity string, rows int) func(ctx context.Context, n int) error {
	return func(ctx context.Context, n int) error {
		req := &freshetv1.GetFeaturesRequest{Features: []string{entity + ".*"}}
		for k := range rows {
			req.Rows = append(req.Rows, &freshetv1.EntityRow{Keys: map[string]*freshetv1.Value{"tail": client.String(user((n*rows + k) % echoUsers))}})
		}
		got, err := c.GetFeatures(ctx, req)
		if err == nil && !got.GetEntities()[0].GetRows()[0].GetFound() {
			err = fmt.Errorf("an entity is not there")
		}
		return err
	}
}

func user(n int) string { return fmt.Sprintf("user-%d", n) }

// TestLookupLatency measures lookups of an open loop at the rates that are asked for.
func TestLookupLatency(t *testing.T) {
	if !*againstEcho {
		t.Skip("a measurement, not a test: make bench-serving runs it")
	}
	realtest.Need(t, realtest.Redis)
	heap.Ease(heap.Service) // as the service does
	c := storedServer(t)
	for _, tc := range []struct {
		entity string
		rows   int
		rate   float64
		asked  string
	}{{"twenty", 1, 6000, "p99 ≤ 2 ms"}, {"fifty", 100, 500, "p99 ≤ 10 ms"}} {
		call := lookupCall(c, tc.entity, tc.rows)
		r, err := bench.Run(t.Context(), bench.Options{Rate: tc.rate, Duration: 5 * time.Second, Warmup: time.Second, Call: func(ctx context.Context, n int) string {
			if err := call(ctx, n); err != nil {
				return strings.Fields(err.Error())[0]
			}
			return ""
		}})
		if err != nil {
			t.Fatal(err)
		}
		fmt.Printf("lookup of %d × %s: %.0f/s of %.0f/s asked for; p50 %.2f ms, p99 %.2f, max %.2f; sent late p99 %.2f ms; errors %v; asked %s\n", tc.rows, tc.entity, r.Achieved, r.Rate,
			r.Latency.P50, r.Latency.P99, r.Latency.Max, r.Late.P99, r.Errors, tc.asked)
	}
}

// emptyServer is the echo on one connection.
func emptyServer(t *testing.T) freshetv1.FreshetClient {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := grpc.NewServer()
	freshetv1.RegisterFreshetServer(g, empty{})
	go func() { _ = g.Serve(l) }()
	conn, err := grpc.NewClient(l.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(); g.Stop() })
	return freshetv1.NewFreshetClient(conn)
}

// wide adds entity types of five aggregations over so many windows, and 2,000 entities of each with five events.
func (r *rig) wide(types map[string]int) {
	r.t.Helper()
	for _, name := range slices.Sorted(maps.Keys(types)) {
		windows := types[name]
		e := unit.Entity{Name: name, Key: []string{"tail"}}
		for _, agg := range []string{"mean", "sum", "min", "max", "stddev"} {
			f := unit.Feature{Name: agg, Agg: agg, Source: departed, Value: "delay", Suffix: true}
			for w := range windows {
				f.Over = append(f.Over, time.Duration(w+1)*time.Hour)
			}
			e.Features = append(e.Features, f)
		}
		p := r.program(e)
		r.programs = append(r.programs, p)
		r.catalog.Entities = append(r.catalog.Entities, serving.Entity{Name: name, Key: []features.Field{{Name: "tail", Kind: features.String}}, Reader: p})
	}
	for n := range echoUsers {
		for k := range int64(5) {
			r.depart(-(5-k)*7*minute+int64(n), "JFK", user(n), float64(n%60))
		}
	}
}

// storedServer is a server over a real redis-server that holds 2,000 entities of 20 and of 50 features, beside the flights.
func storedServer(t *testing.T) *client.Client {
	t.Helper()
	r := ready(t)
	r.wide(map[string]int{"fifty": 10, "twenty": 4})
	server := realtest.StartRedis(t)
	store, err := redis.Open(redis.Options{Addrs: []string{server.Addr}})
	r.ok(err)
	t.Cleanup(func() { store.Close() })
	r.commitAll(store)
	r.deps.States = serving.NewStoreStates(store, "flights", 1, r.programs, 0, nil)
	c, _ := r.serve(client.Options{})
	return c
}

// BenchmarkLookup is a lookup of 100 entities with 50 features each, states in memory, without the transport.
func BenchmarkLookup(b *testing.B) {
	r := ready(b)
	r.wide(map[string]int{"fifty": 10})
	s, err := serving.New(r.config, r.deps)
	r.ok(err)
	call := lookupCall(local{s: s}, "fifty", 100)
	n := 0
	b.ReportAllocs()
	for b.Loop() {
		n++
		if err := call(b.Context(), n); err != nil {
			b.Fatal(err)
		}
	}
}

// local is a server without a transport.
type local struct {
	freshetv1.FreshetClient
	s *serving.Server
}

func (l local) GetFeatures(ctx context.Context, req *freshetv1.GetFeaturesRequest, _ ...grpc.CallOption) (*freshetv1.GetFeaturesResponse, error) {
	return l.s.GetFeatures(ctx, req)
}
