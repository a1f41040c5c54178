package backtest_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/freshet-ml/freshet/trainer/backtest"
)

// A label that is assumed when the wait is over says nothing about how long labels take, and the table writes spans for people.
func TestDelayIsThatOfLabelsThatCame(t *testing.T) {
	prog := compile(t, `
version: 1
project: cards
clock: events
sources:
  paid: {time: at, fields: {id: string, at: time, amount: double}}
  back: {time: at, fields: {id: string, at: time}}
models:
  fraud: {task: binary, on: paid, id: id, use: [paid.amount], label: {from: back, by: id, value: "true", wait: 5d, missing: negative}}
`)
	rows := []backtest.File{
		text("paid", `{"id": "a", "at": "2026-01-01T00:00:00Z", "amount": 1}`, `{"id": "b", "at": "2026-01-01T01:00:00Z", "amount": 2}`,
			`{"id": "c", "at": "2026-01-20T00:00:00Z", "amount": 3}`),
		text("back", `{"id": "b", "at": "2026-01-03T13:30:00Z"}`),
	}
	c := backtest.Candidate{Name: "a", Program: only(prog.Program, "fraud"), Items: items(t, config(t, prog), rows)}
	r := run(t, backtest.Options{Candidates: []backtest.Candidate{c}})
	got := r.Candidates[0].Triggers[0]
	if want := backtest.Number(60.5 * 3600); got.Labels != 1 || got.Missing != 1 || got.Pending != 1 || got.DelayP50 != want || got.DelayP99 != want {
		t.Errorf("%+v", got)
	}
	var b bytes.Buffer
	if err := r.Table(&b); err != nil || !strings.Contains(b.String(), "1 labels after 2d12h30m (99 %: 2d12h30m), 1 without a label") {
		t.Errorf("%v:\n%s", err, b.String())
	}
}
