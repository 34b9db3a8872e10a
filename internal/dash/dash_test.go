package dash

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weir-gateway/weir/call"
)

func source() Source {
	return Source{
		Quota: func() call.QuotaReport {
			return call.QuotaReport{State: "tight", Buckets: []call.BucketReport{{
				Organization: "org", Group: "claude-sonnet-5", Limiter: "input_tokens",
				Limit: 600_000, Remaining: 60_000, Low: 55_000, High: 66_000, Source: "header",
			}}}
		},
		Queue: func() call.QueueReport {
			return call.QueueReport{Waiting: 7, Lanes: []call.LaneReport{{Organization: "org", Waiting: 7}}}
		},
		Protection: func() call.ProtectionReport {
			return call.ProtectionReport{Breakers: []call.BreakerReport{{Scope: "api/claude-sonnet-5", State: "open", Rule: "outage", Cause: "failing", Opened: 2}}}
		},
		Degradation: func() call.LadderReport {
			return call.LadderReport{Rungs: []call.RungReport{{Rung: "effort", Enter: "headroom < 0.2", Places: 7, InForce: make([]call.InForceReport, 7)}}}
		},
		Warnings: func() []call.Warning {
			left := 0.1
			return []call.Warning{{
				ID: "quota/org//claude-sonnet-5/input_tokens", Kind: call.QuotaLow, Level: call.Urgent, Organization: "org",
				Group: "claude-sonnet-5", Limiter: "input_tokens", Threshold: 10, Left: &left,
			}}
		},
		Recent: func() []call.Event {
			now := time.Now()
			return []call.Event{
				{ID: "old", At: now.Add(-time.Hour), Outcome: "ok"},
				{ID: "first", At: now.Add(-2 * time.Second), Endpoint: call.Messages, Outcome: "ok", Status: 200, Waited: 3 * time.Second, Usage: call.Usage{Input: 5, CacheWrite: 2, Output: 1}},
				{ID: "last", At: now, Endpoint: call.Messages, Outcome: "refused", Status: 429, Attempts: 2, Reason: "wait_deadline"},
			}
		},
		Request: func(id string) (call.Event, bool) {
			return call.Event{
				ID: id, Endpoint: call.Messages, Outcome: "ok", Estimate: call.Estimate{Input: 700, Spread: 0.1},
				Story: []call.Attempt{
					{Wait: call.Wait{Took: 2 * time.Second, BoundBy: "input_tokens", Ahead: 3, Behind: "amber"}, Key: "main", Status: 429, Kind: "rate_limited"},
					{Wait: call.Wait{Took: time.Second, BoundBy: "retry_after"}, Key: "main", Status: 200, Kind: "ok", Took: time.Second},
				},
			}, id == "weir_1"
		},
		Waiting: func(id string) (call.WaiterReport, bool) {
			return call.WaiterReport{ID: id, Position: 3}, id == "weir_9"
		},
		Metrics: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "weir_up 1\n") }),
		Ready:   func() error { return errors.New("draining") },
		Config:  func() any { return map[string]string{"key": "[secret]"} },
		Version: "v9",
	}
}

func get(t *testing.T, h http.Handler, path string) *httptest.ResponseRecorder {
	t.Helper()
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, path, nil))
	return rec
}

func TestRoutes(t *testing.T) {
	h := New(source())
	for _, tt := range []struct {
		path   string
		status int
		kind   string
		has    string
	}{
		{"/", 200, "text/html; charset=utf-8", `<main id="main"`},
		{"/assets/app.js", 200, "text/javascript; charset=utf-8", "EventSource"},
		{"/assets/style.css", 200, "text/css; charset=utf-8", "light-dark"},
		{"/assets/zh.json", 200, "application/json", "配额"},
		{"/assets/", 404, "application/json", "not_found_error"},
		{"/assets/../dash.go", 404, "application/json", "not_found_error"},
		{"/api/v1/quota", 200, "application/json", `"remaining":60000`},
		{"/api/v1/queue", 200, "application/json", `"waiting":7`},
		{"/api/v1/protection", 200, "application/json", `"scope":"api/claude-sonnet-5","state":"open"`},
		{"/api/v1/protection", 200, "application/json", `"opened":2}],"rules":[]`},
		{"/api/v1/degradation", 200, "application/json", `"rungs":[{"rung":"effort","enter":"headroom`},
		{"/api/v1/degradation", 200, "application/json", `"places":7`},
		{"/api/v1/warnings", 200, "application/json", `"kind":"quota_low","level":"warning"`},
		{"/api/v1/warnings", 200, "application/json", `"threshold_percent":10,"left":0.1,"empty_in_s":null,"until":null,"text":{"en":{"message":"claude-sonnet-5: the quota`},
		{"/api/v1/warnings", 200, "application/json", `"zh":{"message":"模型 claude-sonnet-5`},
		{"/api/v1/requests", 200, "application/json", `"outcome":"refused","reason":"wait_deadline"`},
		{"/api/v1/requests?limit=0", 400, "application/json", "limit"},
		{"/api/v1/requests/weir_1", 200, "application/json", `"spread":0.1},`},
		{"/api/v1/requests/weir_1", 200, "application/json", `"bound_by":"input_tokens","story":[{`},
		{"/api/v1/requests/weir_1", 200, "application/json", `"ahead":3,"behind":"amber","key":"main","status":429,"kind":"rate_limited"`},
		{"/api/v1/requests/weir_9", 200, "application/json", `"outcome":"waiting"`},
		{"/api/v1/requests/weir_2", 404, "application/json", "no waiting or finished request has the id"},
		{"/api/v1/requests/", 404, "application/json", "no waiting or finished request has the id"},
		{"/api/v1/config", 200, "application/json", "[secret]"},
		{"/api/v1/openapi.json", 200, "application/json", `"openapi"`},
		{"/api/v1/nothing", 404, "application/json", "not_found_error"},
		{"/metrics", 200, "text/plain; charset=utf-8", "weir_up 1"},
		{"/healthz", 200, "application/json", "v9"},
		{"/readyz", 503, "application/json", "draining"},
	} {
		t.Run(tt.path, func(t *testing.T) {
			got := get(t, h, tt.path)
			kind := got.Result().Header.Get("content-type")
			if got.Code != tt.status || kind != tt.kind || !strings.Contains(got.Body.String(), tt.has) {
				t.Errorf("%d %s\n%.300s", got.Code, kind, got.Body)
			}
			if got.Header().Get("content-security-policy") == "" || got.Header().Get("x-content-type-options") != "nosniff" {
				t.Errorf("headers: %v", got.Header())
			}
		})
	}
}

func TestReadyWithAWarning(t *testing.T) {
	h := New(Source{Warning: func() error { return errors.New("etcd is out of reach") }})
	if got := get(t, h, "/readyz"); got.Code != 200 || !strings.Contains(got.Body.String(), `"warning":"etcd is out of reach"`) {
		t.Errorf("%d %s", got.Code, got.Body)
	}
}

func TestNothingToTell(t *testing.T) {
	h := New(Source{})
	for path, want := range map[string]string{
		"/api/v1/quota":       `"buckets":[],"keys":[]`,
		"/api/v1/queue":       `"lanes":[]`,
		"/api/v1/protection":  `"breakers":[],"rules":[]`,
		"/api/v1/degradation": `"dry_run":false,"faults":0,"rungs":[]`,
		"/api/v1/warnings":    `"warnings":[]`,
		"/api/v1/requests":    `"requests":[]`,
		"/readyz":             "ready",
	} {
		if got := get(t, h, path); got.Code != 200 || !strings.Contains(got.Body.String(), want) {
			t.Errorf("%s: %d %s", path, got.Code, got.Body)
		}
	}
	for _, path := range []string{"/metrics", "/api/v1/config", "/api/v1/requests/weir_1"} {
		if got := get(t, h, path); got.Code != 404 {
			t.Errorf("%s: %d, want 404", path, got.Code)
		}
	}
}

func TestRequestsAreNewestFirstAndBounded(t *testing.T) {
	var answer struct{ Requests []requestView }
	body := get(t, New(source()), "/api/v1/requests?limit=2").Body
	if err := json.NewDecoder(body).Decode(&answer); err != nil {
		t.Fatal(err)
	}
	if r := answer.Requests; len(r) != 2 || r[0].ID != "last" || r[1].ID != "first" || r[1].Waited != 3 || r[1].Endpoint != "messages" {
		t.Errorf("%+v", r)
	}
}

func TestTally(t *testing.T) {
	got := count(source().Recent(), time.Now())
	want := tally{WindowS: 60, Answered: 1, Refused: 1, RateLimited: 1, Retried: 1, WaitP50: 3, WaitP95: 3, Input: 7, Output: 1, CacheWrite: 2, Degraded: []degradedTally{}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func TestWritesAreRefused(t *testing.T) {
	h := New(source())
	req := httptest.NewRequest(http.MethodPost, "/api/v1/quota", nil)
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, req)
	if rec.Code != 405 || rec.Header().Get("allow") != "GET, HEAD" {
		t.Errorf("a write: %d, Allow %q", rec.Code, rec.Header().Get("allow"))
	}
	req.Header.Set("sec-fetch-site", "cross-site")
	rec = httptest.NewRecorder()
	h.ServeHTTP(rec, req)
	if rec.Code != 403 {
		t.Errorf("a write from another site: %d", rec.Code)
	}
}

func TestHostOfALoopbackListener(t *testing.T) {
	src := source()
	src.Hosts = []string{"weir.internal"}
	h := New(src)
	loopback := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8788}
	for _, tt := range []struct {
		host  string
		local net.Addr
		want  int
	}{
		{"127.0.0.1:8788", loopback, 200},
		{"localhost:8788", loopback, 200},
		{"LOCALHOST", loopback, 200},
		{"[::1]:8788", loopback, 200},
		{"[::1]", loopback, 200},
		{"weir.internal", loopback, 200},
		{"evil.example:8788", loopback, 421},
		{"localhost.evil.example", loopback, 421},
		{"10.0.0.1", loopback, 421},
		{"", loopback, 421},
		{"anything.example", &net.TCPAddr{IP: net.IPv4(10, 0, 0, 1)}, 200},
	} {
		t.Run(tt.host, func(t *testing.T) {
			req := httptest.NewRequest(http.MethodGet, "/api/v1/quota", nil)
			req.Host = tt.host
			rec := httptest.NewRecorder()
			h.ServeHTTP(rec, req.WithContext(context.WithValue(req.Context(), http.LocalAddrContextKey, tt.local)))
			if rec.Code != tt.want {
				t.Errorf("%d, want %d", rec.Code, tt.want)
			}
		})
	}
}

func TestAnUnwritableAnswerIsAnError(t *testing.T) {
	src := source()
	src.Config = func() any { return func() {} }
	if got := get(t, New(src), "/api/v1/config"); got.Code != 500 || !strings.Contains(got.Body.String(), "api_error") {
		t.Errorf("%d %s", got.Code, got.Body)
	}
}

func TestAssetsAreKeptByTheirTag(t *testing.T) {
	h := New(source())
	tag := get(t, h, "/assets/app.js").Header().Get("etag")
	req := httptest.NewRequest(http.MethodGet, "/assets/app.js", nil)
	req.Header.Set("if-none-match", tag)
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, req)
	if rec.Code != 304 || rec.Body.Len() != 0 || tag == "" {
		t.Errorf("%d with %d bytes for tag %q", rec.Code, rec.Body.Len(), tag)
	}
}

// TestPageObeysItsOwnPolicy looks for what the Content-Security-Policy would
// block, and for references that lead nowhere.
func TestPageObeysItsOwnPolicy(t *testing.T) {
	for path := range pages {
		t.Run(path, func(t *testing.T) { obeys(t, path) })
	}
}

func obeys(t *testing.T, path string) {
	h := New(source())
	html := get(t, h, path).Body.String()
	for name, pattern := range map[string]string{
		"inline script":    `<script[^>]*>[^<]`,
		"inline style":     `<style|\sstyle=`,
		"inline handler":   `\son[a-z]+=`,
		"foreign resource": `(src|href)="(https?:)?//`,
	} {
		if found := regexp.MustCompile(pattern).FindString(html); found != "" {
			t.Errorf("%s: %q", name, found)
		}
	}
	seen := regexp.MustCompile(`(?:src|href)="(/[^"]+)"`).FindAllStringSubmatch(html, -1)
	for _, m := range seen {
		if got := get(t, h, m[1]); got.Code != 200 {
			t.Errorf("%s: %d", m[1], got.Code)
		}
	}
	if len(seen) < 4 {
		t.Errorf("only %d references found", len(seen))
	}
}

func TestLanguagesSayTheSameThings(t *testing.T) {
	files := loadPage().files
	en, zh := map[string]string{}, map[string]string{}
	if err := json.Unmarshal([]byte(files["en.json"].body), &en); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(files["zh.json"].body), &zh); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(slices.Sorted(maps.Keys(en)), slices.Sorted(maps.Keys(zh))) {
		t.Error("en.json and zh.json have different keys")
	}
	holes := regexp.MustCompile(`\{\w+\}`)
	for key := range en {
		a, b := holes.FindAllString(en[key], -1), holes.FindAllString(zh[key], -1)
		slices.Sort(a)
		slices.Sort(b)
		if !slices.Equal(a, b) {
			t.Errorf("%s: %v in English, %v in Chinese", key, a, b)
		}
	}
	used := regexp.MustCompile(`data-t(?:-hint)?="([^"]+)"|\bt\("([^"]+)"`)
	for name, f := range files {
		if strings.HasPrefix(name, "vendor/") {
			continue
		}
		for _, m := range used.FindAllStringSubmatch(f.body, -1) {
			if key := m[1] + m[2]; en[key] == "" {
				t.Errorf("%s uses %q, which has no words", name, key)
			}
		}
	}
}
