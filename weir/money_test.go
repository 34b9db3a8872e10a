package weir_test

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/weir-gateway/weir/weir"
)

// TestCallsArePriced: JSON and streams alike, by the model that answered.
func TestCallsArePriced(t *testing.T) {
	const usage = `"usage":{"input_tokens":1000,"cache_creation_input_tokens":300,"cache_creation":{"ephemeral_1h_input_tokens":100},"cache_read_input_tokens":5000,"output_tokens":200,"server_tool_use":{"web_search_requests":1}}`
	started := "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"model\":\"MODEL\"," + strings.Replace(usage, `"output_tokens":200`, `"output_tokens":1`, 1) + "}}\n\n" +
		"event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0}\n\n" +
		"event: message_delta\ndata: {\"type\":\"message_delta\",\"usage\":{\"output_tokens\":200}}\n\n" +
		"event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"
	for model, want := range map[string]string{
		"claude-haiku-4-5-20251001": "0.01295", // 0.001 + 0.00025 + 0.0002 + 0.0005 + 0.001 + 0.01
		"claude-opus-5":             "0.02475", // 0.005 + 0.00125 + 0.001 + 0.0025 + 0.005 + 0.01
		"claude-nobody-9":           "",        // not known: the most
	} {
		synctest.Test(t, func(t *testing.T) {
			var log bytes.Buffer
			h := newHouse(t, func(w http.ResponseWriter, r *http.Request) {
				raw, _ := io.ReadAll(r.Body)
				if bytes.Contains(raw, []byte(`"stream":true`)) {
					serveEvents(w, strings.ReplaceAll(started, "MODEL", model))
					return
				}
				io.WriteString(w, `{"id":"msg_1","type":"message","model":"`+model+`",`+usage+`}`)
			}, weir.WithLogger(slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelWarn}))))
			h.post(t, request)
			h.post(t, streamed)
			synctest.Wait()
			for _, e := range h.journal.list {
				if want != "" && (e.Cost.String() != want || !e.Priced) || want == "" && (e.Priced || e.Cost == 0) {
					t.Errorf("%s, stream %t: %s, priced %t", model, e.Stream, e.Cost, e.Priced)
				}
			}
			if told := strings.Count(log.String(), "no price is known"); (want == "") != (told == 1) {
				t.Errorf("%s: told %d times", model, told)
			}
		})
	}
	if _, err := weir.New(weir.WithPrices(weir.Prices{Table: []byte(`{}`)})); err == nil {
		t.Error("an empty table was taken")
	}
}
