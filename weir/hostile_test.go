package weir_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/weir-gateway/weir/weir"
)

// refusal is what a client reads of an error of Weir's own.
type refusal struct {
	Type  string
	Error struct {
		Type, Message string
		Details       struct {
			Code string `json:"error_code"`
			Weir struct{ Scope, Who, Hint string }
		}
	}
	RequestID string `json:"request_id"`
}

// wantRefusal checks that an answer is a whole error of Weir's own.
func wantRefusal(t *testing.T, resp *http.Response, body string, status int, code, words string) {
	t.Helper()
	var r refusal
	if err := json.Unmarshal([]byte(body), &r); err != nil {
		t.Fatalf("%d %q is no error in the API's form: %v", resp.StatusCode, body, err)
	}
	d := r.Error.Details
	if resp.StatusCode != status || d.Code != code || !strings.Contains(r.Error.Message, words) {
		t.Errorf("got %d %s %q, want %d %s with %q", resp.StatusCode, d.Code, r.Error.Message, status, code, words)
	}
	if r.Type != "error" || r.Error.Type == "" || d.Weir.Hint == "" || d.Weir.Scope == "" || d.Weir.Who == "" {
		t.Errorf("it lacks a part: %s", body)
	}
	if r.RequestID == "" || r.RequestID != resp.Header.Get("Request-Id") {
		t.Errorf("request id %q in the body, %q in the header", r.RequestID, resp.Header.Get("Request-Id"))
	}
	if resp.Header.Get("Retry-After") == "" && resp.Header.Get("X-Should-Retry") != "false" {
		t.Error("it says neither when to come back nor that it is of no use")
	}
}

func TestBadRequestsAreRefusedInPlainWords(t *testing.T) {
	for _, c := range []struct {
		name, body  string
		status      int
		code, words string
	}{
		{"empty", ``, 400, "malformed_request", "no body"},
		{"no-json", `hello`, 400, "malformed_request", "not valid JSON"},
		{"cut-off", request[:20], 400, "malformed_request", "ends too early"},
		{"trailing-comma", `{"model":"m",}`, 400, "malformed_request", "at byte 12"},
		{"array", `[]`, 400, "malformed_request", "JSON object"},
		{"two-objects", request + request, 400, "malformed_request", "nothing behind it"},
		{"no-model", `{"max_tokens":1}`, 400, "malformed_request", "model: Field required"},
		{"model-is-a-number", `{"model":5}`, 400, "malformed_request", "model must be a string"},
		{"stream-is-a-string", `{"model":"m","stream":"yes"}`, 400, "malformed_request", "stream must be true or false"},
		{"duplicate-model", `{"model":"cheap","model":"dear"}`, 400, "malformed_request", "duplicate"},
		{"duplicate-inside", `{"model":"m","x":[{"a":1,"a":2}]}`, 400, "malformed_request", "/x/0"},
		{"invalid-utf8", "{\"model\":\"\xff\xfe\"}", 400, "malformed_request", "UTF-8"},
		{"lone-surrogate", `{"model":"m","messages":[{"content":"\ud800"}]}`, 400, "malformed_request", "surrogate"},
		{"too-deep", `{"model":"m","x":` + strings.Repeat("[", 20_000), 400, "malformed_request", "depth"},
		{"33-MiB", strings.Repeat(" ", 33<<20), 413, "body_too_large", "32 MiB"},
	} {
		for framing, announce := range map[string]bool{"": true, "-chunked": false} {
			t.Run(c.name+framing, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					h := newHouse(t, func(http.ResponseWriter, *http.Request) { t.Error("it was sent upstream") })
					req := newPost(t, "http://weir/v1/messages", c.body)
					if !announce {
						req.ContentLength = -1
					}
					resp, body := send(t, h.client, req)
					wantRefusal(t, resp, body, c.status, c.code, c.words)
				})
			})
		}
	}
}

func TestBadCredentialsAreRefusedInPlainWords(t *testing.T) {
	clients := []weir.Option{weir.WithAPIKey("main", "sk-ant-api03-x"), weir.WithClients(weir.Client{Name: "team", Token: "token-1"})}
	for _, c := range []struct {
		name        string
		opts        []weir.Option
		header      [2]string
		code, words string
	}{
		{"no-key", nil, [2]string{"X-Other", "x"}, "no_api_key", "No API key"},
		{"oauth-token", nil, [2]string{"Authorization", "Bearer sk-ant-oat01-x"}, "oauth_token_refused", "subscription"},
		{"oauth-token-as-key", nil, [2]string{"X-Api-Key", "sk-ant-oat01-x"}, "oauth_token_refused", "subscription"},
		{"bad-gateway-token", clients, [2]string{"Authorization", "Bearer token-2"}, "bad_gateway_token", "not a token of this gateway"},
		{"no-gateway-token", clients, [2]string{"X-Other", "x"}, "bad_gateway_token", "not a token of this gateway"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHouse(t, func(http.ResponseWriter, *http.Request) { t.Error("it was sent upstream") }, c.opts...)
				for _, path := range []string{"/v1/messages", "/v1/models"} {
					req := newPost(t, "http://weir"+path, request)
					req.Header.Del("X-Api-Key")
					req.Header.Set(c.header[0], c.header[1])
					resp, body := send(t, h.client, req)
					wantRefusal(t, resp, body, 401, c.code, c.words)
				}
			})
		})
	}
}

func TestOddPathsAndWishesAreRefused(t *testing.T) {
	for _, c := range []struct {
		name, path, wait, class string
		status                  int
		words                   string
	}{
		{"root", "/", "", "", 404, "no such path: /"},
		{"other-prefix", "/v2/messages", "", "", 404, "no such path"},
		{"bad-wait", "/v1/messages", "soon", "", 400, "weir-max-wait must be a duration"},
		{"bad-class", "/v1/messages", "", "urgent", 400, "weir-class must be"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHouse(t, func(http.ResponseWriter, *http.Request) { t.Error("it was sent upstream") })
				req := newPost(t, "http://weir"+c.path, request, "Weir-Max-Wait", c.wait, "Weir-Class", c.class)
				resp, body := send(t, h.client, req)
				code := "malformed_request"
				if c.status == 404 {
					code = "not_allowed"
				}
				wantRefusal(t, resp, body, c.status, code, c.words)
			})
		})
	}
}

func TestHostileUpstreams(t *testing.T) {
	bare := func(text string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			conn, _, _ := w.(http.Hijacker).Hijack()
			io.WriteString(conn, text)
			conn.Close()
		}
	}
	for _, c := range []struct {
		name     string
		upstream http.HandlerFunc
	}{
		{"garbage", bare("SSH-2.0-OpenSSH_9.9\r\n\r\n")},
		{"nothing", bare("")},
		{"half-a-header", bare("HTTP/1.1 200 OK\r\nContent-Ty")},
		{"short-body", bare("HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{\"usage\":")},
		{"cut-chunk", bare("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhe")},
		{"bad-length", bare("HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n")},
		{"endless-header", func(w http.ResponseWriter, r *http.Request) {
			conn, _, _ := w.(http.Hijacker).Hijack()
			defer conn.Close()
			for _, err := io.WriteString(conn, "HTTP/1.1 200 OK\r\n"); err == nil; {
				_, err = fmt.Fprintf(conn, "X-Bomb: %s\r\n", strings.Repeat("x", 1<<16))
			}
		}},
		{"empty-stream", func(w http.ResponseWriter, r *http.Request) { serveEvents(w, "") }},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				attempts := 0
				h := newHouse(t, func(w http.ResponseWriter, r *http.Request) {
					attempts++
					c.upstream(w, r)
				})
				resp, body := h.post(t, request, "Weir-Max-Wait", "5m")
				wantRefusal(t, resp, body, 502, "upstream_unavailable", "could not be reached or kept failing")
				if attempts < 2 {
					t.Errorf("given up after %d attempts", attempts)
				}
				synctest.Wait()
				if n := h.inFlight(); n != 0 {
					t.Errorf("%d permits are still out", n)
				}
			})
		})
	}
}

func TestOddAnswersPass(t *testing.T) {
	for name, text := range map[string]string{
		"not-json": "<html>hello</html>", "empty": "", "json-without-usage": `{"id":1}`,
		"odd-usage": `{"usage":{"input_tokens":"many"}}`, "cut-json": `{"usage":{"input_tok`,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHouse(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, text) })
				resp, body := h.post(t, request)
				if resp.StatusCode != 200 || body != text {
					t.Errorf("got %d %q", resp.StatusCode, body)
				}
				synctest.Wait()
				if n := h.inFlight(); n != 0 {
					t.Errorf("%d permits are still out", n)
				}
			})
		})
	}
}
