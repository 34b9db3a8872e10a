//go:build unix

package ledger

import (
	"errors"
	"os"
	"syscall"
)

// lock makes the folder belong to this process until the file is closed, or the
// process ends in whatever way.
func lock(name string) (*os.File, error) {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			err = errors.New("another Weir is using it: stop that one, or give this one a data folder of its own")
		}
		return nil, err
	}
	return f, nil
}
