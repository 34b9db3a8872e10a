package batch_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weir-gateway/weir/internal/batch"
)

// params is a request as the API takes it.
const params = `{"model":"claude-haiku-4-5","max_tokens":64,"messages":[{"role":"user","content":"hi"}]}`

func write(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "requests.jsonl")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestInput(t *testing.T) {
	in, err := batch.OpenInput(write(t, "\n"+params+"\r\n\n  {\"custom_id\":\"a-1\",\"params\":"+strings.Replace(params, "{", `{"stream":true,`, 1)+"}  \n"+params))
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	var ids []string
	for i := range in.Len() {
		ids = append(ids, in.ID(i))
		got, err := in.Params(i)
		if err != nil || string(got) != params {
			t.Errorf("%s: %s, %v", in.ID(i), got, err)
		}
	}
	if strings.Join(ids, " ") != "line-2 a-1 line-5" {
		t.Errorf("ids %v", ids)
	}
	if i, ok := in.Find("a-1"); !ok || i != 1 {
		t.Errorf("a-1 is number %d, %t", i, ok)
	}
}

func TestInputFaults(t *testing.T) {
	text := strings.Join([]string{
		`nonsense`, `[` + params + `]`, `{"custom_id":"a b","params":` + params + `}`, `{"custom_id":"a","body":` + params + `}`,
		`{"custom_id":"a"}`, `{"max_tokens":1}`, `{"model":"m","messages":[1]}`, `{"model":"m","max_tokens":0,"messages":[1]}`,
		`{"custom_id":"twice","params":` + params + `}`, `{"custom_id":"twice","params":` + params + `}`, params,
		`{"custom_id":"line-11","params":` + params + `}`, `{"model":"m","max_tokens":1,"messages":[]}`, `{"params":` + params + `}`,
		strings.Replace(params, "{", `{"model":"m",`, 1),
	}, "\n")
	_, err := batch.OpenInput(write(t, text))
	faults, ok := errors.AsType[*batch.InputError](err)
	if !ok {
		t.Fatalf("got %v", err)
	}
	want := map[int]string{
		1: "JSON", 2: "array", 3: "custom_id must be", 4: "params", 5: "no params", 6: "no model", 7: "no max_tokens",
		8: "above 0", 10: "at line 9 already", 12: "at line 11 already", 13: "no messages", 14: "custom_id must be", 15: "duplicate",
	}
	for _, f := range faults.Faults {
		if w, ok := want[f.Line]; !ok || !strings.Contains(f.Message, w) {
			t.Errorf("line %d: %s", f.Line, f.Message)
		}
		delete(want, f.Line)
	}
	if len(want) > 0 {
		t.Errorf("nothing is said of %v", want)
	}
	if _, err := batch.OpenInput(write(t, "\n \n")); err == nil {
		t.Error("an empty file was taken")
	}
}

func TestParams(t *testing.T) {
	for in, want := range map[string]string{
		`{"a":1}`:                    `{"a":1}`,
		`{"stream":true}`:            `{}`,
		`{"stream":true,"a":[1, 2]}`: `{"a":[1, 2]}`,
		"{ \"a\" : {\"stream\":1} ,\n\"stream\":false , \"b\":\"x\\u0000\" }": `{"a" : {"stream":1},"b":"x\u0000"}`,
		`{"a":1} 2`:     "",
		`{"a":1,"a":2}`: "",
		`[]`:            "",
		`{"a":`:         "",
	} {
		got, err := batch.Params([]byte(in))
		if string(got) != want || (err == nil) != (want != "") {
			t.Errorf("%s: got %s, %v; want %s", in, got, err, want)
		}
	}
}

func line(id, kind string) string {
	return `{"custom_id":"` + id + `","result":{"type":"` + kind + `","message":{"text":"<&>"}}}` + "\n"
}

func TestOutput(t *testing.T) {
	name := filepath.Join(t.TempDir(), "out.jsonl")
	before := line("a", "succeeded") + line("b", "errored")
	if err := os.WriteFile(name, []byte(before+`{"custom_id":"c","res`), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := batch.OpenOutput(name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := batch.OpenOutput(name); err == nil {
		t.Error("a second one writes the same file")
	}
	if !out.Has("a") || !out.Has("b") || out.Has("c") {
		t.Error("it does not know what is finished")
	}
	for id, fresh := range map[string]bool{"a": false, "c": true} {
		r, err := batch.ParseResult([]byte(line(id, "succeeded")))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := out.Put(r); got != fresh || err != nil {
			t.Errorf("%s: fresh %t, %v", id, got, err)
		}
	}
	if k := out.Kinds(); k["succeeded"] != 2 || k["errored"] != 1 {
		t.Errorf("kinds %v", k)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	if got, _ := os.ReadFile(name); string(got) != before+line("c", "succeeded") {
		t.Errorf("the file is %q", got)
	}
	if _, err := batch.OpenOutput(write(t, params+"\n")); err == nil || !strings.Contains(err.Error(), "line 1") {
		t.Errorf("a file of something else: %v", err)
	}
}

func FuzzParams(f *testing.F) {
	f.Add([]byte(`{"stream":true,"a":{"stream":1}}`))
	f.Add([]byte(params))
	f.Fuzz(func(t *testing.T, body []byte) {
		got, err := batch.Params(body)
		if err != nil {
			return
		}
		var before, after map[string]json.RawMessage
		if json.Unmarshal(body, &before) != nil || json.Unmarshal(got, &after) != nil {
			t.Fatalf("%q became %q", body, got)
		}
		delete(before, "stream")
		if len(before) != len(after) {
			t.Errorf("%q became %q", body, got)
		}
	})
}
