//go:build !unix

package sentinel

import (
	"errors"
	"time"
)

// readCPU is the CPU time that this process has used.
func readCPU() (time.Duration, error) { return 0, errors.ErrUnsupported }
