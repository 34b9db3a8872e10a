package main

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
)

// TestServeTraces: a call through the whole gateway ends in a collector,
// continues the caller's trace, and leaves its content behind.
func TestServeTraces(t *testing.T) {
	const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	got := make(chan []byte, 8)
	collector := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		raw, _ := io.ReadAll(r.Body)
		got <- raw
	}))
	defer collector.Close()
	seen := make(chan string, 1)
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen <- r.Header.Get("Traceparent")
		io.WriteString(w, strings.Replace(answer, `"usage"`, `"content":[{"type":"text","text":"quince"}],"usage"`, 1))
	}))
	defer api.Close()
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.URL)

	ctx, cancel := context.WithCancel(t.Context())
	out, in := io.Pipe()
	weir := &running{stop: cancel, exit: make(chan int, 1), lines: bufio.NewScanner(out)}
	go func() {
		weir.exit <- run(ctx, env{strings.NewReader(""), io.Discard, in, os.Getenv},
			[]string{"serve", "--listen", "127.0.0.1:0", "--admin", "off", "--upstream", api.URL})
		in.Close()
	}()
	weir.data = weir.line(t, "weir: data plane ")
	weir.line(t, "weir: upstream ")
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, weir.data+"/v1/messages",
		strings.NewReader(strings.Replace(request, `"hi"`, `"marmalade"`, 1)))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Api-Key", "sk-ant-api-walnut")
	req.Header.Set("Traceparent", parent)
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
	if p := <-seen; p != parent {
		t.Errorf("the upstream got traceparent %q", p)
	}
	weir.stop()
	if code := weir.ended(); code != exitOK {
		t.Errorf("exit code %d", code)
	}
	close(got)
	var all []byte
	for raw := range got {
		all = append(all, raw...)
	}
	for _, want := range []string{"gen_ai.usage.output_tokens", "claude-haiku-4-5", "\x0a\xf7\x65\x19\x16\xcd\x43\xdd"} {
		if !bytes.Contains(all, []byte(want)) {
			t.Errorf("the trace lacks %q", want)
		}
	}
	for _, secret := range []string{"marmalade", "quince", "walnut"} {
		if bytes.Contains(all, []byte(secret)) {
			t.Errorf("the trace holds %q", secret)
		}
	}
}

func TestServeRefusesGRPCTraces(t *testing.T) {
	getenv := func(name string) string {
		return map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4317", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}[name]
	}
	var stderr strings.Builder
	code := run(t.Context(), env{strings.NewReader(""), io.Discard, &stderr, getenv}, []string{"serve", "--listen", "127.0.0.1:0", "--admin", "off"})
	if code != exitFailed || !strings.Contains(stderr.String(), "http/protobuf") || !strings.Contains(stderr.String(), "weir: hint: ") {
		t.Errorf("exit code %d: %s", code, stderr.String())
	}
}
