package weir_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
)

func TestJSONPassesUnchanged(t *testing.T) {
	var seen *http.Request
	var body []byte
	front := behind(t, func(w http.ResponseWriter, r *http.Request) {
		seen = r.Clone(context.Background())
		body, _ = io.ReadAll(r.Body)
		w.Header().Set("X-New-Header", "kept")
		io.WriteString(w, answer)
	})
	resp, got := post(t, front.URL+"/v1/v1/messages?beta=true", request, "Anthropic-Beta", "a,b", "Weir-Tenant", "me", "X-Unknown", "1")
	if resp.StatusCode != 200 || got != answer || resp.Header.Get("X-New-Header") != "kept" {
		t.Errorf("got %d %q %v", resp.StatusCode, got, resp.Header)
	}
	if string(body) != request || seen.URL.String() != "/v1/messages?beta=true" {
		t.Errorf("the upstream got %s %q", seen.URL, body)
	}
	if seen.Header.Get("X-Api-Key") != "sk-ant-api-test" || seen.Header.Get("X-Unknown") != "1" || seen.Header.Get("Weir-Tenant") != "" {
		t.Errorf("the upstream got headers %v", seen.Header)
	}
	for _, name := range []string{"Weir-Request-Id", "Weir-Wait-Ms", "Weir-Attempts"} {
		if resp.Header.Get(name) == "" {
			t.Errorf("no %s in %v", name, resp.Header)
		}
	}
}

func TestStreamPassesUnchanged(t *testing.T) {
	front := behind(t, func(w http.ResponseWriter, r *http.Request) { serveEvents(w, events) })
	resp, got := post(t, front.URL+"/v1/messages", streamed)
	if resp.StatusCode != 200 || got != events {
		t.Errorf("got %d %q", resp.StatusCode, got)
	}
}

func TestBrokenStreamEndsWithAnError(t *testing.T) {
	for name, cut := range map[string]int{"between-events": strings.Index(events, "event: message_delta"), "inside-event": strings.Index(events, "event: message_delta") + 30} {
		t.Run(name, func(t *testing.T) {
			front := behind(t, func(w http.ResponseWriter, r *http.Request) { serveEvents(w, events[:cut]) })
			_, got := post(t, front.URL+"/v1/messages", streamed)
			whole := events[:strings.Index(events, "event: message_delta")]
			rest, found := strings.CutPrefix(got, whole)
			if !found || !strings.HasPrefix(rest, "event: error\ndata: {") || strings.Contains(rest, "message_stop") {
				t.Errorf("got %q behind the whole events", rest)
			}
		})
	}
}

func TestRetriesBeforeTheFirstContent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		failures := []http.HandlerFunc{
			func(w http.ResponseWriter, r *http.Request) { http.Error(w, "x", http.StatusServiceUnavailable) },
			func(w http.ResponseWriter, r *http.Request) { panic(http.ErrAbortHandler) },
			func(w http.ResponseWriter, r *http.Request) {
				serveEvents(w, events[:strings.Index(events, "event: content")])
			},
			func(w http.ResponseWriter, r *http.Request) {
				serveEvents(w, "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"api_error\"}}\n\n")
			},
		}
		n := 0
		h := newHouse(t, func(w http.ResponseWriter, r *http.Request) {
			n++
			if n <= len(failures) {
				failures[n-1](w, r)
				return
			}
			serveEvents(w, events)
		})
		_, got := h.post(t, streamed)
		got = strings.ReplaceAll(got, ping, "") // it may have waited for more than five seconds
		if got != events || n != len(failures)+1 {
			t.Errorf("after %d attempts: %q", n, got)
		}
	})
}

func TestErrorsPassUnmodified(t *testing.T) {
	body := `{"type":"error","error":{"type":"not_found_error","message":"model: x"},"request_id":"req_1"}`
	front := behind(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(404)
		io.WriteString(w, body)
	})
	if resp, got := post(t, front.URL+"/v1/messages", request); resp.StatusCode != 404 || got != body {
		t.Errorf("got %d %q", resp.StatusCode, got)
	}
}

func TestLargeBody(t *testing.T) {
	big := strings.Replace(request, "hi", strings.Repeat("0123456789abcdef", 31<<16), 1)
	front := behind(t, func(w http.ResponseWriter, r *http.Request) {
		got, _ := io.ReadAll(r.Body)
		fmt.Fprint(w, bytes.Equal(got, []byte(big)))
	})
	if resp, got := post(t, front.URL+"/v1/messages", big); got != "true" {
		t.Errorf("31 MiB: %d %.200s", resp.StatusCode, got)
	}
	if resp, got := post(t, front.URL+"/v1/messages", big+strings.Repeat(" ", 2<<20)); resp.StatusCode != 413 || !strings.Contains(got, "32 MiB") {
		t.Errorf("33 MiB: %d %.200s", resp.StatusCode, got)
	}
}
