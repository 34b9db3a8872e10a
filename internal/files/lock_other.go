//go:build !unix

package files

import "os"

// Lock opens a file for reading and writing: here nothing keeps a second
// process out.
func Lock(name string) (*os.File, error) {
	return os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o600)
}
