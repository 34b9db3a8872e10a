package dash

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weir-gateway/weir/call"
)

const adminToken = "open-sesame-open-sesame"

func guarded() *Admin {
	src := source()
	src.Token = call.NewSecret(adminToken)
	return New(src)
}

// ask sends a request that carries what edit gives it.
func ask(h http.Handler, method, path string, edit func(*http.Request)) *httptest.ResponseRecorder {
	req := httptest.NewRequest(method, path, nil)
	if method == http.MethodPost {
		req = httptest.NewRequest(method, path, strings.NewReader(`{"token":"`+adminToken+`"}`))
	}
	if edit != nil {
		edit(req)
	}
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, req)
	return rec
}

func bearer(token string) func(*http.Request) {
	return func(req *http.Request) { req.Header.Set("Authorization", "Bearer "+token) }
}

func TestTheDoor(t *testing.T) {
	h := guarded()
	for _, tt := range []struct {
		path  string
		token string
		want  int
	}{
		{"/", "", 303},
		{"/playground", "", 303},
		{"/login", "", 200},
		{"/assets/login.js", "", 200},
		{"/healthz", "", 200},
		{"/readyz", "", 503},
		{"/api/v1/quota", "", 401},
		{"/api/v1/events", "", 401},
		{"/api/v1/nothing", "", 401},
		{"/metrics", "", 401},
		{"/metrics", adminToken, 200},
		{"/metrics", adminToken + "x", 401},
		{"/api/v1/quota", adminToken, 200},
	} {
		t.Run(tt.path+" "+tt.token, func(t *testing.T) {
			got := ask(h, http.MethodGet, tt.path, func(req *http.Request) {
				if tt.token != "" {
					bearer(tt.token)(req)
				}
			})
			if got.Code != tt.want {
				t.Errorf("%d, want %d", got.Code, tt.want)
			}
		})
	}
	if to := ask(h, http.MethodGet, "/playground", nil).Header().Get("location"); to != "/login?next=%2Fplayground" {
		t.Errorf("a person is led to %q", to)
	}
	if got := ask(h, http.MethodGet, "/api/v1/quota", nil).Header().Get("www-authenticate"); !strings.HasPrefix(got, "Bearer") {
		t.Errorf("a program is told %q", got)
	}
}

func TestSessions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := guarded()
		in := ask(h, http.MethodPost, "/api/v1/login", nil)
		cookies := in.Result().Cookies()
		if in.Code != 204 || len(cookies) != 1 {
			t.Fatalf("login: %d with %d cookies", in.Code, len(cookies))
		}
		c := cookies[0]
		if !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Secure || strings.Contains(c.Value, adminToken) {
			t.Errorf("cookie: %+v", c)
		}
		with := func(req *http.Request) { req.AddCookie(c) }
		if got := ask(h, http.MethodGet, "/api/v1/session", with); got.Code != 200 || !strings.Contains(got.Body.String(), `"login":true`) {
			t.Errorf("in the session: %d %s", got.Code, got.Body)
		}
		time.Sleep(sessionTime + time.Second)
		if got := ask(h, http.MethodGet, "/api/v1/quota", with); got.Code != 401 {
			t.Errorf("after its time: %d", got.Code)
		}
		c = ask(h, http.MethodPost, "/api/v1/login", nil).Result().Cookies()[0]
		out := ask(h, http.MethodPost, "/api/v1/logout", with)
		if gone := out.Result().Cookies(); out.Code != 204 || gone[0].MaxAge >= 0 {
			t.Errorf("logout: %d %+v", out.Code, gone)
		}
		if got := ask(h, http.MethodGet, "/api/v1/quota", with); got.Code != 401 {
			t.Errorf("after the logout: %d", got.Code)
		}
	})
}

func TestCookiesAreForTLSWhereThereIsTLS(t *testing.T) {
	got := ask(guarded(), http.MethodPost, "/api/v1/login", func(req *http.Request) { req.TLS = &tls.ConnectionState{} })
	if !got.Result().Cookies()[0].Secure {
		t.Error("over TLS the cookie is not Secure")
	}
	src := source()
	src.Token, src.Secure = call.NewSecret(adminToken), true
	if got := ask(New(src), http.MethodPost, "/api/v1/login", nil); !got.Result().Cookies()[0].Secure {
		t.Error("behind a proxy that does TLS the cookie is not Secure")
	}
}

func TestGuessing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := guarded()
		from := func(address, token string) int {
			return ask(h, http.MethodGet, "/metrics", func(req *http.Request) {
				req.RemoteAddr = address
				bearer(token)(req)
			}).Code
		}
		for i := range maxFails {
			if got := from("192.0.2.1:9", fmt.Sprint(i)); got != 401 {
				t.Fatalf("guess %d: %d", i, got)
			}
		}
		if got := from("192.0.2.1:10", adminToken); got != 429 {
			t.Errorf("after %d failures the token is still looked at: %d", maxFails, got)
		}
		if got := from("192.0.2.2:9", adminToken); got != 200 {
			t.Errorf("somebody else is shut out: %d", got)
		}
		for i := range maxAllFails {
			from(fmt.Sprintf("[2001:db8:%x::1]:9", i), "guess")
		}
		if got := from("192.0.2.3:9", adminToken); got != 429 {
			t.Errorf("many addresses help a guesser: %d", got)
		}
		time.Sleep(failWindow)
		if got := from("192.0.2.1:9", adminToken); got != 200 {
			t.Errorf("a minute later: %d", got)
		}
	})
}

func TestSessionsAreBounded(t *testing.T) {
	d := newDoorman(call.NewSecret(adminToken), false)
	first := d.begin()
	for range maxSessions {
		d.begin()
	}
	if len(d.sessions) > maxSessions || !d.knows(d.begin()) {
		t.Errorf("%d sessions", len(d.sessions))
	}
	_ = first // which of equally old ones ends is open
}

func TestNetworks(t *testing.T) {
	for remote, want := range map[string]string{
		"192.0.2.1:9": "192.0.2.1", "[2001:db8:1:2:3::4]:9": "2001:db8:1:2::", "pipe": "pipe", "[::ffff:192.0.2.1]:9": "::ffff:192.0.2.1",
	} {
		if got := network(remote); got != want {
			t.Errorf("%s: %q, want %q", remote, got, want)
		}
	}
}

func TestWithoutATokenEverybodyIsIn(t *testing.T) {
	h := New(source())
	if got := ask(h, http.MethodGet, "/api/v1/session", nil); !strings.Contains(got.Body.String(), `"login":false`) {
		t.Errorf("%d %s", got.Code, got.Body)
	}
	if got := ask(h, http.MethodPost, "/api/v1/login", nil); got.Code != 204 || len(got.Result().Cookies()) != 0 {
		t.Errorf("login: %d", got.Code)
	}
}
