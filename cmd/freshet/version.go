package main

import (
	"cmp"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// buildInfo says what this binary was built from.
type buildInfo struct {
	Version  string `json:"version"`
	Commit   string `json:"commit,omitempty"`
	Modified bool   `json:"modified"` // built from a tree with changes that are not in the commit
	Date     string `json:"date,omitempty"`
	Go       string `json:"go"`
	OS       string `json:"os"`
	Arch     string `json:"arch"`
}

// These are set by the linker where the build does not see the repository, as in an image:
// -ldflags "-X main.stampedVersion=v1.2.3 -X main.stampedCommit=... -X main.stampedDate=...".
var stampedVersion, stampedCommit, stampedDate string

// thisBuild returns what this binary was built from: what the linker was told, else what Go knows.
func thisBuild() buildInfo {
	b := knownBuild()
	b.Version, b.Commit, b.Date = cmp.Or(stampedVersion, b.Version), cmp.Or(stampedCommit, b.Commit), cmp.Or(stampedDate, b.Date)
	return b
}

func knownBuild() buildInfo {
	b := buildInfo{Version: "devel", Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		b.Version = v
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Commit = s.Value
		case "vcs.time":
			b.Date = s.Value
		case "vcs.modified":
			b.Modified = s.Value == "true"
		}
	}
	return b
}

// String names the build in one line.
func (b buildInfo) String() string {
	s := "freshet " + b.Version
	if b.Commit != "" {
		s += " " + b.Commit[:min(12, len(b.Commit))]
	}
	if b.Modified {
		s += " (modified)"
	}
	return fmt.Sprintf("%s %s %s/%s", s, b.Go, b.OS, b.Arch)
}

func (c *cli) version() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Say which build this is",
		Args:  arguments(0, 0, "no arguments"),
		RunE: func(*cobra.Command, []string) error {
			if c.json() {
				return c.writeJSON(thisBuild())
			}
			_, err := fmt.Fprintln(c.stdout, thisBuild())
			return err
		},
	}
}
