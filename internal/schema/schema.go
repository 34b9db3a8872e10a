// Package schema reads a YAML document (JSON is YAML) into a Go value, strictly:
// unknown and repeated keys, wrong types and values out of range are all
// reported, each with its path, its line and a hint, and all at once, so that
// a person mends a file in one round.
//
// The rules are a JSON Schema made from the Go type: yaml tags name the keys,
// jsonschema tags hold the rules (enum, minimum, description, required).
// [Generate] publishes the same schema for editors.
package schema

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"
)

// Fault is one mistake in a document.
type Fault struct {
	Path    string // such as organizations[0].keys; empty for the whole document
	Line    int    // 1-based; 0 if unknown
	Message string // what is wrong
	Hint    string // what to do about it; may be empty
}

// String returns the fault on one line.
func (f Fault) String() string {
	var b strings.Builder
	if f.Line > 0 {
		fmt.Fprintf(&b, "line %d: ", f.Line)
	}
	if f.Path != "" {
		b.WriteString(f.Path + ": ")
	}
	b.WriteString(f.Message)
	if f.Hint != "" {
		b.WriteString(" (" + f.Hint + ")")
	}
	return b.String()
}

// Error lists every fault of a document, in the order of their lines.
type Error struct {
	File   string
	Faults []Fault // at least one
}

// Error returns one line per fault, each beginning with the name of the file.
func (e *Error) Error() string {
	lines := make([]string, len(e.Faults))
	for i, f := range e.Faults {
		lines[i] = e.File + ": " + f.String()
	}
	return strings.Join(lines, "\n")
}

// validator is the semantic check that a document's type may add to what a
// schema can say. The faults it returns need no Line.
type validator interface{ Validate() []Fault }

// Decode reads data into v, a pointer to a struct, and reports every mistake
// at once as an [*Error]. The fields that the document does not mention keep
// their values, so defaults are set before the call. name is the file's name,
// for the report. After an error the content of v is undefined.
//
// If v has a method Validate() []Fault, it is called too, unless the document
// could not be read at all.
func Decode(name string, data []byte, v any) error {
	var root yaml.Node
	if err := yaml.Unmarshal(data, &root); err != nil {
		return &Error{File: name, Faults: []Fault{syntaxFault(err)}}
	}
	doc := newDocument(&root)
	faults := doc.faults
	if len(faults) == 0 || doc.complete {
		more, err := check(doc.value, v)
		if err != nil {
			return fmt.Errorf("check %s: %w", name, err)
		}
		faults = append(faults, more...)
		wrong, filled := fill(&root, v)
		if len(faults) == 0 {
			faults = wrong // else the same once more, in other words
		}
		if s, ok := v.(validator); ok && filled {
			faults = append(faults, news(s.Validate(), faults)...)
		}
	}
	if len(faults) == 0 {
		return nil
	}
	for i := range faults {
		if faults[i].Line == 0 {
			faults[i].Line = doc.line(faults[i].Path)
		}
	}
	slices.SortStableFunc(faults, func(a, b Fault) int { return cmp.Compare(a.Line, b.Line) })
	return &Error{File: name, Faults: faults}
}

// check validates value against the schema of v's type.
func check(value, v any) ([]Fault, error) {
	raw, err := Generate(v)
	if err != nil {
		return nil, err
	}
	source, err := jsonschema.UnmarshalJSON(strings.NewReader(string(raw)))
	if err != nil {
		return nil, err
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("schema.json", source); err != nil {
		return nil, err
	}
	compiled, err := c.Compile("schema.json")
	if err != nil {
		return nil, err
	}
	if invalid, ok := errors.AsType[*jsonschema.ValidationError](compiled.Validate(value)); ok {
		return translate(invalid, source), nil
	}
	return nil, nil
}

// fill decodes into v. What it complains of is news only if the schema let
// the document pass, for example a number too large for its Go type. filled
// tells that all the rest of v is there.
func fill(root *yaml.Node, v any) (faults []Fault, filled bool) {
	if root.Kind == 0 {
		return nil, true // an empty document
	}
	err := root.Decode(v)
	if err == nil {
		return nil, true
	}
	types, ok := errors.AsType[*yaml.TypeError](err)
	if !ok {
		return []Fault{syntaxFault(err)}, false
	}
	for _, s := range types.Errors {
		faults = append(faults, syntaxFault(errors.New(s)))
	}
	return faults, true
}

// news returns the faults at places where nothing is known to be wrong yet: a
// value that the schema refused would look missing to Validate.
func news(faults, known []Fault) []Fault {
	return slices.DeleteFunc(faults, func(f Fault) bool {
		return slices.ContainsFunc(known, func(k Fault) bool {
			return k.Path == f.Path || strings.HasPrefix(k.Path, f.Path+"[") || f.Path == "" && k.Path == ""
		})
	})
}

// syntaxFault makes a fault of one of the YAML reader's messages, which begin
// with "yaml: line 3: " or "line 3: ".
func syntaxFault(err error) Fault {
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	var line int
	if n, scanErr := fmt.Sscanf(text, "line %d:", &line); n == 1 && scanErr == nil {
		_, text, _ = strings.Cut(text, ": ")
	}
	return Fault{Line: line, Message: text, Hint: "the document must be valid YAML or JSON"}
}
