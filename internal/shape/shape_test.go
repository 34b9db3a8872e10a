package shape_test

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/shape"
)

func always(*call.Call) bool { return true }

func TestFallback(t *testing.T) {
	room := shape.New(map[string][]string{"big": {"mid", "small"}})
	c := &call.Call{Model: "big", Body: []byte(`{"model":"big"}`)}
	if room.Fallback(c, func(*call.Call) bool { return false }) || c.Model != "big" || c.Degraded.Rung != "" {
		t.Errorf("none is open: %+v", c)
	}
	if !room.Fallback(c, func(next *call.Call) bool { return next.Model == "small" }) || c.Model != "small" {
		t.Errorf("only the last is open: %+v", c)
	}
	if room.Fallback(c, always) {
		t.Errorf("behind the end of the chain: %+v", c)
	}
	c = &call.Call{Model: "big", Body: []byte(`{"model":"big"}`)}
	for _, want := range []string{"mid", "small"} {
		if !room.Fallback(c, always) || c.Model != want || c.Degraded.String() != "fallback; from=big" {
			t.Errorf("want %s: %+v", want, c)
		}
	}
	if c := (&call.Call{Model: "mid", Body: []byte(`{"model":"mid"}`)}); room.Fallback(c, always) {
		t.Errorf("a model without a chain: %+v", c)
	}
}

func TestOnlyTheModelChanges(t *testing.T) {
	room := shape.New(map[string][]string{"big": {`sm"all`}})
	for body, want := range map[string]string{
		`{"model":"big"}`: `{"model":"sm\"all"}`,
		"{ \"a\":{\"model\":1},\n\"model\" :\t\"big\" }":          "{ \"a\":{\"model\":1},\n\"model\" :\t\"sm\\\"all\" }",
		`{"m":[1.50,"é\u0041"],"\u006dodel":"b\u0069g","z":null}`: `{"m":[1.50,"é\u0041"],"\u006dodel":"sm\"all","z":null}`,
	} {
		c := &call.Call{Model: "big", Body: []byte(body)}
		if !room.Fallback(c, always) || string(c.Body) != want {
			t.Errorf("got %s, want %s", c.Body, want)
		}
	}
}

// FuzzModel: whatever the request, the model alone is another one afterwards.
func FuzzModel(f *testing.F) {
	f.Add([]byte(`{"x":[{}],"model":"big","y":"\ud83d\ude00"}`))
	f.Add([]byte(` {"model" : "big"} `))
	room := shape.New(map[string][]string{"big": {"small"}})
	f.Fuzz(func(t *testing.T, body []byte) {
		before := bytes.Clone(body)
		c := &call.Call{Model: "big", Body: body}
		if !room.Fallback(c, always) {
			return
		}
		if !bytes.Equal(body, before) {
			t.Fatal("the caller's bytes were changed")
		}
		var was, is map[string]any
		if json.Unmarshal(body, &was) != nil {
			return // what stands behind the model is not looked at
		}
		if err := json.Unmarshal(c.Body, &is); err != nil || is["model"] != "small" {
			t.Fatalf("%s became %s: %v", body, c.Body, err)
		}
		was["model"] = "small"
		a, _ := json.Marshal(was)
		b, _ := json.Marshal(is)
		if !bytes.Equal(a, b) {
			t.Fatalf("%s became %s", body, c.Body)
		}
	})
}
