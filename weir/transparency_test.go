package weir_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/weir-gateway/weir/weir"
)

// tape records what an upstream got, and plays what it shall answer. It is
// used by one call at a time.
type tape struct {
	method, target, body string
	header               http.Header

	status int
	reply  http.Header
	parts  []string // flushed one by one
}

// ServeHTTP implements [http.Handler].
func (p *tape) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	p.method, p.target, p.body, p.header = r.Method, r.RequestURI, string(body), r.Header
	maps.Copy(w.Header(), p.reply)
	parts := p.parts // the next call may be prepared before this one returns
	w.WriteHeader(p.status)
	for _, part := range parts {
		io.WriteString(w, part)
		if len(parts) > 1 {
			w.(http.Flusher).Flush()
		}
	}
}

// pair is an upstream with a way to it, and one through a gateway.
type pair struct {
	tape           *tape
	direct, behind *url.URL
	client         *http.Client
}

func newPair(t *testing.T) *pair {
	t.Helper()
	p := &pair{tape: &tape{}, client: &http.Client{
		Transport:     &http.Transport{DisableCompression: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	api := httptest.NewServer(p.tape)
	g, err := weir.New(weir.WithUpstream(api.URL))
	if err != nil {
		t.Fatal(err)
	}
	front := httptest.NewServer(g.Handler())
	t.Cleanup(func() {
		p.client.CloseIdleConnections()
		front.Close()
		g.Close()
		api.Close()
	})
	p.direct, _ = url.Parse(api.URL)
	p.behind, _ = url.Parse(front.URL)
	return p
}

// exchange is what both ends saw of one call.
type exchange struct {
	Method, Target, Body string
	Header               http.Header

	Status int
	Reply  http.Header
	Answer string
}

// ask sends one request to base, with the target as it is written.
func (p *pair) ask(t *rapid.T, base *url.URL, method, target, body string, h http.Header) exchange {
	req := &http.Request{
		Method: method, Header: h.Clone(),
		URL: &url.URL{Scheme: base.Scheme, Host: base.Host, Opaque: target},
	}
	if body != "" {
		req.Body, req.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
	}
	resp, err := p.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	maps.DeleteFunc(resp.Header, func(name string, _ []string) bool {
		return name == "Date" || strings.HasPrefix(name, "Weir-")
	})
	return exchange{
		Method: p.tape.method, Target: p.tape.target, Body: p.tape.body, Header: p.tape.header,
		Status: resp.StatusCode, Reply: resp.Header, Answer: string(raw),
	}
}

// compare makes the same call with and without the gateway between.
func (p *pair) compare(t *rapid.T, method, target, body string, h http.Header) {
	want := p.ask(t, p.direct, method, target, body, h)
	h["wEIR-Max-Wait"], h["weir-future"] = []string{"9s"}, []string{"1"} // never pass
	h["Connection"], h["X-Hop"] = []string{"x-hop"}, []string{"1"}       // nor does this
	got := p.ask(t, p.behind, method, target, body, h)
	if want.Reply.Get("Content-Length") == "" {
		got.Reply.Del("Content-Length") // an answer that is held whole has a known length
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("with the gateway between it is different (-direct +behind):\n%s", diff)
	}
}

func credentials(h http.Header) http.Header {
	h["X-Api-Key"] = []string{"sk-ant-api-test"}
	h["User-Agent"] = []string{"test/1"}
	h["anthropic-version"] = []string{"2026-10-21"}
	return h
}

func TestAnyJSONPassesUnchanged(t *testing.T) {
	p := newPair(t)
	rapid.Check(t, func(t *rapid.T) {
		p.tape.status = rapid.SampledFrom([]int{200, 200, 200, 201, 302, 400, 404, 413, 418}).Draw(t, "status")
		p.tape.reply = genHeader(t)
		p.tape.reply["Content-Type"] = rapid.SampledFrom([][]string{{"application/json"}, {"text/html"}, nil}).Draw(t, "type")
		p.tape.parts = genCuts(t, rapid.OneOf(rapid.Custom(func(t *rapid.T) string { return genJSON(t, 3) }),
			rapid.Just(answer), rapid.String()).Draw(t, "answer"))
		if rapid.Bool().Draw(t, "whole") {
			p.tape.parts = []string{strings.Join(p.tape.parts, "")}
		}
		p.compare(t, http.MethodPost, genTarget(t, "/v1/messages"), genRequest(t, false), credentials(genHeader(t)))
	})
}

func TestAnyStreamPassesUnchanged(t *testing.T) {
	p := newPair(t)
	p.tape.status = http.StatusOK
	rapid.Check(t, func(t *rapid.T) {
		p.tape.reply = genHeader(t)
		p.tape.reply["Content-Type"] = []string{"text/event-stream; charset=utf-8"}
		p.tape.parts = genCuts(t, genStream(t))
		h := credentials(genHeader(t))
		h["Accept-Encoding"] = []string{"identity"} // the one header that Weir sets itself
		p.compare(t, http.MethodPost, genTarget(t, "/v1/messages"), genRequest(t, true), h)
	})
}

func TestAnyOtherCallPassesUnchanged(t *testing.T) {
	p := newPair(t)
	rapid.Check(t, func(t *rapid.T) {
		p.tape.status = rapid.SampledFrom([]int{200, 204, 304, 307, 400, 404, 429, 500, 529}).Draw(t, "status")
		p.tape.reply = genHeader(t)
		p.tape.parts = genCuts(t, rapid.String().Draw(t, "answer"))
		method := rapid.SampledFrom([]string{"GET", "HEAD", "DELETE", "POST", "PUT", "PATCH"}).Draw(t, "method")
		body := ""
		if method != http.MethodGet && method != http.MethodHead {
			body = rapid.String().Draw(t, "body")
		}
		p.compare(t, method, genTarget(t, "/v1/files/"), body, credentials(genHeader(t)))
	})
}

func TestCompressedAnswerPassesPacked(t *testing.T) {
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	io.WriteString(z, answer)
	z.Close()
	j := &journal{}
	front := behind(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Accept-Encoding") != "gzip, br" {
			t.Errorf("the upstream was asked for %q", r.Header.Get("Accept-Encoding"))
		}
		w.Header().Set("Content-Encoding", "gzip")
		w.Header().Set("Content-Type", "application/json")
		w.Write(packed.Bytes())
	}, weir.WithObserver(j))
	resp, got := post(t, front.URL+"/v1/messages", request, "Accept-Encoding", "gzip, br")
	if got != packed.String() || resp.Header.Get("Content-Encoding") != "gzip" {
		t.Errorf("got %d bytes of %q, want the %d packed ones", len(got), resp.Header.Get("Content-Encoding"), packed.Len())
	}
	if len(j.list) != 1 || j.list[0].Usage.Input != 9 || j.list[0].Usage.Output != 3 {
		t.Errorf("booked %+v, want 9 in and 3 out", j.list)
	}
}
