package main

import (
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	freshetv1 "github.com/freshet-ml/freshet/proto/freshet/v1"
)

func (c *cli) feedback() *cobra.Command {
	t := &target{}
	cmd := &cobra.Command{
		Use:   "feedback MODEL ID VALUE",
		Short: "Tell a model what came true",
		Long: "Brings the truth about an earlier answer to a model that learns from feedback: a number, true or false for\n" +
			"binary, or a class. ID is the answer's prediction id.",
		Example: "  freshet feedback fraud 5f1c8e2a90b3d7c4-17 true\n  freshet feedback route 5f1c8e2a90b3d7c4-18 express",
		Args:    arguments(3, 3, "MODEL, ID and VALUE"),
		RunE:    func(cmd *cobra.Command, args []string) error { return c.runFeedback(cmd, t, args) },
	}
	t.flags(cmd)
	return cmd
}

func (c *cli) runFeedback(cmd *cobra.Command, t *target, args []string) error {
	cl, err := c.dial(cmd, t)
	if err != nil {
		return err
	}
	defer cl.Close()
	about, err := cl.GetModel(cmd.Context(), &freshetv1.GetModelRequest{Name: args[0]})
	if err != nil {
		return err
	}
	truth := &freshetv1.Truth{PredictionId: args[1]}
	switch x, err := parseTruth(args[2]); {
	case len(about.GetClasses()) > 0 && about.GetModel().GetTask() == "multiclass":
		truth.Truth = &freshetv1.Truth_Class{Class: args[2]}
	case err != nil:
		return err
	default:
		truth.Truth = &freshetv1.Truth_Value{Value: x}
	}
	answer, err := cl.Feedback(cmd.Context(), &freshetv1.FeedbackRequest{Model: args[0], Labels: []*freshetv1.Truth{truth}})
	if err != nil {
		return err
	}
	if c.json() {
		return c.writeProto(answer)
	}
	_, err = fmt.Fprintf(c.stdout, "logged: %s; it is learned when its place in the log comes\n", plural(int(answer.GetAccepted()), "label"))
	return err
}

func parseTruth(text string) (float64, error) {
	switch text {
	case "true", "yes":
		return 1, nil
	case "false", "no":
		return 0, nil
	}
	x, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return 0, usagef("VALUE %q is no number, and neither true nor false", text)
	}
	return x, nil
}
