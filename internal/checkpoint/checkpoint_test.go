package checkpoint_test

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/freshet-ml/freshet/internal/checkpoint"
)

func open(t *testing.T, keep int) (*checkpoint.Store, string, *bytes.Buffer) {
	t.Helper()
	dir, logged := t.TempDir(), &bytes.Buffer{}
	s, err := checkpoint.Open(t.Context(), checkpoint.Options{URL: "file://" + filepath.Join(dir, "made", "for", "us"), Keep: keep, Logger: slog.New(slog.NewTextHandler(logged, nil))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s, filepath.Join(dir, "made", "for", "us"), logged
}

func save(t *testing.T, s *checkpoint.Store, seq uint64, state string) {
	t.Helper()
	if err := s.Save(t.Context(), "p/late", seq, []byte(state)); err != nil {
		t.Fatal(err)
	}
}

func restore(t *testing.T, s *checkpoint.Store) (seq uint64, state string, ok bool) {
	t.Helper()
	ok, err := s.Restore(t.Context(), "p/late", func(at uint64, b []byte) error {
		seq, state = at, string(b)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return seq, state, ok
}

func TestNewestIsRestoredAndOldOnesGo(t *testing.T) {
	s, dir, _ := open(t, 2)
	if _, _, ok := restore(t, s); ok {
		t.Fatal("an empty store had a checkpoint")
	}
	for seq := uint64(8); seq <= 11; seq++ {
		save(t, s, seq, strings.Repeat("x", int(seq)))
	}
	if seq, state, ok := restore(t, s); !ok || seq != 11 || len(state) != 11 {
		t.Errorf("restored %d (%d bytes), %v", seq, len(state), ok)
	}
	files, _ := filepath.Glob(filepath.Join(dir, "p", "late", "*"))
	if len(files) != 2 {
		t.Errorf("files: %v, want the newest two", files)
	}
}

// What another log has left at later places does not push out what is saved now.
func TestLaterOnesOfAnotherLogStay(t *testing.T) {
	s, _, _ := open(t, 1)
	save(t, s, 90, "other")
	for seq := uint64(1); seq <= 3; seq++ {
		save(t, s, seq, "own")
	}
	if seq, state, ok := restore(t, s); !ok || seq != 90 || state != "other" {
		t.Errorf("restored %d (%s), %v", seq, state, ok)
	}
	ok, err := s.RestoreAt(t.Context(), "p/late", 89, func(seq uint64, state []byte) error {
		if seq != 3 || string(state) != "own" {
			t.Errorf("restored %d (%s)", seq, state)
		}
		return nil
	})
	if err != nil || !ok {
		t.Errorf("restored at 89: %v, %v", ok, err)
	}
}

func TestDamagedOnesArePassedOverWithAWarning(t *testing.T) {
	damage := map[string]func([]byte) []byte{
		"bit":                func(b []byte) []byte { b[len(b)-1] ^= 1; return b },
		"torn":               func(b []byte) []byte { return b[:len(b)-3] },
		"empty":              func(b []byte) []byte { return nil },
		"newer":              func(b []byte) []byte { b[7] = 99; return b },
		"of another machine": func(b []byte) []byte { return checkpoint.Pack(2, "vax", []byte("newer")) },
		"other": func(b []byte) []byte {
			return []byte("something else entirely, and long enough to hold a head of its own")
		},
	}
	for name, f := range damage {
		t.Run(name, func(t *testing.T) {
			s, dir, logged := open(t, 3)
			save(t, s, 1, "good")
			save(t, s, 2, "newer")
			files, _ := filepath.Glob(filepath.Join(dir, "p", "late", "*2.ckpt"))
			b, err := os.ReadFile(files[0])
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(files[0], f(b), 0o600); err != nil {
				t.Fatal(err)
			}
			if seq, state, ok := restore(t, s); !ok || seq != 1 || state != "good" {
				t.Errorf("restored %d %q, %v", seq, state, ok)
			}
			if !strings.Contains(logged.String(), "checkpoint passed over") {
				t.Error("no warning was logged")
			}
		})
	}
}

func TestOneThatTheOwnerRefusesIsPassedOver(t *testing.T) {
	s, _, _ := open(t, 3)
	save(t, s, 1, "old format")
	save(t, s, 2, "new format")
	var got string
	ok, err := s.Restore(t.Context(), "p/late", func(seq uint64, b []byte) error {
		if got = string(b); seq == 2 {
			return errors.New("fold version is 2, not 1")
		}
		return nil
	})
	if err != nil || !ok || got != "old format" {
		t.Errorf("restored %q, %v, %v", got, ok, err)
	}
}

func TestFolderThatCannotBeWritten(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := checkpoint.Open(t.Context(), checkpoint.Options{URL: "file://" + file + "/sub"})
	if err == nil || !strings.Contains(err.Error(), "checkpoints url") {
		t.Errorf("got %v", err)
	}
}

func TestNewest(t *testing.T) {
	s, _, _ := open(t, 3)
	if _, ok, err := s.Newest(t.Context(), "p/late"); ok || err != nil {
		t.Errorf("an empty store has a newest checkpoint, or %v", err)
	}
	save(t, s, 9, "a")
	save(t, s, 12, "b")
	if seq, ok, err := s.Newest(t.Context(), "p/late"); seq != 12 || !ok || err != nil {
		t.Errorf("newest %d, %v, %v", seq, ok, err)
	}
}

func TestURLsThatAreRefused(t *testing.T) {
	for _, c := range []struct {
		o    checkpoint.Options
		want string
	}{
		{checkpoint.Options{URL: "s3://"}, "no bucket"},
		{checkpoint.Options{URL: "s3://key:hunter2@bucket"}, "holds a user"},
		{checkpoint.Options{URL: "s3://bucket?secret=hunter2"}, "holds a user"},
		{checkpoint.Options{URL: "gs://bucket"}, "use file://"},
		{checkpoint.Options{URL: "s3://bucket", S3: checkpoint.S3{SecretKey: "hunter2"}}, "belong together"},
	} {
		_, err := checkpoint.Open(t.Context(), c.o)
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", c.want, err)
		}
	}
}
