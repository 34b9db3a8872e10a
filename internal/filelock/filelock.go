// Package filelock keeps a file to one process.
package filelock

import "errors"

// ErrTaken is a file that another process has.
var ErrTaken = errors.New("another process has it")
