package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/freshet-ml/freshet/features"
	freshetv1 "github.com/freshet-ml/freshet/proto/freshet/v1"
)

func (c *cli) audit() *cobra.Command {
	t := &target{}
	var model string
	cmd := &cobra.Command{
		Use:   "audit ID",
		Short: "Compute a past prediction again and show what it came from",
		Long: "Reads the logs, folds the model up to the version that answered, and answers again. It shows the vector, the\n" +
			"version and the label. The exit code is 4 when the answer on record is another one.",
		Example: "  freshet audit 2013-07-01-B6703-JFK --model late",
		Args:    arguments(1, 1, "the id of a prediction"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if !cmd.Flags().Changed("timeout") {
				t.timeout = 10 * time.Minute
			}
			return c.runAudit(cmd, t, &freshetv1.AuditRequest{Id: args[0], Model: model})
		},
	}
	t.flags(cmd)
	cmd.Flags().StringVar(&model, "model", "", "the model (default: the one that has a prediction of that id)")
	return cmd
}

func (c *cli) runAudit(cmd *cobra.Command, t *target, req *freshetv1.AuditRequest) error {
	cl, err := c.dial(cmd, t)
	if err != nil {
		return err
	}
	defer cl.Close()
	r, err := cl.Audit(cmd.Context(), req)
	if err != nil {
		return err
	}
	if c.json() {
		err = c.writeProto(r)
	} else {
		err = c.writeAudit(r)
	}
	if err != nil {
		return err
	}
	for _, record := range []*freshetv1.AuditRecord{r.GetLogged(), r.GetServed()} {
		if record != nil && !record.GetEqual() {
			return &codeError{exitBelow, fmt.Errorf("prediction %s: the answer on record is not the one computed again; was it given by another build?", r.GetId())}
		}
	}
	return nil
}

func (c *cli) writeAudit(r *freshetv1.AuditResponse) error {
	t := c.table()
	t.row("prediction", r.GetId())
	t.row("model", fmt.Sprintf("%s, %s", r.GetModel(), r.GetTask()))
	t.row("example", fmt.Sprintf("%s, item %d of the events log", version(r.GetExample()), r.GetEvent()))
	t.row("version", version(r.GetVersion()))
	t.row("event time", fmt.Sprintf("%s, newest event behind it %s", when(r.GetTime()), when(r.GetNewestEvent())))
	t.row("trained until", when(r.GetTrainedUntil()))
	t.row("answer", numbers(r.GetAnswer(), r.GetClasses()))
	t.row("on record", recordText(r.GetLogged(), r.GetClasses()))
	if s := r.GetServed(); s != nil {
		t.row("served", recordText(s, r.GetClasses()))
	}
	t.row("label", auditLabel(r))
	t.row("folded", fmt.Sprintf("%s entries from %d on, by %s", count(int64(r.GetFolded())), r.GetFoldedFrom(), r.GetBuild()))
	for _, col := range r.GetVector() {
		value := decimals(col.GetValue())
		if text := col.GetText(); text != "" {
			value = fmt.Sprintf("%s bytes: %s", value, beginning(text))
		}
		if col.GetMissing() {
			value = "missing"
		}
		t.row("  "+col.GetName(), value)
	}
	return t.flush()
}

// beginning shows the first words of a text, in one line.
func beginning(text string) string {
	const shown = 10 // slots
	if cut, is := features.CutText(text, shown); is {
		return strconv.Quote(cut) + "…"
	}
	return strconv.Quote(text)
}

func numbers(list []float64, classes []string) string {
	var out []string
	for i, x := range list {
		text := decimals(x)
		if i < len(classes) {
			text = classes[i] + " " + text
		}
		out = append(out, text)
	}
	return orNone(strings.Join(out, ", "))
}

func recordText(r *freshetv1.AuditRecord, classes []string) string {
	if r == nil {
		return "none"
	}
	text := numbers(r.GetAnswer(), classes) + " by " + version(r.GetVersion())
	if r.GetEqual() {
		return text + ": the same bits"
	}
	return text + ": NOT THE SAME, again " + numbers(r.GetAgain(), classes)
}

func auditLabel(r *freshetv1.AuditResponse) string {
	l := r.GetLabel()
	if l == nil {
		return "none has come"
	}
	text := decimals(l.GetValue())
	if l.GetClass() != "" {
		text = l.GetClass()
	}
	text += fmt.Sprintf(", %s later", lasting(l.GetDelay()))
	if l.GetAssumed() {
		text += ", assumed"
	}
	if l.GetCorrections() > 0 {
		text += ", after " + plural(int(l.GetCorrections()), "correction")
	}
	if r.GetNotLearned() {
		text += ", not learned: the example came too late"
	}
	return text
}
