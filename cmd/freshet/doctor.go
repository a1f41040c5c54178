package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/freshet-ml/freshet/internal/cli/doctor"
)

func (c *cli) doctor() *cobra.Command {
	var path string
	var brokers []string
	var strict bool
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Check what a project needs: brokers, topics, store, checkpoints, ports, clocks",
		Long: "Checks the surroundings of a project and changes nothing: one line for each check, ok, warn or fail, with how\n" +
			"to mend it. The exit code is 1 when a check fails, with --strict also when one warns.",
		Args: arguments(0, 0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error { return c.runDoctor(cmd.Context(), path, brokers, strict) },
	}
	projectFlag(cmd, &path)
	cmd.Flags().StringSliceVar(&brokers, "brokers", nil, "host:port of brokers (default: those of the project file)")
	cmd.Flags().BoolVar(&strict, "strict", false, "warnings fail too")
	return cmd
}

func (c *cli) runDoctor(ctx context.Context, path string, brokers []string, strict bool) error {
	prog, err := c.compiled(path)
	if err != nil {
		return err
	}
	checks := doctor.Run(ctx, doctor.Options{Program: prog, Brokers: brokers, Timeout: 5 * time.Second})
	worst := doctor.OK
	for _, k := range checks {
		worst = max(worst, k.Level)
	}
	if c.json() {
		err = c.writeJSON(map[string]any{"worst": worst, "checks": checks})
	} else {
		err = c.writeChecks(checks)
	}
	if err == nil && (worst == doctor.Fail || strict && worst == doctor.Warn) {
		return reported(exitFailure)
	}
	return err
}

func (c *cli) writeChecks(checks []doctor.Check) error {
	for _, k := range checks {
		mark := fmt.Sprintf("%-4s", k.Level)
		if c.colors(c.stdout) {
			mark = map[doctor.Level]string{doctor.OK: "\x1b[32m", doctor.Warn: "\x1b[33m", doctor.Fail: "\x1b[31m"}[k.Level] + mark + "\x1b[0m"
		}
		if _, err := fmt.Fprintf(c.stdout, "%s  %s: %s\n", mark, k.Name, k.Found); err != nil {
			return err
		}
		if k.Mend != "" {
			fmt.Fprintf(c.stdout, "      mend: %s\n", k.Mend)
		}
	}
	return nil
}
