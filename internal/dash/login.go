package dash

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/weir-gateway/weir/call"
)

// Bounds of the login. Failures are counted by address, and together, so that
// many addresses help a guesser no more than one.
const (
	sessionCookie = "weir-admin"
	sessionTime   = 12 * time.Hour
	maxSessions   = 1000 // then the oldest ends
	failWindow    = time.Minute
	maxFails      = 10   // of one address in a window
	maxAllFails   = 200  // of everybody in a window
	maxFailers    = 1024 // addresses that are remembered
)

// doorman lets in who knows the token: by a session's cookie or, for programs,
// in the header Authorization. Only hashes are kept. Without a token everybody
// may come in: such an admin plane is on loopback.
type doorman struct {
	// Static after newDoorman.
	token  [sha256.Size]byte
	open   bool
	secure bool // cookies are for TLS alone

	mu       sync.Mutex                      // guards everything below
	sessions map[[sha256.Size]byte]time.Time // when each ends
	window   time.Time                       // the present one of failures began
	fails    map[string]int
	allFails int
}

func newDoorman(token call.Secret, secure bool) *doorman {
	return &doorman{
		token: sha256.Sum256([]byte(token.Reveal())), open: token.Reveal() == "", secure: secure,
		sessions: map[[sha256.Size]byte]time.Time{}, fails: map[string]int{},
	}
}

// verdict is what the doorman says to one request.
type verdict int

const (
	welcome verdict = iota
	stranger
	tooMany // failures from there: the token is not even looked at
)

// admit judges a request by what it carries.
func (d *doorman) admit(req *http.Request) verdict {
	if d.open {
		return welcome
	}
	if c, err := req.Cookie(sessionCookie); err == nil && d.knows(c.Value) {
		return welcome
	}
	kind, token, _ := strings.Cut(req.Header.Get("Authorization"), " ")
	if !strings.EqualFold(kind, "Bearer") {
		return stranger
	}
	return d.try(req, strings.TrimSpace(token))
}

// try compares a token that came from the request's address.
func (d *doorman) try(req *http.Request, token string) verdict {
	sum, from := sha256.Sum256([]byte(token)), network(req.RemoteAddr)
	d.mu.Lock()
	defer d.mu.Unlock()
	if now := time.Now(); now.Sub(d.window) >= failWindow {
		d.window, d.allFails = now, 0
		clear(d.fails)
	}
	if d.fails[from] >= maxFails || d.allFails >= maxAllFails {
		return tooMany
	}
	if subtle.ConstantTimeCompare(sum[:], d.token[:]) == 1 {
		return welcome
	}
	d.allFails++
	if len(d.fails) < maxFailers {
		d.fails[from]++
	}
	return stranger
}

func (d *doorman) knows(session string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	end, ok := d.sessions[sha256.Sum256([]byte(session))]
	return ok && time.Now().Before(end)
}

// begin makes a session and returns what its cookie holds.
func (d *doorman) begin() string {
	session, now := rand.Text(), time.Now()
	d.mu.Lock()
	defer d.mu.Unlock()
	var oldest [sha256.Size]byte
	for sum, end := range d.sessions {
		if !now.Before(end) {
			delete(d.sessions, sum)
		} else if first, ok := d.sessions[oldest]; !ok || end.Before(first) {
			oldest = sum
		}
	}
	if len(d.sessions) >= maxSessions {
		delete(d.sessions, oldest)
	}
	d.sessions[sha256.Sum256([]byte(session))] = now.Add(sessionTime)
	return session
}

func (d *doorman) end(session string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.sessions, sha256.Sum256([]byte(session)))
}

// cookie is that of a session, or removes it.
func (d *doorman) cookie(req *http.Request, session string) *http.Cookie {
	c := &http.Cookie{
		Name: sessionCookie, Value: session, Path: "/", MaxAge: int(sessionTime.Seconds()),
		HttpOnly: true, SameSite: http.SameSiteStrictMode, Secure: d.secure || req.TLS != nil,
	}
	if session == "" {
		c.MaxAge = -1
	}
	return c
}

// turnAway answers who may not come in: a person is led to the login page.
func (a *Admin) turnAway(w http.ResponseWriter, req *http.Request, v verdict) {
	switch {
	case v == tooMany:
		w.Header().Set("Retry-After", "60")
		fail(w, http.StatusTooManyRequests, "too many wrong tokens came from there: try again in a minute")
	case pages[req.URL.Path] != "" && req.Method == http.MethodGet:
		http.Redirect(w, req, "/login?next="+url.QueryEscape(req.URL.Path), http.StatusSeeOther)
	default:
		w.Header().Set("WWW-Authenticate", `Bearer realm="weir"`)
		fail(w, http.StatusUnauthorized, "the admin plane wants its token: log in at /login, or send Authorization: Bearer TOKEN")
	}
}

// login exchanges the token for a session.
func (a *Admin) login(w http.ResponseWriter, req *http.Request) {
	var said struct {
		Token string `json:"token"`
	}
	if err := json.NewDecoder(http.MaxBytesReader(w, req.Body, 4096)).Decode(&said); err != nil {
		fail(w, http.StatusBadRequest, `want {"token": "…"}`)
		return
	}
	if !a.door.open {
		if v := a.door.try(req, said.Token); v != welcome {
			a.turnAway(w, req, v)
			return
		}
		http.SetCookie(w, a.door.cookie(req, a.door.begin()))
	}
	w.WriteHeader(http.StatusNoContent)
}

func (a *Admin) logout(w http.ResponseWriter, req *http.Request) {
	if c, err := req.Cookie(sessionCookie); err == nil {
		a.door.end(c.Value)
	}
	http.SetCookie(w, a.door.cookie(req, ""))
	w.WriteHeader(http.StatusNoContent)
}

// session tells the page whether there is anything to log out of.
func (a *Admin) session(w http.ResponseWriter, _ *http.Request) {
	reply(w, http.StatusOK, map[string]bool{"login": !a.door.open, "playground": a.src.Messages != nil})
}

// network is what failures are counted by: an address, of IPv6 the part that
// one customer of a provider usually has.
func network(remote string) string {
	host, _, err := net.SplitHostPort(remote)
	if err != nil {
		return remote
	}
	ip := net.ParseIP(host)
	if ip == nil || ip.To4() != nil {
		return host
	}
	return ip.Mask(net.CIDRMask(64, 128)).String()
}
