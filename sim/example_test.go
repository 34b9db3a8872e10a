package sim_test

import (
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/weir-gateway/weir/sim"
)

// A test of one's own: a client of the API against the smallest account that
// there was, which allows five requests a minute.
func Example() {
	api, err := sim.New(sim.Config{Tier: "free-2024", Seed: 1})
	if err != nil {
		log.Fatal(err)
	}
	server := httptest.NewServer(api)
	defer server.Close()

	for range 6 {
		req, err := http.NewRequest(http.MethodPost, server.URL+"/v1/messages", strings.NewReader(
			`{"model":"claude-haiku-4-5","max_tokens":50,"messages":[{"role":"user","content":"Hello"}]}`))
		if err != nil {
			log.Fatal(err)
		}
		req.Header.Set("x-api-key", "sk-ant-any")
		req.Header.Set("anthropic-version", "2023-06-01")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			log.Fatal(err)
		}
		resp.Body.Close()
		fmt.Printf("%d remaining=%s retry-after=%q\n", resp.StatusCode,
			resp.Header.Get("anthropic-ratelimit-requests-remaining"), resp.Header.Get("retry-after"))
	}
	// Output:
	// 200 remaining=4 retry-after=""
	// 200 remaining=3 retry-after=""
	// 200 remaining=2 retry-after=""
	// 200 remaining=1 retry-after=""
	// 200 remaining=0 retry-after=""
	// 429 remaining=0 retry-after="12"
}

// Faults are scripted in YAML, or asked for by one request.
func ExampleParseScenario() {
	_, err := sim.ParseScenario("mine.yaml", []byte(`
timing: {ttft: 1s, tokens_per_secnd: 80}
quota: {tier: tier1-2025}
faults:
  - {kind: overloaded, at: 30s, for: 1 minute}
`))
	fmt.Println(err)
	// Output:
	// mine.yaml: line 2: timing.tokens_per_secnd: unknown key (did you mean tokens_per_second?)
	// mine.yaml: line 5: faults[0].for: "1 minute" is not a valid duration (for example 30s)
}
