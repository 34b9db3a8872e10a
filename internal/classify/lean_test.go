package classify

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weir-gateway/weir/call"
)

func TestLongStringsAreMeasuredAsTheyStand(t *testing.T) {
	long := func(unit string) string { return strings.Repeat(unit, 20_000) }
	for name, content := range map[string]string{
		"plain":       `"` + long("The quick brown fox. ") + `"`,
		"escaped":     `"` + long(`say \"hi\" \\`) + `"`,
		"wide":        `"` + long("中文") + `"`,
		"blocks":      `[{"type":"text","text":"` + long("one ") + `"},{"type":"text","text":"` + long("two ") + `","cache_control":{"type":"ephemeral"}}]`,
		"short-long":  `[{"type":"text","text":"x"},{"type":"text","text":"` + long("two ") + `"},{"type":"text","text":"y"}]`,
		"tool-input":  `[{"type":"tool_use","input":{"file":"` + long("code ") + `"}}]`,
		"text-source": `[{"type":"document","source":{"type":"text","data":"` + long("page ") + `","media_type":"text/plain"}}]`,
		"quoted-mark": `"` + long(`\"cache_control\" `) + `"`,
		"long-name":   `[{"type":"text","` + long("name") + `":1,"text":"x"}]`,
	} {
		t.Run(name, func(t *testing.T) {
			body := []byte(`{"model":"m","messages":[{"role":"user","content":` + content + `}],"metadata":{"user_id":"u"}}`)
			if !json.Valid(body) {
				t.Fatal("the test itself is wrong")
			}
			c := &call.Call{Body: body}
			user, err := New(Config{}).parse(c)
			if err != nil || user != "u" || c.Model != "m" || c.Content.Messages != 1 {
				t.Fatalf("got user %q, model %q, %d messages: %v", user, c.Model, c.Content.Messages, err)
			}
			l := newLean(body)
			if name != "long-name" && len(l.text) > 1000 {
				t.Errorf("%d of %d bytes are left", len(l.text), len(body))
			}
			for at, b := range l.text {
				if l.body[l.offset(at)] != b {
					t.Fatalf("byte %d is said to stand at %d, where another one is", at, l.offset(at))
				}
			}
		})
	}
}

func TestLeanBodiesMeasureAlike(t *testing.T) {
	text := strings.Repeat("The quick brown fox jumps over the lazy dog, 中文 and more. ", 60) // below longString
	var blocks []string
	for range 40 {
		blocks = append(blocks, `{"type":"text","text":"`+text+`"}`)
	}
	whole := `{"type":"text","text":"` + strings.Repeat(text, 40) + `"}`
	measure := func(blocks string) call.Measure {
		c := &call.Call{Body: []byte(`{"model":"m","messages":[{"role":"user","content":[` + blocks + `]}]}`)}
		if _, err := New(Config{}).parse(c); err != nil {
			t.Fatal(err)
		}
		return c.Content.Measure
	}
	many, one := measure(strings.Join(blocks, ",")), measure(whole)
	for script := range many.Text {
		if a, b := float64(many.Text[script]), float64(one.Text[script]); a > 1000 && (b < a*0.97 || b > a*1.03) {
			t.Errorf("script %d: %v in many short texts, %v in a long one\n%s", script, a, b, cmp.Diff(many, one))
		}
	}
}

func TestLongStringsWithoutEndOrSense(t *testing.T) {
	long := strings.Repeat("x", leanFrom)
	for name, c := range map[string]struct{ body, words string }{
		"no-end":       {`{"model":"` + long, "ends too early"},
		"no-utf8":      {`{"model":"m","x":"` + long + "\xff\"}", "UTF-8"},
		"behind-it":    {`{"model":"m","x":"` + long + `"} 5`, "nothing behind it"},
		"wrong-behind": {`{"model":"m","x":"` + long + `",}`, "at byte 65555"},
		"twice":        {`{"model":"m","x":"` + long + `","model":"n"}`, "duplicate"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := New(Config{}).parse(&call.Call{Body: []byte(c.body)})
			if err == nil || !strings.Contains(err.Error(), c.words) {
				t.Errorf("got %v, want %q", err, c.words)
			}
		})
	}
}

func FuzzLean(f *testing.F) {
	for _, seed := range []string{`{"a":"long text","long name" : "\\"}`, `["x\"y\\", "\u00e9中", ""]`, `{"a":"no end`, `"\\\"`} {
		f.Add([]byte(seed), 2)
	}
	f.Fuzz(func(t *testing.T, body []byte, long int) {
		l := lean{body: body, text: body}
		l.cutOut(max(1, long))
		for at, b := range l.text {
			if l.body[l.offset(at)] != b {
				t.Fatalf("byte %d of %q is said to stand at %d of %q", at, l.text, l.offset(at), body)
			}
		}
		if json.Valid(body) && !json.Valid(l.text) {
			t.Fatalf("%q is JSON, %q is not", body, l.text)
		}
	})
}
