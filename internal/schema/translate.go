package schema

import (
	"cmp"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
	"golang.org/x/text/language"
	"golang.org/x/text/message"
)

// translate turns what the schema library found into faults in plain words.
// source is the schema as plain values.
func translate(e *jsonschema.ValidationError, source any) []Fault {
	if len(e.Causes) > 0 {
		var faults []Fault
		for _, cause := range e.Causes {
			faults = append(faults, translate(cause, source)...)
		}
		return faults
	}
	path := pathOf(e.InstanceLocation)
	rule, _ := lookup(source, e.SchemaURL).(map[string]any)
	f := Fault{Path: path, Hint: example(rule)}
	switch k := e.ErrorKind.(type) {
	case *kind.AdditionalProperties:
		return unknownKeys(path, k.Properties, rule)
	case *kind.Required:
		var faults []Fault
		for _, key := range k.Missing {
			faults = append(faults, Fault{Path: join(path, key), Message: "is required but missing"})
		}
		return faults
	case *kind.Type:
		f.Message = "is " + article(k.Got) + ", want " + article(name(rule, strings.Join(k.Want, " or ")))
	case *kind.Pattern:
		f.Message = fmt.Sprintf("%q is not a valid %s", k.Got, name(rule, "value, want "+k.Want))
	case *kind.Enum:
		f.Message, f.Hint = notOneOf(k)
	case *kind.Minimum:
		f.Message = "is " + number(k.Got) + ", want at least " + number(k.Want)
	case *kind.Maximum:
		f.Message = "is " + number(k.Got) + ", want at most " + number(k.Want)
	case *kind.ExclusiveMinimum:
		f.Message = "is " + number(k.Got) + ", want more than " + number(k.Want)
	default:
		f.Message = e.ErrorKind.LocalizedString(message.NewPrinter(language.English))
	}
	return []Fault{f}
}

// unknownKeys makes one fault of each key that rule does not list.
func unknownKeys(path string, keys []string, rule map[string]any) []Fault {
	properties, _ := rule["properties"].(map[string]any)
	known := slices.Sorted(maps.Keys(properties))
	var faults []Fault
	for _, key := range keys {
		hint := "known keys: " + strings.Join(known, ", ")
		if near := nearest(key, known); near != "" {
			hint = "did you mean " + near + "?"
		}
		faults = append(faults, Fault{Path: join(path, key), Message: "unknown key", Hint: hint})
	}
	return faults
}

func notOneOf(k *kind.Enum) (message, hint string) {
	var known []string
	for _, w := range k.Want {
		known = append(known, fmt.Sprint(w))
	}
	hint = "one of " + strings.Join(known, ", ")
	if near := nearest(fmt.Sprint(k.Got), known); near != "" {
		hint = "did you mean " + near + "? " + hint
	}
	return fmt.Sprintf("%q is not known here", fmt.Sprint(k.Got)), hint
}

// name is what to call a value that rule describes.
func name(rule map[string]any, otherwise string) string {
	if title, ok := rule["title"].(string); ok {
		return title
	}
	return otherwise
}

// article puts a or an before a word.
func article(word string) string {
	if word != "" && strings.Contains("aeiou", word[:1]) {
		return "an " + word
	}
	return "a " + word
}

// example is the hint that rule gives.
func example(rule map[string]any) string {
	if list, ok := rule["examples"].([]any); ok && len(list) > 0 {
		return fmt.Sprintf("for example %v", list[0])
	}
	if text, ok := rule["description"].(string); ok {
		return text
	}
	return ""
}

// number writes r as a person would.
func number(r *big.Rat) string {
	f, _ := r.Float64()
	return strconv.FormatFloat(f, 'f', -1, 64)
}

// pathOf writes a location as organizations[0].keys.
func pathOf(location []string) string {
	path := ""
	for _, token := range location {
		if _, err := strconv.Atoi(token); err == nil && path != "" {
			path += "[" + token + "]"
		} else {
			path = join(path, token)
		}
	}
	return path
}

// lookup returns the part of the schema that url's fragment points at.
func lookup(source any, url string) any {
	_, pointer, _ := strings.Cut(url, "#")
	at := source
	for token := range strings.SplitSeq(strings.Trim(pointer, "/"), "/") {
		if token == "" {
			continue
		}
		token = strings.NewReplacer("~1", "/", "~0", "~").Replace(token)
		m, ok := at.(map[string]any)
		if !ok {
			return nil
		}
		at = m[token]
	}
	return at
}

// nearest returns the word of known that word was probably meant to be, or "".
func nearest(word string, known []string) string {
	best, least := "", max(2, len(word)/3)+1
	for _, k := range known {
		if d := distance(word, k); d < least {
			best, least = k, d
		}
	}
	return best
}

// distance counts the letters to insert, delete or change to get from a to b.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := min(1, abs(cmp.Compare(a[i], b[j])))
			diagonal, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}

func abs(n int) int { return max(n, -n) }
