package load

import (
	"bytes"
	"encoding/json"
	"io"
	"math"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestReadTraceRefuses(t *testing.T) {
	body := `{"model":"m","max_tokens":5,"messages":[]}`
	for name, tt := range map[string]struct{ lines, want string }{
		"empty":        {"\n\n", "no line such as"},
		"unknown":      {`{"at":0,"inputs":5}`, `line 1: json: unknown field "inputs"`},
		"no-size":      {`{"at":0}`, "needs a body, or input_tokens"},
		"backwards":    {"{\"at\":2,\"input_tokens\":1}\n\n{\"at\":1,\"input_tokens\":1}", "line 3: its at is before"},
		"negative":     {`{"at":-1,"input_tokens":1}`, "not a time"},
		"far":          {`{"at":1e9,"input_tokens":1}`, "not a time"},
		"class":        {`{"class":"urgent","input_tokens":1}`, "not interactive, normal or batch"},
		"both":         {`{"input_tokens":3,"body":` + body + `}`, "leave them"},
		"no-model":     {`{"body":{"max_tokens":5}}`, "not a request"},
		"two-in-one":   {`{"input_tokens":3} {"input_tokens":3}`, "own line"},
		"not-json":     {"hello", "line 1: invalid character"},
		"negative-out": {`{"input_tokens":3,"output_tokens":-1}`, "negative"},
	} {
		if _, err := ReadTrace(strings.NewReader(tt.lines)); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
}

func TestReplayKeepsTheTimesOfTheTrace(t *testing.T) {
	const lines = `{"at":1,"tenant":"web","class":"interactive","input_tokens":100,"max_tokens":50,"output_tokens":7,"stream":true}
{"at":3,"tenant":"night","class":"batch","body":{"model":"claude-haiku-4-5","max_tokens":9,"messages":[{"role":"user","content":"hi"}],"unknown":[1]}}
{"at":3,"input_tokens":100}
`
	trace, err := ReadTrace(strings.NewReader(lines))
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		u := upstream(func(w http.ResponseWriter, req *http.Request) {
			data, _ := io.ReadAll(req.Body)
			var b struct {
				Model     string
				MaxTokens int `json:"max_tokens"`
				Unknown   []int
			}
			if err := json.Unmarshal(data, &b); err != nil {
				t.Error(err)
			}
			switch at := time.Since(began); req.Header.Get("weir-class") {
			case "interactive":
				if at != 500*time.Millisecond || b.MaxTokens != 50 || req.Header.Get("x-sim-output-tokens") != "7" {
					t.Errorf("the first came at %v: %+v", at, b)
				}
			case "batch":
				if at != 1500*time.Millisecond || b.Model != "claude-haiku-4-5" || b.Unknown == nil || req.Header.Get("weir-tenant") != "night" {
					t.Errorf("the second came at %v: %+v", at, b)
				}
			}
			io.WriteString(w, okBody)
		})
		if rep := run(t, u, Workload{Trace: trace, Speed: 2}); rep.OK != 3 {
			t.Errorf("answered %d of 3", rep.OK)
		}
	})
}

func TestSyntheticTraceIsReadBack(t *testing.T) {
	w := Workload{Rate: 10, Duration: time.Minute, Tenants: []Tenant{{Name: "a", Weight: 3}, {Name: "b", Class: "batch"}}, StreamShare: 0.5}
	trace, err := w.Synthesize()
	if err != nil || math.Abs(float64(len(trace))-600) > 75 {
		t.Fatalf("%d lines, %v", len(trace), err)
	}
	var out bytes.Buffer
	if err := WriteTrace(&out, trace); err != nil {
		t.Fatal(err)
	}
	again, err := ReadTrace(&out)
	if err != nil || len(again) != len(trace) || again[9].At != trace[9].At || again[9].InputTokens != trace[9].InputTokens {
		t.Errorf("%d lines came back, %v", len(again), err)
	}
	if _, err := (Workload{Duration: time.Second}).Synthesize(); err == nil {
		t.Error("a trace without a rate")
	}
}

func TestPriceable(t *testing.T) {
	for content, want := range map[string]string{
		`"hi"`:                                "",
		`[{"type":"text","text":"an image"}]`: "",
		`[{"type":"image","source":{}}]`:      "type image",
		`[{"type":"tool_result","content":[{"type":"document"}]}]`: "type document",
	} {
		line := `{"body":{"model":"m","max_tokens":5,"tools":[{"name":"own"}],"messages":[{"role":"user","content":` + content + `}]}}`
		trace, err := ReadTrace(strings.NewReader(line))
		if err != nil {
			t.Fatal(err)
		}
		if err := Priceable(trace); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", content, err, want)
		}
	}
	trace, err := ReadTrace(strings.NewReader(`{"body":{"model":"m","max_tokens":5,"tools":[{"type":"web_search_20250305","name":"w"}]}}`))
	if err != nil || Priceable(trace) == nil {
		t.Errorf("a web search has a price: %v", err)
	}
}
