package refusals

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/weir-gateway/weir/call"
)

// TestEveryReasonHasACase: a refusal that no client has met is none of which
// anybody knows what it does.
func TestEveryReasonHasACase(t *testing.T) {
	met, names := map[string]bool{}, map[string]bool{}
	for _, c := range Cases() {
		met[c.Expect.Code] = true
		if names[c.Name] {
			t.Errorf("two cases are named %q", c.Name)
		}
		names[c.Name] = true
	}
	unmet := map[call.Reason]string{
		call.BatchRunning:    "only who said that it could wait for an hour, and then left sooner, meets it; weir/batches_test.go does",
		call.ClientGone:      "nobody is there to hear it",
		call.NotReplayable:   "no room gives it",
		call.InternalFailure: "it is a defect",
	}
	for reason := call.Malformed; reason <= call.InternalFailure; reason++ {
		if why := unmet[reason]; met[reason.String()] == (why != "") {
			t.Errorf("%v: there is a case: %t; why not: %q", reason, met[reason.String()], why)
		}
	}
}

const document = "../../docs/refusals.md"

// TestDocument: what docs/refusals.md promises is what the cases promise, and
// what it says was measured keeps to that.
func TestDocument(t *testing.T) {
	raw, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	const hint = "run scripts/check.sh build and .cache/bin/conform -bin .cache/bin/weir -update"
	text := string(raw)
	if !strings.HasPrefix(text, promises()+middle) {
		t.Errorf("%s does not have the promises of the cases: %s", document, hint)
	}
	for _, c := range Cases() {
		_, row, found := strings.Cut(text[strings.Index(text, middle)+1:], "\n| "+c.Name+" | ")
		if !found {
			t.Errorf("%s has no measurement of %q: %s", document, c.Name, hint)
			continue
		}
		row, _, _ = strings.Cut(row, " |\n")
		for i, cell := range strings.Split(row, " | ") {
			if Clients[i] == "claude-code" {
				continue // it retries more often; its own test knows how often
			}
			var requests int
			var seconds float64
			if _, err := fmt.Sscanf(cell, "%d · %f s", &requests, &seconds); err != nil {
				t.Errorf("%s of %s: %q: %v", c.Name, Clients[i], cell, err)
			}
			if requests != c.Expect.Requests || seconds > c.Expect.Within {
				t.Errorf("%s of %s: %d requests in %.1f s, want %d within %.1f s",
					c.Name, Clients[i], requests, seconds, c.Expect.Requests, c.Expect.Within)
			}
		}
	}
}
