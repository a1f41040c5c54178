package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	freshetv1 "github.com/freshet-ml/freshet/proto/freshet/v1"
)

func (c *cli) status() *cobra.Command {
	t := &target{}
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Say how the service is: lag, watermark, freshness, refused, late, not learned",
		Long:  "Says how the running service is. The exit code is 1 when it is not ready.",
		Args:  arguments(0, 0, "no arguments"),
		RunE:  func(cmd *cobra.Command, _ []string) error { return c.runStatus(cmd, t) },
	}
	t.flags(cmd)
	return cmd
}

func (c *cli) runStatus(cmd *cobra.Command, t *target) error {
	cl, err := c.dial(cmd, t)
	if err != nil {
		return err
	}
	defer cl.Close()
	s, err := cl.Status(cmd.Context(), &freshetv1.StatusRequest{})
	if err != nil {
		return err
	}
	if c.json() {
		err = c.writeProto(s)
	} else {
		err = c.writeStatus(s)
	}
	if err == nil && !s.GetReady() {
		return reported(exitFailure)
	}
	return err
}

func (c *cli) writeStatus(s *freshetv1.StatusResponse) error {
	t := c.table()
	t.row("project", fmt.Sprintf("%s, generation %s", s.GetProject(), s.GetGeneration()))
	t.row("build", fmt.Sprintf("%s, up %s", s.GetBuild(), lasting(s.GetUptime())))
	ready := "yes"
	if !s.GetReady() {
		ready = "no: " + strings.Join(s.GetWaitingFor(), "; ")
	}
	t.row("ready", ready)
	t.row("head", fmt.Sprintf("%s, clock: %s", when(s.GetHead()), s.GetClock()))
	t.row("watermark", when(s.GetWatermark()))
	for _, w := range s.GetWarnings() {
		t.row("warning", w)
	}
	if err := t.flush(); err != nil {
		return err
	}
	return c.writeStages(s)
}

func (c *cli) writeStages(s *freshetv1.StatusResponse) error {
	if list := s.GetStages(); len(list) > 0 {
		if err := c.writeStageTable(list); err != nil {
			return err
		}
	}
	if list := s.GetSources(); len(list) > 0 {
		fmt.Fprintln(c.stdout)
		t := c.table("SOURCE", "ACCEPTED", "REFUSED", "LATE", "NEWEST", "LAG")
		for _, g := range list {
			all := g.GetAccepted() + g.GetRefused()
			t.row(g.GetName(), count(int64(g.GetAccepted())), share(g.GetRefused(), all), share(g.GetLate(), g.GetAccepted()), when(g.GetNewest()), count(int64(g.GetLag())))
		}
		if err := t.flush(); err != nil {
			return err
		}
	}
	if list := s.GetTriggers(); len(list) > 0 {
		fmt.Fprintln(c.stdout)
		t := c.table("TRIGGER", "EXAMPLES", "LABELLED", "UNLABELLED", "PENDING", "NOT LEARNED", "LABEL DELAY")
		for _, g := range list {
			t.row(g.GetName(), count(int64(g.GetExamples())), share(g.GetLabelled(), g.GetExamples()), share(g.GetUnlabelled(), g.GetExamples()),
				count(int64(g.GetPending())), share(g.GetNotLearned(), g.GetExamples()), lasting(g.GetLabelDelay()))
		}
		return t.flush()
	}
	return nil
}

// writeStageTable leaves out the columns in which no stage has anything.
func (c *cli) writeStageTable(list []*freshetv1.StageStatus) error {
	fmt.Fprintln(c.stdout)
	columns := []struct {
		name string
		cell func(*freshetv1.StageStatus) string
	}{
		{"STAGE", (*freshetv1.StageStatus).GetName}, {"OF", (*freshetv1.StageStatus).GetOf}, {"STATE", (*freshetv1.StageStatus).GetState},
		{"LAG", func(g *freshetv1.StageStatus) string { return count(int64(g.GetLag())) }}, {"ERROR", (*freshetv1.StageStatus).GetError},
		{"OWNER", (*freshetv1.StageStatus).GetOwner}, {"STANDBY", func(g *freshetv1.StageStatus) string { return strings.Join(g.GetStandbys(), ", ") }},
		{"NOTE", (*freshetv1.StageStatus).GetNote},
	}
	var head []string
	rows := make([][]string, len(list))
	for i, col := range columns {
		some := i < 5 // the first are always there
		for _, g := range list {
			some = some || col.cell(g) != ""
		}
		if !some {
			continue
		}
		head = append(head, col.name)
		for k, g := range list {
			rows[k] = append(rows[k], col.cell(g))
		}
	}
	t := c.table(head...)
	for _, r := range rows {
		t.row(r...)
	}
	return t.flush()
}

// share writes a number with its share of all.
func share(n, of uint64) string {
	if of == 0 || n == 0 {
		return count(int64(n))
	}
	return fmt.Sprintf("%s (%s)", count(int64(n)), percent(float64(n)/float64(of)))
}
