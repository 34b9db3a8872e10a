package sim_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/weir-gateway/weir/sim"
)

// reportPage is one page of either report.
type reportPage struct {
	Data []struct {
		From    string `json:"starting_at"`
		Results []struct {
			Model    string
			Uncached int64 `json:"uncached_input_tokens"`
			Output   int64 `json:"output_tokens"`
			Amount   string
			Kind     string `json:"token_type"`
		}
	}
	Next *string `json:"next_page"`
	More bool    `json:"has_more"`
}

func (b *bench) report(path string) (p reportPage) {
	b.Helper()
	r := b.ask("GET", "/v1/organizations/"+path, "", "x-api-key", "sk-ant-admin01-acme", "anthropic-version", "2023-06-01")
	if err := json.Unmarshal([]byte(r.body), &p); err != nil || r.StatusCode != 200 {
		b.Fatalf("%s: %d %s", path, r.StatusCode, r.body)
	}
	return p
}

// TestReports: what was served is charged, by day, and what failed is not.
func TestReports(t *testing.T) {
	inBubble(t, sim.Config{Scenario: scenario(t, acme)}, func(b *bench) {
		const ask = `{"model":"claude-sonnet-4-6","max_tokens":100,"messages":[{"role":"user","content":"hello"}]}`
		const stream = `{"model":"claude-sonnet-4-6","max_tokens":100,"stream":true,"messages":[{"role":"user","content":"hello"}]}`
		var input int64
		for _, day := range []int{1, 2, 1} { // so many calls on each day
			for range day {
				r := b.ask("POST", "/v1/messages", ask, "x-api-key", "k2", "anthropic-version", "2023-06-01", "x-sim-output-tokens", "10")
				var a struct {
					Usage struct {
						Input int64 `json:"input_tokens"`
					}
				}
				if err := json.Unmarshal([]byte(r.body), &a); err != nil || a.Usage.Input == 0 {
					b.Fatalf("%s", r.body)
				}
				input = a.Usage.Input
			}
			time.Sleep(24 * time.Hour)
		}
		b.ask("POST", "/v1/messages", stream, "x-api-key", "k2", "anthropic-version", "2023-06-01", "x-sim-output-tokens", "10")
		b.ask("POST", "/v1/messages", stream, "x-api-key", "k2", "anthropic-version", "2023-06-01", "x-sim-fault", "error_event@1")
		b.ask("POST", "/v1/messages", ask, "x-api-key", "k2", "anthropic-version", "2023-06-01", "x-sim-fault", "overloaded")
		b.ask("POST", "/v1/messages", ask, "x-api-key", "k1", "anthropic-version", "2023-06-01") // of another organization
		p := b.report("usage_report/messages?starting_at=2000-01-01T00:00:00Z&ending_at=2000-01-05T00:00:00Z&bucket_width=1d&group_by[]=model&limit=31")
		if len(p.Data) != 4 || p.More || p.Next != nil {
			b.Fatalf("%+v", p)
		}
		for i, calls := range []int64{1, 2, 1, 1} {
			if got := p.Data[i].Results; len(got) != 1 || got[0].Uncached != calls*input || got[0].Output != 10*calls || got[0].Model != "claude-sonnet-4-6" {
				b.Errorf("day %d: %+v, want %d calls of %d tokens", i, got, calls, input)
			}
		}
		// 10 tokens at $15 a million are 0.015 cents.
		p = b.report("cost_report?starting_at=2000-01-01T00:00:00Z&ending_at=2000-01-05T00:00:00Z&group_by[]=description&limit=2")
		if len(p.Data) != 2 || !p.More || *p.Next != "page_2000-01-03" || len(p.Data[0].Results) != 2 || p.Data[0].Results[1].Kind != "output_tokens" || p.Data[0].Results[1].Amount != "0.015" || p.Data[1].Results[1].Amount != "0.03" {
			b.Errorf("%+v", p)
		}
		if p = b.report("cost_report?starting_at=2000-01-01T00:00:00Z&ending_at=2000-01-05T00:00:00Z&page=page_2000-01-03"); len(p.Data) != 2 || p.More || p.Data[0].From != "2000-01-03T00:00:00Z" {
			b.Errorf("%+v", p)
		}
	})
}

func TestReportsRefuse(t *testing.T) {
	inBubble(t, sim.Config{Scenario: scenario(t, acme)}, func(b *bench) {
		for path, want := range map[string]int{
			"/v1/organizations/cost_report":                                                            400,
			"/v1/organizations/cost_report?starting_at=today":                                          400,
			"/v1/organizations/usage_report/messages?starting_at=2000-01-01T00:00:00Z&bucket_width=1h": 400,
			"/v1/organizations/usage_report/claude_code":                                               404,
		} {
			if r := b.ask("GET", path, "", "x-api-key", "sk-ant-admin01-acme", "anthropic-version", "2023-06-01"); r.StatusCode != want {
				b.Errorf("%s: %d %s", path, r.StatusCode, r.body)
			}
		}
		if r := b.ask("GET", "/v1/organizations/cost_report?starting_at=2000-01-01T00:00:00Z", "", "x-api-key", "k2", "anthropic-version", "2023-06-01"); r.StatusCode != 401 {
			b.Errorf("with an ordinary key: %d", r.StatusCode)
		}
	})
}
