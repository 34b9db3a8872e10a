package config_test

import (
	"bytes"
	"cmp"
	_ "embed"
	"flag"
	"fmt"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/weir-gateway/weir/internal/config"
	"github.com/weir-gateway/weir/internal/schema"
)

var update = flag.Bool("update", false, "write docs/configuration.md and docs/weir.schema.json")

// current compares a document with what it is made from, or writes it.
func current(t *testing.T, file string, want []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(file)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s is not current (%v): write it by go test ./internal/config -run 'Schema|Reference' -update", file, err)
	}
}

func TestSchemaIsCurrent(t *testing.T) {
	raw, err := config.Schema()
	if err != nil {
		t.Fatal(err)
	}
	current(t, "../../docs/weir.schema.json", append(raw, '\n'))
}

//go:embed testdata/reference.md
var preface string

// TestReferenceIsCurrent makes docs/configuration.md of the types' tags, the
// defaults and the profiles.
func TestReferenceIsCurrent(t *testing.T) {
	r := reference{t: t, defaults: flat(t, config.Sources{Getenv: getenv()})}
	text := preface + "\n" + r.profiles() + r.sections()
	current(t, "../../docs/configuration.md", []byte(text))
}

// reference writes the tables.
type reference struct {
	t        *testing.T
	defaults map[string]string
}

// flat is a configuration by paths, as a file would write the values.
func flat(t *testing.T, s config.Sources) map[string]string {
	t.Helper()
	e, err := s.Explain()
	if err != nil {
		t.Fatal(err)
	}
	view, err := e.Config.View()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	var walk func(path string, v any)
	walk = func(path string, v any) {
		if m, ok := v.(map[string]any); ok {
			for name, below := range m {
				walk(strings.TrimPrefix(path+"."+name, "."), below)
			}
			return
		}
		out[path] = spell(t, v)
	}
	walk("", view)
	return out
}

// zeros are the parts of a duration that nobody writes.
var zeros = regexp.MustCompile(`^(\d+h)0m0s$|^(\d+h)?(\d+m)0s$`)

// spell writes a value on one line.
func spell(t *testing.T, v any) string {
	var doc yaml.Node
	if err := doc.Encode(v); err != nil {
		t.Fatal(err)
	}
	doc.Style = yaml.FlowStyle
	if hours, ok := strings.CutSuffix(doc.Value, "h0m0s"); ok {
		if n, err := strconv.Atoi(hours); err == nil && n%24 == 0 && n > 24 {
			doc.Value = fmt.Sprintf("%dd", n/24)
		}
	}
	raw, err := yaml.Marshal(&doc)
	if err != nil {
		t.Fatal(err)
	}
	return "`" + zeros.ReplaceAllString(strings.TrimSpace(string(raw)), "$1$2$3") + "`"
}

// profiles tells what each profile sets.
func (r reference) profiles() string {
	names := []string{config.Development, config.Staging, config.Production}
	values, paths := map[string]map[string]string{}, map[string]bool{}
	for _, name := range names {
		s := config.Sources{Profile: name, Getenv: getenv()}
		e, err := s.Explain()
		if err != nil {
			r.t.Fatal(err)
		}
		values[name] = flat(r.t, s)
		for path, origin := range e.Origins {
			if origin == config.FromProfile {
				paths[path] = true
			}
		}
	}
	var s strings.Builder
	s.WriteString("## What the profiles set\n\n| key | default | development | staging | production |\n|---|---|---|---|---|\n")
	for _, path := range sorted(paths) {
		fmt.Fprintf(&s, "| `%s` | %s", path, r.defaults[path])
		for _, name := range names {
			value := values[name][path]
			if value == r.defaults[path] {
				value = ""
			}
			fmt.Fprintf(&s, " | %s", value)
		}
		s.WriteString(" |\n")
	}
	return s.String()
}

func sorted(set map[string]bool) []string {
	var list []string
	for path := range set {
		list = append(list, path)
	}
	slices.Sort(list)
	return list
}

// sections has a table for the plain values, and one for each group of them.
func (r reference) sections() string {
	var plain, groups strings.Builder
	const head = "\n| key | type | default | what it is |\n|---|---|---|---|\n"
	plain.WriteString("\n## Single values\n" + head)
	for f := range fields(reflect.TypeFor[config.Config]()) {
		var rows strings.Builder
		r.below(&rows, f.name, f.Type)
		if rows.Len() == 0 {
			r.row(&plain, "", f)
			continue
		}
		fmt.Fprintf(&groups, "\n## %s\n", f.name)
		if text := f.what(); text != "" {
			fmt.Fprintf(&groups, "\n%s.\n", strings.ToUpper(text[:1])+text[1:])
		}
		groups.WriteString(head + rows.String())
	}
	return plain.String() + groups.String()
}

// below writes the rows of what is inside a value of type t.
func (r reference) below(s *strings.Builder, path string, t reflect.Type) {
	switch t.Kind() {
	case reflect.Pointer:
		r.below(s, path, t.Elem())
	case reflect.Slice:
		r.below(s, path+"[]", t.Elem())
	case reflect.Map:
		r.below(s, path+".*", t.Elem())
	case reflect.Struct:
		for f := range fields(t) {
			var inside strings.Builder
			r.below(&inside, path+"."+f.name, f.Type)
			if inside.Len() == 0 || f.what() != "" {
				r.row(s, path+".", f)
			}
			s.WriteString(inside.String())
		}
	}
}

func (r reference) row(s *strings.Builder, under string, f field) {
	path := under + f.name
	what, fallback := f.what(), r.defaults[path]
	if what == "" {
		r.t.Errorf("%s has no description", path)
	}
	if said := defaultSaid.FindStringSubmatch(what); said != nil && fallback == "" {
		what, fallback = strings.TrimSuffix(what, said[0]), said[1]
	}
	switch {
	case f.tag["required"] != "":
		fallback = "*required*"
	case f.Type.Kind() == reflect.Bool:
		fallback = cmp.Or(fallback, "`false`")
	}
	fmt.Fprintf(s, "| `%s` | %s | %s | %s |\n", path, f.kind(f.Type), fallback, strings.ReplaceAll(what, "|", "\\|"))
}

// defaultSaid is a default that the gateway knows and the configuration does not.
var defaultSaid = regexp.MustCompile(`; default:? ([^;]+)$`)

// field is one key of a document.
type field struct {
	reflect.StructField
	name string
	tag  map[string]string
}

// fields yields the keys of a struct in their order.
func fields(t reflect.Type) func(func(field) bool) {
	return func(yield func(field) bool) {
		for f := range t.Fields() {
			name, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
			if name == "" || name == "-" {
				continue
			}
			tag := map[string]string{}
			for part := range strings.SplitSeq(f.Tag.Get("jsonschema"), ",") {
				key, value, _ := strings.Cut(part, "=")
				tag[key] = strings.TrimPrefix(tag[key]+", "+cmp.Or(value, key), ", ")
			}
			if !yield(field{f, name, tag}) {
				return
			}
		}
	}
}

func (f field) what() string { return f.tag["description"] }

// kind names the type of a value for people.
func (f field) kind(t reflect.Type) string {
	switch t {
	case reflect.TypeFor[schema.Duration]():
		return "duration"
	case reflect.TypeFor[schema.Amount]():
		return "dollars"
	case reflect.TypeFor[config.Ref]():
		return "reference to a secret"
	case reflect.TypeFor[config.Address]():
		return "URL, or reference to one"
	}
	switch t.Kind() {
	case reflect.Pointer:
		return f.kind(t.Elem())
	case reflect.Slice:
		return "list of: " + f.kind(t.Elem())
	case reflect.Map:
		return "by name: " + f.kind(t.Elem())
	case reflect.Struct:
		return "group"
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Int64:
		return strings.TrimSpace("number" + strings.TrimSuffix(" "+cmp.Or(f.tag["minimum"], "…")+" to "+cmp.Or(f.tag["maximum"], "…"), " … to …"))
	case reflect.String:
		return cmp.Or(strings.ReplaceAll(f.tag["enum"], ", ", " · "), "text")
	}
	return t.Kind().String()
}

// TestTagsAreWhole: a comma would end a description in the schema.
func TestTagsAreWhole(t *testing.T) {
	known := []string{"required", "minLength", "minItems", "minimum", "maximum", "enum", "description", ""}
	var look func(path string, at reflect.Type)
	look = func(path string, at reflect.Type) {
		switch at.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Map:
			look(path, at.Elem())
		case reflect.Struct:
			for f := range fields(at) {
				for key := range f.tag {
					if !slices.Contains(known, key) {
						t.Errorf("%s.%s: the tag ends before %q", path, f.name, key)
					}
				}
				look(path+"."+f.name, f.Type)
			}
		}
	}
	look("", reflect.TypeFor[config.Config]())
}
