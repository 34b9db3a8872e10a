package sim

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// sink takes an answer and forgets it.
type sink struct{ header http.Header }

func (s *sink) Header() http.Header         { return s.header }
func (s *sink) WriteHeader(int)             {}
func (s *sink) Write(p []byte) (int, error) { return len(p), nil }
func (s *sink) Flush()                      {}

func BenchmarkMessages(b *testing.B) {
	for _, bc := range []struct {
		name, extra string
		size        int
	}{{"json-1KB", "", 1 << 10}, {"stream-1KB", `"stream":true,`, 1 << 10}, {"json-1MB", "", 1 << 20}} {
		b.Run(bc.name, func(b *testing.B) {
			const phrase = "The keeper counts the boards he lifts. "
			text := strings.Repeat(phrase, bc.size/len(phrase))
			srv, err := New(Config{Limits: Limits{Requests: 1e9, InputTokens: 1e12, OutputTokens: 1e12}})
			if err != nil {
				b.Fatal(err)
			}
			body := `{"model":"claude-sonnet-5-5",` + bc.extra + `"max_tokens":1000,"messages":[{"role":"user","content":"` + text + `"}]}`
			req := httptest.NewRequest(http.MethodPost, "/v1/messages", nil)
			req.Header.Set("X-Api-Key", "sk-ant-bench")
			req.Header.Set("Anthropic-Version", version2023)
			b.ReportAllocs()
			b.SetBytes(int64(len(body)))
			for b.Loop() {
				req.Body = io.NopCloser(strings.NewReader(body))
				req.ContentLength = int64(len(body))
				srv.ServeHTTP(&sink{header: http.Header{}}, req)
			}
		})
	}
}
