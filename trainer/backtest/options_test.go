package backtest_test

import (
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/freshet-ml/freshet/features/ingest"
	"github.com/freshet-ml/freshet/trainer/backtest"
)

func TestParseAvailability(t *testing.T) {
	for in, want := range map[string]string{"": "event", "event": "event", "append": "append", "+200ms": "+200ms", "+0s": "+0s", "+1h": "+1h0m0s"} {
		a, err := backtest.ParseAvailability(in)
		if err != nil || a.String() != want {
			t.Errorf("%q: %v, %v, want %s", in, a, err, want)
		}
	}
	for _, in := range []string{"200ms", "+", "+5", "+-1s", "later"} {
		if a, err := backtest.ParseAvailability(in); err == nil {
			t.Errorf("%q is read as %v", in, a)
		}
	}
}

func TestParseThreshold(t *testing.T) {
	for in, want := range map[string]backtest.Threshold{
		"late.roc_auc=0.75":       {Model: "late", Metric: "roc_auc", Value: 0.75},
		"late.static.accuracy=.5": {Model: "late.static", Metric: "accuracy", Value: 0.5},
		"other/late.log_loss=1":   {Candidate: "other", Model: "late", Metric: "log_loss", Value: 1},
	} {
		got, err := backtest.ParseThreshold(in, false)
		if err != nil || got != want {
			t.Errorf("%q: %+v, %v", in, got, err)
		}
		if again, err := backtest.ParseThreshold(got.String(), false); err != nil || again != got {
			t.Errorf("%q is written as %s", in, got)
		}
	}
	for _, in := range []string{"", "late", "late=1", "late.roc_auc", "late.roc_auc=much", ".x=1", "a.b=NaN"} {
		if got, err := backtest.ParseThreshold(in, false); !errors.Is(err, backtest.ErrOptions) {
			t.Errorf("%q: %+v, %v", in, got, err)
		}
	}
}

// TestRefusedOptions runs what cannot be asked: each answer names what is wrong.
func TestRefusedOptions(t *testing.T) {
	one := hinted(t, 10)
	two := one
	two.Name = "two"
	at := time.Unix(1000, 0)
	for _, c := range []struct {
		name string
		o    backtest.Options
		want error
		says string
	}{
		{"none", backtest.Options{}, backtest.ErrOptions, "no candidate"},
		{"two of a name", backtest.Options{Candidates: []backtest.Candidate{one, one}}, backtest.ErrOptions, `"one"`},
		{"from after to", backtest.Options{Candidates: []backtest.Candidate{one}, From: at, To: at}, backtest.ErrOptions, "is not before"},
		{"negative warm-up", backtest.Options{Candidates: []backtest.Candidate{one}, WarmUp: -1}, backtest.ErrOptions, "negative"},
		{"as live and a delay", backtest.Options{Candidates: []backtest.Candidate{one}, AsLive: true,
			Availability: backtest.Availability{Mode: backtest.AtDelay, Delay: 1}}, backtest.ErrOptions, "as live"},
		{"two as live", backtest.Options{Candidates: []backtest.Candidate{one, two}, AsLive: true}, backtest.ErrOptions, "2 candidates"},
		{"unknown metric", backtest.Options{Candidates: []backtest.Candidate{one}, Thresholds: []backtest.Threshold{{Model: "guess", Metric: "rmse"}}},
			backtest.ErrUnknown, "roc_auc"},
		{"unknown model", backtest.Options{Candidates: []backtest.Candidate{one}, Thresholds: []backtest.Threshold{{Model: "gues", Metric: "roc_auc"}}},
			backtest.ErrUnknown, "guess"},
		{"unknown candidate", backtest.Options{Candidates: []backtest.Candidate{one}, Thresholds: []backtest.Threshold{{Candidate: "x", Model: "guess", Metric: "roc_auc"}}},
			backtest.ErrUnknown, `"x"`},
		{"no trigger in the range", backtest.Options{Candidates: []backtest.Candidate{one}, From: jan(1).AddDate(1, 0, 0)}, backtest.ErrNoTrigger, "asked"},
		{"append without timestamps", backtest.Options{Candidates: []backtest.Candidate{one}, Availability: backtest.Availability{Mode: backtest.AtAppend}},
			backtest.ErrOptions, "+200ms"},
	} {
		_, err := backtest.Run(t.Context(), c.o)
		if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// TestBadFiles replays files that cannot be: the error names file, line and mend.
func TestBadFiles(t *testing.T) {
	prog := compile(t, hintedProject)
	for _, c := range []struct {
		name string
		file backtest.File
		says []string
	}{
		{"unsorted", text("hint", `{"at":"2013-01-02T00:00:00Z","who":"a","x":1}`, `{"at":"2013-01-01T00:00:00Z","who":"a","x":1}`),
			[]string{"hint.jsonl:2", "sort the file"}},
		{"malformed", text("hint", `{"at":"2013-01-02T00:00:00Z","who":"a","x":1}`, `{"at":`), []string{"hint.jsonl:2"}},
		{"no trigger", text("hint", `{"at":"2013-01-02T00:00:00Z","who":"a","x":1}`), []string{"no event of asked", "1 items"}},
		{"not there", backtest.File{Source: "hint", Name: "gone.jsonl", Open: func() (io.ReadCloser, error) { return nil, errors.New("no such file") }},
			[]string{"gone.jsonl", "no such file"}},
	} {
		list := items(t, config(t, prog), []backtest.File{c.file})
		_, err := backtest.Run(t.Context(), backtest.Options{Candidates: []backtest.Candidate{{Name: "a", Program: prog.Program, Items: list}}})
		if err == nil {
			t.Fatalf("%s: no error", c.name)
		}
		for _, say := range c.says {
			if !strings.Contains(err.Error(), say) {
				t.Errorf("%s: %v does not say %q", c.name, err, say)
			}
		}
		var at *ingest.FileError
		if strings.Contains(c.says[0], ":2") != errors.As(err, &at) {
			t.Errorf("%s: %v is a *FileError: %t", c.name, err, at != nil)
		}
	}
	if _, err := backtest.Files(config(t, prog), []backtest.File{text("hnt")}); !errors.Is(err, backtest.ErrUnknown) || !strings.Contains(err.Error(), "hint") {
		t.Errorf("unknown source: %v", err)
	}
	if _, err := backtest.Files(config(t, prog), nil); !errors.Is(err, backtest.ErrOptions) {
		t.Errorf("no files: %v", err)
	}
}
