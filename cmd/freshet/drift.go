package main

import (
	"fmt"

	"github.com/spf13/cobra"

	freshetv1 "github.com/freshet-ml/freshet/proto/freshet/v1"
)

func (c *cli) drift() *cobra.Command {
	t := &target{}
	var top uint32
	cmd := &cobra.Command{
		Use:   "drift [TRIGGER]",
		Short: "Say what has changed: features against their reference, and the losses of models",
		Long: "Compares the features of the newest examples of each trigger with a frozen reference, each by the measure that\n" +
			"drift.features names (psi by default; thresholds account for the sample sizes), and tells what the detector on\n" +
			"the loss of each model says: whether it suspects a change or has seen one, in which direction, and since when.",
		Example: "  freshet drift\n  freshet drift scheduled --top 5",
		Args:    arguments(0, 1, "at most one trigger: a source, or the name of a request model"),
		RunE: func(cmd *cobra.Command, args []string) error {
			req := &freshetv1.DriftRequest{Top: top}
			if len(args) > 0 {
				req.Trigger = args[0]
			}
			return c.runDrift(cmd, t, req)
		},
	}
	t.flags(cmd)
	cmd.Flags().Uint32Var(&top, "top", 20, "features of each trigger, those that drifted most (0: all)")
	return cmd
}

func (c *cli) runDrift(cmd *cobra.Command, t *target, req *freshetv1.DriftRequest) error {
	cl, err := c.dial(cmd, t)
	if err != nil {
		return err
	}
	defer cl.Close()
	r, err := cl.Drift(cmd.Context(), req)
	if err != nil {
		return err
	}
	if c.json() {
		return c.writeProto(r)
	}
	for _, g := range r.GetTriggers() {
		if err := c.writeTriggerDrift(g); err != nil {
			return err
		}
	}
	if len(r.GetModels()) == 0 {
		return nil
	}
	out := c.table("MODEL", "DETECTOR", "LEVEL", "LOSS", "SINCE", "CHANGES", "WARNINGS", "WATCHED", "MEAN", "LABELS")
	for _, m := range r.GetModels() {
		out.row(m.GetName(), m.GetDetector(), m.GetLevel(), direction(m), when(m.GetAt()), count(int64(m.GetChanges())), count(int64(m.GetWarnings())),
			m.GetMeasure(), decimals(m.GetLoss()), count(int64(m.GetWindow())))
	}
	return out.flush()
}

// direction is where the loss went of which the detector speaks.
func direction(m *freshetv1.ModelDrift) string {
	switch m.GetDirection() {
	case "up":
		return "rose"
	case "down":
		return "fell"
	}
	return ""
}

func (c *cli) writeTriggerDrift(g *freshetv1.TriggerDrift) error {
	if g.GetWindows() == 0 {
		_, err := fmt.Fprintf(c.stdout, "%s: no window of examples is finished yet, nothing can be said of its features\n\n", g.GetName())
		return err
	}
	fmt.Fprintf(c.stdout, "%s: %s drifted; %s examples against the first %s\n", g.GetName(), plural(int(g.GetDrifted()), "feature"),
		count(int64(g.GetWindow())), count(int64(g.GetReference())))
	t := c.table("FEATURE", "MEASURE", "SCORE", "THRESHOLD", "MISSING", "UNSEEN", "DRIFTED")
	for _, f := range g.GetFeatures() {
		drifted := "no"
		if f.GetDrifted() {
			drifted = "yes"
		}
		t.row(f.GetName(), f.GetMeasure(), decimals3(f.GetScore()), decimals3(f.GetThreshold()), percent(f.GetMissing()), percent(f.GetUnseen()), drifted)
	}
	t.row("")
	return t.flush()
}

func decimals3(x float64) string { return fmt.Sprintf("%.3f", x) }

func percent(x float64) string { return fmt.Sprintf("%.1f%%", 100*x) }
