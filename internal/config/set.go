package config

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/weir-gateway/weir/internal/schema"
)

// set lays assignments such as queue.at_once=5 over c, whose values are YAML.
// name is where they come from.
func (c *Config) set(name string, assignments []string) error {
	doc := map[string]any{}
	for _, each := range assignments {
		if strings.TrimSpace(each) == "" {
			continue
		}
		path, text, found := strings.Cut(each, "=")
		var value any
		if err := yaml.Unmarshal([]byte(text), &value); err != nil || !found || !place(doc, strings.TrimSpace(path), value) {
			// The value is not quoted: it may be a secret, by mistake.
			return &schema.Error{File: name, Faults: []schema.Fault{{
				Path: strings.TrimSpace(path), Message: "no assignment", Hint: "write PATH=VALUE such as queue.at_once=5, the value as in a file",
			}}}
		}
	}
	if _, named := doc["profile"]; named {
		return &schema.Error{File: name, Faults: []schema.Fault{{
			Path: "profile", Message: "a profile lies below all other values, and is not one of them", Hint: "write --profile or WEIR_PROFILE, or name it in the file",
		}}}
	}
	if len(doc) == 0 {
		return nil
	}
	raw, err := yaml.Marshal(doc)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return schema.Decode(name, raw, c)
}

// place puts value under a path into doc. It reports false where something else
// is in the way.
func place(doc map[string]any, path string, value any) bool {
	name, below, deeper := strings.Cut(path, ".")
	if !deeper {
		doc[name] = value
		return name != ""
	}
	inner, ok := doc[name].(map[string]any)
	if !ok {
		if doc[name] != nil {
			return false
		}
		inner = map[string]any{}
		doc[name] = inner
	}
	return place(inner, below, value)
}
