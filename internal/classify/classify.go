// Package classify reads a request once: which endpoint it is for, whose it
// is, how urgent, how long it may wait, and what it contains. It is the first
// room of the house and fills the first section of a [call.Call].
package classify

import (
	"hash/maphash"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/weir-gateway/weir/call"
)

// Config bounds what is read. The zero Config works.
type Config struct {
	MaxBody int64         // largest body of a metered endpoint; 0: 32 MiB
	MaxWait time.Duration // wait of a client that names no deadline; 0: 10 min
	Class   call.Class    // of a request that names none
	Access  Access        // who may use the gateway, and for what
	Ends    bool          // list the ends of blocks, for whoever puts marks for prompt caching in
	Own     string        // the token of the gateway's own requests; "": it has none
}

// Defaults of [Config].
const (
	DefaultMaxBody = 32 << 20
	DefaultMaxWait = 10 * time.Minute
)

// Room classifies requests. It is safe for concurrent use.
type Room struct {
	cfg  Config
	seq  atomic.Uint64
	seed maphash.Seed // of the hashes of prefixes

	access atomic.Pointer[Access]
}

// New returns the room.
func New(cfg Config) *Room {
	if cfg.MaxBody == 0 {
		cfg.MaxBody = DefaultMaxBody
	}
	if cfg.MaxWait == 0 {
		cfg.MaxWait = DefaultMaxWait
	}
	r := &Room{cfg: cfg, seed: maphash.MakeSeed()}
	r.SetAccess(cfg.Access)
	return r
}

// SetAccess changes who may use the gateway, and for what, from the next call on.
// The maps belong to the room from then on.
func (r *Room) SetAccess(a Access) { r.access.Store(&a) }

// Classify reads the request's head and, for the metered endpoints, its whole
// body. Its error is a [*call.Refusal].
func (r *Room) Classify(req *http.Request, now time.Time) (*call.Call, error) {
	c := &call.Call{
		ID: requestID(), Received: now, Seq: r.seq.Add(1),
		Method: req.Method, Header: forwardable(req.Header), Class: r.cfg.Class,
		Session: req.Header.Get("X-Claude-Code-Session-Id"), Lang: languageOf(req.Header),
		TraceParent: traceParent(req.Header),
	}
	c.Path = canonicalPath(target(req))
	path := plainPath(c.Path)
	c.Endpoint = endpoint(req.Method, path)
	c.Pool = pool(path)
	access := r.access.Load()
	client, err := r.credential(c, access.Clients, req.Header)
	if err != nil {
		return c, err
	}
	if err := r.wishes(c, req.Header); err != nil {
		return c, err
	}
	// A target has no # (RFC 9112 §3.2): an upstream might read up to it alone.
	if !strings.HasPrefix(path, "/v1/") || strings.Contains(c.Path, "#") {
		return c, &call.Refusal{Reason: call.NotAllowed, Detail: "no such path: " + path}
	}
	if c.Endpoint == call.Other {
		access.limit(c, client, firstName(req.Header.Get("Weir-Tenant"), client, c.Credential.Print))
		return c, r.rights(c, req)
	}
	body, err := readBody(req, r.cfg.MaxBody)
	if err != nil {
		return c, err
	}
	c.Body = body
	user, err := r.parse(c)
	if err != nil {
		return c, err
	}
	c.Tenant = firstName(req.Header.Get("Weir-Tenant"), client, user, c.Credential.Print)
	access.limit(c, client, c.Tenant)
	return c, r.rights(c, req)
}

// Reread measures a body that has been edited.
func (r *Room) Reread(c *call.Call) error {
	c.Content = call.Content{}
	_, err := r.parse(c)
	return err
}

// Unread is the call of a request that is refused before it is read: it says
// only in which language.
func Unread(req *http.Request, now time.Time) *call.Call {
	return &call.Call{ID: requestID(), Received: now, Lang: languageOf(req.Header)}
}

// target is the path with the query as the client spelled them. A parsed URL
// may spell some characters in another way.
func target(req *http.Request) string {
	if strings.HasPrefix(req.RequestURI, "/") {
		return req.RequestURI
	}
	return req.URL.RequestURI() // a request of the side door
}

// canonicalPath joins the two /v1 of a client whose base URL already ended in
// /v1, the commonest mistake in setting it.
func canonicalPath(p string) string {
	for strings.HasPrefix(p, "/v1/v1/") {
		p = p[len("/v1"):]
	}
	return p
}

// plainPath is a path without its query, as the upstream reads it: /v1/m%65ssages
// is /v1/messages.
func plainPath(p string) string {
	p, _, _ = strings.Cut(p, "?")
	if plain, err := url.PathUnescape(p); err == nil {
		return plain
	}
	return p
}

func endpoint(method, path string) call.Endpoint {
	if method != http.MethodPost {
		return call.Other
	}
	switch strings.TrimSuffix(path, "/") {
	case "/v1/messages":
		return call.Messages
	case "/v1/messages/count_tokens":
		return call.CountTokens
	}
	return call.Other
}

// pool names the pool that a path draws on, if it is not the model's.
func pool(path string) string {
	switch {
	case strings.HasPrefix(path, "/v1/messages/count_tokens"):
		return call.PoolCountTokens
	case strings.HasPrefix(path, "/v1/messages/batches"):
		return call.PoolBatches
	case strings.HasPrefix(path, "/v1/files"):
		return call.PoolFiles
	}
	return ""
}

// wishes reads the weir-* headers and the client's own deadline.
func (r *Room) wishes(c *call.Call, h http.Header) error {
	wait, err := r.patience(c, h)
	if err != nil {
		return err
	}
	c.Deadline = c.Received.Add(wait)
	c.ClientRetry, _ = strconv.Atoi(h.Get("X-Stainless-Retry-Count"))
	if text := h.Get("Weir-Class"); text != "" {
		class, ok := call.ParseClass(text)
		if !ok {
			return malformed("weir-class must be interactive, normal or batch, not %q", text)
		}
		c.Class = class
	}
	if text := h.Get("Weir-Cache"); text != "" {
		wish, ok := call.ParseCacheWish(text)
		if !ok {
			return malformed("weir-cache must be off, read, write or on, not %q", text)
		}
		c.CacheWish = wish
	}
	if c.Split, err = splitWish(h.Get("Weir-Split")); err != nil {
		return err
	}
	if c.Split.Auto {
		c.Progress = &call.Progress{}
	}
	switch text := h.Get("Weir-Degrade"); text {
	case "", "allow":
	case "off":
		c.NoDegrade = true
	default:
		return malformed("weir-degrade must be off or allow, not %q", text)
	}
	return nil
}

// patience is how long the call may wait to be sent: what weir-max-wait says,
// but no longer than the client itself waits, less a margin in which it can
// still hear a refusal.
func (r *Room) patience(c *call.Call, h http.Header) (time.Duration, error) {
	wait := r.cfg.MaxWait
	timeout, err := strconv.ParseFloat(h.Get("X-Stainless-Timeout"), 64)
	limited := err == nil && timeout > 0 && timeout < 1e9
	if limited {
		wait = time.Duration(timeout * float64(time.Second))
		wait -= min(max(wait/10, time.Second), 15*time.Second, wait/2)
	}
	text := h.Get("Weir-Max-Wait")
	if text == "" {
		return wait, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		return 0, malformed("weir-max-wait must be a duration such as 90s or 2m, not %q", text)
	}
	c.MaxWait = d
	if limited {
		return min(d, wait), nil
	}
	return d, nil
}
