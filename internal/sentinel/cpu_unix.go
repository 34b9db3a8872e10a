//go:build unix

package sentinel

import (
	"syscall"
	"time"
)

// readCPU is the CPU time that this process has used.
func readCPU() (time.Duration, error) {
	var u syscall.Rusage
	err := syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()), err
}
