// Package dash is the admin plane: the live page, the figures behind it as
// JSON and as a stream of events, the metrics and the health checks
// (DESIGN §2.6). It shows what its [Source] tells it and changes nothing.
//
// The page is hand-written and embedded: no build step, nothing from another
// host, no inline script or style.
package dash

import (
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
	Quota      func() call.QuotaReport
	Queue      func() call.QueueReport
	Protection func() call.ProtectionReport
	Warnings   func() []call.Warning // the most urgent first
	Recent     func() []call.Event   // in any order; bounded by whoever keeps them
	Request    func(id string) (call.Event, bool)
	Waiting    func(id string) (call.WaiterReport, bool)
	Metrics    http.Handler
	Ready      func() error
	Warning    func() error // what is wrong and yet keeps nobody from serving; /readyz shows it
	Config     func() any   // the effective configuration, secrets masked
	Version    string

	// Hosts are further names under which a browser may reach a listener on a
	// loopback address, for an operator who puts a proxy in front of it.
	Hosts []string

	// Closing ends the event streams when it is closed, so that a server can
	// shut down. Nil never does.
	Closing <-chan struct{}
}

// New returns the handler of the admin plane. It starts nothing: the event
// stream's ticker runs only while someone listens.
func New(src Source) http.Handler {
	a := &admin{src: src, page: loadPage()}
	a.feed = newFeed(a.snapshot, feedEvery, feedListeners)
	a.routes = map[string]http.HandlerFunc{
		"/":                    a.page.index,
		"/healthz":             a.healthz,
		"/readyz":              a.readyz,
		"/api/v1/quota":        a.quota,
		"/api/v1/queue":        a.queue,
		"/api/v1/protection":   a.protection,
		"/api/v1/warnings":     a.warnings,
		"/api/v1/requests":     a.requests,
		"/api/v1/config":       a.config,
		"/api/v1/events":       a.events,
		"/api/v1/openapi.json": a.page.openAPI,
	}
	if src.Metrics != nil {
		a.routes["/metrics"] = src.Metrics.ServeHTTP
	}
	return http.NewCrossOriginProtection().Handler(a)
}

// admin is the admin plane. Static after New but for the feed, which guards
// itself.
type admin struct {
	src    Source
	page   *page
	feed   *feed
	routes map[string]http.HandlerFunc
}

// ServeHTTP sets what every answer must have and finds the route.
func (a *admin) ServeHTTP(w http.ResponseWriter, req *http.Request) {
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
	serve, ok := a.routes[req.URL.Path]
	if id, one := strings.CutPrefix(req.URL.Path, "/api/v1/requests/"); one {
		serve, ok = func(w http.ResponseWriter, _ *http.Request) { a.request(w, id) }, true
	}
	if name, asset := strings.CutPrefix(req.URL.Path, "/assets/"); asset && a.page.has(name) {
		serve, ok = a.page.asset, true
	}
	switch {
	case !ok:
		fail(w, http.StatusNotFound, "no such path: the admin API is described at /api/v1/openapi.json")
	case req.Method != http.MethodGet && req.Method != http.MethodHead:
		h.Set("Allow", "GET, HEAD")
		fail(w, http.StatusMethodNotAllowed, "only GET and HEAD")
	default:
		serve(w, req)
	}
}

// hostAllowed keeps other web sites from reading the admin plane through a
// name of theirs that they let point to this machine (DNS rebinding). A
// listener on a public address has names that we cannot know.
func (a *admin) hostAllowed(req *http.Request) bool {
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

func (a *admin) healthz(w http.ResponseWriter, _ *http.Request) {
	reply(w, http.StatusOK, map[string]string{"status": "ok", "version": a.src.Version})
}

func (a *admin) readyz(w http.ResponseWriter, _ *http.Request) {
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

func (a *admin) quota(w http.ResponseWriter, _ *http.Request) {
	reply(w, http.StatusOK, a.quotaReport())
}

func (a *admin) queue(w http.ResponseWriter, _ *http.Request) {
	reply(w, http.StatusOK, a.queueReport())
}

func (a *admin) protection(w http.ResponseWriter, _ *http.Request) {
	reply(w, http.StatusOK, a.protectionReport())
}

func (a *admin) requests(w http.ResponseWriter, req *http.Request) {
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

func (a *admin) config(w http.ResponseWriter, _ *http.Request) {
	if a.src.Config == nil {
		fail(w, http.StatusNotFound, "no configuration to show")
		return
	}
	reply(w, http.StatusOK, a.src.Config())
}

// quotaReport has no null where readers expect a list.
func (a *admin) quotaReport() call.QuotaReport {
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

func (a *admin) queueReport() call.QueueReport {
	r := call.QueueReport{At: time.Now()}
	if a.src.Queue != nil {
		r = a.src.Queue()
	}
	if r.Lanes == nil {
		r.Lanes = []call.LaneReport{}
	}
	return r
}

func (a *admin) protectionReport() call.ProtectionReport {
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

func (a *admin) recent() []call.Event {
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
