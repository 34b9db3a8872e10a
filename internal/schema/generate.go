package schema

import (
	"encoding/json"
	"fmt"

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
	}
	raw, err := json.MarshalIndent(r.Reflect(v), "", "  ")
	if err != nil {
		return nil, fmt.Errorf("generate the schema of %T: %w", v, err)
	}
	return raw, nil
}
