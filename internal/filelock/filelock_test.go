package filelock_test

import (
	"errors"
	"path/filepath"
	"testing"

	"github.com/weir-gateway/weir/internal/filelock"
)

func TestOpen(t *testing.T) {
	name := filepath.Join(t.TempDir(), "lock")
	first, err := filelock.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := filelock.Open(name); !errors.Is(err, filelock.ErrTaken) {
		t.Errorf("a second time: %v", err)
	}
	first.Close()
	second, err := filelock.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	second.Close()
}
