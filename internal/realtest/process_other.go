//go:build !unix

package realtest

import (
	"errors"
	"os"
	"syscall"
)

const (
	terminate = syscall.SIGKILL
	pause     = syscall.Signal(0)
	resume    = syscall.Signal(0)
)

func ownGroup() *syscall.SysProcAttr { return nil }

func killGroup(p *os.Process) { _ = p.Kill() }

func signalGroup(*os.Process, syscall.Signal) error { return errors.ErrUnsupported }
