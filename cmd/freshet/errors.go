package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/freshet-ml/freshet/internal/project"
	"github.com/freshet-ml/freshet/internal/spelling"
	"github.com/freshet-ml/freshet/internal/stage"
	"github.com/freshet-ml/freshet/models"
)

// Exit codes.
const (
	exitOK      = 0
	exitFailure = 1
	exitUsage   = 2
	exitProject = 3
	exitBelow   = 4
	exitStopped = 130
)

// codeError is an error with the exit code that it means.
type codeError struct {
	code int
	err  error
}

func (e *codeError) Error() string { return e.err.Error() }
func (e *codeError) Unwrap() error { return e.err }

// usagef is an error in how the program was called.
func usagef(format string, args ...any) error {
	return &codeError{exitUsage, fmt.Errorf(format, args...)}
}

// reported is an error of which everything was said: only the exit code is left.
type reported int

func (reported) Error() string { return "reported" }

// report writes an error to stderr and returns its exit code.
func (c *cli) report(ctx context.Context, err error) int {
	var invalid *project.Errors
	var said reported
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &said):
		return int(said)
	case errors.Is(err, context.Canceled) && ctx.Err() != nil:
		c.note("freshet: stopped")
		return exitStopped
	case errors.As(err, &invalid):
		fmt.Fprintln(c.stderr, invalid.Error())
		fmt.Fprintf(c.stderr, "freshet: %s is invalid: %s\n", invalid.File, plural(len(invalid.Problems), "problem"))
		return exitProject
	}
	fmt.Fprintf(c.stderr, "freshet: %v\n", err)
	var missing *stage.MissingTopicsError
	if errors.As(err, &missing) {
		fmt.Fprintln(c.stderr, "\nMake these topics, or let somebody who may:")
		_ = stage.WriteTopics(c.stderr, missing.Topics)
	}
	return codeOf(err)
}

func codeOf(err error) int {
	var with *codeError
	var spec models.SpecErrors
	switch {
	case errors.As(err, &with):
		return with.code
	case errors.As(err, &spec):
		return exitUsage
	}
	return exitFailure
}

// arguments checks how many arguments a command got; what names them as in its usage line.
func arguments(least, most int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) < least:
			return usagef("%s needs %s; see %s --help", cmd.CommandPath(), what, cmd.CommandPath())
		case most >= 0 && len(args) > most:
			return usagef("%s takes %s, and %q is too much", cmd.CommandPath(), what, args[most])
		}
		return nil
	}
}

func didYouMean(word string, known []string) string {
	if near := spelling.Nearest(word, known); near != "" {
		return fmt.Sprintf("; did you mean %q?", near)
	}
	return "; there are " + strings.Join(known, ", ")
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
