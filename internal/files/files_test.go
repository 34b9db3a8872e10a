package files_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/weir-gateway/weir/internal/files"
)

func TestLock(t *testing.T) {
	name := filepath.Join(t.TempDir(), "lock")
	first, err := files.Lock(name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := files.Lock(name); !errors.Is(err, files.ErrTaken) {
		t.Errorf("a second time: %v", err)
	}
	first.Close()
	second, err := files.Lock(name)
	if err != nil {
		t.Fatal(err)
	}
	second.Close()
}

func TestReplace(t *testing.T) {
	name := filepath.Join(t.TempDir(), "folder", "file")
	for _, text := range []string{"old", "new"} {
		if err := files.Replace(name, []byte(text)); err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(name)
		info, statErr := os.Stat(name)
		if err := errors.Join(err, statErr); err != nil || string(data) != text || info.Mode().Perm() != 0o600 {
			t.Errorf("%q is there, %v", data, err)
		}
	}
	if list, err := os.ReadDir(filepath.Dir(name)); err != nil || len(list) != 1 {
		t.Errorf("%v is left, %v", list, err)
	}
}
