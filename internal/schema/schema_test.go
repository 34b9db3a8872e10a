package schema

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

type sample struct {
	Name   string            `yaml:"name" jsonschema:"required"`
	Count  int               `yaml:"count" jsonschema:"minimum=1,maximum=9"`
	Ratio  *float64          `yaml:"ratio"`
	Wait   Duration          `yaml:"wait"`
	Mode   string            `yaml:"mode" jsonschema:"enum=slow,enum=fast"`
	Small  int8              `yaml:"small"`
	Parts  []part            `yaml:"parts"`
	Labels map[string]string `yaml:"labels"`
}

type part struct {
	Size  int      `yaml:"size"`
	Delay Duration `yaml:"delay"`
	Kind  string   `yaml:"kind"`
}

// Validate wants every part to have a kind.
func (s *sample) Validate() []Fault {
	var faults []Fault
	for i, p := range s.Parts {
		if p.Kind == "" {
			faults = append(faults, Fault{Path: "parts[" + string(rune('0'+i)) + "].kind", Message: "is missing", Hint: "any word"})
		}
	}
	return faults
}

// faultsOf decodes and returns the faults, one per line.
func faultsOf(t *testing.T, data string) []string {
	t.Helper()
	err := Decode("f.yaml", []byte(data), &sample{})
	if err == nil {
		return nil
	}
	e, ok := errors.AsType[*Error](err)
	if !ok || e.File != "f.yaml" || len(e.Faults) == 0 {
		t.Fatalf("the error is %#v, want an *Error with faults", err)
	}
	var lines []string
	for _, f := range e.Faults {
		lines = append(lines, f.String())
	}
	return lines
}

func TestDecode(t *testing.T) {
	got := sample{Count: 5, Mode: "slow"}
	err := Decode("f.yaml", []byte("name: x\nratio: 0.5\nwait: 1m30s\nparts:\n  - {size: 3, kind: a}\nlabels: {a: b, 5: c}\nmode:\n"), &got)
	if err != nil {
		t.Fatal(err)
	}
	want := sample{
		Name: "x", Count: 5, Mode: "slow", Ratio: new(0.5), Wait: Duration(90 * time.Second),
		Parts: []part{{Size: 3, Kind: "a"}}, Labels: map[string]string{"a": "b", "5": "c"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("decoded (-want +got):\n%s", diff)
	}
}

func TestDecodeJSON(t *testing.T) {
	var got sample
	if err := Decode("f.json", []byte("{\"name\": \"x\",\n\t\"count\": 2, \"parts\": [{\"kind\": \"a\"}]}"), &got); err != nil || got.Count != 2 {
		t.Errorf("count is %d, error %v", got.Count, err)
	}
}

func TestFaults(t *testing.T) {
	for _, tc := range []struct {
		name, data string
		want       []string
	}{
		{"three-mistakes", "name: x\ncuont: 3\nwait: soon\nparts:\n  - {kind: a, size: big}\n", []string{
			`line 2: cuont: unknown key (did you mean count?)`,
			`line 3: wait: "soon" is not a valid duration (for example 30s)`,
			`line 5: parts[0].size: is a string, want an integer`,
		}},
		{"schema-and-meaning", "name: x\nmode: fats\nparts:\n  - {size: 1}\n  - {delay: 5}\n", []string{
			`line 2: mode: "fats" is not known here (did you mean fast? one of slow, fast)`,
			`line 4: parts[0].kind: is missing (any word)`,
			`line 5: parts[1].delay: is a number, want a duration (for example 30s)`,
			`line 5: parts[1].kind: is missing (any word)`,
		}},
		{"range", "name: x\ncount: 10\n", []string{`line 2: count: is 10, want at most 9`}},
		{"below", "name: x\ncount: 0\n", []string{`line 2: count: is 0, want at least 1`}},
		{"missing", "count: 1\n", []string{`line 1: name: is required but missing`}},
		{"empty", "", []string{`name: is required but missing`}},
		{"twice", "name: x\nname: y\n", []string{`line 2: name: the key is given twice (keep one of them)`}},
		{"too-large-for-the-type", "name: x\nsmall: 300\n", []string{
			"line 2: cannot unmarshal !!int `300` into int8 (the document must be valid YAML or JSON)"}},
		{"syntax", "name: [x\n", []string{`line 1: did not find expected ',' or ']' (the document must be valid YAML or JSON)`}},
		{"not-a-map", "- x\n", []string{`line 1: is an array, want an object`}},
		{"null-is-absent", "name:\n", []string{`line 1: name: is required but missing`}},
		{"infinite", "name: x\nratio: .inf\n", []string{`line 2: ratio: .inf is not a number to work with (give a finite number)`}},
		{"merge", "name: x\nlabels: &l {a: b}\nparts:\n  - <<: *l\n", []string{
			`line 4: parts[0]: merge keys (<<) are not read (repeat the fields)`}},
		{"far-off", "name: x\nzzzzzzzzzz: 1\n", []string{
			`line 2: zzzzzzzzzz: unknown key (known keys: count, labels, mode, name, parts, ratio, small, wait)`}},
		{"negative", "name: x\nwait: -5s\n", []string{`line 2: wait: "-5s" is not a valid duration (for example 30s)`}},
		{"overflow", "name: x\nwait: 99999999999h\n", []string{
			`line 2: time: invalid duration "99999999999h" (the document must be valid YAML or JSON)`}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, faultsOf(t, tc.data)); diff != "" {
				t.Errorf("faults (-want +got):\n%s", diff)
			}
		})
	}
}

func TestErrorNamesTheFile(t *testing.T) {
	err := Decode("my.yaml", []byte("naem: x"), &sample{})
	if err == nil || !strings.HasPrefix(err.Error(), "my.yaml: line 1: ") || strings.Count(err.Error(), "\n") != 1 {
		t.Errorf("the error is %q, want two lines that begin with the file", err)
	}
}

func TestAliasesAreBounded(t *testing.T) {
	var b strings.Builder
	b.WriteString("a0: &a0 [x, x, x, x, x, x, x, x, x]\n")
	for i := range 9 {
		n := string(rune('0' + i))
		next := string(rune('1' + i))
		ref := strings.Repeat("*a"+n+", ", 8) + "*a" + n
		b.WriteString("a" + next + ": &a" + next + " [" + ref + "]\n")
	}
	began := time.Now()
	err := Decode("bomb.yaml", []byte(b.String()), &sample{})
	if err == nil || time.Since(began) > 20*time.Second {
		t.Errorf("nested aliases: error %v after %v", err, time.Since(began))
	}
	if err := Decode("loop.yaml", []byte("name: x\nlabels: &a {b: *a}\n"), &sample{}); err == nil {
		t.Error("an alias inside itself is taken")
	}
}

func TestGenerate(t *testing.T) {
	raw, err := Generate(&sample{})
	if err != nil {
		t.Fatal(err)
	}
	var s struct {
		Schema     string `json:"$schema"`
		Additional *bool  `json:"additionalProperties"`
		Required   []string
		Properties map[string]struct{ Type string }
	}
	if err := json.Unmarshal(raw, &s); err != nil {
		t.Fatal(err)
	}
	if s.Schema == "" || s.Additional == nil || *s.Additional || len(s.Properties) != 8 ||
		s.Properties["count"].Type != "integer" || !cmp.Equal(s.Required, []string{"name"}) {
		t.Errorf("the schema is\n%s", raw)
	}
}

func TestDurationText(t *testing.T) {
	d := Duration(90 * time.Second)
	text, err := d.MarshalText()
	if err != nil || string(text) != "1m30s" {
		t.Errorf("90 s is written %q, error %v", text, err)
	}
	var back Duration
	if err := back.UnmarshalText(text); err != nil || back.D() != 90*time.Second {
		t.Errorf("%q is read as %v, error %v", text, back, err)
	}
	if back.UnmarshalText([]byte("-1s")) == nil {
		t.Error("a negative duration is read")
	}
}

func TestNearest(t *testing.T) {
	for word, want := range map[string]string{"tming": "timing", "fautls": "faults", "colour": "", "TIMING": ""} {
		if got := nearest(word, []string{"timing", "faults", "quota"}); got != want {
			t.Errorf("nearest to %q is %q, want %q", word, got, want)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add("name: x\ncuont: 3\n")
	f.Add("name: x\nparts: [{delay: 5s}]\n")
	f.Add("a: &a [*a]")
	f.Add("{\"name\": \"x\"}")
	f.Add("? [a]\n: b")
	f.Fuzz(func(t *testing.T, data string) {
		err := Decode("f", []byte(data), &sample{})
		if err == nil {
			return
		}
		e, ok := errors.AsType[*Error](err)
		if !ok || len(e.Faults) == 0 {
			t.Fatalf("the error is %#v, want an *Error with faults", err)
		}
		for _, fault := range e.Faults {
			if fault.Message == "" || fault.Line < 0 {
				t.Fatalf("a fault without words or with an odd line: %+v", fault)
			}
		}
	})
}
