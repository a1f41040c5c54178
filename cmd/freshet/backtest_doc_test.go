package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// fenced returns the contents of the blocks of that language in a Markdown page.
func fenced(page, language string) []string {
	var out []string
	for _, part := range strings.Split(page, "\n```"+language+"\n")[1:] {
		block, _, _ := strings.Cut(part, "\n```")
		out = append(out, block)
	}
	return out
}

// TestBacktestHowTo runs the page as it stands: its project, its data, and every command that needs no broker.
func TestBacktestHowTo(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "how-to", "backtest.md"))
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	if err := os.WriteFile(projectFile, []byte(fenced(string(page), "yaml")[0]), 0o600); err != nil {
		t.Fatal(err)
	}
	commands := 0
	for _, block := range fenced(string(page), "sh") {
		shell, rest, found := strings.Cut("\n"+block, "\nfreshet ")
		if out, err := exec.Command("sh", "-c", shell).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v: %s", shell, err, out)
		}
		if !found {
			continue
		}
		commands++
		args, file, redirected := strings.Cut(strings.ReplaceAll(rest, "\\\n", " "), ">")
		var stdout, stderr bytes.Buffer
		if code := run(t.Context(), append([]string{"freshet"}, strings.Fields(args)...), noEnv, &stdout, &stderr); code != exitOK {
			t.Errorf("freshet %s: exit code %d: %s", args, code, stderr.String())
		}
		if redirected {
			if err := os.WriteFile(strings.TrimSpace(file), stdout.Bytes(), 0o600); err != nil {
				t.Error(err)
			}
		} else if !strings.Contains(stdout.String(), "late.static") {
			t.Errorf("freshet %s: no table in %s", args, stdout.String())
		}
	}
	if commands < 4 {
		t.Errorf("%d commands were run", commands)
	}
	for _, name := range []string{"answers.csv", "report.json", "report.html", "slow.yaml"} {
		if info, err := os.Stat(name); err != nil || info.Size() == 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
}
