package config

import (
	"fmt"
	"net/url"
	"slices"

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
	if u, err := url.Parse(c.Upstream); err == nil {
		c.Upstream = u.Redacted()
	}
	c.Keys = slices.Clone(c.Keys)
	for i, k := range c.Keys {
		if u, err := url.Parse(k.Upstream); err == nil {
			c.Keys[i].Upstream = u.Redacted()
		}
	}
	return yaml.Marshal(c)
}

// MarshalYAML writes the reference, or that something is there which may be
// the secret itself.
func (r Ref) MarshalYAML() (any, error) {
	if r != "" && r.check() != nil {
		return "[secret]", nil
	}
	return string(r), nil
}
