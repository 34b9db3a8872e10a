//go:build !unix

package ledger

import "os"

// lock opens the file alone: here nothing keeps a second process out.
func lock(name string) (*os.File, error) {
	return os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o600)
}
