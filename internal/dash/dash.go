// Package dash is the admin plane: the live page, the figures behind it as
// JSON and as a stream of events, the metrics and the health checks
// (DESIGN §2.6). It shows what its [Source] tells it and changes nothing but the
// cache, which it can purge; the playground sends calls through the gateway like
// any other client.
//
// The page is hand-written and embedded: no build step, nothing from another
// host, no inline script or style.
package dash

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/weir-gateway/weir/call"
)

// Source is where the figures come from. Its functions must be safe for
// concurrent use and fast: a listener on the event stream makes them run about
// twice a second. A nil one means that there is nothing to tell.
type Source struct {
	Quota       func() call.QuotaReport
	Queue       func() call.QueueReport
	Protection  func() call.ProtectionReport
	Warnings    func() []call.Warning // the most urgent first
	Degradation func() call.LadderReport
	Recent      func() []call.Event // in any order; bounded by whoever keeps them
	Request     func(id string) (call.Event, bool)
	Waiting     func(id string) (call.WaiterReport, bool)
	Money       func() call.MoneyReport
	Usage       func(ctx context.Context, q UsageQuery) (any, error) // an error is the asker's mistake, or the ledger's
	Cache       func() call.CacheReport
	PurgeCache  func(tenant string) error // "": of everybody
	Prompt      func() call.PromptCacheReport
	Metrics     http.Handler
	Ready       func() error
	Warning     func() error // what is wrong and yet keeps nobody from serving; /readyz shows it
	Config      func() any   // the effective configuration, secrets masked
	Version     string

	// Messages is the gateway's front door, for the playground. Nil: there is
	// none. Asks says what its callers must bring: "" nothing, "key" an API key,
	// "token" a token of the gateway.
	Messages http.Handler
	Asks     string

	// Token lets in who knows it; empty lets in everybody. Secure keeps the
	// session's cookie to TLS where a proxy does that.
	Token  call.Secret
	Secure bool

	// Hosts are further names under which a browser may reach a listener on a
	// loopback address, for an operator who puts a proxy in front of it.
	Hosts []string

	// Closing ends the event streams when it is closed, so that a server can
	// shut down. Nil never does.
	Closing <-chan struct{}
}

// UsageQuery asks for sums of the ledger: days from First to Last, and what to
// split by, all as the asker wrote them.
type UsageQuery struct{ From, To, By string }

// New returns the admin plane. It starts nothing: the event stream's ticker runs
// only while someone listens, and the history is kept by [Admin.Run].
func New(src Source) *Admin {
	a := &Admin{
		src: src, page: loadPage(), door: newDoorman(src.Token, src.Secure), history: newHistory(),
		writes: http.NewCrossOriginProtection(),
	}
	a.feed = newFeed(a.snapshot, feedEvery, feedListeners)
	a.gets = map[string]http.HandlerFunc{
		"/healthz":                  a.healthz,
		"/readyz":                   a.readyz,
		"/api/v1/quota":             a.quota,
		"/api/v1/queue":             a.queue,
		"/api/v1/protection":        a.protection,
		"/api/v1/degradation":       a.degradation,
		"/api/v1/warnings":          a.warnings,
		"/api/v1/requests":          a.requests,
		"/api/v1/history":           a.serveHistory,
		"/api/v1/usage":             a.usage,
		"/api/v1/cache":             a.cache,
		"/api/v1/config":            a.config,
		"/api/v1/events":            a.events,
		"/api/v1/session":           a.session,
		"/api/v1/playground":        a.playState,
		"/api/v1/playground/models": a.models,
		"/api/v1/playground/place":  a.playPlace,
		"/api/v1/openapi.json":      a.page.openAPI,
	}
	for path, name := range pages {
		a.gets[path] = func(w http.ResponseWriter, req *http.Request) { a.page.serve(w, req, name) }
	}
	a.posts = map[string]http.HandlerFunc{
		"/api/v1/login":               a.login,
		"/api/v1/logout":              a.logout,
		"/api/v1/playground/messages": a.playground,
	}
	a.deletes = map[string]http.HandlerFunc{"/api/v1/cache": a.purge}
	if src.Metrics != nil {
		a.gets["/metrics"] = src.Metrics.ServeHTTP
	}
	return a
}

// pages are the files that a person opens, by their paths.
var pages = map[string]string{"/": "index.html", "/playground": "playground.html", "/login": "login.html"}

// public needs no login: how the process is, and what leads to the login.
var public = []string{"/healthz", "/readyz", "/login", "/api/v1/login"}

// Admin is the admin plane, an [http.Handler]. Static after New but for the
// feed, the door and the history, which guard themselves.
type Admin struct {
	src     Source
	page    *page
	feed    *feed
	door    *doorman
	history *history
	writes  *http.CrossOriginProtection
	gets    map[string]http.HandlerFunc
	posts   map[string]http.HandlerFunc
	deletes map[string]http.HandlerFunc // of paths that are among gets
}

// ServeHTTP sets what every answer must have, guards the door and finds the
// route.
func (a *Admin) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
	if !a.hostAllowed(req) {
		fail(w, http.StatusMisdirectedRequest, "this address answers to 127.0.0.1, localhost and [::1] only, not to "+strconv.Quote(req.Host))
		return
	}
	if a.writes.Check(req) != nil {
		fail(w, http.StatusForbidden, "the page of another site may not do that")
		return
	}
	get, post := a.find(req.URL.Path)
	if !slices.Contains(public, req.URL.Path) && !strings.HasPrefix(req.URL.Path, "/assets/") {
		if v := a.door.admit(req); v != welcome {
			a.turnAway(w, req, v)
			return
		}
	}
	switch read := req.Method == http.MethodGet || req.Method == http.MethodHead; {
	case get == nil && post == nil:
		fail(w, http.StatusNotFound, "no such path: the admin API is described at /api/v1/openapi.json")
	case get != nil && read:
		get(w, req)
	case post != nil && req.Method == http.MethodPost:
		post(w, req)
	case req.Method == http.MethodDelete && a.deletes[req.URL.Path] != nil:
		a.deletes[req.URL.Path](w, req)
	case post != nil:
		h.Set("Allow", "POST")
		fail(w, http.StatusMethodNotAllowed, "only POST")
	case a.deletes[req.URL.Path] != nil:
		h.Set("Allow", "GET, HEAD, DELETE")
		fail(w, http.StatusMethodNotAllowed, "only GET, HEAD and DELETE")
	default:
		h.Set("Allow", "GET, HEAD")
		fail(w, http.StatusMethodNotAllowed, "only GET and HEAD")
	}
}

// find returns what serves a path: one of both, or neither.
func (a *Admin) find(path string) (get, post http.HandlerFunc) {
	if id, one := strings.CutPrefix(path, "/api/v1/requests/"); one {
		return func(w http.ResponseWriter, _ *http.Request) { a.request(w, id) }, nil
	}
	if name, asset := strings.CutPrefix(path, "/assets/"); asset && a.page.has(name) {
		return a.page.asset, nil
	}
	return a.gets[path], a.posts[path]
}

// hostAllowed keeps other web sites from reading the admin plane through a
// name of theirs that they let point to this machine (DNS rebinding). A
// listener on a public address has names that we cannot know.
func (a *Admin) hostAllowed(req *http.Request) bool {
	local, ok := req.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr)
	if !ok || !local.IP.IsLoopback() {
		return true
	}
	host := req.Host
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.ToLower(strings.Trim(host, "[]"))
	if ip := net.ParseIP(host); ip != nil {
		return ip.IsLoopback()
	}
	return host == "localhost" || slices.Contains(a.src.Hosts, host)
}

func (a *Admin) healthz(w http.ResponseWriter, _ *http.Request) {
	reply(w, http.StatusOK, map[string]string{"status": "ok", "version": a.src.Version})
}

func (a *Admin) readyz(w http.ResponseWriter, _ *http.Request) {
	if a.src.Ready != nil {
		if err := a.src.Ready(); err != nil {
			fail(w, http.StatusServiceUnavailable, err.Error())
			return
		}
	}
	answer := map[string]string{"status": "ready"}
	if a.src.Warning != nil {
		if err := a.src.Warning(); err != nil {
			answer["warning"] = err.Error()
		}
	}
	reply(w, http.StatusOK, answer)
}

func (a *Admin) quota(w http.ResponseWriter, _ *http.Request) {
	reply(w, http.StatusOK, a.quotaReport())
}

func (a *Admin) queue(w http.ResponseWriter, _ *http.Request) {
	reply(w, http.StatusOK, a.queueReport())
}

func (a *Admin) protection(w http.ResponseWriter, _ *http.Request) {
	reply(w, http.StatusOK, a.protectionReport())
}

func (a *Admin) requests(w http.ResponseWriter, req *http.Request) {
	limit := 100
	if s := req.URL.Query().Get("limit"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 || n > 1000 {
			fail(w, http.StatusBadRequest, "limit: want a number from 1 to 1000")
			return
		}
		limit = n
	}
	reply(w, http.StatusOK, map[string]any{"at": time.Now(), "requests": latest(a.recent(), limit)})
}

func (a *Admin) config(w http.ResponseWriter, _ *http.Request) {
	if a.src.Config == nil {
		fail(w, http.StatusNotFound, "no configuration to show")
		return
	}
	reply(w, http.StatusOK, a.src.Config())
}

// quotaReport has no null where readers expect a list.
func (a *Admin) quotaReport() call.QuotaReport {
	r := call.QuotaReport{At: time.Now(), State: "ok"}
	if a.src.Quota != nil {
		r = a.src.Quota()
	}
	if r.Buckets == nil {
		r.Buckets = []call.BucketReport{}
	}
	if r.Keys == nil {
		r.Keys = []call.KeyReport{}
	}
	return r
}

func (a *Admin) queueReport() call.QueueReport {
	r := call.QueueReport{At: time.Now()}
	if a.src.Queue != nil {
		r = a.src.Queue()
	}
	if r.Lanes == nil {
		r.Lanes = []call.LaneReport{}
	}
	return r
}

func (a *Admin) protectionReport() call.ProtectionReport {
	r := call.ProtectionReport{At: time.Now()}
	if a.src.Protection != nil {
		r = a.src.Protection()
	}
	if r.Breakers == nil {
		r.Breakers = []call.BreakerReport{}
	}
	if r.Rules == nil {
		r.Rules = []call.RuleReport{}
	}
	return r
}

func (a *Admin) recent() []call.Event {
	if a.src.Recent == nil {
		return nil
	}
	return a.src.Recent()
}

// reply writes v as JSON.
func reply(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		fail(w, http.StatusInternalServerError, "the answer cannot be written as JSON: "+err.Error())
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	w.Write(append(body, '\n'))
}

// fail writes an error in the shape of the data plane's.
func fail(w http.ResponseWriter, status int, message string) {
	kind := "api_error"
	switch {
	case status == http.StatusNotFound:
		kind = "not_found_error"
	case status < 500:
		kind = "invalid_request_error"
	}
	reply(w, status, map[string]any{
		"type":  "error",
		"error": map[string]string{"type": kind, "message": message},
	})
}
