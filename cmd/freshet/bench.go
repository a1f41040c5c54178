package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/grpc/status"

	"github.com/freshet-ml/freshet/datasets/flights"
	"github.com/freshet-ml/freshet/internal/bench"
	freshetv1 "github.com/freshet-ml/freshet/proto/freshet/v1"
	"github.com/freshet-ml/freshet/serving/client"
)

// benchFlags are the flags of freshet bench predict and bench lookup.
type benchFlags struct {
	target
	rate        float64
	duration    time.Duration
	warmup      time.Duration
	connections int
	allowRemote bool
}

func (c *cli) bench() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measure how fast a running service answers",
		Long: "Sends calls to a running service at a steady rate from this process, whatever the service answers, and says how long\n" +
			"the answers took, counted from the time at which each call was due. The generator's own share of the CPU is told beside.",
		Args: arguments(0, 0, "predict or lookup"),
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(c.benchPredict(), c.benchLookup())
	return cmd
}

func (c *cli) benchPredict() *cobra.Command {
	f := &benchFlags{}
	cmd := &cobra.Command{
		Use:   "predict [MODEL FIELD=VALUE[|VALUE...] ...]",
		Short: "Ask a model at a steady rate",
		Long: "Asks a model for one answer in each call, by the keys in the fields. A field with several values separated by | takes\n" +
			"them in turn. Without arguments it asks the demo's model late about the flights of the last day of 2013.",
		Example: "  freshet bench predict --rate 5000 --duration 10s\n  freshet bench predict late 'origin=JFK|EWR' 'carrier=B6|UA|DL' tail=N503JB distance=1069",
		Args:    cobra.ArbitraryArgs,
		RunE:    func(cmd *cobra.Command, args []string) error { return c.runBench(cmd, f, args, c.predictCalls) },
	}
	f.flags(cmd)
	return cmd
}

func (c *cli) benchLookup() *cobra.Command {
	f := &benchFlags{}
	cmd := &cobra.Command{
		Use:   "lookup [ENTITY[.FEATURE] KEY=VALUE[|VALUE...] ...]",
		Short: "Look up features at a steady rate",
		Long: "Looks up the features of one entity in each call. A key with several values separated by | takes them in turn.\n" +
			"Without arguments it asks for the airports of the demo.",
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error { return c.runBench(cmd, f, args, c.lookupCalls) },
	}
	f.flags(cmd)
	return cmd
}

func (f *benchFlags) flags(cmd *cobra.Command) {
	f.target.flags(cmd)
	flags := cmd.Flags()
	flags.Float64Var(&f.rate, "rate", 1000, "calls a second")
	flags.DurationVar(&f.duration, "duration", 10*time.Second, "how long to measure, 10m at most")
	flags.DurationVar(&f.warmup, "warmup", 2*time.Second, "how long to call before measuring")
	flags.IntVar(&f.connections, "connections", 4, "connections that the calls are dealt to, 1 to 256")
	flags.BoolVar(&f.allowRemote, "allow-remote", false, "also a service on another machine; make sure that it is yours")
}

// callMaker returns the function that makes call n with a client.
type callMaker func(cmd *cobra.Command, cl *client.Client, args []string) (func(ctx context.Context, cl *client.Client, n int) error, error)

func (c *cli) runBench(cmd *cobra.Command, f *benchFlags, args []string, calls callMaker) error {
	if len(args) > 0 {
		if err := assignments(args[1:]); err != nil {
			return err
		}
	}
	o := bench.Options{Rate: f.rate, Duration: f.duration, Warmup: f.warmup}
	if err := o.Check(); err != nil {
		return usagef("%w", err)
	}
	if f.connections < 1 || f.connections > 256 {
		return usagef("--connections %d is not between 1 and 256", f.connections)
	}
	clients := make([]*client.Client, f.connections)
	for i := range clients {
		var err error
		if clients[i], err = c.dial(cmd, &f.target); err != nil {
			return err
		}
		defer clients[i].Close()
	}
	if err := bench.Loopback(f.addr); err != nil && !f.allowRemote {
		if errors.Is(err, bench.ErrRemote) {
			return usagef("%w; --allow-remote loads it all the same", err)
		}
		return usagef("%w", err)
	}
	call, err := calls(cmd, clients[0], args)
	if err != nil {
		return err
	}
	if err := call(cmd.Context(), clients[0], 0); err != nil {
		return err // one clear message before thousands of counts
	}
	p := c.progress()
	o.Tick = func(done, of int) {
		p.update(func() string { return fmt.Sprintf("%s of %s calls", count(int64(done)), count(int64(of))) })
	}
	o.Call = func(ctx context.Context, n int) string {
		if err := call(ctx, clients[n%len(clients)], n); err != nil {
			return status.Code(err).String()
		}
		return ""
	}
	r, err := bench.Run(cmd.Context(), o)
	p.clear()
	if err != nil {
		return err
	}
	if c.json() {
		return c.writeJSON(r)
	}
	return c.writeBench(r)
}

func (c *cli) predictCalls(cmd *cobra.Command, cl *client.Client, args []string) (func(context.Context, *client.Client, int) error, error) {
	model, questions := "late", [][]string(nil)
	if len(args) > 0 {
		model, questions = args[0], alternatives(args[1:])
	} else {
		var err error
		if questions, err = lastFlights(); err != nil {
			return nil, err
		}
	}
	about, err := cl.GetModel(cmd.Context(), &freshetv1.GetModelRequest{Name: model})
	if err != nil {
		return nil, err
	}
	requests := make([]*freshetv1.PredictRequest, len(questions))
	for i, q := range questions {
		row := &freshetv1.Row{}
		if row.Fields, err = client.ParseFields(about.GetFields(), q); err != nil {
			return nil, usagef("model %s: %w", model, err)
		}
		requests[i] = &freshetv1.PredictRequest{Model: model, AllowStale: true, Rows: []*freshetv1.Row{row}}
	}
	return func(ctx context.Context, cl *client.Client, n int) error {
		_, err := cl.Predict(ctx, requests[n%len(requests)])
		return err
	}, nil
}

func (c *cli) lookupCalls(cmd *cobra.Command, cl *client.Client, args []string) (func(context.Context, *client.Client, int) error, error) {
	if len(args) == 0 {
		args = []string{"origin", "origin=EWR|JFK|LGA"}
	}
	what := args[0]
	if !strings.Contains(what, ".") {
		what += ".*"
	}
	kinds, err := c.keyKinds(cmd, cl)
	if err != nil {
		return nil, err
	}
	var requests []*freshetv1.GetFeaturesRequest
	for _, q := range alternatives(args[1:]) {
		keys := map[string]*freshetv1.Value{}
		for _, a := range q {
			name, text, _ := strings.Cut(a, "=")
			if keys[name], err = client.Parse(kinds.of(name), text); err != nil {
				return nil, usagef("key %s: %w", name, err)
			}
		}
		requests = append(requests, &freshetv1.GetFeaturesRequest{Features: []string{what}, AllowStale: true, Rows: []*freshetv1.EntityRow{{Keys: keys}}})
	}
	return func(ctx context.Context, cl *client.Client, n int) error {
		_, err := cl.GetFeatures(ctx, requests[n%len(requests)])
		return err
	}, nil
}

// alternatives returns as many lists of assignments as the field with the most values has; the others take
// theirs in turn.
func alternatives(args []string) [][]string {
	most := 1
	values := make([][]string, len(args))
	for i, a := range args {
		_, text, _ := strings.Cut(a, "=")
		values[i] = strings.Split(text, "|")
		most = max(most, len(values[i]))
	}
	out := make([][]string, most)
	for n := range out {
		for i, a := range args {
			name, _, _ := strings.Cut(a, "=")
			out[n] = append(out[n], name+"="+values[i][n%len(values[i])])
		}
	}
	return out
}

// lastFlights are the flights that were announced on the last day of the demo, as the fields of a question.
func lastFlights() ([][]string, error) {
	s, err := flights.Open(flights.End.AddDate(0, 0, -2), flights.End)
	if err != nil {
		return nil, err
	}
	var out [][]string
	for {
		r, ok := s.Next()
		if !ok {
			return out, nil
		}
		if r.Source != "scheduled" {
			continue
		}
		fields := map[string]any{}
		d := json.NewDecoder(bytes.NewReader(r.Value))
		d.UseNumber()
		if err := d.Decode(&fields); err != nil {
			return nil, fmt.Errorf("flight %s: %w", r.Key, err)
		}
		delete(fields, "id")
		delete(fields, "at")
		var q []string
		for _, name := range slices.Sorted(maps.Keys(fields)) {
			q = append(q, fmt.Sprintf("%s=%v", name, fields[name]))
		}
		out = append(out, q)
	}
}

func (c *cli) writeBench(r *bench.Result) error {
	t := c.table()
	t.row("calls", fmt.Sprintf("%s in %.1f s, %s/s of %s/s asked for", count(int64(r.Calls)), r.Seconds, count(int64(r.Achieved)), count(int64(r.Rate))))
	t.row("answered", count(int64(r.Answered)))
	for _, code := range slices.Sorted(maps.Keys(r.Errors)) {
		t.row("  "+code, count(int64(r.Errors[code])))
	}
	l := r.Latency
	t.row("latency", fmt.Sprintf("mean %.2f ms, p50 %.2f, p90 %.2f, p99 %.2f, p99.9 %.2f, max %.2f", l.Mean, l.P50, l.P90, l.P99, l.P999, l.Max))
	t.row("sent late", fmt.Sprintf("p50 %.2f ms, p99 %.2f, max %.2f", r.Late.P50, r.Late.P99, r.Late.Max))
	t.row("generator", fmt.Sprintf("%.1f s of CPU, %.0f%% of %s", r.CPUSeconds, 100*r.CPUShare, plural(r.Cores, "core")))
	return t.flush()
}
