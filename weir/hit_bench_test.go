package weir_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/weir"
)

// roundTrips times n posts of a body over one connection.
func roundTrips(b *testing.B, client *http.Client, url, body string, n int) []time.Duration {
	took := make([]time.Duration, 0, n)
	for range n {
		began := time.Now()
		resp, err := client.Post(url, "application/json", strings.NewReader(body))
		if err != nil {
			b.Fatal(err)
		}
		_, err = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		if err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(began))
		if state := resp.Header.Get("Weir-Cache"); state != "" && state != "hit" {
			b.Fatalf("weir-cache: %s", state)
		}
	}
	return took
}

// BenchmarkHit times answers out of the cache over real sockets, a few at a
// time in turn with round trips to a server that does nothing but answer.
func BenchmarkHit(b *testing.B) {
	const turn = 50
	for name, c := range map[string]struct{ kept, asked string }{
		"message": {request, request}, "stream": {streamed, streamed}, "converted": {streamed, request},
		"100KB": {strings.Replace(request, "hi", strings.Repeat("word ", 20<<10), 1), strings.Replace(request, "hi", strings.Repeat("word ", 20<<10), 1)},
	} {
		b.Run(name, func(b *testing.B) {
			answers := func(w http.ResponseWriter, req *http.Request) {
				raw, _ := io.ReadAll(req.Body)
				if bytes.Contains(raw, []byte(`"stream":true`)) {
					w.Header().Set("Content-Type", "text/event-stream")
					io.WriteString(w, wholeEvents)
					return
				}
				w.Header().Set("Content-Type", "application/json")
				io.WriteString(w, whole)
			}
			bare := httptest.NewServer(http.HandlerFunc(answers))
			defer bare.Close()
			front := behind(b, answers, weir.WithAPIKey("main", "sk-ant-api-main"), weir.WithCache(weir.Cache{Default: call.CacheOn}))
			client := &http.Client{Transport: http.DefaultTransport.(*http.Transport).Clone()}
			defer client.CloseIdleConnections()
			post(b, front.URL+"/v1/messages", c.kept, "X-Api-Key", "")
			var plain, hits []time.Duration
			for b.Loop() {
				plain = append(plain, roundTrips(b, client, bare.URL, c.asked, turn)...)
				hits = append(hits, roundTrips(b, client, front.URL+"/v1/messages", c.asked, turn)...)
			}
			for _, list := range []struct {
				name string
				took []time.Duration
			}{{"bare", plain}, {"hit", hits}} {
				slices.Sort(list.took)
				b.ReportMetric(float64(list.took[len(list.took)/2].Microseconds()), list.name+"-p50-µs")
				b.ReportMetric(float64(list.took[len(list.took)*99/100].Microseconds()), list.name+"-p99-µs")
			}
			b.ReportMetric(0, "ns/op") // of a turn of both, which says nothing
		})
	}
}
