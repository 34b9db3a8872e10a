package tokens_test

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/weir-gateway/weir/internal/tokens"
)

func TestTokens(t *testing.T) {
	file := filepath.Join(t.TempDir(), "data", "tokens.json")
	if _, err := tokens.Read(file); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	now := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	first, err := tokens.Add(file, tokens.Token{Name: "laptop", Created: now})
	if err != nil {
		t.Fatal(err)
	}
	second, err := tokens.Add(file, tokens.Token{Name: "ci", Tenant: "team", Models: []string{"claude-haiku-*"}, Created: now})
	if err != nil || first == second {
		t.Fatalf("%v, %q and %q", err, first, second)
	}
	if _, err := tokens.Add(file, tokens.Token{Name: "ci", Tenant: "other", Created: now}); !errors.Is(err, tokens.ErrTaken) {
		t.Errorf("the same name: %v", err)
	}
	hash := func(token string) string {
		sum := sha256.Sum256([]byte(token))
		return hex.EncodeToString(sum[:])
	}
	list, err := tokens.Read(file)
	want := []tokens.Token{
		{Name: "ci", Tenant: "team", Models: []string{"claude-haiku-*"}, Hash: hash(second), Created: now},
		{Name: "laptop", Tenant: "laptop", Hash: hash(first), Created: now},
	}
	if diff := cmp.Diff(want, list); diff != "" || err != nil {
		t.Errorf("%v\n%s", err, diff)
	}
	data, _ := os.ReadFile(file)
	if info, _ := os.Stat(file); strings.Contains(string(data), second) || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %s", info.Mode(), data)
	}
	for _, name := range []string{"ci", "laptop"} {
		if err := tokens.Revoke(file, name); err != nil {
			t.Error(err)
		}
	}
	if err := tokens.Revoke(file, "ci"); !errors.Is(err, tokens.ErrUnknown) {
		t.Errorf("twice: %v", err)
	}
	if list, err := tokens.Read(file); err != nil || list == nil || len(list) != 0 {
		t.Errorf("after the last: %v, %v", list, err)
	}
}

func TestDamagedFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "tokens.json")
	for _, content := range []string{"", "{", `[{"name":"x","sha256":"abc"}]`, `[{"name":"","sha256":""}]`} {
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := tokens.Read(file); err == nil {
			t.Errorf("%q was read", content)
		}
		if _, err := tokens.Add(file, tokens.Token{Name: "new"}); err == nil {
			t.Errorf("%q was overwritten", content)
		}
	}
}
