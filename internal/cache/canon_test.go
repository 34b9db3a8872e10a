package cache

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"math/rand/v2"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestCanonical(t *testing.T) {
	for name, c := range map[string]struct {
		a, b string
		same bool
	}{
		"order":        {`{"a":1,"b":{"c":2,"d":3}}`, `{"b":{"d":3,"c":2},"a":1}`, true},
		"space":        {`{"a":[1,2]}`, " {\n\t\"a\" : [ 1 , 2 ] } ", true},
		"numbers":      {`{"a":[1,10,0.5,0,-0,1e2,0.00]}`, `{"a":[1.0,1e1,5E-1,-0,0e9,100.00,0]}`, true},
		"big-numbers":  {`{"a":9007199254740993}`, `{"a":9007199254740992}`, false},
		"small-step":   {`{"a":0.1}`, `{"a":0.10000000000000000001}`, false},
		"sign":         {`{"a":1}`, `{"a":-1}`, false},
		"number-text":  {`{"a":1}`, `{"a":"1"}`, false},
		"escapes":      {`{"a":"\u00e9\/\n"}`, "{\"\\u0061\":\"é/\\u000a\"}", true},
		"letters":      {`{"a":"é"}`, `{"a":"e\u0301"}`, false},
		"stream":       {`{"a":1,"stream":true}`, `{"a":1}`, true},
		"inner-stream": {`{"a":{"stream":true}}`, `{"a":{}}`, false},
		"metadata":     {`{"metadata":{"user_id":"x"},"a":1}`, `{"a":1}`, true},
		"null":         {`{"a":null}`, `{}`, false},
		"boundaries":   {`{"a":["b","c"]}`, `{"a":["bc"]}`, false},
		"nesting":      {`{"a":[[1],2]}`, `{"a":[[1,2]]}`, false},
		"array-order":  {`{"a":[1,2]}`, `{"a":[2,1]}`, false},
		"names":        {`{"ab":"c"}`, `{"a":"bc"}`, false},
	} {
		t.Run(name, func(t *testing.T) {
			a, err := canonical([]byte(c.a))
			b, err2 := canonical([]byte(c.b))
			if err != nil || err2 != nil || bytes.Equal(a, b) != c.same {
				t.Errorf("%s\n%s\nsame: %v, %v, %v", a, b, !c.same, err, err2)
			}
		})
	}
	for _, wrong := range []string{``, `{`, `{"a":1}{}`, `{"a":1,"a":2}`, `{"a":1e9999999999999999999}`, `{"a":"\ud800"}`} {
		if _, err := canonical([]byte(wrong)); err == nil {
			t.Errorf("%s has a canonical form", wrong)
		}
	}
}

// valueOf reads JSON into values that [reflect.DeepEqual] tells apart as the
// canonical form is to do, by other code than its. Numbers are exact.
func valueOf(raw []byte) any {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var v any
	if dec.Decode(&v) != nil {
		return nil
	}
	if top, ok := v.(map[string]any); ok {
		delete(top, "stream")
		delete(top, "metadata")
	}
	return exact(v)
}

func exact(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for name := range v {
			v[name] = exact(v[name])
		}
	case []any:
		for i := range v {
			v[i] = exact(v[i])
		}
	case json.Number:
		r, ok := new(big.Rat).SetString(v.String())
		if !ok {
			return "too large: " + v.String()
		}
		return r.RatString()
	}
	return v
}

// respelled writes a value in another way.
func respelled(rng *rand.Rand, v any) string {
	space := strings.Repeat(" ", rng.IntN(2))
	switch v := v.(type) {
	case map[string]any:
		names := slices.Collect(maps.Keys(v))
		rng.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
		var parts []string
		for _, name := range names {
			parts = append(parts, quoted(rng, name)+space+":"+respelled(rng, v[name]))
		}
		return "{" + space + strings.Join(parts, ",") + "}"
	case []any:
		var parts []string
		for _, e := range v {
			parts = append(parts, respelled(rng, e))
		}
		return "[" + strings.Join(parts, space+",") + space + "]"
	case string:
		return quoted(rng, v)
	case json.Number:
		s := v.String()
		if strings.ContainsAny(s, "eE") {
			return s
		}
		if rng.IntN(2) == 0 {
			return s + "e0"
		}
		if strings.Contains(s, ".") {
			return s + "00"
		}
		return s + ".0"
	}
	raw, _ := json.Marshal(v)
	return string(raw)
}

func quoted(rng *rand.Rand, s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, c := range s {
		if c < 0x20 || c == '"' || c == '\\' || (c < 0x10000 && rng.IntN(4) == 0) {
			fmt.Fprintf(&b, `\u%04x`, c)
		} else {
			b.WriteRune(c)
		}
	}
	return b.String() + `"`
}

// FuzzCanonical holds that equal values, and no others, have equal forms.
func FuzzCanonical(f *testing.F) {
	for _, s := range [][2]string{
		{`{"model":"m","max_tokens":10,"stream":true,"messages":[{"role":"user","content":"hi \u00e9"}]}`, `{"messages":[{"content":"hi é","role":"user"}],"max_tokens":1e1,"model":"m"}`},
		{`{"a":[0.10,-0,100,1e-7],"b":null}`, `{"b":null,"a":[1E-1,0,1.00e2,0.0000001]}`},
		{`{"a":["b","c"],"":{}}`, `{"a":["bc"],"":[]}`},
		{`[true,false,null,"",0]`, `[true,false,null,"0",""]`},
	} {
		f.Add([]byte(s[0]), []byte(s[1]), uint64(1))
	}
	huge := regexp.MustCompile(`[eE][+-]?\d{4}`) // the other code would write it out
	f.Fuzz(func(t *testing.T, a, b []byte, seed uint64) {
		if huge.Match(a) || huge.Match(b) {
			return
		}
		ca, errA := canonical(a)
		if errA != nil {
			return
		}
		va := valueOf(bytes.Clone(a))
		if va == nil {
			if s := strings.TrimSpace(string(a)); s != "null" {
				return // too deep for the other decoder, or an exponent that it cannot hold
			}
		}
		if cb, err := canonical(b); err == nil {
			if same := reflect.DeepEqual(va, valueOf(b)); same != bytes.Equal(ca, cb) {
				t.Errorf("equal values: %v, equal forms: %v\n%s\n%s", same, !same, a, b)
			}
		}
		dec := json.NewDecoder(bytes.NewReader(a))
		dec.UseNumber()
		var v any
		if dec.Decode(&v) != nil {
			return
		}
		again := respelled(rand.New(rand.NewPCG(seed, 0)), v)
		if cb, err := canonical([]byte(again)); err != nil || !bytes.Equal(ca, cb) {
			t.Errorf("%v: written as %s, %s has another form", err, again, a)
		}
	})
}

func BenchmarkKey(b *testing.B) {
	for _, size := range []int{1 << 10, 1 << 20} {
		body := []byte(`{"model":"claude-haiku-4-5","max_tokens":10,"messages":[{"role":"user","content":"` + strings.Repeat("word ", size/5) + `"}]}`)
		b.Run(fmt.Sprintf("%dKB", size>>10), func(b *testing.B) {
			r := newRoom(b, Config{})
			c := newCall("t", string(body))
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := r.keyOf(c); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
