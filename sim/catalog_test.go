package sim

import (
	"testing"
	"time"
)

func TestTablesAreSound(t *testing.T) {
	c := tables()
	seen := map[string]bool{}
	for _, m := range c.Models {
		if seen[m.ID] {
			t.Errorf("%s is listed twice", m.ID)
		}
		seen[m.ID] = true
		if m.Group == "" || m.Context < m.MaxOutput || m.MaxOutput == 0 || m.CacheMinimum == 0 || weights[m.Tokenizer] == weights[""] {
			t.Errorf("%s is incomplete: %+v", m.ID, m)
		}
		for _, date := range []string{m.Created, m.Retires} {
			if _, err := time.Parse(time.DateOnly, date); err != nil {
				t.Errorf("%s: %v", m.ID, err)
			}
		}
		for name, tier := range c.Tiers {
			for l, limit := range tier.limits(m.Group).of() {
				if limit <= 0 {
					t.Errorf("tier %s has no limit on %s for %s", name, limiterNames[l], m.Group)
				}
			}
		}
	}
	for name, tier := range c.Tiers {
		if tier.CountTokens <= 0 {
			t.Errorf("tier %s has no limit on token counting", name)
		}
		if tier.Batches <= 0 || tier.QueuedBatchRequests <= 0 {
			t.Errorf("tier %s has no limits on batches", name)
		}
		for group := range tier.Groups {
			if group != "*" && !groupExists(c, group) {
				t.Errorf("tier %s has limits for %s, which no model belongs to", name, group)
			}
		}
	}
}

func groupExists(c *catalog, group string) bool {
	for _, m := range c.Models {
		if m.Group == group {
			return true
		}
	}
	return false
}

func TestFindModel(t *testing.T) {
	for name, want := range map[string]string{
		"claude-opus-5-5": "claude-opus-5-5", "claude-opus-4-5": "claude-opus-4-5-20251101",
		"claude-sonnet-5-latest": "claude-sonnet-5", "claude": "", "gpt-4": "", "": "",
	} {
		m, ok := tables().find(name)
		if ok != (want != "") || ok && m.ID != want {
			t.Errorf("%q finds %+v, want %q", name, m, want)
		}
	}
}
