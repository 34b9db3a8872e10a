package shape_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/shape"
)

// asked is a call as classify fills it.
func asked(t testing.TB, body string) *call.Call {
	t.Helper()
	var said struct {
		MaxTokens *float64 `json:"max_tokens"`
		Thinking  any      `json:"thinking"`
		Stream    bool     `json:"stream"`
	}
	if err := json.Unmarshal([]byte(body), &said); err != nil {
		t.Fatal(err)
	}
	c := &call.Call{Class: call.Normal, Tenant: "acme", Client: "web", Body: []byte(body), Stream: said.Stream}
	if said.MaxTokens != nil {
		c.MaxTokens = call.Tokens(*said.MaxTokens)
	}
	c.Content.Thinking = said.Thinking != nil
	return c
}

func TestMaxTokens(t *testing.T) {
	both := shape.Bounds{All: shape.Bound{Default: 4000, Cap: 8000}}
	thinking := func(budget, more string) string {
		return `{"thinking":{"type":"enabled", "budget_tokens": ` + budget + `},"m":[ 1.50 ]` + more + `}`
	}
	for name, tc := range map[string]struct {
		bounds   shape.Bounds
		in, want string // "" means: unchanged
		from     call.Tokens
	}{
		"nothing-configured": {shape.Bounds{}, `{"m":1}`, "", 0},
		"none":               {both, ` {"m":[ 1.50 ]}`, ` {"max_tokens":4000,"m":[ 1.50 ]}`, 0},
		"null":               {both, `{"max_tokens" : null,"m":1}`, `{"max_tokens" : 4000,"m":1}`, 0},
		"cache-warm-up":      {both, `{"max_tokens":0}`, "", 0},
		"nonsense-stays":     {both, `{"max_tokens":-5}`, "", 0},
		"within":             {both, `{"max_tokens":8000}`, "", 0},
		"above":              {both, `{"m":1, "max_tokens": 64000 }`, `{"m":1, "max_tokens": 8000 }`, 64000},
		"above-as-float":     {both, `{"max_tokens":6.4e4}`, `{"max_tokens":8000}`, 64000},
		"default-alone":      {shape.Bounds{All: shape.Bound{Default: 4000}}, `{"max_tokens":64000}`, "", 0},

		"budget-below-the-cap":   {both, thinking("7999", `,"max_tokens":9000`), thinking("7999", `,"max_tokens":8000`), 9000},
		"budget-above-the-cap":   {both, thinking("8000", `,"max_tokens":9000`), thinking("4000", `,"max_tokens":8000`), 9000},
		"cap-too-low-to-think":   {shape.Bounds{All: shape.Bound{Cap: 500}}, thinking("1024", `,"max_tokens":3000`), thinking("1024", `,"max_tokens":2048`), 3000},
		"cap-lower-than-allowed": {shape.Bounds{All: shape.Bound{Cap: 500}}, thinking("1024", `,"max_tokens":2000`), "", 0},
		"adaptive":               {shape.Bounds{All: shape.Bound{Cap: 500}}, `{"thinking":{"type":"adaptive"},"max_tokens":600}`, `{"thinking":{"type":"adaptive"},"max_tokens":500}`, 600},
		"default-with-thinking":  {shape.Bounds{All: shape.Bound{Default: 4000}}, thinking("5000", ``), `{"max_tokens":9000,` + thinking("5000", ``)[1:], 0},
		"default-up-to-the-cap":  {both, thinking("20000", ``), `{"max_tokens":8000,` + thinking("4000", ``)[1:], 0},

		"client-then-tenant-then-class": {shape.Bounds{
			All: shape.Bound{Default: 1}, Tenants: map[string]shape.Bound{"acme": {Default: 3}},
			Classes: [call.NumClasses]shape.Bound{call.Normal: {Default: 2}, call.Batch: {Default: 9}},
			Clients: map[string]shape.Bound{"web": {Default: 4}},
		}, `{"m":1}`, `{"max_tokens":4,"m":1}`, 0},
		"tenant-then-class": {shape.Bounds{
			Tenants: map[string]shape.Bound{"acme": {Default: 3}}, Classes: [call.NumClasses]shape.Bound{call.Normal: {Default: 2}},
		}, `{"m":1}`, `{"max_tokens":3,"m":1}`, 0},
		"lowest-cap": {shape.Bounds{
			All: shape.Bound{Cap: 9}, Classes: [call.NumClasses]shape.Bound{call.Normal: {Cap: 5}, call.Batch: {Cap: 1}},
			Tenants: map[string]shape.Bound{"acme": {Cap: 7}}, Clients: map[string]shape.Bound{"web": {Cap: 8}, "": {Cap: 1}},
		}, `{"max_tokens":10}`, `{"max_tokens":5}`, 10},
		"default-above-another-cap": {shape.Bounds{
			Clients: map[string]shape.Bound{"web": {Default: 100}}, Classes: [call.NumClasses]shape.Bound{call.Normal: {Cap: 50}},
		}, `{"m":1}`, `{"max_tokens":50,"m":1}`, 0},
	} {
		t.Run(name, func(t *testing.T) {
			var step shape.MaxTokens
			step.Configure(tc.bounds)
			c := asked(t, tc.in)
			before, limit := bytes.Clone(c.Body), step.Cap(c)
			anew := step.Prepare(c)
			want := tc.want
			if want == "" {
				want = tc.in
			}
			if string(c.Body) != want || c.MaxTokensAsked != tc.from || anew != (tc.want != "") {
				t.Errorf("got %s from %d, anew %v\nwant %s", c.Body, c.MaxTokensAsked, anew, want)
			}
			if again := asked(t, string(c.Body)); again.MaxTokens != c.MaxTokens {
				t.Errorf("the call says %d, its body %d", c.MaxTokens, again.MaxTokens)
			}
			if want := c.MaxTokens; tc.from > 0 && limit != want || tc.from == 0 && limit != 0 {
				t.Errorf("a cap of %d is announced, %d hold", limit, want)
			}
			if !strings.HasPrefix(tc.in, string(before)) {
				t.Errorf("the old body is now %s", before)
			}
		})
	}
}

// FuzzMaxTokens: whatever the bounds, a valid request stays one.
func FuzzMaxTokens(f *testing.F) {
	f.Add(uint16(4000), uint16(8000), uint16(9000), uint16(8500))
	f.Add(uint16(1), uint16(1), uint16(0), uint16(1024))
	f.Fuzz(func(t *testing.T, byDefault, limit, tokens, budget uint16) {
		said := map[string]any{"model": "m"}
		if tokens > 0 {
			said["max_tokens"] = tokens
		}
		if budget >= 1024 && (tokens == 0 || budget < tokens) {
			said["thinking"] = map[string]any{"type": "enabled", "budget_tokens": budget}
		}
		raw, err := json.Marshal(said)
		if err != nil {
			t.Fatal(err)
		}
		var step shape.MaxTokens
		step.Configure(shape.Bounds{All: shape.Bound{Default: call.Tokens(byDefault), Cap: call.Tokens(limit)}})
		c := asked(t, string(raw))
		step.Prepare(c)
		var got struct {
			MaxTokens int64 `json:"max_tokens"`
			Thinking  *struct {
				Budget int64 `json:"budget_tokens"`
			}
		}
		if err := json.Unmarshal(c.Body, &got); err != nil {
			t.Fatalf("%v in %s", err, c.Body)
		}
		if tokens == 0 && byDefault == 0 {
			return // it was not valid, and nothing is configured
		}
		switch {
		case got.MaxTokens < 1, got.Thinking != nil && (got.Thinking.Budget < 1024 || got.Thinking.Budget >= got.MaxTokens):
			t.Errorf("%s became the invalid %s", raw, c.Body)
		case limit > 0 && got.MaxTokens > max(int64(limit), 2048):
			t.Errorf("%s became %s above the cap %d", raw, c.Body, limit)
		case limit > 0 && got.Thinking == nil && got.MaxTokens > int64(limit):
			t.Errorf("%s became %s above the cap %d", raw, c.Body, limit)
		}
	})
}

func TestGather(t *testing.T) {
	step := shape.Gather{Above: 100}
	for body, want := range map[string]bool{
		`{"max_tokens":100}`:                                          false,
		`{"max_tokens":101}`:                                          true,
		`{"max_tokens":101,"stream":false}`:                           true,
		`{"max_tokens":101,"stream":true}`:                            false,
		`{"max_tokens":101,"tools":[{"eager_input_streaming":true}]}`: false,
	} {
		if c := asked(t, body); step.Prepare(c) || c.Gather != want || string(c.Body) != body {
			t.Errorf("%s: gathered %v", body, c.Gather)
		}
	}
	c := asked(t, `{"max_tokens":101}`)
	c.Header = map[string][]string{"Anthropic-Beta": {"a", "b,fine-grained-tool-streaming-2025-05-14"}}
	if step.Prepare(c); c.Gather {
		t.Error("tools may come unchecked")
	}
	if c := asked(t, `{"max_tokens":101}`); (shape.Gather{}).Prepare(c) || c.Gather {
		t.Error("gathered where it is off")
	}
}
