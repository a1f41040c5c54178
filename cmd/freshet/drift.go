package main

import (
	"github.com/spf13/cobra"

	freshetv1 "github.com/freshet-ml/freshet/proto/freshet/v1"
)

func (c *cli) drift() *cobra.Command {
	t := &target{}
	cmd := &cobra.Command{
		Use:   "drift [MODEL]",
		Short: "Say what has changed: detected changes of the loss, and scores by month",
		Args:  arguments(0, 1, "at most one model"),
		RunE:  func(cmd *cobra.Command, args []string) error { return c.runDrift(cmd, t, args) },
	}
	t.flags(cmd)
	return cmd
}

// drifted is the JSON of drift: one model.
type drifted struct {
	Model  string        `json:"model"`
	Role   string        `json:"role"`
	Drifts uint64        `json:"drifts"` // changes that the detector on the loss has seen
	Scored uint64        `json:"scored"`
	Scores monthScores   `json:"scores"`
	Months []driftsMonth `json:"months"`
}

type driftsMonth struct {
	Month  string      `json:"month"`
	Labels uint64      `json:"labels"`
	Scores monthScores `json:"scores"`
}

type monthScores map[string]float64

func (c *cli) runDrift(cmd *cobra.Command, t *target, args []string) error {
	cl, err := c.dial(cmd, t)
	if err != nil {
		return err
	}
	defer cl.Close()
	names := args
	if len(names) == 0 {
		list, err := cl.ListModels(cmd.Context(), &freshetv1.ListModelsRequest{})
		if err != nil {
			return err
		}
		for _, m := range list.GetModels() {
			names = append(names, m.GetName())
		}
	}
	out := []drifted{}
	for _, name := range names {
		about, err := cl.GetModel(cmd.Context(), &freshetv1.GetModelRequest{Name: name})
		if err != nil {
			return err
		}
		d := drifted{Model: name, Role: role(about.GetModel()), Drifts: about.GetDrifts(), Scored: about.GetScored(), Scores: scoreMap(about.GetModel().GetScores()), Months: []driftsMonth{}}
		for _, m := range about.GetMonths() {
			d.Months = append(d.Months, driftsMonth{m.GetMonth(), m.GetLabels(), scoreMap(m.GetScores())})
		}
		out = append(out, d)
		if !c.json() {
			if err := c.writeDrift(about, len(names) > 1 && name != names[0]); err != nil {
				return err
			}
		}
	}
	if c.json() {
		return c.writeJSON(map[string]any{"models": out})
	}
	return nil
}

func scoreMap(list []*freshetv1.Score) monthScores {
	out := monthScores{}
	for _, s := range list {
		if s.GetValue() == s.GetValue() { // JSON has no NaN
			out[s.GetName()] = s.GetValue()
		}
	}
	return out
}

func (c *cli) writeDrift(r *freshetv1.GetModelResponse, gap bool) error {
	t := c.table()
	if gap {
		t.row("")
	}
	m := r.GetModel()
	t.row(m.GetName(), role(m), plural(int(r.GetDrifts()), "change")+" of the loss detected")
	for _, month := range r.GetMonths() {
		t.row("  "+month.GetMonth(), count(int64(month.GetLabels()))+" labels", scores(month.GetScores(), 4))
	}
	t.row("  all", count(int64(r.GetScored()))+" labels", scores(m.GetScores(), 4))
	return t.flush()
}
