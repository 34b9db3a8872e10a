//go:build unix

package files

import (
	"errors"
	"os"
	"syscall"
)

// Lock opens a file for reading and writing and makes it belong to this process
// until it is closed, or the process ends in whatever way. It fails with
// [ErrTaken] where another process has it.
func Lock(name string) (*os.File, error) {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			err = ErrTaken
		}
		return nil, err
	}
	return f, nil
}
