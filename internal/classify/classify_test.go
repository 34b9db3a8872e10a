package classify_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/classify"
)

var now = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func request(method, path, body string, headers ...string) *http.Request {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return r
}

func classified(t *testing.T, r *http.Request) *call.Call {
	t.Helper()
	c, err := classify.New(classify.Config{}).Classify(r, now)
	if err != nil {
		t.Fatalf("refused: %v", err)
	}
	return c
}

const small = `{"model":"claude-haiku-4-5","max_tokens":10,"messages":[{"role":"user","content":"hi"}]}`

func TestEndpoints(t *testing.T) {
	for _, tc := range []struct {
		method, path string
		want         call.Endpoint
		sent, pool   string
	}{
		{"POST", "/v1/messages", call.Messages, "/v1/messages", ""},
		{"POST", "/v1/messages?beta=true", call.Messages, "/v1/messages?beta=true", ""},
		{"POST", "/v1/v1/messages", call.Messages, "/v1/messages", ""},
		{"POST", "/v1/messages/count_tokens", call.CountTokens, "/v1/messages/count_tokens", call.PoolCountTokens},
		{"GET", "/v1/models?limit=1000", call.Other, "/v1/models?limit=1000", ""},
		{"POST", "/v1/messages/batches", call.Other, "/v1/messages/batches", call.PoolBatches},
		{"GET", "/v1/messages", call.Other, "/v1/messages", ""},
		{"GET", "/v1/files/a%2Fb", call.Other, "/v1/files/a%2Fb", call.PoolFiles},
	} {
		c := classified(t, request(tc.method, tc.path, small))
		if c.Endpoint != tc.want || c.Path != tc.sent || c.Pool != tc.pool {
			t.Errorf("%s %s: endpoint %v, pool %q, sent as %q; want %v, %q, %q", tc.method, tc.path, c.Endpoint, c.Pool, c.Path, tc.want, tc.pool, tc.sent)
		}
	}
}

func TestHeaders(t *testing.T) {
	c := classified(t, request("POST", "/v1/messages", small,
		"X-Api-Key", "sk-ant-1", "Connection", "close, X-Hop", "X-Hop", "1", "Weir-Class", "batch",
		"Weir-Tenant", "team", "X-Unknown", "kept", "Anthropic-Beta", "a,b",
		"X-Stainless-Retry-Count", "2", "X-Claude-Code-Session-Id", "s1", "Accept-Language", "zh-CN,en;q=0.8"))
	want := http.Header{
		"X-Api-Key": {"sk-ant-1"}, "X-Unknown": {"kept"}, "Anthropic-Beta": {"a,b"},
		"X-Stainless-Retry-Count": {"2"}, "X-Claude-Code-Session-Id": {"s1"},
		"Accept-Language": {"zh-CN,en;q=0.8"},
	}
	if diff := cmp.Diff(want, c.Header); diff != "" {
		t.Errorf("forwarded headers (-want +got):\n%s", diff)
	}
	if c.Class != call.Batch || c.Tenant != "team" || c.ClientRetry != 2 || c.Session != "s1" || c.Lang != "zh" {
		t.Errorf("got %v %q %d %q %q", c.Class, c.Tenant, c.ClientRetry, c.Session, c.Lang)
	}
	if c.Credential.Secret.Reveal() != "sk-ant-1" || c.Credential.Bearer || strings.Contains(c.Credential.Print, "sk-ant") {
		t.Errorf("credential %+v", c.Credential)
	}
}

func TestTenantFallsBack(t *testing.T) {
	withUser := `{"model":"m","metadata":{"user_id":"u7"},"messages":[]}`
	if got := classified(t, request("POST", "/v1/messages", withUser, "X-Api-Key", "k")).Tenant; got != "u7" {
		t.Errorf("got %q, want the metadata's user", got)
	}
	if got := classified(t, request("POST", "/v1/messages", small, "Authorization", "Bearer k")).Tenant; !strings.HasPrefix(got, "key-") {
		t.Errorf("got %q, want the key's fingerprint", got)
	}
}

func TestDeadline(t *testing.T) {
	for name, tc := range map[string]struct {
		headers []string
		want    time.Duration
	}{
		"none":             {nil, 10 * time.Minute},
		"sdk":              {[]string{"X-Stainless-Timeout", "600"}, 585 * time.Second},
		"short-sdk":        {[]string{"X-Stainless-Timeout", "10"}, 9 * time.Second},
		"tiny-sdk":         {[]string{"X-Stainless-Timeout", "1"}, 500 * time.Millisecond},
		"wish":             {[]string{"Weir-Max-Wait", "90s"}, 90 * time.Second},
		"wish-within-sdk":  {[]string{"Weir-Max-Wait", "90s", "X-Stainless-Timeout", "600"}, 90 * time.Second},
		"wish-beyond-sdk":  {[]string{"Weir-Max-Wait", "1h", "X-Stainless-Timeout", "60"}, 54 * time.Second},
		"nonsense-ignored": {[]string{"X-Stainless-Timeout", "soon"}, 10 * time.Minute},
		"no-wait":          {[]string{"Weir-Max-Wait", "0s"}, 0},
	} {
		c := classified(t, request("POST", "/v1/messages", small, tc.headers...))
		if got := c.Deadline.Sub(now); got != tc.want {
			t.Errorf("%s: may wait %v, want %v", name, got, tc.want)
		}
	}
}

func TestRefusals(t *testing.T) {
	huge := request("POST", "/v1/messages", "x")
	huge.ContentLength = 33 << 20
	for name, tc := range map[string]struct {
		req    *http.Request
		reason call.Reason
		detail string
	}{
		"not-json":       {request("POST", "/v1/messages", "hello"), call.Malformed, "not valid JSON"},
		"cut-off":        {request("POST", "/v1/messages", `{"model":"m"`), call.Malformed, "not valid JSON"},
		"array":          {request("POST", "/v1/messages", `[]`), call.Malformed, "must be a JSON object"},
		"two-values":     {request("POST", "/v1/messages", small+small), call.Malformed, "nothing behind it"},
		"no-model":       {request("POST", "/v1/messages", `{"messages":[]}`), call.Malformed, "model: Field required"},
		"model-number":   {request("POST", "/v1/messages", `{"model":5}`), call.Malformed, "model must be a string"},
		"two-models":     {request("POST", "/v1/messages", `{"model":"a","model":"b"}`), call.Malformed, "duplicate"},
		"stream-text":    {request("POST", "/v1/messages", `{"model":"m","stream":"yes"}`), call.Malformed, "stream must be true or false"},
		"max-text":       {request("POST", "/v1/messages", `{"model":"m","max_tokens":"9"}`), call.Malformed, "max_tokens must be a whole number"},
		"messages-text":  {request("POST", "/v1/messages", `{"model":"m","messages":"hi"}`), call.Malformed, "messages must be an array"},
		"invalid-utf8":   {request("POST", "/v1/messages", "{\"model\":\"m\xff\"}"), call.Malformed, "UTF-8"},
		"no-body":        {request("POST", "/v1/messages", ""), call.Malformed, ""},
		"over-limit":     {huge, call.BodyTooLarge, "32 MiB"},
		"fragment":       {request("POST", "/v1/messages/batches/#/cancel", ""), call.NotAllowed, "/v1/messages/batches/#/cancel"},
		"unknown-path":   {request("GET", "/other", ""), call.NotAllowed, "/other"},
		"bad-class":      {request("POST", "/v1/messages", small, "Weir-Class", "vip"), call.Malformed, "weir-class"},
		"bad-wait":       {request("POST", "/v1/messages", small, "Weir-Max-Wait", "soon"), call.Malformed, "weir-max-wait"},
		"oauth":          {request("POST", "/v1/messages", small, "Authorization", "Bearer sk-ant-oat01-x"), call.OAuthToken, ""},
		"negative-limit": {request("POST", "/v1/messages", small, "Weir-Max-Wait", "-1s"), call.Malformed, "weir-max-wait"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := classify.New(classify.Config{}).Classify(tc.req, now)
			refusal, ok := errors.AsType[*call.Refusal](err)
			if !ok || refusal.Reason != tc.reason || !strings.Contains(refusal.Detail, tc.detail) {
				t.Errorf("got %v, want %v with %q", err, tc.reason, tc.detail)
			}
		})
	}
}

func TestClients(t *testing.T) {
	clients := classify.Clients{}
	clients.Add("weir-token-1", classify.Client{Name: "ci", Tenant: "team-a"})
	room := classify.New(classify.Config{Access: classify.Access{Clients: clients}})
	for _, header := range []string{"X-Api-Key", "Authorization"} {
		value := map[string]string{"X-Api-Key": "weir-token-1", "Authorization": "Bearer weir-token-1"}[header]
		c, err := room.Classify(request("POST", "/v1/messages", small, header, value), now)
		if err != nil || c.Tenant != "team-a" || c.Client != "ci" {
			t.Errorf("%s: client %q, tenant %q, %v", header, c.Client, c.Tenant, err)
		}
	}
	for _, headers := range [][]string{nil, {"X-Api-Key", "wrong"}, {"Authorization", "Bearer "}} {
		_, err := room.Classify(request("POST", "/v1/messages", small, headers...), now)
		if refusal, ok := errors.AsType[*call.Refusal](err); !ok || refusal.Reason != call.BadToken {
			t.Errorf("%v: got %v", headers, err)
		}
	}
}

func TestChunkedBodyOverLimit(t *testing.T) {
	r := request("POST", "/v1/messages", `{"model":"`+strings.Repeat("m", 100)+`"}`)
	r.ContentLength = -1
	_, err := classify.New(classify.Config{MaxBody: 50}).Classify(r, now)
	if refusal, ok := errors.AsType[*call.Refusal](err); !ok || refusal.Reason != call.BodyTooLarge {
		t.Errorf("got %v", err)
	}
}

func FuzzBody(f *testing.F) {
	f.Add([]byte(small))
	f.Add([]byte(`{"model":"m","messages":[{"content":[{"source":{"data":"\ud83d"}}]}]}`))
	f.Add([]byte(`{"model":"m","system":"\u12"}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		r := httptest.NewRequest("POST", "/v1/messages", strings.NewReader(string(body)))
		c, err := classify.New(classify.Config{}).Classify(r, now)
		if err == nil && string(c.Body) != string(body) {
			t.Error("the body was changed")
		}
	})
}

func BenchmarkClassify1KB(b *testing.B) {
	body := `{"model":"claude-haiku-4-5","max_tokens":10,"messages":[{"role":"user","content":"` + strings.Repeat("word ", 200) + `"}]}`
	room := classify.New(classify.Config{})
	b.ReportAllocs()
	for b.Loop() {
		r := httptest.NewRequest("POST", "/v1/messages", strings.NewReader(body))
		if _, err := room.Classify(r, now); err != nil {
			b.Fatal(err)
		}
	}
}
