package main

import (
	"github.com/spf13/cobra"

	"github.com/freshet-ml/freshet/internal/project"
)

func (c *cli) schema() *cobra.Command {
	return &cobra.Command{
		Use:     "schema",
		Short:   "Write the JSON Schema of freshet.yaml",
		Example: "  freshet schema > freshet.schema.json",
		Args:    arguments(0, 0, "no arguments"),
		RunE: func(*cobra.Command, []string) error {
			_, err := c.stdout.Write(project.Schema())
			return err
		},
	}
}
