package schema

import (
	"encoding/json"
	"fmt"
	"reflect"

	"github.com/invopop/jsonschema"
)

// Generate returns the JSON Schema (draft 2020-12) of v's type, indented, for
// publishing. Keys are named by yaml tags; rules come from jsonschema tags.
func Generate(v any) ([]byte, error) {
	r := jsonschema.Reflector{
		Anonymous:                  true,
		ExpandedStruct:             true,
		FieldNameTag:               "yaml",
		RequiredFromJSONSchemaTags: true,
		Mapper:                     special,
	}
	raw, err := json.MarshalIndent(r.Reflect(v), "", "  ")
	if err != nil {
		return nil, fmt.Errorf("generate the schema of %T: %w", v, err)
	}
	return raw, nil
}

// special returns the schema of the types that are not what they look like. It
// is here and not a method of them so that no exported type carries another
// module's types.
func special(t reflect.Type) *jsonschema.Schema {
	if t == reflect.TypeFor[Amount]() {
		return &jsonschema.Schema{ // a number or a string
			Title:    "amount of dollars",
			Pattern:  `^[0-9]+(\.[0-9]{1,12})?$`,
			Minimum:  "0",
			Examples: []any{50, "12.50"},
		}
	}
	if t != reflect.TypeFor[Duration]() {
		return nil
	}
	return &jsonschema.Schema{
		Type:     "string",
		Title:    "duration",
		Pattern:  `^(0|[0-9]+d|([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))+)$`,
		Examples: []any{"30s", "1h30m"},
	}
}
