package main

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/spf13/cobra"

	"github.com/freshet-ml/freshet/internal/program"
	"github.com/freshet-ml/freshet/internal/project"
	"github.com/freshet-ml/freshet/models/catalog"
)

func (c *cli) validate() *cobra.Command {
	return &cobra.Command{
		Use:   "validate [FILE]",
		Short: "Check a project file and say everything that is wrong with it",
		Long: "Checks the file (default: freshet.yaml) and writes every problem with line, column and how to mend it.\n" +
			"The exit code is 3 when there is one.",
		Args: arguments(0, 1, "at most one file"),
		RunE: func(_ *cobra.Command, args []string) error { return c.runValidate(fileArg(args)) },
	}
}

func fileArg(args []string) string {
	if len(args) > 0 {
		return args[0]
	}
	return projectFile
}

// verdict is the JSON of validate.
type verdict struct {
	File       string            `json:"file"`
	Valid      bool              `json:"valid"`
	Project    string            `json:"project,omitempty"`
	Generation string            `json:"generation,omitempty"`
	Problems   []project.Problem `json:"problems"`
}

func (c *cli) runValidate(path string) error {
	p, err := c.compiled(path)
	var invalid *project.Errors
	switch {
	case errors.As(err, &invalid) && c.json():
		return errors.Join(c.writeJSON(verdict{File: path, Problems: invalid.Problems}), reported(exitProject))
	case err != nil:
		return err
	case c.json():
		return c.writeJSON(verdict{File: path, Valid: true, Project: p.Project.Name, Generation: p.Project.Generation(), Problems: []project.Problem{}})
	}
	_, err = fmt.Fprintf(c.stdout, "%s is valid: project %s with %s, %s, %s and %s\n", path, p.Project.Name, plural(len(p.Project.Sources), "source"),
		plural(len(p.Project.Tables), "table"), plural(len(p.Entities), "entity type"), plural(len(p.Project.Models), "model"))
	return err
}

// load reads and checks a project file.
func (c *cli) load(path string) (*project.Project, error) {
	p, err := project.Load(path, c.env)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("project file %s: there is none; freshet init writes one, --project names another", path)
	}
	return p, err
}

// compiled reads, checks and compiles a project file.
func (c *cli) compiled(path string) (*program.Program, error) {
	p, err := c.load(path)
	if err != nil {
		return nil, err
	}
	prog, err := program.Compile(p, catalog.All)
	if err != nil {
		return nil, &codeError{exitProject, fmt.Errorf("%s: %w", path, err)}
	}
	return prog, nil
}
