package load

import (
	"encoding/json"
	"flag"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files")

// Programs read the JSON of weir load: a name that goes or changes its type
// needs a higher ResultSchema.
func TestJSONKeepsItsForm(t *testing.T) {
	report := Report{
		Retried: map[int]int{429: 1}, BySize: []Slice{{Name: "x"}}, ByTenant: []Slice{{Name: "x"}}, Errors: []Count{{}},
	}
	limits := []Limit{{}}
	result := Result{
		Stopped: "x", BoundBy: "x", Knee: new(1), Limits: limits, Steps: []Step{{Report: report, Limits: limits}},
	}
	comparison := Comparison{Rounds: []Round{{Reports: [2]Report{report}}}, Ratios: []Ratio{{}}}
	comparison.Sides[0] = Side{Report: report, Limits: limits}
	for name, v := range map[string]any{"result": result, "comparison": comparison} {
		data, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		var tree any
		if err := json.Unmarshal(data, &tree); err != nil {
			t.Fatal(err)
		}
		paths := map[string]bool{}
		walk(tree, "", paths)
		got := strings.Join(slices.Sorted(maps.Keys(paths)), "\n") + "\n"
		file := "testdata/" + name + ".paths"
		if *update {
			if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil || got != string(want) {
			t.Errorf("%s has now (-update writes it)\n%s\n%v", file, got, err)
		}
	}
}

// walk notes the path and the type of each leaf.
func walk(v any, path string, into map[string]bool) {
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			walk(e, path+"."+k, into)
		}
	case []any:
		if len(v) > 0 {
			walk(v[0], path+"[]", into)
		}
	case string:
		into[path+" string"] = true
	case float64:
		into[path+" number"] = true
	case bool:
		into[path+" boolean"] = true
	case nil:
		into[path+" null"] = true
	}
}
