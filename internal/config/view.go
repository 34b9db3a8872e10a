package config

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// View returns c as a document under the names that a file uses, for showing
// it as YAML or JSON. It holds no secret: references stay, and whatever else
// stands in the place of one is masked, as is a password in the upstream's
// address.
func (c Config) View() (map[string]any, error) {
	raw, err := c.masked()
	view := map[string]any{}
	if err == nil {
		err = yaml.Unmarshal(raw, &view)
	}
	if err != nil {
		return nil, fmt.Errorf("show the configuration: %w", err)
	}
	return view, nil
}

// masked is c as a document without secrets.
func (c Config) masked() ([]byte, error) {
	c.Upstream = Redacted(c.Upstream)
	c.Keys = slices.Clone(c.Keys)
	for i, k := range c.Keys {
		c.Keys[i].Upstream = Redacted(k.Upstream)
	}
	if c.Cache != nil && c.Cache.Redis != nil {
		cache, redis := *c.Cache, *c.Cache.Redis
		redis.Address = Redacted(redis.Address)
		cache.Redis, c.Cache = &redis, &cache
	}
	return yaml.Marshal(c)
}

// Redacted returns an address without what may be a password, in front of its
// host or in its query.
func Redacted(address string) string {
	u, err := url.Parse(address)
	switch {
	case !strings.ContainsAny(address, "@?"):
		return address
	case err != nil || u.Host == "":
		return hidden
	case u.RawQuery != "":
		u.RawQuery = hidden
	}
	return u.Redacted()
}

// hidden stands in the place of what may be a secret.
const hidden = "[secret]"

// MarshalYAML writes the reference, or that something is there which may be
// the secret itself.
func (r Ref) MarshalYAML() (any, error) {
	if r != "" && r.check() != nil {
		return hidden, nil
	}
	return string(r), nil
}
