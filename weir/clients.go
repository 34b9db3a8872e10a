package weir

import (
	"cmp"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/classify"
)

// Client is a holder of a token of the gateway's own. Of Token and Hash one is
// given.
type Client struct {
	Name   string // for people and budgets; unique
	Token  string
	Hash   string // hexadecimal SHA-256 of the token, where the token itself is not known
	Tenant string // whose share it draws on; "": its name

	Models []string // patterns of the models that it may use, * stands for anything; nil: any
}

// WithClients lets only the holders of such tokens in (pool mode); with an
// empty list, nobody. Without this option everybody who reaches the gateway may
// use it.
func WithClients(list ...Client) Option {
	return func(s *settings) (err error) {
		s.classify.Access.Clients, err = clientsOf(list)
		return err
	}
}

// SetClients replaces the clients, and the models that the calls of tenants may
// use ([WithTenantModels]), while the gateway runs, from the next call on. Calls
// under way go on. If one of them is faulty, nothing changes.
func (g *Gateway) SetClients(list []Client, models map[string][]string) error {
	clients, err := clientsOf(list)
	if err = errors.Join(err, checkModels(models)); err == nil {
		g.classify.SetAccess(classify.Access{Clients: clients, Models: models})
	}
	return err
}

// OpenToAll lets everybody in who reaches the gateway, as without
// [WithClients]; models is that of [WithTenantModels].
func (g *Gateway) OpenToAll(models map[string][]string) error {
	err := checkModels(models)
	if err == nil {
		g.classify.SetAccess(classify.Access{Models: models})
	}
	return err
}

// WithTenantModels says which models (patterns, * stands for anything) the calls
// of a tenant may use. A tenant that is not named may use any; a client may
// use what itself, its token's tenant and the tenant that it names may. Neither
// a fallback nor the ladder gives a call another model than these.
func WithTenantModels(models map[string][]string) Option {
	return func(s *settings) error {
		s.classify.Access.Models = models
		return checkModels(models)
	}
}

// checkModels reports the patterns that are none.
func checkModels(models map[string][]string) error {
	var errs []error
	for name, patterns := range models {
		for _, p := range patterns {
			if !call.IsPattern(p) {
				errs = append(errs, fmt.Errorf("models of %q: %q is no pattern", name, p))
			}
		}
	}
	return errors.Join(errs...)
}

// clientsOf reports the faults of all clients at once.
func clientsOf(list []Client) (classify.Clients, error) {
	clients, names := classify.Clients{}, map[string]bool{}
	var errs []error
	for _, c := range list {
		hash := classify.HashToken(c.Token)
		if c.Token == "" {
			sum, err := hex.DecodeString(c.Hash)
			if err != nil || len(sum) != len(hash) {
				errs = append(errs, fmt.Errorf("client %q: it has no token, and no SHA-256 of one", c.Name))
				continue
			}
			copy(hash[:], sum)
		}
		_, known := clients[hash]
		switch {
		case c.Name == "":
			errs = append(errs, errors.New("a client has no name"))
		case names[c.Name]:
			errs = append(errs, fmt.Errorf("client %q: there are two of that name", c.Name))
		case known:
			errs = append(errs, fmt.Errorf("client %q: another one has the same token", c.Name))
		}
		errs = append(errs, checkModels(map[string][]string{c.Name: c.Models}))
		names[c.Name] = true
		clients[hash] = classify.Client{Name: c.Name, Tenant: cmp.Or(c.Tenant, c.Name), Models: c.Models}
	}
	return clients, errors.Join(errs...)
}
