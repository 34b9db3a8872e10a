// Package files does with files what the standard library leaves to its callers:
// it keeps one to a process, and replaces one as a whole.
package files

import (
	"errors"
	"os"
	"path/filepath"
)

// ErrTaken is a file that another process has.
var ErrTaken = errors.New("another process has it")

// Replace writes a file as a whole, so that a crash leaves the old or the new
// one. It makes the folder if need be; only the user may read the file.
func Replace(name string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return err
	}
	next := name + ".new"
	if err := os.WriteFile(next, data, 0o600); err != nil {
		return err
	}
	return os.Rename(next, name)
}
