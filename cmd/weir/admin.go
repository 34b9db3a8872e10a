package main

import (
	"fmt"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/config"
	"github.com/weir-gateway/weir/internal/dash"
	"github.com/weir-gateway/weir/weir"
)

// shortestToken is the length below which an admin token could be guessed.
const shortestToken = 16

// sourceOf is what every admin plane shows of a gateway.
func sourceOf(g *weir.Gateway) dash.Source {
	s := dash.Source{
		Quota: g.Quota, Queue: g.Queue, Recent: g.Recent, Request: g.Request, Waiting: g.Waiting,
		Protection: g.Protection, Degradation: g.Degradation, Warnings: g.Warnings, Prompt: g.PromptCache, Metrics: g.Metrics(), Ready: g.Ready, Messages: g.Handler(), Version: version(),
	}
	if _, ok := g.Cache(); ok {
		s.Cache = func() call.CacheReport { report, _ := g.Cache(); return report }
		s.PurgeCache = g.PurgeCache
	}
	return s
}

// adminServerOf listens for the admin plane, with TLS where others can reach it.
func adminServerOf(c config.Config, page *dash.Admin) (*server, error) {
	l, err := listen(c.Admin)
	if err != nil {
		return nil, err
	}
	s := &server{name: "admin plane", http: adminServer(page), listener: l}
	if c.AdminIsPublic() {
		s.tls = c.TLS
	}
	return s, nil
}

// adminSource is what the admin plane of a configured gateway shows, and who
// may see it.
func adminSource(c config.Config, e env, g *weir.Gateway) (dash.Source, error) {
	s := sourceOf(g)
	switch {
	case c.AsksForTokens():
		s.Asks = "token"
	case len(c.Keys) == 0:
		s.Asks = "key"
	}
	if c.AdminToken == "" {
		return s, nil
	}
	token, err := c.AdminToken.Resolve(e.getenv)
	if err != nil {
		return s, fmt.Errorf("admin_token: %w", err)
	}
	if len(token) < shortestToken {
		return s, hinted{
			fmt.Errorf("admin_token: it has %d characters, at least %d are needed", len(token), shortestToken),
			"make one with: openssl rand -hex 24",
		}
	}
	s.Token = call.NewSecret(token)
	s.Secure = c.AdminIsPublic() && c.BehindTLSProxy
	return s, nil
}
