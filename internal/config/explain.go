package config

import (
	"bytes"
	"fmt"
	"reflect"

	"go.yaml.in/yaml/v3"
)

// Explained is a configuration with the origin of each value that is not the
// built-in default, by its path such as queue.max_wait. A list is one value.
type Explained struct {
	Config  Config
	Origins map[string]string
}

// Explain puts the sources over each other as [Sources.Load] does.
func (s Sources) Explain() (Explained, error) {
	e := Explained{Origins: map[string]string{}}
	var builtin, before map[string]any
	var err error
	e.Config, err = s.load(func(origin string, c Config) error {
		view, err := c.View()
		if err != nil {
			return err
		}
		now := map[string]any{}
		flatten("", view, now)
		if builtin == nil {
			builtin, before = now, now
		}
		for path, value := range now {
			if !reflect.DeepEqual(value, before[path]) {
				e.Origins[path] = origin
			}
			if reflect.DeepEqual(value, builtin[path]) {
				delete(e.Origins, path)
			}
		}
		for path := range e.Origins {
			if _, there := now[path]; !there {
				delete(e.Origins, path)
			}
		}
		before = now
		return nil
	})
	return e, err
}

// flatten puts what is in view under its path into flat.
func flatten(path string, view map[string]any, flat map[string]any) {
	for name, value := range view {
		at := under(path, name)
		if m, ok := value.(map[string]any); ok {
			flatten(at, m, flat)
			continue
		}
		flat[at] = value
	}
}

func under(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// YAML writes the configuration without secrets, the origins as comments
// behind the values.
func (e Explained) YAML() ([]byte, error) {
	raw, err := e.Config.masked()
	if err != nil {
		return nil, fmt.Errorf("show the configuration: %w", err)
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(raw, &doc); err != nil {
		return nil, fmt.Errorf("show the configuration: %w", err)
	}
	e.comment("", doc.Content[0])
	var out bytes.Buffer
	enc := yaml.NewEncoder(&out)
	enc.SetIndent(2)
	if err := enc.Encode(&doc); err != nil {
		return nil, fmt.Errorf("show the configuration: %w", err)
	}
	return out.Bytes(), nil
}

func (e Explained) comment(path string, n *yaml.Node) {
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		at := under(path, key.Value)
		origin := e.Origins[at]
		switch {
		case value.Kind == yaml.MappingNode:
			e.comment(at, value)
		case origin == "":
		case value.Kind == yaml.SequenceNode:
			key.LineComment = "# " + origin
		default:
			value.LineComment = "# " + origin
		}
	}
}
