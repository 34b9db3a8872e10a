//go:build unix

package pgtest

import (
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// owner is the account that Debian's package makes for the server: PostgreSQL
// refuses to run as root.
const owner = "postgres"

// account says which user the server runs as: this one, or instead of root the
// package's own. An interrupt of the tests does not reach it.
func account() (*syscall.SysProcAttr, error) {
	attr := apart()
	if os.Geteuid() != 0 {
		return attr, nil
	}
	uid, gid, err := ids()
	if err == nil {
		attr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	}
	return attr, err
}

func ids() (uid, gid int, err error) {
	u, err := user.Lookup(owner)
	if err != nil {
		return 0, 0, fmt.Errorf("PostgreSQL does not run as root: %w", err)
	}
	if uid, err = strconv.Atoi(u.Uid); err == nil {
		gid, err = strconv.Atoi(u.Gid)
	}
	return uid, gid, err
}

func apart() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// hand gives files to the user whom the server runs as.
func hand(paths ...string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	uid, gid, err := ids()
	for _, path := range paths {
		if err == nil {
			err = os.Chown(path, uid, gid)
		}
	}
	return err
}

// crash kills the server's first process and its children at once. It is
// stopped first, so that it neither starts nor misses one meanwhile.
func crash(p *os.Process) {
	_ = p.Signal(syscall.SIGSTOP) // each of them may have ended by itself
	for _, child := range children(p.Pid) {
		_ = syscall.Kill(child, syscall.SIGKILL)
	}
	_ = p.Kill()
}

// children are the processes that a process started. Where the system does not
// tell, they notice by themselves that the first one is gone.
func children(pid int) (pids []int) {
	path := filepath.Join("/proc", strconv.Itoa(pid), "task", strconv.Itoa(pid), "children")
	list, _ := os.ReadFile(path) // nothing elsewhere than on Linux
	for field := range strings.FieldsSeq(string(list)) {
		if child, err := strconv.Atoi(field); err == nil {
			pids = append(pids, child)
		}
	}
	return pids
}
