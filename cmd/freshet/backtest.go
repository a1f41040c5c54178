package main

import (
	"bufio"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/freshet-ml/freshet/internal/program"
	"github.com/freshet-ml/freshet/internal/project"
	"github.com/freshet-ml/freshet/trainer/backtest"
)

// backtestFlags are the flags of freshet backtest.
type backtestFlags struct {
	project, from, to, warmUp, availability, every, predictions, report string
	candidates, files, below, above, brokers, segments                  []string
	topics, asLive, compare                                             bool
}

func (c *cli) backtest() *cobra.Command {
	f := &backtestFlags{}
	cmd := &cobra.Command{
		Use:   "backtest {--source-file SOURCE=FILE … | --topics | --as-live}",
		Short: "Replay recorded events through projects and compare their models",
		Long: "Replays files, source topics or the events log of a project through the code that serves it, in one process,\n" +
			"and reports how good its models, challengers and baselines would have been, under the real delay of labels.\n" +
			"Every --candidate is a whole project file that sees the same records. The result goes to stdout, the\n" +
			"progress to stderr. The exit code is 4 when --fail-below or --fail-above is not met.",
		Example: "  freshet backtest --source-file scheduled=scheduled.jsonl.gz --source-file arrived=arrived.jsonl.gz\n" +
			"  freshet backtest --topics --candidate with-weather.yaml --from 2013-03-01 --warm-up 14d --every month\n" +
			"  freshet backtest --as-live --fail-below late.roc_auc=0.75",
		Args: arguments(0, 0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error { return c.runBacktest(cmd, f) },
	}
	flags := cmd.Flags()
	flags.StringVarP(&f.project, "project", "p", projectFile, "the project file")
	flags.StringArrayVar(&f.candidates, "candidate", nil, "another project file to compare with the first (repeatable)")
	flags.StringArrayVar(&f.files, "source-file", nil, "SOURCE=FILE: JSON lines or CSV, plain, .gz or .zst, sorted by event time (repeatable)")
	flags.BoolVar(&f.topics, "topics", false, "replay the source topics up to where they end now")
	flags.BoolVar(&f.asLive, "as-live", false, "fold the events log as the running project does, and compare with its example logs")
	flags.BoolVar(&f.compare, "compare-live", false, "with --topics: compare vectors and metrics with the example logs of the running project")
	flags.StringSliceVar(&f.brokers, "brokers", nil, "brokers instead of those of the project file")
	flags.StringVar(&f.from, "from", "", "first event time, such as 2013-03-01 or 2013-03-01T06:00:00Z; rows of tables from before are kept")
	flags.StringVar(&f.to, "to", "", "event time before which the replay ends")
	flags.StringVar(&f.warmUp, "warm-up", "", "event time at the beginning that is learned and not scored, such as 14d")
	flags.StringVar(&f.availability, "availability", "event", "when an event can be seen: event, append, or a delay such as +200ms")
	flags.StringVar(&f.every, "every", "", "month: scores by calendar month (UTC), too")
	flags.StringArrayVar(&f.below, "fail-below", nil, "MODEL.METRIC=VALUE or CANDIDATE/MODEL.METRIC=VALUE: exit code 4 when the metric is smaller (repeatable)")
	flags.StringArrayVar(&f.above, "fail-above", nil, "as --fail-below, when the metric is greater: for losses and errors (repeatable)")
	flags.StringVar(&f.predictions, "predictions", "", "write every answer whose label came to this CSV file")
	flags.StringVar(&f.report, "report", "", "write a report with charts to this HTML file: curves, calibration, segments, differences, drift, how to repeat it")
	flags.StringSliceVar(&f.segments, "segment", nil, "with --report: a categorical column by whose values scores are taken apart (repeatable; default: those with 2 to 50 values)")
	return cmd
}

func (c *cli) runBacktest(cmd *cobra.Command, f *backtestFlags) error {
	o, err := f.options()
	if err != nil {
		return err
	}
	programs, names, err := c.backtestProjects(f)
	if err != nil {
		return err
	}
	records, err := f.records(cmd.Context(), programs)
	if err != nil {
		return backtestCode(err)
	}
	for i, p := range programs {
		one := backtest.Candidate{Name: names[i], Program: p.Program, MaxSkew: p.Project.MaxSkew}
		if one.Items, err = records.items(i, p); err != nil {
			return backtestCode(err)
		}
		o.Candidates = append(o.Candidates, one)
	}
	for _, name := range records.missing {
		c.note("freshet: no file for %s: it is empty in this backtest", name)
	}
	o.Live = records.live
	progress := c.progress()
	o.Progress = func(b backtest.Progress) {
		progress.update(func() string { return backtestProgress(progress, b, records.share(b.Index)) })
	}
	page, err := createReport(f.report)
	if err != nil {
		return err
	}
	defer page.abandon()
	out, err := openPredictions(f.predictions)
	if err != nil {
		return err
	}
	o.Predictions = out.take()
	report, err := backtest.Run(cmd.Context(), o)
	progress.clear()
	if err = errors.Join(err, out.close()); err != nil {
		return backtestCode(err)
	}
	if err := page.backtest(c.command(), f, names, report); err != nil {
		return err
	}
	if c.json() {
		err = c.writeJSON(report)
	} else {
		err = report.Table(c.stdout)
	}
	return errors.Join(err, belowThreshold(report))
}

// backtestCode gives errors in what was asked the exit code of usage.
func backtestCode(err error) error {
	if errors.Is(err, backtest.ErrOptions) || errors.Is(err, backtest.ErrUnknown) {
		return &codeError{exitUsage, err}
	}
	return err
}

func belowThreshold(r *backtest.Report) error {
	if r.OK() {
		return nil
	}
	var failed []string
	for _, check := range r.Checks {
		if !check.OK {
			failed = append(failed, check.String())
		}
	}
	return &codeError{exitBelow, errors.New(strings.Join(failed, "; "))}
}

// options reads the flags that need no project.
func (f *backtestFlags) options() (backtest.Options, error) {
	o := backtest.Options{AsLive: f.asLive, Now: time.Now, Build: thisBuild().String()}
	ways := 0
	for _, way := range []bool{len(f.files) > 0, f.topics, f.asLive} {
		if way {
			ways++
		}
	}
	if ways != 1 {
		return o, usagef("freshet backtest needs one of --source-file SOURCE=FILE, --topics and --as-live, and not more")
	}
	if f.every != "" && f.every != "month" {
		return o, usagef("--every %q: only month is known", f.every)
	}
	if f.compare && !f.topics {
		return o, usagef("--compare-live goes with --topics; --as-live compares by itself")
	}
	if len(f.segments) > 0 && f.report == "" {
		return o, usagef("--segment goes with --report FILE")
	}
	o.Months, o.Details, o.Segments = f.every == "month", f.report != "", f.segments
	var err error
	if o.From, err = parseInstant("--from", f.from); err != nil {
		return o, err
	}
	if o.To, err = parseInstant("--to", f.to); err != nil {
		return o, err
	}
	if f.warmUp != "" {
		if o.WarmUp, err = project.ParseDuration(f.warmUp); err != nil {
			return o, usagef("--warm-up: %w", err)
		}
	}
	if o.Availability, err = backtest.ParseAvailability(f.availability); err != nil {
		return o, usagef("--%w", err)
	}
	for i, list := range [][]string{f.below, f.above} {
		for _, text := range list {
			t, err := backtest.ParseThreshold(text, i == 1)
			if err != nil {
				return o, usagef("%w", err)
			}
			o.Thresholds = append(o.Thresholds, t)
		}
	}
	return o, nil
}

// parseInstant reads a time, a day or a month; without an offset it is UTC.
func parseInstant(flag, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02 15:04", time.DateOnly, "2006-01"} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	return time.Time{}, usagef("%s %q is no time; write 2013-03-01 or 2013-03-01T06:00:00Z", flag, text)
}

// backtestProjects compiles the project and its candidates, and names them by their files.
func (c *cli) backtestProjects(f *backtestFlags) ([]*program.Program, []string, error) {
	var programs []*program.Program
	var names []string
	seen := map[string]bool{}
	for _, path := range append([]string{f.project}, f.candidates...) {
		p, err := c.compiled(path)
		if err != nil {
			return nil, nil, err
		}
		name := strings.TrimSuffix(filepath.Base(path), filepath.Ext(path))
		if seen[name] {
			name = path
		}
		if seen[name] {
			return nil, nil, usagef("--candidate %s is given twice", path)
		}
		seen[name] = true
		programs, names = append(programs, p), append(names, name)
	}
	return programs, names, nil
}

// backtestProgress is the line that shows how far a backtest is; share is that of the candidate's records that are read.
func backtestProgress(p *progress, b backtest.Progress, share float64) string {
	line := fmt.Sprintf("%s: %s, %s items", b.Candidate, time.UnixMicro(b.EventTime).UTC().Format("2006-01-02 15:04"), count(int64(b.Items)))
	if b.Of > 1 {
		line = fmt.Sprintf("%d/%d %s", b.Index+1, b.Of, line)
	}
	done := (float64(b.Index) + share) / float64(b.Of)
	elapsed := time.Since(p.began)
	if done > 0.01 {
		left := time.Duration(float64(elapsed) * (1 - done) / done)
		line += fmt.Sprintf(", %.0f%%, %s left", 100*done, left.Round(time.Second))
	}
	if b.Index == 0 {
		line += fmt.Sprintf(", %s items/s", count(int64(p.rate(int64(b.Items)))))
	}
	return line
}

// predictionFile writes answers as CSV. nil writes nothing.
type predictionFile struct {
	file   *os.File
	buffer *bufio.Writer
	csv    *csv.Writer
	row    []string
}

func openPredictions(path string) (*predictionFile, error) {
	if path == "" {
		return nil, nil
	}
	f, err := os.Create(path)
	if err != nil {
		return nil, fmt.Errorf("predictions file: %w", err)
	}
	p := &predictionFile{file: f, buffer: bufio.NewWriterSize(f, 1<<16)}
	p.csv = csv.NewWriter(p.buffer)
	return p, p.csv.Write([]string{"candidate", "trigger", "model", "id", "time", "label_time", "scored", "label", "answer"})
}

func (p *predictionFile) take() func(*backtest.Prediction) error {
	if p == nil {
		return nil
	}
	return func(b *backtest.Prediction) error {
		answer := make([]string, len(b.Answer))
		for i, x := range b.Answer {
			answer[i] = strconv.FormatFloat(x, 'g', -1, 64)
		}
		at := func(t int64) string { return time.UnixMicro(t).UTC().Format(time.RFC3339Nano) }
		p.row = append(p.row[:0], b.Candidate, b.Trigger, b.Model, b.ID, at(b.Time), at(b.LabelTime), strconv.FormatBool(b.Scored),
			strconv.FormatFloat(b.Label, 'g', -1, 64), strings.Join(answer, " "))
		return p.csv.Write(p.row)
	}
}

func (p *predictionFile) close() error {
	if p == nil {
		return nil
	}
	p.csv.Flush()
	if err := errors.Join(p.csv.Error(), p.buffer.Flush(), p.file.Close()); err != nil {
		return fmt.Errorf("predictions file: %w", err)
	}
	return nil
}

// records opens what is replayed.
func (f *backtestFlags) records(ctx context.Context, programs []*program.Program) (*backtestRecords, error) {
	if len(f.files) > 0 {
		return fileRecords(f.files, programs)
	}
	return topicRecords(ctx, f, programs)
}
