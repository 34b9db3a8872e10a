package cache

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/weir-gateway/weir/call"
)

// key names an answer: an HMAC of everything that the answer depends on, and of
// who may have it. Without the secret nobody can tell which request it is of.
type key [sha256.Size]byte

// owner names, in the same way, the tenant whose answer it is.
type owner [sha256.Size]byte

// headers that change what the upstream answers.
var keyedHeaders = [...]string{"Anthropic-Version", "Anthropic-Beta"}

// keyOf is the key of c's answer. A tenant's name alone would not do: callers
// may choose it, so that what they have proven about themselves is in the key
// as well. It fails for bodies that have no canonical form.
func (r *Room) keyOf(c *call.Call) (key, error) {
	body, err := canonical(c.Body)
	if err != nil {
		return key{}, err
	}
	h := hmac.New(sha256.New, r.secret)
	part := func(s string) {
		var size [8]byte
		binary.BigEndian.PutUint64(size[:], uint64(len(s)))
		h.Write(size[:])
		h.Write([]byte(s))
	}
	part("answer")
	if r.cfg.Share {
		part("everybody")
	} else {
		part("tenant")
		part(c.Tenant)
		part(c.Owner)
	}
	part(c.Path)
	for _, name := range keyedHeaders {
		part(strings.Join(c.Header[name], ","))
	}
	h.Write(body)
	return key(h.Sum(nil)), nil
}

// ownerOf is what a tenant is called in stores that others might read.
func (r *Room) ownerOf(tenant string) owner {
	h := hmac.New(sha256.New, r.secret)
	h.Write([]byte("tenant\x00" + tenant))
	return owner(h.Sum(nil))
}

// secretSize is the length of a secret in bytes.
const secretSize = 32

// keyFile is where the secret is in the data folder.
const keyFile = "cache.key"

// newSecret is the secret of the keys: what the operator gives, else what the
// folder holds, else one that is forgotten with the process.
func newSecret(cfg Config, log *slog.Logger) ([]byte, error) {
	switch {
	case !cfg.Secret.Empty():
		return hkdf.Key(sha256.New, []byte(cfg.Secret.Reveal()), nil, "weir cache of answers", secretSize)
	case cfg.Folder != "":
		return folderSecret(cfg.Folder, log)
	}
	secret := make([]byte, secretSize)
	_, err := rand.Read(secret)
	return secret, err
}

// folderSecret reads a folder's secret, or makes it. One that cannot be read as
// such is replaced: what was kept under it is lost, which is no harm.
func folderSecret(dir string, log *slog.Logger) ([]byte, error) {
	name := filepath.Join(dir, keyFile)
	text, err := os.ReadFile(name)
	if err == nil {
		secret, err := hex.DecodeString(strings.TrimSpace(string(text)))
		if err == nil && len(secret) == secretSize {
			return secret, nil
		}
		log.Warn("the key of the cache is damaged: a new one is made, and the cache begins anew", "file", name)
		if err := os.Remove(name); err != nil {
			return nil, fmt.Errorf("replace the key of the cache: %w", err)
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read the key of the cache: %w", err)
	}
	return makeSecret(dir, name)
}

// makeSecret writes a new secret whole or not at all: two processes that begin
// at once agree on one.
func makeSecret(dir, name string) ([]byte, error) {
	secret := make([]byte, secretSize)
	if _, err := rand.Read(secret); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the data folder: %w", err)
	}
	temp, err := os.CreateTemp(dir, keyFile+".*") // its mode is 0600
	if err != nil {
		return nil, fmt.Errorf("write the key of the cache: %w", err)
	}
	defer os.Remove(temp.Name())
	_, err = temp.WriteString(hex.EncodeToString(secret) + "\n")
	if err := errors.Join(err, temp.Sync(), temp.Close()); err != nil {
		return nil, fmt.Errorf("write the key of the cache: %w", err)
	}
	err = os.Link(temp.Name(), name)
	if errors.Is(err, fs.ErrExist) {
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("read the key of the cache: %w", err)
		}
		return hex.DecodeString(strings.TrimSpace(string(text)))
	}
	if err != nil { // not every file system has links
		err = os.Rename(temp.Name(), name)
	}
	return secret, err
}
