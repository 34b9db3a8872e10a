package conformance

import (
	"testing"
	"time"

	"github.com/anthropics/anthropic-sdk-go/v2"
)

// drain makes a request whose output leaves the organization's output bucket so
// deep in debt that the next request has to wait 92 s, and on top of that
// as long as the gateway thinks prudent.
func drain(t *testing.T, purpose string) {
	t.Helper()
	client, _ := newClient(purpose)
	stream := client.Messages.NewStreaming(t.Context(), ask("Write at great length.", 64_000), tokens(20_000))
	defer stream.Close()
	var m anthropic.Message
	for stream.Next() {
		if err := m.Accumulate(stream.Current()); err != nil {
			t.Fatal(err)
		}
	}
	if err := stream.Err(); err != nil {
		t.Fatalf("drain the quota: %v", err)
	}
}

// TestHold: a request that the quota holds back for 100 s is answered in the
// end, by one upstream request, and the SDK notices nothing.
func TestHold(t *testing.T) {
	t.Parallel()
	needGateway(t)
	t.Run("json", func(t *testing.T) {
		t.Parallel()
		held(t, "hold-json", func(client anthropic.Client) (string, error) {
			m, err := client.Messages.New(t.Context(), ask("Say hello.", 64))
			if err != nil {
				return "", err
			}
			return text(m), nil
		})
	})
	t.Run("sse", func(t *testing.T) {
		t.Parallel()
		held(t, "hold-sse", func(client anthropic.Client) (string, error) {
			stream := client.Messages.NewStreaming(t.Context(), ask("Say hello.", 64))
			defer stream.Close()
			var m anthropic.Message
			for stream.Next() {
				if err := m.Accumulate(stream.Current()); err != nil {
					return "", err
				}
			}
			return text(&m), stream.Err()
		})
	})
}

// held drains the quota, does the request and checks how it fared.
func held(t *testing.T, purpose string, request func(anthropic.Client) (string, error)) {
	drain(t, purpose)
	client, sent := newClient(purpose)
	began := time.Now()
	answer, err := request(client)
	took := time.Since(began)
	if err != nil {
		t.Fatalf("after %v: %v", took, err)
	}
	t.Logf("held for %v", took)
	if answer == "" {
		t.Error("no text in the answer")
	}
	if took < 95*time.Second || took > 190*time.Second {
		t.Errorf("held for %v, want 95 to 190 s", took)
	}
	if n := sent.Load(); n != 1 {
		t.Errorf("the SDK sent %d requests, want 1", n)
	}
	if got := upstream(t, purpose).requests; got != 2 {
		t.Errorf("%d requests upstream, want 2: one drained the quota, one was held", got)
	}
}
