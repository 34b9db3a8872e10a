package sim

import (
	"encoding/json"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"
)

// plain turns a value into what encoding/json makes of the same text.
func plain(t testing.TB, v *value) any {
	t.Helper()
	switch v.kind {
	case kindNull:
		return nil
	case kindBool:
		return v.isTrue()
	case kindNumber:
		f, _ := strconv.ParseFloat(v.raw, 64) // out of range is infinite, as in the judge's error
		return f
	case kindString:
		return v.str
	case kindArray:
		list := make([]any, len(v.list))
		for i := range v.list {
			list[i] = plain(t, &v.list[i])
		}
		return list
	case kindObject:
		m := map[string]any{}
		for i, key := range v.keys {
			m[key] = plain(t, &v.list[i])
		}
		return m
	}
	t.Fatalf("kind %q", v.kind)
	return nil
}

var jsonTexts = []string{
	`{}`, `[]`, `""`, `0`, `-0`, `-1.5e+10`, `1E5`, `0.1`, `true`, `false`, `null`, ` { "a" : [ 1 , "b" , { } ] } `,
	`{"a":1,"a":2}`, `"\u0041\n\"\\\/\b\f\r\t"`, `"\ud83d\ude00"`, `"\ud83d"`, `"\ud83dx"`, `"\ud83d\u0041"`, `"你好"`,
	`{`, `[`, `"`, `{"a"}`, `{"a":}`, `{"a":1,}`, `[1,]`, `[1 2]`, `01`, `-`, `1.`, `.5`, `1e`, `+1`, `--1`, `1.e3`, `tru`,
	`nulll`, `{} {}`, "\"\x01\"", `"\x"`, `"\u12"`, `"\u12g4"`, `"\`, "\"a\n\"", "\xff", "\"\xff\"", `{a:1}`, `'a'`, ``, ` `,
	`[[[[[[]]]]]]`, `{"":""}`, `-01`, `1e400`, `-0.0`, `{"a":"\u0000"}`,
}

func TestParseJSONAgreesWithTheStandardLibrary(t *testing.T) {
	for _, text := range jsonTexts {
		compareJSON(t, text)
	}
}

func FuzzParseJSON(f *testing.F) {
	for _, text := range jsonTexts {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) { compareJSON(t, text) })
}

// compareJSON holds the parser against encoding/json, which is more lenient in
// one thing only: it mends invalid UTF-8.
func compareJSON(t *testing.T, text string) {
	t.Helper()
	got, err := parseJSON(text)
	valid := json.Valid([]byte(text)) && utf8.ValidString(text)
	if err != nil {
		if valid && !strings.Contains(err.Error(), "nested") {
			t.Errorf("%q is refused: %v", text, err)
		}
		return
	}
	if !valid {
		t.Errorf("%q is taken but is not JSON", text)
		return
	}
	var want any
	if err := json.Unmarshal([]byte(text), &want); err != nil {
		return // a number out of range
	}
	if got := plain(t, &got); !reflect.DeepEqual(got, want) {
		t.Errorf("%q is read as %#v, want %#v", text, got, want)
	}
}

func TestParseJSONIsBounded(t *testing.T) {
	deep := strings.Repeat("[", 100_000)
	if _, err := parseJSON(deep); err == nil || !strings.Contains(err.Error(), "nested") {
		t.Errorf("100,000 brackets: %v, want a refusal of the nesting", err)
	}
}

func TestValueOfNothing(t *testing.T) {
	v, err := parseJSON(`{"a":null,"b":1.5,"c":7}`)
	if err != nil {
		t.Fatal(err)
	}
	if v.get("x").given() || v.get("a").given() || v.get("x").get("y").text() != "" {
		t.Error("what is missing or null is given")
	}
	if _, ok := v.get("b").integer(); ok {
		t.Error("1.5 is an integer")
	}
	if n, ok := v.get("c").integer(); !ok || n != 7 {
		t.Errorf("7 is read as %d, %v", n, ok)
	}
}
