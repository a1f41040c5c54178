package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

//go:generate go test . -run ^TestReferenceIsFresh$ -update

const referencePage = "../../docs/reference/cli.md"

const referenceHead = `# Command line

Generated from the commands. Results go to stdout, progress and logs to stderr. Every command takes
` + "`--output table|json`, `--quiet` and `--help`" + `; ` + "`NO_COLOR`" + ` turns colors off. Interrupt once and a command drains, twice and
it quits.

| exit code | means |
|---|---|
| 0 | ok |
| 1 | failure |
| 2 | wrong usage |
| 3 | invalid project file |
| 4 | a comparison is below its threshold |
| 130 | interrupted |
`

// reference writes the page of all commands.
func reference(root *cobra.Command) []byte {
	var b bytes.Buffer
	b.WriteString(referenceHead)
	for _, g := range append(root.Groups(), &cobra.Group{Title: "More:"}) {
		var list []*cobra.Command
		for _, cmd := range root.Commands() {
			if cmd.GroupID == g.ID && !cmd.Hidden && cmd.Name() != "help" {
				list = append(list, cmd)
			}
		}
		if len(list) == 0 {
			continue
		}
		fmt.Fprintf(&b, "\n## %s\n", strings.TrimSuffix(g.Title, ":"))
		for _, cmd := range list {
			section(&b, cmd)
		}
	}
	return b.Bytes()
}

func section(b *bytes.Buffer, cmd *cobra.Command) {
	fmt.Fprintf(b, "\n### %s\n\n%s.\n\n```\n%s\n```\n", cmd.CommandPath(), cmd.Short, cmd.UseLine())
	if cmd.Name() == "completion" { // cobra's own
		b.WriteString("\nOne of bash, zsh, fish and powershell follows.\n")
		return
	}
	if cmd.Long != "" {
		fmt.Fprintf(b, "\n%s\n", cmd.Long)
	}
	if cmd.HasAvailableLocalFlags() {
		b.WriteString("\n| flag | default | meaning |\n|---|---|---|\n")
		cmd.LocalFlags().VisitAll(func(f *pflag.Flag) { flagRow(b, f) })
	}
	if cmd.Example != "" {
		fmt.Fprintf(b, "\n```sh\n%s\n```\n", strings.ReplaceAll(strings.TrimPrefix(cmd.Example, "  "), "\n  ", "\n"))
	}
}

func flagRow(b *bytes.Buffer, f *pflag.Flag) {
	if f.Hidden || f.Name == "help" || f.Name == "output" || f.Name == "quiet" {
		return
	}
	name := "--" + f.Name
	if f.Shorthand != "" {
		name = "-" + f.Shorthand + ", " + name
	}
	def := f.DefValue
	if def == "[]" || f.Value.Type() == "bool" && def == "false" {
		def = ""
	}
	if def != "" {
		def = "`" + def + "`"
	}
	fmt.Fprintf(b, "| `%s` | %s | %s |\n", name, def, strings.ReplaceAll(f.Usage, "|", `\|`))
}

func TestReferenceIsFresh(t *testing.T) {
	c := &cli{env: os.LookupEnv, stdout: io.Discard, stderr: io.Discard}
	root := c.root()
	root.InitDefaultCompletionCmd()
	want := reference(root)
	if *update {
		if err := os.WriteFile(referencePage, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(referencePage)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is stale; run go generate ./cmd/freshet", referencePage)
	}
}

// Every command and every flag says what it is for.
func TestCommandsAreDocumented(t *testing.T) {
	c := &cli{env: os.LookupEnv, stdout: io.Discard, stderr: io.Discard}
	for _, cmd := range c.commands() {
		if cmd.Short == "" || strings.HasSuffix(cmd.Short, ".") {
			t.Errorf("%s: Short is %q; one phrase without a full stop", cmd.Name(), cmd.Short)
		}
		cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
			if f.Usage == "" {
				t.Errorf("%s: flag --%s says nothing", cmd.Name(), f.Name)
			}
		})
	}
}
