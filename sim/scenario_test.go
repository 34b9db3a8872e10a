package sim_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/weir-gateway/weir/internal/schema"
	"github.com/weir-gateway/weir/sim"
)

func TestBuiltInScenarios(t *testing.T) {
	names := sim.Scenarios()
	for _, want := range []string{"overload", "newcomer", "outage", "spend-cap"} {
		if !slices.Contains(names, want) {
			t.Errorf("there is no scenario %s in %v", want, names)
		}
	}
	for _, name := range names {
		s, err := sim.LoadScenario(name)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if s.Description == "" {
			t.Errorf("%s has no description", name)
		}
		if _, err := sim.New(sim.Config{Scenario: s}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestScenarioFromAFile(t *testing.T) {
	name := filepath.Join(t.TempDir(), "mine.yaml")
	if err := os.WriteFile(name, []byte("quota: {tier: scale}"), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := sim.LoadScenario(name)
	if err != nil || s.Quota.Tier != "scale" {
		t.Errorf("read %+v, error %v", s, err)
	}
	if _, err := sim.LoadScenario("no-such"); err == nil || !strings.Contains(err.Error(), "overload") {
		t.Errorf("a name that is nothing: %v, want the built-in names", err)
	}
}

func TestAllMistakesOfAScenarioAtOnce(t *testing.T) {
	_, err := sim.ParseScenario("bad.yaml", []byte(`tming: {ttft: 1s}
quota: {tier: strat, start_fill: 3}
organizations:
  - {name: a, keys: [k], quota: {others: [{requests: 1, every: 5s}]}}
  - {keys: [k]}
  - {name: c}
  - {name: d}
faults:
  - {kind: overlod, at: 5x}
  - {kind: status}
`))
	e, ok := errors.AsType[*schema.Error](err)
	if !ok {
		t.Fatalf("the error is %v", err)
	}
	var got []string
	for _, f := range e.Faults {
		got = append(got, f.Path)
	}
	slices.Sort(got)
	want := []string{
		"faults[0].at", "faults[0].kind", "faults[1].status", "organizations[0].quota.others[0].for",
		"organizations[1].keys[0]", "organizations[1].name", "organizations[3].keys", "quota.start_fill", "quota.tier", "tming",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("paths (-want +got):\n%s\n%v", diff, err)
	}
}

func TestScenarioSchema(t *testing.T) {
	raw, err := sim.ScenarioSchema()
	if err != nil || !json.Valid(raw) || !strings.Contains(string(raw), "tokens_per_second") {
		t.Errorf("schema: %v\n%s", err, raw)
	}
}

func TestConfigMistakes(t *testing.T) {
	_, err := sim.New(sim.Config{
		Tier: "gold", Speed: -1, StartFill: new(2.0), Limits: sim.Limits{Requests: -5}, Timing: sim.Timing{TTFT: -time.Second},
	})
	if err == nil || strings.Count(err.Error(), "\n") != 4 {
		t.Errorf("five mistakes make %v", err)
	}
}

func TestTiers(t *testing.T) {
	for tier, want := range map[string][3]int{
		"": {1000, 2_000_000, 400_000}, "start": {1000, 2_000_000, 400_000}, "build": {5000, 5_000_000, 1_000_000},
		"scale": {10_000, 10_000_000, 2_000_000}, "free-2024": {5, 10_000, 10_000}, "tier1-2025": {50, 30_000, 8000},
	} {
		inBubble(t, sim.Config{Tier: tier}, func(b *bench) {
			r := b.message("hi")
			for i, group := range []string{"requests", "input-tokens", "output-tokens"} {
				if got := r.number(t, "anthropic-ratelimit-"+group+"-limit"); got != want[i] {
					t.Errorf("tier %q: %s limit is %d, want %d", tier, group, got, want[i])
				}
			}
		})
	}
}

func TestGroupsShareBuckets(t *testing.T) {
	inBubble(t, sim.Config{Tier: "start"}, func(b *bench) {
		left := func(model string) int {
			body := strings.Replace(messageBody("hi", ""), "claude-sonnet-5-5", model, 1)
			return b.ask("POST", "/v1/messages", body).remaining(t, "requests")
		}
		if left("claude-opus-4-8") != 999 || left("claude-opus-4-7") != 998 || left("claude-opus-4-5-20251101") != 997 {
			t.Error("the models of Opus 4 do not share a bucket")
		}
		if left("claude-opus-5") != 999 || left("claude-opus-5-5") != 999 {
			t.Error("Opus 5 and 5.5 do not have buckets of their own")
		}
	})
}

func TestOrganizationsAreApart(t *testing.T) {
	c := sim.Config{Scenario: scenario(t, `
quota: {tier: free-2024}
organizations:
  - {name: a, keys: [k1, k2], quota: {limits: {requests: 2}}}
  - {name: b, id: org-b, keys: [k3]}
`)}
	inBubble(t, c, func(b *bench) {
		first, second := b.message("hi", "x-api-key", "k1"), b.message("hi", "x-api-key", "k2")
		if first.remaining(t, "requests") != 1 || second.remaining(t, "requests") != 0 {
			t.Error("two keys of one organization do not share its bucket")
		}
		if r := b.message("hi", "x-api-key", "k1"); r.StatusCode != 429 {
			t.Errorf("the third request of two: %d", r.StatusCode)
		}
		if r := b.message("hi", "x-api-key", "k3"); r.remaining(t, "requests") != 4 || r.Header.Get("anthropic-organization-id") != "org-b" {
			t.Errorf("the other organization: %v", r.Header)
		}
		if r := b.message("hi", "x-api-key", "k4"); r.StatusCode != 401 {
			t.Errorf("nobody's key: %d", r.StatusCode)
		}
	})
}

func TestStartFillAndChanges(t *testing.T) {
	c := sim.Config{StartFill: new(0.0), Scenario: scenario(t,
		"quota: {limits: {requests: 60, input_tokens: 60000}, start_fill: 0.5, changes: [{at: 30s, limits: {requests: 6}}]}")}
	inBubble(t, c, func(b *bench) {
		if r := b.message("hi"); r.StatusCode != 429 || r.number(t, "retry-after") != 1 {
			t.Errorf("an empty bucket: %d", r.StatusCode)
		}
		time.Sleep(31 * time.Second)
		if r := b.message("hi"); r.number(t, "anthropic-ratelimit-requests-limit") != 6 || r.remaining(t, "requests") != 5 {
			t.Errorf("after the change: %v", r.Header)
		}
	})
}

func FuzzScenario(f *testing.F) {
	for _, name := range sim.Scenarios() {
		data, err := os.ReadFile(filepath.Join("scenarios", name+".yaml"))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(data))
	}
	f.Add("faults: [{kind: 599, every: 1}]")
	f.Fuzz(func(t *testing.T, data string) {
		s, err := sim.ParseScenario("fuzz", []byte(data))
		if err != nil {
			return
		}
		if _, err := sim.New(sim.Config{Scenario: s}); err != nil {
			t.Errorf("a scenario that was read is refused: %v", err)
		}
	})
}
