package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/weir-gateway/weir/internal/config"
	"github.com/weir-gateway/weir/internal/tokens"
	"github.com/weir-gateway/weir/weir"
)

// tokensFile is where a data folder keeps the hashes of client tokens, in a
// folder of its own, so that watching it is quiet.
func tokensFile(data string) string { return filepath.Join(data, "clients", "tokens.json") }

// hasTokens reports whether the data folder has client tokens, or had some.
func hasTokens(c config.Config) bool {
	if c.Data == "" {
		return false
	}
	_, err := os.Stat(tokensFile(c.Data))
	return !errors.Is(err, fs.ErrNotExist) // what cannot be looked at opens no door
}

// resolveClients is who may use the gateway, or nil: anybody. It reads the
// secrets of all clients and reports every fault.
func resolveClients(c config.Config, e env) ([]weir.Client, error) {
	if !c.AsksForTokens() {
		return nil, nil
	}
	list := []weir.Client{}
	var errs []error
	for _, cl := range c.Clients {
		token, err := cl.Token.Resolve(e.getenv)
		if err != nil {
			errs = append(errs, fmt.Errorf("client %s: %w", cl.Name, err))
			continue
		}
		list = append(list, weir.Client{Name: cl.Name, Token: token, Tenant: cl.Tenant, Models: cl.Models})
	}
	if c.LocalTokens {
		kept, err := tokens.Read(tokensFile(c.Data))
		errs = append(errs, err)
		for _, t := range kept {
			list = append(list, weir.Client{Name: t.Name, Hash: t.Hash, Tenant: t.Tenant, Models: t.Models})
		}
	}
	return list, errors.Join(errs...)
}
