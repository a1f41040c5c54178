package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/freshet-ml/freshet/features"
	"github.com/freshet-ml/freshet/features/ingest"
	"github.com/freshet-ml/freshet/internal/cli/connect"
	"github.com/freshet-ml/freshet/internal/produce"
	"github.com/freshet-ml/freshet/internal/project"
	"github.com/freshet-ml/freshet/internal/stage"
)

// produceFlags are the flags of freshet produce.
type produceFlags struct {
	project  string
	speed    string
	from, to string
	brokers  []string
	skipBad  bool
}

func (c *cli) produce() *cobra.Command {
	f := &produceFlags{}
	cmd := &cobra.Command{
		Use:   "produce SOURCE=FILE [TABLE=FILE ...] [--speed max|1x|60x]",
		Short: "Write files into topics, merged in event time, with time marks",
		Long: "Reads CSV and JSON lines files (.csv, .tsv, .jsonl; plain, gz or zst) as the project declares their sources\n" +
			"and tables, and writes them into the project's topics in event time, with the time marks that make a\n" +
			"replay exact at any speed. Give all files of a replay in one call: at its end every topic of the project\n" +
			"gets its end mark. Topics that are missing are made.",
		Example: "  freshet produce --brokers localhost:9092 departed=departed.jsonl.gz planes=planes.csv\n" +
			"  freshet produce --speed 60x --from 2013-06-01 --to 2013-07-01 departed=departed.csv",
		Args: arguments(1, -1, "SOURCE=FILE, once for each file"),
		RunE: func(cmd *cobra.Command, args []string) error { return c.runProduce(cmd.Context(), f, args) },
	}
	flags := cmd.Flags()
	projectFlag(cmd, &f.project)
	flags.StringVar(&f.speed, "speed", "max", "max, or a multiple of event time: 1x is as it happened, 60x an hour in a minute")
	flags.StringVar(&f.from, "from", "", "leave out events before this date or RFC 3339 time; rows of tables are kept")
	flags.StringVar(&f.to, "to", "", "leave out events from this date or RFC 3339 time on")
	flags.StringSliceVar(&f.brokers, "brokers", nil, "host:port of brokers (default: those of the project file)")
	flags.BoolVar(&f.skipBad, "skip-bad", false, "count rows that their declaration refuses and go on, instead of ending at the first")
	return cmd
}

func projectFlag(cmd *cobra.Command, to *string) {
	cmd.Flags().StringVarP(to, "project", "p", projectFile, "the project file")
}

// produced is the JSON of produce.
type produced struct {
	Records          int64   `json:"records"`
	BadRows          int64   `json:"bad_rows"`
	Until            string  `json:"until,omitempty"` // event time of the newest record
	Seconds          float64 `json:"seconds"`
	RecordsPerSecond float64 `json:"records_per_second"`
}

func (c *cli) runProduce(ctx context.Context, f *produceFlags, args []string) error {
	prog, err := c.compiled(f.project)
	if err != nil {
		return err
	}
	speed, err := parseSpeed(f.speed)
	if err != nil {
		return err
	}
	files, err := parseFiles(args, prog.Project.Inputs())
	if err != nil {
		return err
	}
	o, bad := produce.FilesOptions{}, int64(0)
	if o.From, err = parseTime("--from", f.from); err != nil {
		return err
	}
	if o.To, err = parseTime("--to", f.to); err != nil {
		return err
	}
	if f.skipBad {
		o.Bad = func(e *ingest.FileError) {
			if bad++; bad <= 10 {
				c.note("skipped %v", e)
			}
		}
	}
	transport, err := connect.Transport(&prog.Project.Kafka, f.brokers)
	if err != nil {
		return err
	}
	stream, err := produce.OpenFiles(prog.Project, files, o)
	if err != nil {
		return err
	}
	defer stream.Close()
	if err := c.prepare(ctx, transport, prog.Project); err != nil {
		return err
	}
	p := c.progress()
	options := produce.Options{Transport: transport, Program: prog, Stream: stream, OnProgress: func(at produce.Progress) {
		p.update(func() string {
			return fmt.Sprintf("%s records, %s, %s/s", count(at.Records), instant(at.Time), count(int64(p.rate(at.Records))))
		})
	}}
	if speed > 0 {
		options.Due = produce.AtSpeed(speed)
	}
	done, err := produce.Run(ctx, options)
	p.clear()
	out := produced{Records: done.Records, BadRows: bad, Until: instant(done.Time), Seconds: time.Since(p.began).Seconds(), RecordsPerSecond: p.rate(done.Records)}
	if err != nil {
		if done.Records > 0 {
			c.note("%s up to %s are in the topics, without end marks", things(done.Records, "record"), out.Until)
		}
		return err
	}
	return c.writeProduced(out)
}

// prepare makes the topics that are missing and tells of those that hold something already.
func (c *cli) prepare(ctx context.Context, t stage.Transport, p *project.Project) error {
	return reach(ctx, t.Brokers, func(ctx context.Context) error {
		if err := produce.EnsureTopics(ctx, t, p); err != nil {
			return err
		}
		held, err := produce.Held(ctx, t, p)
		if err != nil {
			return err
		}
		for _, in := range p.Inputs() {
			if n := held[in.Name]; n > 0 {
				c.note("topic %s holds %s already; rows that are older than those are late", in.Topic, things(n, "record"))
			}
		}
		return nil
	})
}

func (c *cli) writeProduced(out produced) error {
	if c.json() {
		return c.writeJSON(out)
	}
	text := fmt.Sprintf("%s up to %s in %.1f s", things(out.Records, "record"), orNone(out.Until), out.Seconds)
	if out.BadRows > 0 {
		text += ", " + things(out.BadRows, "bad row") + " left out"
	}
	_, err := fmt.Fprintln(c.stdout, text)
	return err
}

// reach asks the brokers for something and says when none of them answers.
func reach(ctx context.Context, brokers []string, ask func(context.Context) error) error {
	asking, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	err := ask(asking)
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return fmt.Errorf("brokers %s: no answer within 10 s; is the address right? freshet doctor checks it", strings.Join(brokers, ", "))
	}
	return err
}

func parseSpeed(text string) (float64, error) {
	if text == "max" {
		return 0, nil
	}
	x, err := strconv.ParseFloat(strings.TrimSuffix(text, "x"), 64)
	if err != nil || !(x > 0) || math.IsInf(x, 1) {
		return 0, usagef("--speed %q: write max, or a multiple of event time such as 1x or 60x", text)
	}
	return x, nil
}

// parseTime reads a date or an RFC 3339 time as µs; 0 for none.
func parseTime(flag, text string) (int64, error) {
	if text == "" {
		return 0, nil
	}
	for _, layout := range []string{time.RFC3339Nano, time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UnixMicro(), nil
		}
	}
	return 0, usagef("%s %q: write a date such as 2013-07-01, or a time such as 2013-07-01T12:00:00Z", flag, text)
}

// instant writes an event time, "" for none.
func instant(t int64) string {
	if t == features.NoTime {
		return ""
	}
	return time.UnixMicro(t).UTC().Format(time.RFC3339)
}
