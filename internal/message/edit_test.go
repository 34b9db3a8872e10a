package message_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strings"
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

func TestReplaceAndCut(t *testing.T) {
	const list = " [ 1 ,[2, [3]],\n\"]\", {\"a\":[4]} ] "
	second := func(i int, e []byte) []byte {
		if i == 1 && string(e) == "[2, [3]]" {
			return []byte("two")
		}
		return nil
	}
	if got, err := message.Replace([]byte(list), second); err != nil || string(got) != strings.Replace(list, "[2, [3]]", "two", 1) {
		t.Errorf("replaced: %q, %v", got, err)
	}
	if got, err := message.Cut([]byte(list), 1, 3); err != nil || string(got) != " [ 1 ,{\"a\":[4]} ] " {
		t.Errorf("cut: %q, %v", got, err)
	}
	for _, at := range [][2]int{{-1, 1}, {1, 1}, {2, 1}, {0, 4}} {
		if got, err := message.Cut([]byte(list), at[0], at[1]); !errors.Is(err, message.ErrBroken) {
			t.Errorf("cut %v: %q, %v", at, got, err)
		}
	}
	for _, in := range []string{``, `{}`, `[1`, `[1 2]`, `[1,`} {
		if got, err := message.Replace([]byte(in), second); !errors.Is(err, message.ErrBroken) {
			t.Errorf("%q: %q, %v", in, got, err)
		}
	}
}

// FuzzReplace: whatever the array, those elements are others that are meant, and
// once they are put back, it is as it was, byte by byte.
func FuzzReplace(f *testing.F) {
	f.Add([]byte(`[{"a":[1]},[[2],"]"],null]`), uint64(5))
	f.Add([]byte(" [ \"\\u005d\" , 1.50\n] "), uint64(1))
	f.Fuzz(func(t *testing.T, in []byte, which uint64) {
		before := bytes.Clone(in)
		list, err := message.Elements(in)
		if err != nil {
			return
		}
		meant := func(with func(i int) []byte) func(int, []byte) []byte {
			return func(i int, _ []byte) []byte {
				if which>>(i%64)&1 == 0 {
					return nil
				}
				return with(i)
			}
		}
		out, err := message.Replace(in, meant(func(int) []byte { return []byte(`"new"`) }))
		if err != nil {
			t.Fatal(err)
		}
		got, err := message.Elements(out)
		if err != nil || len(got) != len(list) {
			t.Fatalf("%q became %q: %v", in, out, err)
		}
		for i, e := range got {
			if want := meant(func(int) []byte { return []byte(`"new"`) })(i, nil); want != nil && !bytes.Equal(e, want) || want == nil && !bytes.Equal(e, list[i]) {
				t.Errorf("element %d of %q is %q", i, out, e)
			}
		}
		back, err := message.Replace(out, meant(func(i int) []byte { return list[i] }))
		if err != nil || !bytes.Equal(back, before) || !bytes.Equal(in, before) {
			t.Errorf("%q came back as %q: %v", before, back, err)
		}
	})
}

// FuzzCut: whatever the array, the elements that remain are as they were, and so
// is all before and behind what was cut.
func FuzzCut(f *testing.F) {
	f.Add([]byte(`[{"a":[1]},[[2],"]"],null]`), 0, 2)
	f.Add([]byte(" [ \"\\u005d\" , 1.50\n] "), 0, 1)
	f.Fuzz(func(t *testing.T, in []byte, from, to int) {
		list, err := message.Elements(in)
		if err != nil {
			return
		}
		out, err := message.Cut(in, from, to)
		if err != nil {
			if from >= 0 && from < to && to < len(list) {
				t.Errorf("%d to %d of %q: %v", from, to, in, err)
			}
			return
		}
		got, err := message.Elements(out)
		if want := slices.Concat(list[:from], list[to:]); err != nil || !slices.EqualFunc(got, want, bytes.Equal) {
			t.Errorf("%q became %q: %v", in, out, err)
		}
		same := 0
		for same < len(out) && in[same] == out[same] {
			same++
		}
		if !bytes.HasSuffix(in, out[same:]) {
			t.Errorf("%q became %q", in, out)
		}
	})
}
