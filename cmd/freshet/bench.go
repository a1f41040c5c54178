package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/grpc/status"

	"github.com/freshet-ml/freshet/internal/bench"
	"github.com/freshet-ml/freshet/internal/heap"
	"github.com/freshet-ml/freshet/serving/client"
)

// loadFlags are the flags of every bench command.
type loadFlags struct {
	rates       []float64
	duration    time.Duration
	warmup      time.Duration
	connections int
	entities    int
	remote      bool
}

func (f *loadFlags) flags(cmd *cobra.Command) {
	flags := cmd.Flags()
	numbersFlag(flags, &f.rates, "rate", []float64{1000}, "calls a second; several, such as 1000,2000,5000, are measured one after the other")
	durationFlag(flags, &f.duration, "duration", 10*time.Second, "how long to measure each rate, 10m at most")
	durationFlag(flags, &f.warmup, "warmup", 2*time.Second, "how long to call before measuring, at each rate")
	flags.IntVar(&f.connections, "connections", 4, "connections that the calls are dealt to, 1 to 256")
	flags.IntVar(&f.entities, "entities", 1000, "how many numbers {} in a value stands for, from 0 on, 1 to 1000000")
	flags.BoolVar(&f.remote, "yes-remote", false, "also load another machine; make sure that it is yours")
}

// maxSteps bounds the rates of one call.
const maxSteps = 20

func (f *loadFlags) check() error {
	switch {
	case len(f.rates) == 0 || len(f.rates) > maxSteps:
		return usagef("--rate: %d rates; give 1 to %d", len(f.rates), maxSteps)
	case f.connections < 1 || f.connections > 256:
		return usagef("--connections %d is not between 1 and 256", f.connections)
	case f.entities < 1 || f.entities > 1_000_000:
		return usagef("--entities %d is not between 1 and 1000000", f.entities)
	}
	for _, rate := range f.rates {
		if err := (&bench.Options{Rate: rate, Duration: f.duration, Warmup: f.warmup}).Check(); err != nil {
			return usagef("%w", err)
		}
	}
	return nil
}

// near refuses an address of another machine unless it was asked for.
func (f *loadFlags) near(address string) error {
	err := bench.Loopback(address)
	switch {
	case err == nil || f.remote && errors.Is(err, bench.ErrRemote):
		return nil
	case errors.Is(err, bench.ErrRemote):
		return usagef("%w; --yes-remote loads it all the same", err)
	}
	return usagef("%w", err)
}

// benchFlags are the flags of the bench commands that ask a service.
type benchFlags struct {
	target
	loadFlags
	rows    int
	by      string
	metrics string
}

func (c *cli) bench() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measure how fast a running service answers",
		Long: "Sends calls to a running service at a steady rate from this process, whatever the service answers, and says how long\n" +
			"the answers took, counted from the time at which each call was due. The CPU of both sides is told beside.",
		Args: arguments(0, 0, "predict, stream, lookup or produce"),
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(c.benchPredict(), c.benchStream(), c.benchLookup(), c.benchProduce())
	return cmd
}

const askedLong = "A field with several values separated by | takes them in turn, and {} in a value stands for the numbers\n" +
	"0 to --entities - 1. With --by vector the rows are whole vectors instead, and fields are left out. Without arguments it asks\n" +
	"the demo's model late about the flights of the last day of 2013."

func (c *cli) benchPredict() *cobra.Command {
	f := &benchFlags{}
	cmd := &cobra.Command{
		Use:   "predict [MODEL FIELD=VALUE[|VALUE...] ...]",
		Short: "Ask a model at a steady rate",
		Long:  "Asks a model for --rows answers in each call. " + askedLong,
		Example: "  freshet bench predict --rate 1000,2000,5000 --duration 10s\n  freshet bench predict late 'origin=JFK|EWR' 'carrier=B6|UA|DL' tail=N503JB distance=1069\n" +
			"  freshet bench predict fraud 'user=u{}' amount=12.5 --entities 10000 --rows 16",
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error { return c.runBench(cmd, f, args, f.predictCalls) },
	}
	f.flags(cmd)
	cmd.Flags().StringVar(&f.by, "by", "entity", "what is asked: entity, by fields and stored features, or vector")
	return cmd
}

func (c *cli) benchStream() *cobra.Command {
	f := &benchFlags{}
	cmd := &cobra.Command{
		Use:   "stream [MODEL FIELD=VALUE[|VALUE...] ...]",
		Short: "Ask a model over streams at a steady rate",
		Long:  "Asks a model for --rows answers in each request of a stream, one stream for each of --connections. " + askedLong,
		Args:  cobra.ArbitraryArgs,
		RunE:  func(cmd *cobra.Command, args []string) error { return c.runBench(cmd, f, args, f.streamCalls) },
	}
	f.flags(cmd)
	cmd.Flags().StringVar(&f.by, "by", "entity", "what is asked: entity, by fields and stored features, or vector")
	return cmd
}

func (c *cli) benchLookup() *cobra.Command {
	f := &benchFlags{}
	cmd := &cobra.Command{
		Use:   "lookup [ENTITY[.FEATURE] KEY=VALUE[|VALUE...] ...]",
		Short: "Look up features at a steady rate",
		Long: "Looks up the features of --rows entities in each call. A key with several values separated by | takes them in turn, and {}\n" +
			"in a value stands for the numbers 0 to --entities - 1. Without arguments it asks for the airports of the demo.",
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error { return c.runBench(cmd, f, args, f.lookupCalls) },
	}
	f.flags(cmd)
	return cmd
}

func (f *benchFlags) flags(cmd *cobra.Command) {
	f.target.flags(cmd)
	f.loadFlags.flags(cmd)
	cmd.Flags().IntVar(&f.rows, "rows", 1, "rows in one call, 1 to 1000")
	cmd.Flags().StringVar(&f.metrics, "metrics", "http://127.0.0.1:7071/metrics", "where the service tells its CPU; empty: it is not asked")
}

// caller makes calls; each goes to one of the connections that it has.
type caller struct {
	call func(ctx context.Context, n int) error
	stop func()
}

// benchRun is the JSON of a bench command.
type benchRun struct {
	What string          `json:"what"`
	Rows int             `json:"rows_per_call"`
	Runs []*bench.Result `json:"runs"` // by rate, in the order asked
}

// runBench checks what is asked before the first connection is made.
func (c *cli) runBench(cmd *cobra.Command, f *benchFlags, args []string, calls func(context.Context, []*client.Client, []string) (*caller, error)) error {
	if len(args) > 0 {
		if err := assignments(args[1:]); err != nil {
			return err
		}
	}
	if err := f.check(); err != nil {
		return err
	}
	switch {
	case f.rows < 1 || f.rows > 1000:
		return usagef("--rows %d is not between 1 and 1000", f.rows)
	case f.by != "" && f.by != "entity" && f.by != "vector":
		return usagef("--by %q is neither entity nor vector", f.by)
	}
	clients := make([]*client.Client, f.connections)
	for i := range clients {
		var err error
		if clients[i], err = c.dial(cmd, &f.target); err != nil {
			return err
		}
		defer clients[i].Close()
	}
	if err := f.near(f.addr); err != nil {
		return err
	}
	cpu, err := f.serverCPU()
	if err != nil {
		return err
	}
	made, err := calls(cmd.Context(), clients, args)
	if err != nil {
		return err
	}
	defer made.stop()
	return c.offer(cmd.Context(), &f.loadFlags, benchRun{What: cmd.Name(), Rows: f.rows}, made, cpu)
}

// offer makes the calls at each rate and writes the results.
func (c *cli) offer(ctx context.Context, f *loadFlags, out benchRun, made *caller, cpu func(context.Context) (float64, error)) error {
	if err := made.call(ctx, 0); err != nil {
		return err // one clear message before thousands of counts
	}
	heap.Ease(heap.Load)
	p := c.progress()
	defer p.clear()
	for _, rate := range f.rates {
		o := bench.Options{Rate: rate, Duration: f.duration, Warmup: f.warmup, ServerCPU: cpu}
		o.Tick = func(done, of int) {
			p.update(func() string {
				return fmt.Sprintf("%s/s: %s of %s calls", count(int64(rate)), count(int64(done)), count(int64(of)))
			})
		}
		o.Call = func(ctx context.Context, n int) string {
			if err := made.call(ctx, n); err != nil {
				return status.Code(err).String()
			}
			return ""
		}
		r, err := bench.Run(ctx, o)
		if err != nil {
			return err
		}
		out.Runs = append(out.Runs, r)
	}
	p.clear()
	if c.json() {
		return c.writeJSON(out)
	}
	for i, r := range out.Runs {
		if i > 0 {
			fmt.Fprintln(c.stdout)
		}
		if err := c.writeBench(r); err != nil {
			return err
		}
	}
	return nil
}

// serverCPU returns a function that reads the CPU seconds of the service off its metrics; nil when it is not asked.
func (f *benchFlags) serverCPU() (func(context.Context) (float64, error), error) {
	if f.metrics == "" {
		return nil, nil
	}
	u, err := url.Parse(f.metrics)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, usagef("--metrics %q is no address such as http://127.0.0.1:7071/metrics", f.metrics)
	}
	host := u.Host
	if u.Port() == "" {
		host = net.JoinHostPort(u.Hostname(), "80")
	}
	if err := f.near(host); err != nil {
		return nil, err
	}
	hc := &http.Client{Timeout: 5 * time.Second}
	return func(ctx context.Context) (float64, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, f.metrics, nil)
		if err != nil {
			return 0, err
		}
		if f.token != "" {
			req.Header.Set("Authorization", "Bearer "+f.token)
		}
		resp, err := hc.Do(req)
		if err != nil {
			return 0, err
		}
		defer resp.Body.Close()
		return cpuOf(io.LimitReader(resp.Body, 16<<20))
	}, nil
}

// errNoCPU is a page of metrics without the CPU of the process.
var errNoCPU = errors.New("no process_cpu_seconds_total among the metrics")

// cpuOf reads process_cpu_seconds_total off a page of metrics.
func cpuOf(page io.Reader) (float64, error) {
	lines := bufio.NewScanner(page)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if text, ok := strings.CutPrefix(lines.Text(), "process_cpu_seconds_total "); ok {
			return strconv.ParseFloat(strings.TrimSpace(text), 64)
		}
	}
	return 0, errors.Join(errNoCPU, lines.Err())
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
	if r.ServerCPUSeconds != nil {
		t.row("service", fmt.Sprintf("%.1f s of CPU, %.0f µs a call, with all else that it does", *r.ServerCPUSeconds, *r.ServerCPUMicros))
	}
	t.row("generator", fmt.Sprintf("%.1f s of CPU, %.0f%% of %s", r.CPUSeconds, 100*r.CPUShare, plural(r.Cores, "core")))
	return t.flush()
}
