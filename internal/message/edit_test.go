package message_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weir-gateway/weir/internal/message"
)

func TestSet(t *testing.T) {
	for in, want := range map[string]string{
		`{"a":1}`:                            `{"a":7}`,
		`{}`:                                 `{"a":7}`,
		" {\n} ":                             " {\"a\":7\n} ",
		" {\n\"b\" : {\"a\":1}} ":            " {\"a\":7,\n\"b\" : {\"a\":1}} ",
		`{"b":"` + "\xff" + `"}`:             `{"a":7,"b":"` + "\xff" + `"}`,
		`{"b":[1.50],"\u0061": null ,"c":2}`: `{"b":[1.50],"\u0061": 7 ,"c":2}`,
	} {
		if got, err := message.Set([]byte(in), "a", []byte("7")); err != nil || string(got) != want {
			t.Errorf("%q: got %q, %v, want %q", in, got, err, want)
		}
	}
	for _, in := range []string{``, `[]`, `{"b":`, `{"b":1`, `{"b" 1}`} {
		if got, err := message.Set([]byte(in), "a", []byte("7")); !errors.Is(err, message.ErrBroken) {
			t.Errorf("%q: got %q, %v", in, got, err)
		}
	}
	if got, err := message.Get([]byte(`{"b":{"a":2},"a": [ 1 ] }`), "a"); err != nil || string(got) != `[ 1 ]` {
		t.Errorf("got %q, %v", got, err)
	}
	if got, err := message.Get([]byte(`{"b":1}`), "a"); err != nil || got != nil {
		t.Errorf("got %q, %v", got, err)
	}
}

// FuzzSet: whatever the object, one member alone is another one afterwards.
func FuzzSet(f *testing.F) {
	f.Add([]byte(`{"x":[{}],"a":"big","y":"\ud83d\ude00"}`))
	f.Add([]byte(` {"b" : "big"} `))
	f.Fuzz(func(t *testing.T, in []byte) {
		before := bytes.Clone(in)
		out, err := message.Set(in, "a", []byte("7"))
		var want, got map[string]json.RawMessage
		if err != nil || json.Unmarshal(in, &want) != nil {
			return
		}
		if err := json.Unmarshal(out, &got); err != nil || !bytes.Equal(in, before) {
			t.Fatalf("%q became %q: %v", in, out, err)
		}
		want["a"] = json.RawMessage("7")
		if diff := cmp.Diff(want, got); diff != "" && !bytes.Contains(in, []byte(`\`)) {
			t.Errorf("%q became %q: %s", in, out, diff)
		}
	})
}
