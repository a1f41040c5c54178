package main

import (
	"slices"

	"github.com/spf13/cobra"

	"github.com/freshet-ml/freshet/internal/app"
	"github.com/freshet-ml/freshet/internal/cli/connect"
	"github.com/freshet-ml/freshet/internal/program"
)

// control makes a command that writes a control record: it takes its place in the order of events, so a replay
// obeys it at the same place.
func (c *cli) control(verb, short string) *cobra.Command {
	var file string
	var brokers []string
	cmd := &cobra.Command{
		Use:   verb + " MODEL",
		Short: short,
		Long: "Writes a control record to the project's control topic. It takes effect at its place in the order of events, in every\n" +
			"replay too. MODEL may be a champion, a challenger or a baseline; all stands for every model.",
		Example: "  freshet " + verb + " late --brokers 127.0.0.1:9092",
		Args:    arguments(1, 1, "one model"),
		RunE: func(cmd *cobra.Command, args []string) error {
			prog, err := c.compiled(file)
			if err != nil {
				return err
			}
			model, err := controlled(prog, args[0])
			if err != nil {
				return err
			}
			t, err := connect.Transport(&prog.Project.Kafka, brokers)
			if err != nil {
				return err
			}
			if err := app.WriteControl(cmd.Context(), t, prog.Project.Name, verb, model); err != nil {
				return err
			}
			c.note("%s of %s is written; it takes effect at its place in the order", verb, args[0])
			return nil
		},
	}
	projectFlag(cmd, &file)
	cmd.Flags().StringSliceVar(&brokers, "brokers", nil, "host:port of brokers (default: those of the project file)")
	return cmd
}

// controlled returns the name in the record of the model that is meant: empty for all.
func controlled(prog *program.Program, name string) (string, error) {
	if name == "all" {
		return "", nil
	}
	var known []string
	for _, t := range prog.Triggers {
		for _, m := range t.Members {
			known = append(known, m.Name)
		}
	}
	if !slices.Contains(known, name) {
		return "", usagef("the project has no model %q%s", name, didYouMean(name, known))
	}
	return name, nil
}
