package dash

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/weir-gateway/weir/call"
)

// front stands in for the gateway's front door.
func front(serve func(http.ResponseWriter, *http.Request)) *Admin {
	src := source()
	src.Messages, src.Asks = http.HandlerFunc(serve), "key"
	return New(src)
}

func post(h http.Handler, body string, edit func(*http.Request)) *httptest.ResponseRecorder {
	req := httptest.NewRequest(http.MethodPost, "/api/v1/playground/messages", strings.NewReader(body))
	if edit != nil {
		edit(req)
	}
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, req)
	return rec
}

func TestPlayground(t *testing.T) {
	for _, tt := range []struct {
		name  string
		serve func(http.ResponseWriter, *http.Request)
		want  []string
		not   string
	}{
		{"stream", func(w http.ResponseWriter, _ *http.Request) {
			w.(interface{ Accepted(string) }).Accepted("weir_7")
			w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
			w.Header().Set("Weir-Wait-Ms", "1200")
			w.Header().Set("Set-Cookie", "upstream=1")
			io.WriteString(w, "event: ping\ndata: {}\n\n")
		}, []string{"event: weir\ndata: {\"weir-request-id\":\"weir_7\"}\n\n", `"status":200`, `"weir-wait-ms":"1200"`, "\n\nevent: ping\ndata: {}\n\n"}, "upstream=1"},
		{"refusal", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Retry-After", "7")
			w.WriteHeader(429)
			io.WriteString(w, "{\"type\": \"error\",\n\"error\": {\"type\": \"rate_limit_error\"}}")
		}, []string{`"retry-after":"7"`, `"status":429`, "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"rate_limit_error\"}}\n\n"}, ""},
		{"no-stream", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			io.WriteString(w, `{"type":"message"}`)
		}, []string{"event: answer\ndata: {\"type\":\"message\"}\n\n"}, ""},
		{"html", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(502)
			io.WriteString(w, "<html>")
		}, []string{"event: error\ndata: {\"type\":\"error\""}, "<html>"},
		{"too-long", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(502)
			for range 3 {
				w.Write(bytes.Repeat([]byte("x"), playRest))
			}
		}, []string{"event: error"}, "xxx"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := post(front(tt.serve), `{}`, nil)
			body := got.Body.String()
			if got.Code != 200 || got.Header().Get("content-type") != "text/event-stream" || got.Header().Get("set-cookie") != "" {
				t.Errorf("%d %v", got.Code, got.Header())
			}
			for _, want := range tt.want {
				if !strings.Contains(body, want) {
					t.Errorf("it lacks %q:\n%.600s", want, body)
				}
			}
			if tt.not != "" && strings.Contains(body, tt.not) {
				t.Errorf("%q has come through", tt.not)
			}
		})
	}
}

func TestWhatThePlaygroundSends(t *testing.T) {
	var seen *http.Request
	var body string
	var failed error
	h := front(func(w http.ResponseWriter, req *http.Request) {
		raw, err := io.ReadAll(req.Body)
		seen, body, failed = req, string(raw), err
	})
	post(h, `{"stream":true}`, func(req *http.Request) {
		req.Header.Set("X-Api-Key", "sk")
		req.Header.Set("Authorization", "Bearer admin")
		req.Header.Set("Cookie", "weir-admin=1")
		req.Header.Set("Weir-Lang", "zh")
		req.URL.RawQuery = "beta=true"
	})
	if seen.URL.String() != "/v1/messages" || seen.Method != http.MethodPost || body != `{"stream":true}` {
		t.Errorf("%s %s %q", seen.Method, seen.URL, body)
	}
	for name, want := range map[string]string{
		"X-Api-Key": "sk", "Weir-Lang": "zh", "Weir-Tenant": "playground", "Weir-Class": "interactive",
		"Anthropic-Version": "2023-06-01", "Authorization": "", "Cookie": "",
	} {
		if got := seen.Header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	post(h, strings.Repeat("x", playBody+1), nil)
	if failed == nil {
		t.Error("a body of more than its bound is read whole")
	}
}

func TestPlaygroundIsForItsOwnPageAlone(t *testing.T) {
	h := front(func(http.ResponseWriter, *http.Request) { t.Error("it came through") })
	for name, value := range map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"} {
		if got := post(h, "{}", func(req *http.Request) { req.Header.Set(name, value) }); got.Code != 403 {
			t.Errorf("%s: %d", name, got.Code)
		}
	}
	if got := get(t, h, "/api/v1/playground/messages"); got.Code != 405 || got.Header().Get("allow") != "POST" {
		t.Errorf("GET: %d %q", got.Code, got.Header().Get("allow"))
	}
}

func TestPlaygroundAsks(t *testing.T) {
	h := front(func(w http.ResponseWriter, req *http.Request) {
		if req.URL.String() != "/v1/models?limit=1000" || req.Method != http.MethodGet {
			t.Errorf("%s %s", req.Method, req.URL)
		}
		if req.Header.Get("X-Api-Key") == "" {
			w.WriteHeader(401)
		}
		w.Header().Set("Set-Cookie", "upstream=1")
		io.WriteString(w, `{"data":[]}`)
	})
	got := ask(h, http.MethodGet, "/api/v1/playground/models", func(req *http.Request) { req.Header.Set("X-Api-Key", "sk") })
	if got.Code != 200 || got.Body.String() != `{"data":[]}` || got.Header().Get("set-cookie") != "" {
		t.Errorf("%d %s %v", got.Code, got.Body, got.Header())
	}
	for path, want := range map[string]string{
		"/api/v1/playground/models":          "cannot be listed",
		"/api/v1/playground":                 `"asks":"key","on":true`,
		"/api/v1/playground/place?id=weir_9": `"outcome":"waiting","id":"weir_9","tenant":"","class":"","position":3`,
		"/api/v1/playground/place?id=weir_1": `"outcome":"ok"`,
		"/api/v1/playground/place?id=weir_2": `"outcome":"under_way"`,
	} {
		if got := get(t, h, path); !strings.Contains(got.Body.String(), want) {
			t.Errorf("%s: %d %s", path, got.Code, got.Body)
		}
	}
	none := New(source())
	if got := post(none, "{}", nil); got.Code != 404 {
		t.Errorf("without a front door: %d", got.Code)
	}
	if got := get(t, none, "/api/v1/playground"); !strings.Contains(got.Body.String(), `"on":false`) {
		t.Errorf("%s", got.Body)
	}
}

func TestSnapshotsOfManyLanesAreShort(t *testing.T) {
	full := call.QueueReport{Lanes: make([]call.LaneReport, 100)}
	for i := range full.Lanes {
		full.Lanes[i] = call.LaneReport{Next: make([]call.WaiterReport, 20), Tenants: make([]call.TenantReport, 20)}
	}
	short := brief(full)
	if l := short.Lanes[7]; len(l.Next) != 1 || len(l.Tenants) != 1 || len(full.Lanes[7].Next) != 20 {
		t.Errorf("%d and %d of a lane, %d left in the report", len(l.Next), len(l.Tenants), len(full.Lanes[7].Next))
	}
	few := brief(call.QueueReport{Lanes: full.Lanes[:2]})
	if len(few.Lanes[0].Next) != 20 {
		t.Errorf("%d of a lane of two", len(few.Lanes[0].Next))
	}
}

func TestVendoredFilesAreThoseOfTheList(t *testing.T) {
	files := loadPage().files
	listed := regexp.MustCompile(`(?m)^(vendor/\S+) .* ([0-9a-f]{64})$`).FindAllStringSubmatch(files["VERSIONS"].body, -1)
	for _, m := range listed {
		if sum := sha256.Sum256([]byte(files[m[1]].body)); hex.EncodeToString(sum[:]) != m[2] {
			t.Errorf("%s is not what VERSIONS says", m[1])
		}
	}
	n := 0
	for name := range files {
		if strings.HasPrefix(name, "vendor/") {
			n++
		}
	}
	if n != len(listed) || n == 0 {
		t.Errorf("%d vendored files, %d listed", n, len(listed))
	}
}
