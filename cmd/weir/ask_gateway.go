package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/config"
	"github.com/weir-gateway/weir/internal/question"
	"github.com/weir-gateway/weir/internal/top"
	"github.com/weir-gateway/weir/weir"
)

// Where weir serve listens unless it is told otherwise.
const (
	localGateway = "http://127.0.0.1:8787"
	localAdmin   = "http://127.0.0.1:8788"
)

// askGateway is whoever answers.
type askGateway struct {
	base    string // its address
	key     string
	http    http.Client
	admin   *top.Client   // of a gateway that tells of itself; or nil
	own     *weir.Gateway // of this process; or nil
	answers bool          // false: there is nobody
	stop    func()        // ends what was opened
}

// openAskGateway finds a gateway, or makes one where there is a key. It says
// nothing against there being none, which a dry run does not mind.
func openAskGateway(ctx context.Context, e env, f askFlags) (*askGateway, error) {
	key := e.getenv("ANTHROPIC_API_KEY")
	named := cmp.Or(f.gateway, e.getenv("ANTHROPIC_BASE_URL"))
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment}
	g := &askGateway{
		base: call.APIBase(cmp.Or(named, localGateway)), key: cmp.Or(key, "none"), // a gateway on loopback needs none
		http: http.Client{Transport: transport}, stop: transport.CloseIdleConnections,
		answers: true,
	}
	if named == "" && !listens(ctx, strings.TrimPrefix(g.base, "http://")) {
		g.answers = key != ""
		if !g.answers {
			return g, nil
		}
		return g, g.openOwn(cmp.Or(e.getenv("WEIR_UPSTREAM"), weir.DefaultUpstream))
	}
	if admin := cmp.Or(f.admin, adminOf(g.base)); admin != "" {
		g.admin = &top.Client{URL: admin, HTTP: &g.http}
	}
	return g, nil
}

// adminOf is where the gateway at base tells of itself, if it is the one that
// weir serve starts by default.
func adminOf(base string) string {
	if u, err := url.Parse(base); err == nil && u.Port() == "8787" && (u.Hostname() == "127.0.0.1" || u.Hostname() == "localhost") {
		return localAdmin
	}
	return ""
}

// openOwn makes a gateway in this process. It passes the key through, so that
// nobody else on this machine can pay with it.
func (g *askGateway) openOwn(upstream string) error {
	own, err := weir.New(weir.WithUpstream(upstream))
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return errors.Join(err, own.Close())
	}
	server := dataServer(own.Handler())
	go server.Serve(l) // until it is closed
	idle := g.stop
	g.base, g.own = "http://"+l.Addr().String(), own
	g.stop = func() {
		idle()
		server.Close()
		own.Close()
	}
	return nil
}

// listens reports whether somebody takes connections at host:port.
func listens(ctx context.Context, address string) bool {
	dialer := net.Dialer{Timeout: 300 * time.Millisecond}
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err != nil {
		return false
	}
	conn.Close()
	return true
}

// adminPatience is how long the admin plane may take: what it tells is good to
// know, and no more.
const adminPatience = 2 * time.Second

// errUntold is that no admin plane is known.
var errUntold = errors.New("no admin plane is known")

// read reads a report of the admin plane.
func (g *askGateway) read(ctx context.Context, path string, into any) error {
	if g.admin == nil {
		return errUntold
	}
	ctx, cancel := context.WithTimeout(ctx, adminPatience)
	defer cancel()
	return g.admin.Get(ctx, path, into)
}

// tells reads a report of the admin plane, and reports whether there is one.
func (g *askGateway) tells(ctx context.Context, path string, into any) bool {
	return g.read(ctx, path, into) == nil
}

// quota is what the gateway believes in. An admin plane that was named must tell.
func (g *askGateway) quota(ctx context.Context, f askFlags) (q call.QuotaReport, err error) {
	err = g.read(ctx, "/api/v1/quota", &q)
	if f.admin == "" || g.admin == nil || err == nil {
		return q, nil
	}
	return q, hinted{fmt.Errorf("--admin tells nothing: %w", err), "without --admin it is asked without knowing the quota"}
}

// splits is how the gateway splits.
func (g *askGateway) splits(ctx context.Context) weir.Split {
	var raw json.RawMessage
	var c struct{ Split config.Split }
	if g.tells(ctx, "/api/v1/config", &raw) && yaml.Unmarshal(raw, &c) != nil {
		return weir.Split{} // it is another Weir's
	}
	return splitOf(config.Config{Split: c.Split})
}

// waiting is the place of a call that waits for quota.
func (g *askGateway) waiting(ctx context.Context, id string) (w call.WaiterReport, ok bool) {
	if g.own != nil {
		return g.own.Waiting(id)
	}
	ok = g.tells(ctx, "/api/v1/requests/"+url.PathEscape(id), &w)
	return w, ok && w.Position > 0 // a call that has ended has none
}

// count has the input counted.
func (g *askGateway) count(ctx context.Context, q askRequest) (call.Tokens, error) {
	resp, err := g.post(ctx, "/v1/messages/count_tokens", q.header, q.count)
	if err != nil {
		return 0, given(ctx, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		_, err := new(question.Reader).Read(resp)
		return 0, given(ctx, err)
	}
	var counted struct {
		Input call.Tokens `json:"input_tokens"`
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, 1<<16)).Decode(&counted); err != nil || counted.Input < 1 {
		return 0, fmt.Errorf("the count is not understood: %w", cmp.Or(err, errors.New("it has no input_tokens")))
	}
	return counted.Input, nil
}

// post sends a request. Whatever the status of the answer, it is no error.
func (g *askGateway) post(ctx context.Context, path string, header http.Header, body []byte) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, g.base+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header = header.Clone()
	for name, value := range map[string]string{
		"X-Api-Key": g.key, "Anthropic-Version": "2023-06-01", "Content-Type": "application/json", "User-Agent": "weir-ask",
	} {
		req.Header.Set(name, value)
	}
	resp, err := g.http.Do(req)
	if err != nil {
		return nil, hinted{fmt.Errorf("ask %s: %w", g.base, err), "is the gateway running? weir doctor looks"}
	}
	return resp, nil
}
