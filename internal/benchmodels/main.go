// Command benchmodels measures the models of the catalogue on reference streams: accuracy at label delay 0 and 48, processor time for each event, memory, forecasts of series, and
// all beside the published figures of other libraries, or beside these libraries themselves where they are found. `make bench-models` runs it.
//
//	go run ./internal/benchmodels [-quick] [-only TEXT] [-seeds N] [-o FILE]
//
// FRESHET_DATA names the folder of the reference data (docs/benchmarks-models.md says what lies there); without it only the generated streams are run. Peers:
// FRESHET_PYTHON, a Python that has river (and vowpalwabbit, torch) and statsmodels, and FRESHET_MOA, a Java class path with MOA.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/freshet-ml/freshet/models/catalog"
	"github.com/freshet-ml/freshet/trainer/evaluate"
)

// bench is one run.
type bench struct {
	ctx   context.Context
	out   io.Writer
	data  string // folder; "" if there is none
	quick bool
	only  string
	seeds int
	known map[string]*measured // what was measured already
}

// heading prints the head of a table before its first row, so that a run of few rows has no empty tables.
type heading struct {
	out  io.Writer
	text string
	open bool
}

func (b *bench) heading(text string) *heading { return &heading{out: b.out, text: text} }

// row prints a line of the table.
func (h *heading) row(format string, args ...any) {
	if !h.open {
		fmt.Fprint(h.out, h.text)
		h.open = true
	}
	fmt.Fprintf(h.out, format+"\n", args...)
}

// end prints the empty line behind a table that has rows.
func (h *heading) end() {
	if h.open {
		fmt.Fprintln(h.out)
	}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "benchmodels:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout io.Writer) error {
	flags := flag.NewFlagSet("benchmodels", flag.ContinueOnError)
	b := &bench{ctx: ctx, data: os.Getenv("FRESHET_DATA"), known: map[string]*measured{}}
	flags.BoolVar(&b.quick, "quick", false, "the first 5,000 rows, one seed, no model of 100 members")
	flags.StringVar(&b.only, "only", "", "rows that contain this text in data or model")
	flags.IntVar(&b.seeds, "seeds", 5, "seeds of models that draw random numbers")
	path := flags.String("o", "", "write the tables to this file too")
	if err := flags.Parse(args); err != nil {
		return err
	}
	var copied bytes.Buffer
	b.out = io.MultiWriter(stdout, &copied)
	fmt.Fprintf(b.out, "Go %s, %s/%s, %d processors%s\n\n", runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(),
		map[bool]string{true: ", quick: the first 5,000 rows and one seed only"}[b.quick])
	if b.data == "" {
		fmt.Fprint(b.out, "FRESHET_DATA is not set: generated streams only.\n\n")
	}
	for _, table := range []func() error{b.accuracy, b.autoBeside, b.speed, b.singleSteps, b.production, b.scaling, b.versions, b.forecasts} {
		if err := table(); err != nil {
			return err
		}
	}
	if err := b.gaps(); err != nil {
		return err
	}
	if *path != "" {
		return os.WriteFile(*path, copied.Bytes(), 0o644)
	}
	return nil
}

// options are those of a row, or false when its data is not there.
func (b *bench) options(data, target, drop, categorical string) (evaluate.Options, bool) {
	o := evaluate.Options{Path: data, Target: target}
	if !strings.HasPrefix(data, "generator:") {
		o.Path = filepath.Join(b.data, data+".csv.gz")
		if _, err := os.Stat(o.Path); b.data == "" || err != nil {
			return o, false
		}
	}
	if drop != "" {
		o.Drop = strings.Split(drop, ",")
	}
	if categorical != "" {
		o.Categorical = strings.Split(categorical, ",")
	}
	if b.quick {
		o.Limit = 5000
	}
	return o, true
}

// spec returns the first of the specs that this build knows: parameters of one thing may have several names.
func spec(o *evaluate.Options, texts []string) error {
	var failed error
	for _, text := range texts {
		s, err := evaluate.ParseModel(text)
		if err != nil {
			return err
		}
		o.Model, o.Spec = text, s
		task := o.Task
		for _, t := range tasksOf(task) {
			if _, err = catalog.Resolve(s, t); err == nil {
				return nil
			}
		}
		failed = err
	}
	return failed
}

// skip reports whether a row is left out.
func (b *bench) skip(data, model string, heavy bool) bool {
	return b.quick && heavy || b.only != "" && !strings.Contains(data+" "+model, b.only)
}

// speed prints the table of processor times, with the peers that are there measured in the same run.
func (b *bench) speed() error {
	h := b.heading("### Processor time for an event\n\nPredict and learn on the eight features of elec2 as numbers, or of the generated random tree's numbers where that is not there; parsing and metrics left out; best of three runs. " +
		"MOA, River and VW in brackets: published for another machine; without: measured in this run.\n\n" +
		"| model | ours, µs | predict alone, µs | MOA, µs | River, VW or PyTorch (mlp), µs | MOA / ours | that / ours | state |\n|---|---|---|---|---|---|---|---|\n")
	o, ok := b.options("elec2", "class", "", "")
	if !ok {
		o, _ = b.options("generator:random_tree?categories=0&numbers=8&n=45312", "", "", "")
	}
	var peers map[string]float64
	for _, r := range speedRows {
		if b.skip("speed", r.models[0], r.heavy) {
			continue
		}
		if peers == nil {
			peers = b.peers(o)
		}
		if err := spec(&o, r.models); err != nil {
			h.row("| `%s` | not in this build | | | | | | |", r.models[0])
			continue
		}
		best, predict, state := math.Inf(1), 0.0, 0
		rounds := 3
		if b.quick || r.heavy {
			rounds = 1
		}
		for range rounds {
			report, err := evaluate.Run(b.ctx, o, nil)
			if err != nil {
				return fmt.Errorf("%s: %w", r.models[0], err)
			}
			if ns := report.LearnNS + report.PredictNS; ns < best {
				best, predict, state = ns, report.PredictNS, report.StateBytes
			}
		}
		moa, moaText := figure(peers["moa "+r.name], r.moa)
		river, riverText := figure(max(peers["river "+r.name], peers["torch "+r.name]), r.river)
		h.row("| `%s` | **%.3g** | %.3g | %s | %s | %s | %s | %s |", r.models[0], best/1e3, predict/1e3, moaText, riverText, ratio(moa, best), ratio(river, best), size(state))
	}
	h.end()
	return nil
}

// figure is what was measured in this run, in ns, else what was published, in µs.
func figure(measured, published float64) (ns float64, text string) {
	switch {
	case measured > 0:
		return measured, fmt.Sprintf("%.3g", measured/1e3)
	case published > 0:
		return published * 1e3, fmt.Sprintf("(%g)", published)
	}
	return 0, "–"
}

func ratio(peer, ours float64) string {
	if peer == 0 || ours <= 0 {
		return "–"
	}
	return fmt.Sprintf("%.3g", peer/ours)
}

// peerTimeout bounds what a peer may take.
const peerTimeout = 15 * time.Minute

// peers runs the libraries that are found; the answer is ns per event by "library model".
func (b *bench) peers(o evaluate.Options) map[string]float64 {
	out := map[string]float64{}
	if strings.HasPrefix(o.Path, "generator:") {
		return out
	}
	limit := strconv.FormatInt(o.Limit, 10)
	folder := filepath.Join("internal", "benchmodels", "peers")
	if python := os.Getenv("FRESHET_PYTHON"); python != "" {
		b.peer(out, python, filepath.Join(folder, "river_times.py"), o.Path, limit)
		b.peer(out, python, filepath.Join(folder, "torch_times.py"), o.Path, limit)
	}
	if moa := os.Getenv("FRESHET_MOA"); moa != "" {
		b.peer(out, "java", "-cp", moa, filepath.Join(folder, "MoaTimes.java"), o.Path, limit)
	}
	return out
}

// peer runs a program that prints one JSON object {"library model": ns} a line. One that fails is named, and its published figures stand in.
func (b *bench) peer(into map[string]float64, name string, args ...string) {
	ctx, cancel := context.WithTimeout(b.ctx, peerTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	var failure bytes.Buffer
	cmd.Stderr = &failure
	text, err := cmd.Output()
	for line := range bytes.Lines(text) {
		var found map[string]float64
		if json.Unmarshal(line, &found) == nil {
			for k, v := range found {
				into[k] = v
			}
		}
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "peer %s: %v: %s\n", peerName(args), err, lastLine(failure.String()))
	}
}

// peerName is the program among the arguments of a peer.
func peerName(args []string) string {
	for _, a := range args {
		if ext := filepath.Ext(a); ext == ".py" || ext == ".java" {
			return filepath.Base(a)
		}
	}
	return "program"
}

func lastLine(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return lines[len(lines)-1]
}

// spread is mean ± standard deviation.
func spread(x []float64) string {
	mean, squares := 0.0, 0.0
	for _, v := range x {
		mean += v / float64(len(x))
	}
	for _, v := range x {
		squares += (v - mean) * (v - mean)
	}
	if len(x) < 2 || slices.Min(x) == slices.Max(x) {
		return short(mean)
	}
	return fmt.Sprintf("%s ± %.2g", short(mean), math.Sqrt(squares/float64(len(x)-1)))
}

func short(x float64) string {
	if math.IsNaN(x) {
		return "–"
	}
	return strconv.FormatFloat(x, 'g', 5, 64)
}

func size(bytes int) string {
	if bytes < 10_000 {
		return fmt.Sprintf("%d B", bytes)
	}
	return fmt.Sprintf("%.3g kB", float64(bytes)/1000)
}
