package chaos

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// disk is a small file system of its own, where this user may mount one, so that it can be filled.
type disk struct {
	dir   string
	small bool // it can be filled
}

// newDisk mounts so many MB; where it may not, it is an ordinary folder.
func newDisk(t testing.TB, megabytes int) *disk {
	t.Helper()
	d := &disk{dir: t.TempDir()}
	if err := syscall.Mount("none", d.dir, "tmpfs", 0, fmt.Sprintf("size=%dm", megabytes)); err != nil {
		return d
	}
	d.small = true
	t.Cleanup(func() {
		if err := syscall.Unmount(d.dir, syscall.MNT_DETACH); err != nil {
			t.Logf("unmount %s: %v", d.dir, err)
		}
	})
	return d
}

// fill leaves no room on the disk.
func (d *disk) fill() error {
	f, err := os.Create(filepath.Join(d.dir, "ballast"))
	if err != nil {
		return err
	}
	defer f.Close()
	size := int64(0)
	for step := int64(1 << 30); step >= 4096; step /= 2 { // others write meanwhile
		for {
			if err := syscall.Fallocate(int(f.Fd()), 0, size, step); err == syscall.ENOSPC {
				break
			} else if err != nil {
				return fmt.Errorf("fill %s: %w", d.dir, err)
			}
			size += step
		}
	}
	return nil
}

// free gives the room back.
func (d *disk) free() error { return os.Remove(filepath.Join(d.dir, "ballast")) }
