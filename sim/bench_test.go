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
	long := strings.Repeat("The keeper counts the boards he lifts. ", 25)
	for name, extra := range map[string]string{"json": "", "stream": `"stream":true,`} {
		b.Run(name, func(b *testing.B) {
			srv, err := New(Config{Limits: Limits{Requests: 1e9, InputTokens: 1e12, OutputTokens: 1e12}})
			if err != nil {
				b.Fatal(err)
			}
			body := `{"model":"claude-sonnet-5-5",` + extra + `"max_tokens":1000,"messages":[{"role":"user","content":"` + long + `"}]}`
			req := httptest.NewRequest(http.MethodPost, "/v1/messages", nil)
			req.Header.Set("X-Api-Key", "sk-ant-bench")
			req.Header.Set("Anthropic-Version", version2023)
			b.ReportAllocs()
			for b.Loop() {
				req.Body = io.NopCloser(strings.NewReader(body))
				req.ContentLength = int64(len(body))
				srv.ServeHTTP(&sink{header: http.Header{}}, req)
			}
		})
	}
}
