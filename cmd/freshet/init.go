package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/freshet-ml/freshet/internal/project"
)

// projectFile is the name of the project file where none is given.
const projectFile = "freshet.yaml"

func (c *cli) initialize() *cobra.Command {
	var from string
	var force bool
	cmd := &cobra.Command{
		Use:   "init [DIR] [--from FILE]",
		Short: "Start a project: write a commented freshet.yaml",
		Long: "Writes freshet.yaml and its JSON Schema, for editors, into DIR. With --from it looks at a CSV, JSON lines\n" +
			"or Parquet file (plain, gz or zst) and proposes fields, event time, key, id and label.",
		Example: "  freshet init\n  freshet init payments --from payments.csv.gz",
		Args:    arguments(0, 1, "at most one folder"),
		RunE: func(_ *cobra.Command, args []string) error {
			dir := "."
			if len(args) > 0 {
				dir = args[0]
			}
			return c.runInit(dir, from, force)
		},
	}
	cmd.Flags().StringVar(&from, "from", "", "data file to propose a project from")
	cmd.Flags().BoolVar(&force, "force", false, "write over files that are there")
	return cmd
}

func (c *cli) runInit(dir, from string, force bool) error {
	var proposal *project.Proposal
	if from != "" {
		var err error
		if proposal, err = project.Propose(from); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("folder of the project: %w", err)
	}
	path := filepath.Join(dir, projectFile)
	if err := writeNew(path, project.Template(proposal), force); err != nil {
		return err
	}
	if err := writeNew(filepath.Join(dir, "freshet.schema.json"), project.Schema(), true); err != nil {
		return err
	}
	if c.json() {
		return c.writeJSON(map[string]string{"file": path})
	}
	if proposal != nil {
		c.note("looked at %s rows of %s: event time %s, key %s, id %s, label %s", count(int64(proposal.Rows)), from,
			proposal.Time, orNone(proposal.Key), orNone(proposal.ID), orNone(proposal.Label))
	}
	fmt.Fprintln(c.stdout, path)
	c.note("next: read it, then freshet validate %s and freshet plan %s", path, path)
	return nil
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

func writeNew(path string, data []byte, force bool) error {
	flags := os.O_WRONLY | os.O_CREATE | os.O_EXCL
	if force {
		flags = os.O_WRONLY | os.O_CREATE | os.O_TRUNC
	}
	f, err := os.OpenFile(path, flags, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s is there already; choose another folder, or --force to write over it", path)
	}
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Close())
}
