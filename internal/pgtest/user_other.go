//go:build !unix

package pgtest

import (
	"os"
	"syscall"
)

func account() (*syscall.SysProcAttr, error) { return nil, nil }

func apart() *syscall.SysProcAttr { return nil }

func hand(...string) error { return nil }

func crash(p *os.Process) { _ = p.Kill() }
