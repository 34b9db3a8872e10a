package dash

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/weir-gateway/weir/call"
)

// pageWords are the words of the page in one language.
func pageWords(t *testing.T, lang string) map[string]string {
	t.Helper()
	words := map[string]string{}
	if err := json.Unmarshal([]byte(loadPage().files[lang+".json"].body), &words); err != nil {
		t.Fatal(err)
	}
	return words
}

// TestBlocksAreToldAsInRefusals: whoever looks at the page reads of a blocked
// account what whoever is refused reads.
func TestBlocksAreToldAsInRefusals(t *testing.T) {
	blocks := map[string]bool{}
	for kind := call.OK; kind <= call.Unreachable; kind++ {
		for _, code := range []string{"", "contract_spend_limit_reached", "organization_on_hold"} {
			for _, workspace := range []bool{false, true} {
				if v := (call.Verdict{Kind: kind, Code: code, Workspace: workspace}); v.Account() {
					blocks[v.Block()] = true
				}
			}
		}
	}
	if len(blocks) != 8 {
		t.Errorf("blocks: %v", blocks)
	}
	blanks := strings.NewReplacer("{{.Until}}", "{until}", "{{.Meanwhile}}", "")
	for _, lang := range []string{"en", "zh"} {
		raw, err := os.ReadFile("../words/" + lang + ".json")
		if err != nil {
			t.Fatal(err)
		}
		var refusals map[string]map[string]any
		if err := json.Unmarshal(raw, &refusals); err != nil {
			t.Fatal(err)
		}
		page := pageWords(t, lang)
		for block := range blocks {
			said := refusals[block]
			if got, want := page["block."+block], strings.TrimSpace(blanks.Replace(said["message"].(string))); got != want {
				t.Errorf("block.%s in %s.json: %q, a refusal says %q", block, lang, got, want)
			}
			if got, want := page["block."+block+".hint"], said["hint"]; got != want {
				t.Errorf("block.%s.hint in %s.json: %q, a refusal says %q", block, lang, got, want)
			}
		}
	}
}

// TestWhatIsComposedHasWords holds the keys that the page puts together from
// values of the reports.
func TestWhatIsComposedHasWords(t *testing.T) {
	values := map[string][]string{
		"breaker.":      {"closed", "half_open", "open"},
		"breaker.said.": {"failing", "overloaded", "slow"},
		"cause.":        {"failing", "overloaded", "slow"},
		"kind.":         {"flow", "isolation", "hotspot", "system"},
		"key.":          {"ok", "blocked"},
		"notify.":       {"on", "off", "denied"},
		"rung.":         {"effort", "thinking", "max_tokens", "trim", "images", "fallback", "cached", "batches", "refuse"},
		"ladder.":       {"on", "off", "would", "help", "dry"},
		"cache.":        {"share", "read", "write", "freed", "net", "hits", "entries", "saved"},
		"col.money.":    {"tenants", "models", "days"},
		"trouble.":      {"wait", "cap", "busy", "yours", "gateway"},
		"play.":         {"user", "assistant", "key", "token"},
		"login.":        {"wrong", "many"},
		"col.": {
			"key", "organization", "state", "what", "model", "opened", "why", "since", "probe", "rule", "kind", "resource", "refused",
			"group", "position", "eta", "last", "class", "tokens.in", "asked", "served", "rung", "answers", "cost", "requests", "whom", "conditions", "changes", "would",
		},
	}
	for _, state := range []string{"unknown", "ok", "tight", "exhausted", "blocked", "partly", "failing"} {
		values["state."+state] = []string{".title", ".text"}
	}
	words := pageWords(t, "en") // the Chinese file has the same keys
	for prefix, list := range values {
		for _, value := range list {
			if words[prefix+value] == "" {
				t.Errorf("no words for %s%s", prefix, value)
			}
		}
	}
}
