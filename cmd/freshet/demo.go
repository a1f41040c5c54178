package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"time"

	"github.com/spf13/cobra"

	"github.com/freshet-ml/freshet/internal/demo"
	"github.com/freshet-ml/freshet/internal/heap"
	"github.com/freshet-ml/freshet/models/catalog"
)

func (c *cli) demo() *cobra.Command {
	o := demo.Options{Catalog: catalog.All}
	var exit bool
	cmd := &cobra.Command{
		Use:   "demo [NAME]",
		Short: "Replay a shipped data set through all of Freshet",
		Long: "Starts an embedded Kafka and Redis in this process, replays a year of flights out of New York as topics, computes\n" +
			"streaming features, trains models while the labels come hours later in event time, and answers predictions over gRPC.\n" +
			"The only data set is flights. With --exit it ends when the data ends; without, it goes on answering until interrupted.",
		Args: arguments(0, 1, "at most one data set"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 && args[0] != "flights" {
				return usagef("there is no data set %q; there is flights", args[0])
			}
			if o.Days < 0 || o.Days > 366 {
				return usagef("--days %d is not between 1 and 366", o.Days)
			}
			if o.Partitions < 1 || o.Partitions > 64 {
				return usagef("--partitions %d is not between 1 and 64", o.Partitions)
			}
			if o.Paced <= 0 || o.Paced > 10*time.Minute {
				return usagef("--paced %v is not between 0 and 10m", o.Paced)
			}
			o.Stay = !exit
			return c.runDemo(cmd.Context(), o)
		},
	}
	f := cmd.Flags()
	f.BoolVar(&exit, "exit", false, "end when the data ends, with a summary on stdout")
	f.IntVar(&o.Days, "days", 0, "only the first so many days (default: the year)")
	f.IntVar(&o.Partitions, "partitions", 1, "partitions of each topic")
	f.StringVar(&o.GRPC, "grpc", "", "address of the gRPC server (default 127.0.0.1:7070; port 0: any free one)")
	f.StringVar(&o.HTTP, "http", "", "address of the HTTP server (default 127.0.0.1:7071)")
	durationFlag(f, &o.Paced, "paced", 5*time.Second, "how long the end of the data lasts, which is sent at 2,000 events a second")
	f.BoolVar(&o.NoReplay, "no-replay", false, "leave out folding the events a second time")
	return cmd
}

func (c *cli) runDemo(ctx context.Context, o demo.Options) error {
	o.Build = thisBuild().String()
	o.Logger = slog.New(slog.NewTextHandler(c.stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	p := c.progress()
	o.Progress = func(d demo.Progress) { p.update(func() string { return demoLine(&d) }) }
	o.Ready = func(grpc, http string) {
		c.note("gRPC on %s, HTTP on http://%s: open the page, or ask while it runs", grpc, http)
	}
	o.Ended = func(s *demo.Summary) {
		p.clear()
		if err := c.demoSummary(s); err != nil {
			c.note("freshet: %v", err)
		}
		if o.Stay {
			c.note("\nStill answering on %s; interrupt to end.", s.GRPC)
		}
	}
	heap.Ease(heap.Service)
	s, err := demo.Run(ctx, o)
	if o.Stay && errors.Is(err, context.Canceled) {
		err = nil
	}
	if err != nil {
		return err
	}
	if s.ReplayEqual != nil && !*s.ReplayEqual {
		return errors.New("folding the events again gave other hashes: this must not happen; please report it with the output above")
	}
	return nil
}

func (c *cli) demoSummary(s *demo.Summary) error {
	if c.json() {
		return c.writeJSON(s)
	}
	return s.WriteText(c.stdout)
}

func demoLine(d *demo.Progress) string {
	line := fmt.Sprintf("%s  %s  %s of %s events, %s/s", d.Stage, d.EventTime.Format("2006-01-02 15:04"), count(d.Events), count(d.Of), count(int64(d.PerSecond)))
	if d.EventTime.IsZero() {
		line = fmt.Sprintf("%s  %s events", d.Stage, count(d.Of))
	}
	if d.AUC > 0 && !math.IsNaN(d.AUC) {
		line += fmt.Sprintf("  AUC %.3f  log-loss %.3f", d.AUC, d.LogLoss)
	}
	if d.Left > 0 && d.Events < d.Of {
		line += fmt.Sprintf("  %s left", d.Left.Round(time.Second))
	}
	return line
}
