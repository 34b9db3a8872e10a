package sim_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weir-gateway/weir/sim"
)

// limitPage is one page of the Rate Limits API.
type limitPage struct {
	Data []struct {
		ID    string
		Group struct {
			Type, ID string
			Name     string `json:"display_name"`
		}
		GroupType string `json:"group_type"`
		Models    []string
		Limits    []struct {
			Type     string
			Value    int64
			OrgLimit int64 `json:"org_limit"`
		}
	}
	Next *string `json:"next_page"`
}

func (b *bench) limits(path, version string) limitPage {
	b.Helper()
	r := b.ask("GET", path, "", "x-api-key", "sk-ant-admin01-acme", "anthropic-version", version)
	var p limitPage
	if err := json.Unmarshal([]byte(r.body), &p); err != nil || r.StatusCode != 200 {
		b.Fatalf("%s: %d %s", path, r.StatusCode, r.body)
	}
	if r.Header.Get("anthropic-organization-id") == "" || r.Header.Get("anthropic-workspace-id") != "" {
		b.Errorf("headers %v: want the organization's id and no workspace's", r.Header)
	}
	return p
}

const acme = `
organizations:
- name: other
  keys: [k1]
- name: acme
  keys: [k2]
  workspaces: [{name: lab, id: wrkspc_lab, keys: [k3], limits: {input_tokens: 1000}, count_cache_reads: true}]
  quota: {limits: {requests: 50}, changes: [{at: 1m, limits: {requests: 70}}]}
`

func TestRateLimitsAPI(t *testing.T) {
	inBubble(t, sim.Config{Scenario: scenario(t, acme)}, func(b *bench) {
		first := b.limits("/v1/organizations/rate_limits?limit=2", "2026-10-21")
		if len(first.Data) != 2 || first.Next == nil || first.Data[0].Group.Type != "model_group" || first.Data[0].GroupType != "" {
			b.Fatalf("%+v", first)
		}
		second := b.limits("/v1/organizations/rate_limits?limit=2&page="+*first.Next, "2023-06-01")
		if len(second.Data) != 2 || second.Data[0].ID == first.Data[0].ID || second.Data[0].GroupType != "model_group" || second.Data[0].Group.Type != "" {
			b.Errorf("%+v", second)
		}
		one := b.limits("/v1/organizations/rate_limits?model=claude-opus-4-7", "2026-10-21").Data
		if len(one) != 1 || !slices.Contains(one[0].Models, "claude-opus-4-8") || one[0].Limits[0].Value != 50 || one[0].Limits[1].Type != "input_tokens_per_minute_cache_aware" {
			b.Errorf("%+v", one)
		}
		own := b.limits("/v1/organizations/workspaces/wrkspc_lab/rate_limits", "2026-10-21").Data
		if len(own) == 0 || len(own[0].Limits) != 1 || own[0].Limits[0].Type != "input_tokens_per_minute" || own[0].Limits[0].Value != 1000 || own[0].Limits[0].OrgLimit <= 1000 {
			b.Errorf("%+v", own)
		}
		time.Sleep(2 * time.Minute)
		if all := b.limits("/v1/organizations/rate_limits?limit=100", "2026-10-21"); all.Data[0].Limits[0].Value != 70 || all.Next != nil {
			b.Errorf("after the change: %+v", all)
		}
	})
}

func TestRateLimitsAPIRefuses(t *testing.T) {
	inBubble(t, sim.Config{}, func(b *bench) {
		for _, tc := range []struct {
			path, key string
			status    int
		}{
			{"rate_limits", "sk-ant-api03-x", 401},
			{"rate_limits", "sk-ant-admin01-invalid", 401},
			{"rate_limits?model=gpt", "sk-ant-admin01-x", 404},
			{"workspaces/none/rate_limits", "sk-ant-admin01-x", 404},
			{"users", "sk-ant-admin01-x", 404},
		} {
			r := b.ask("GET", "/v1/organizations/"+tc.path, "", "x-api-key", tc.key)
			if r.StatusCode != tc.status || !strings.Contains(r.body, "error") {
				b.Errorf("%s with %s: %d %s", tc.path, tc.key, r.StatusCode, r.body)
			}
		}
	})
}
