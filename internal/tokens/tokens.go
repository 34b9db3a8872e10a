// Package tokens keeps a file of the gateway's own client tokens: who may use
// it, and on whose share. Only hashes of the tokens are in it, so that a reader
// of the file can use none of them.
package tokens

import (
	"cmp"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/weir-gateway/weir/internal/files"
)

// Token is one holder. Its hash is the hexadecimal SHA-256 of the token: a
// token has 130 random bits, so that there is nothing to guess.
type Token struct {
	Name    string    `json:"name"` // unique
	Tenant  string    `json:"tenant"`
	Hash    string    `json:"sha256"`
	Created time.Time `json:"created"`
	Models  []string  `json:"models,omitempty"` // patterns of the models that it is for; nil: any
}

// Faults of a command's user.
var (
	ErrTaken   = errors.New("the name is taken")
	ErrUnknown = errors.New("there is no such token")
)

// prefix tells people and secret scanners what a token is.
const prefix = "weir-token-"

// Read returns the tokens of a file, by name. A file that is not there is an
// [fs.ErrNotExist]: then the gateway asks for no tokens. An empty list lets
// nobody in.
func Read(file string) ([]Token, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	list := []Token{}
	if err := json.Unmarshal(data, &list); err != nil {
		return nil, fmt.Errorf("read %s: %w", file, err)
	}
	for _, t := range list {
		if sum, err := hex.DecodeString(t.Hash); t.Name == "" || err != nil || len(sum) != sha256.Size {
			return nil, fmt.Errorf("read %s: token %q lacks its name or its hash", file, t.Name)
		}
	}
	return list, nil
}

// Add makes a token, enters its hash in the file and returns the token, which
// nothing can tell again. The tenant is the name, if t has none.
func Add(file string, t Token) (token string, err error) {
	list, err := Read(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	if slices.ContainsFunc(list, func(old Token) bool { return old.Name == t.Name }) {
		return "", fmt.Errorf("add %q: %w", t.Name, ErrTaken)
	}
	token = prefix + rand.Text()
	sum := sha256.Sum256([]byte(token))
	t.Tenant, t.Hash, t.Created = cmp.Or(t.Tenant, t.Name), hex.EncodeToString(sum[:]), t.Created.UTC().Truncate(time.Second)
	return token, write(file, append(list, t))
}

// Revoke takes a token out of the file.
func Revoke(file, name string) error {
	list, err := Read(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	rest := slices.DeleteFunc(slices.Clone(list), func(t Token) bool { return t.Name == name })
	if len(rest) == len(list) {
		return fmt.Errorf("revoke %q: %w", name, ErrUnknown)
	}
	return write(file, rest)
}

// write replaces the file as a whole: a gateway may be reading it.
func write(file string, list []Token) error {
	slices.SortFunc(list, func(a, b Token) int { return strings.Compare(a.Name, b.Name) })
	data, err := json.MarshalIndent(list, "", "  ")
	if err != nil {
		return err
	}
	return files.Replace(file, append(data, '\n'))
}
