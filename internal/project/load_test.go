package project

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func environment(name string) (string, bool) {
	v, ok := map[string]string{"KAFKA_PASSWORD": "hunter2hunter2", "EMPTY": "", "FROM_FILE_FILE": "secret.txt"}[name]
	return v, ok
}

func TestGoodProjects(t *testing.T) {
	files, _ := filepath.Glob("testdata/good/*.yaml")
	if len(files) < 2 {
		t.Fatal("fixtures are missing")
	}
	for _, file := range files {
		if _, err := Load(file, environment); err != nil {
			t.Error(err)
		}
	}
}

// TestBadProjects compares the messages of every bad fixture with the text beside it.
func TestBadProjects(t *testing.T) {
	files, _ := filepath.Glob("testdata/bad/*.yaml")
	if len(files) < 10 {
		t.Fatal("fixtures are missing")
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".yaml"), func(t *testing.T) {
			_, err := Load(file, environment)
			if err == nil {
				t.Fatal("no error")
			}
			fresh(t, strings.TrimSuffix(file, ".yaml")+".txt", []byte(err.Error()+"\n"))
		})
	}
}

func TestMissingFile(t *testing.T) {
	_, err := Load("testdata/none.yaml", nil)
	if err == nil || !strings.Contains(err.Error(), "testdata/none.yaml") {
		t.Errorf("got %v", err)
	}
}

func TestHugeFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "freshet.yaml")
	if err := os.WriteFile(file, make([]byte, maxFile+1), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(file, nil); err == nil || !strings.Contains(err.Error(), "at most 1048576 are read") {
		t.Errorf("got %v", err)
	}
}

func TestDemoProject(t *testing.T) {
	p, err := Load("../../datasets/flights/freshet.yaml", nil)
	if err != nil {
		t.Fatal(err)
	}
	if p.Model("late") == nil || len(p.Model("late").Challengers) < 3 {
		t.Error("the demo lost its model or its challengers")
	}
}
