package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// cli is one call of the program: where it reads and writes, and the global flags.
type cli struct {
	env    func(string) (string, bool)
	stdout io.Writer
	stderr io.Writer
	args   []string // the program's name and its arguments
	output string   // table or json
	quiet  bool
}

// run runs the command that args name and returns the exit code.
func run(ctx context.Context, args []string, env func(string) (string, bool), stdout, stderr io.Writer) int {
	c := &cli{env: env, stdout: stdout, stderr: stderr, args: args}
	root := c.root()
	root.SetArgs(args[1:])
	err := root.ExecuteContext(ctx)
	return c.report(ctx, err)
}

// commands are all commands, in the order in which help lists them.
func (c *cli) commands() []*cobra.Command {
	return slices.Concat(c.projectCommands(), c.runCommands(), c.fileCommands(), c.clientCommands(), []*cobra.Command{c.version()})
}

// The groups under which help lists commands.
const (
	groupProject = "project"
	groupRun     = "run"
	groupFiles   = "files"
	groupClient  = "client"
)

func (c *cli) projectCommands() []*cobra.Command {
	return grouped(groupProject, c.initialize(), c.validate(), c.plan(), c.doctor(), c.schema())
}

func (c *cli) fileCommands() []*cobra.Command {
	return grouped(groupFiles, c.produce(), c.evaluate(), c.backtest())
}

func (c *cli) clientCommands() []*cobra.Command {
	return grouped(groupClient, c.predict(), c.forecast(), c.lookup(), c.feedback(), c.models(), c.status(), c.drift(), c.audit(), c.bench())
}

func grouped(group string, list ...*cobra.Command) []*cobra.Command {
	for _, cmd := range list {
		cmd.GroupID = group
	}
	return list
}

func (c *cli) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "freshet",
		Short: "Online features, training and serving",
		Long: "Freshet turns Kafka topics into streaming features, trains models on every event, and answers\n" +
			"predictions from the newest weights. One binary, one project file, one code path.",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			return usagef("unknown command %q%s", args[0], didYouMean(args[0], names(cmd.Commands())))
		},
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		SilenceErrors: true, SilenceUsage: true,
		PersistentPreRunE: func(*cobra.Command, []string) error { return c.check() },
	}
	root.SetOut(c.stdout)
	root.SetErr(c.stderr)
	root.SetFlagErrorFunc(flagError)
	root.PersistentFlags().StringVarP(&c.output, "output", "o", "table", "how results are written to stdout: table or json")
	root.PersistentFlags().BoolVarP(&c.quiet, "quiet", "q", false, "no progress and no notes on stderr")
	root.AddGroup(&cobra.Group{ID: groupProject, Title: "A project:"}, &cobra.Group{ID: groupRun, Title: "Run it:"},
		&cobra.Group{ID: groupFiles, Title: "From files:"}, &cobra.Group{ID: groupClient, Title: "Ask a running service:"})
	root.AddCommand(c.commands()...)
	return root
}

func (c *cli) check() error {
	if c.output != "table" && c.output != "json" {
		return usagef("--output %q is neither table nor json%s", c.output, didYouMean(c.output, []string{"table", "json"}))
	}
	return nil
}

func names(list []*cobra.Command) []string {
	var out []string
	for _, cmd := range list {
		if !cmd.Hidden {
			out = append(out, cmd.Name())
		}
	}
	return out
}

// json reports whether results are asked for as JSON.
func (c *cli) json() bool { return c.output == "json" }

// note writes a line for people to stderr.
func (c *cli) note(format string, args ...any) {
	if !c.quiet {
		fmt.Fprintf(c.stderr, format+"\n", args...)
	}
}

// logger returns the logger of stages: text on stderr, warnings and worse when quiet.
func (c *cli) logger() *slog.Logger {
	level := slog.LevelInfo
	if c.quiet {
		level = slog.LevelWarn
	}
	return slog.New(slog.NewTextHandler(c.stderr, &slog.HandlerOptions{Level: level}))
}

// terminal reports whether w is a terminal that can redraw a line.
func (c *cli) terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return false
	}
	kind, _ := c.env("TERM")
	return kind != "dumb"
}

// colors reports whether w may be written to in colors.
func (c *cli) colors(w io.Writer) bool {
	no, set := c.env("NO_COLOR")
	return c.terminal(w) && !(set && no != "")
}
