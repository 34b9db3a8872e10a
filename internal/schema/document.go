package schema

import (
	"fmt"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// The bounds of a document. They keep a short file of nested aliases from
// growing into an enormous value.
const (
	maxNodes = 1 << 17
	maxDepth = 100
)

// document is a YAML document as plain values, with the line of each place.
type document struct {
	value    any
	lines    map[string]int
	faults   []Fault
	complete bool // value is whole, so that more can be checked
	nodes    int
}

func newDocument(root *yaml.Node) *document {
	d := &document{lines: map[string]int{}, value: map[string]any{}, complete: true}
	if root.Kind == yaml.DocumentNode && len(root.Content) == 1 {
		if v := d.convert(root.Content[0], "", 0); v != nil {
			d.value = v
		}
	}
	return d
}

// line returns the line of path, or of the nearest place above it.
func (d *document) line(path string) int {
	for {
		if n, ok := d.lines[path]; ok {
			return n
		}
		i := strings.LastIndexAny(path, ".[")
		if i < 0 {
			return d.lines[""]
		}
		path = path[:i]
	}
}

func (d *document) fault(n *yaml.Node, path, message, hint string) {
	d.faults = append(d.faults, Fault{Path: path, Line: n.Line, Message: message, Hint: hint})
}

// convert returns n as the values that JSON has. A null is nil.
func (d *document) convert(n *yaml.Node, path string, depth int) any {
	d.nodes++
	if d.nodes > maxNodes || depth > maxDepth {
		if d.complete {
			d.fault(n, path, "the document is too large or too deep", "write it without nested aliases")
		}
		d.complete = false
		return nil
	}
	if _, ok := d.lines[path]; !ok {
		d.lines[path] = n.Line
	}
	switch n.Kind {
	case yaml.AliasNode:
		return d.convert(n.Alias, path, depth+1)
	case yaml.SequenceNode:
		list := make([]any, len(n.Content))
		for i, item := range n.Content {
			list[i] = d.convert(item, fmt.Sprintf("%s[%d]", path, i), depth+1)
		}
		return list
	case yaml.MappingNode:
		return d.mapping(n, path, depth)
	}
	return d.scalar(n, path)
}

func (d *document) mapping(n *yaml.Node, path string, depth int) any {
	m := map[string]any{}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if key.Tag == "!!merge" {
			d.fault(key, path, "merge keys (<<) are not read", "repeat the fields")
			d.complete = false
			continue
		}
		at := join(path, key.Value)
		if seen[key.Value] {
			d.fault(key, at, "the key is given twice", "keep one of them")
			d.complete = false
			continue
		}
		seen[key.Value] = true
		d.lines[at] = key.Line
		if v := d.convert(value, at, depth+1); v != nil {
			m[key.Value] = v // "key:" with nothing behind it is as good as absent
		}
	}
	return m
}

// scalar returns a string, a bool, a number or nil.
func (d *document) scalar(n *yaml.Node, path string) any {
	switch n.Tag {
	case "!!null":
		return nil
	case "!!bool", "!!int", "!!float":
		var v any
		if err := n.Decode(&v); err != nil {
			d.fault(n, path, err.Error(), "")
			return nil
		}
		if f, ok := v.(float64); ok && (f != f || f > 1e308 || f < -1e308) {
			d.fault(n, path, n.Value+" is not a number to work with", "give a finite number")
			return nil
		}
		return v
	}
	return n.Value
}

// join returns the path of key under path.
func join(path, key string) string {
	if strings.ContainsAny(key, ".[] ") {
		key = strconv.Quote(key)
	}
	if path == "" {
		return key
	}
	return path + "." + key
}
