package weir

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/quota"
	"github.com/weir-gateway/weir/internal/ratelimits"
)

// AdminKey lets a gateway read an organization's rate limits from the Admin
// API, so that they are known before the first answer and when they change.
type AdminKey struct {
	Secret    string // begins with sk-ant-admin
	APIKey    string // name of the API key of the same organization; may be empty
	Workspace string // id of that key's workspace, whose own limits are read too; may be empty
}

// WithAdminKey makes [Gateway.Run] read the rate limits of k's organization.
func WithAdminKey(k AdminKey) Option {
	return func(s *settings) error {
		if !strings.HasPrefix(k.Secret, "sk-ant-admin") {
			return fmt.Errorf("admin key of %q: an admin key begins with sk-ant-admin; create one in the Console, under Admin keys", k.APIKey)
		}
		s.admins = append(s.admins, k)
		return nil
	}
}

// poller reads one organization's limits for the gateway.
type poller struct {
	client *ratelimits.Client
	print  string // fingerprint of the API key of the same organization
}

// newPollers builds what Run is to run.
func (g *Gateway) newPollers(s *settings) error {
	var errs []error
	for _, k := range s.admins {
		p := poller{client: ratelimits.New(ratelimits.Config{
			Upstream: s.upstream, Key: call.NewSecret(k.Secret), Workspace: k.Workspace,
			Transport: s.transport, Log: s.log,
		})}
		for _, key := range s.keys {
			if key.Name == k.APIKey {
				p.print = key.Print
			}
		}
		if k.APIKey != "" && p.print == "" {
			errs = append(errs, fmt.Errorf("admin key: there is no API key named %q", k.APIKey))
		}
		g.pollers = append(g.pollers, p)
	}
	return errors.Join(errs...)
}

// Run does what a gateway does besides answering: with an admin key, it keeps
// the rate limits up to date; with keys of its own, it finds out whether those
// that could not pay can pay again; with a memory, it writes down which cannot;
// with a cache, it tends that; and it keeps [Gateway.Warnings]. It returns when
// ctx is done. Without it the gateway works as well, by what the answers to
// calls say.
func (g *Gateway) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	for _, p := range g.pollers {
		wg.Go(func() {
			p.client.Run(ctx, func(a ratelimits.Answer) { g.configure(p.print, a) })
		})
	}
	wg.Go(func() { g.remember(ctx) })
	wg.Go(func() { g.warn(ctx) })
	wg.Go(func() { g.ladder.Run(ctx) })
	if g.pooled {
		wg.Go(func() { g.recheck(ctx) })
	}
	if g.cache != nil {
		wg.Go(func() { g.cache.Run(ctx) })
	}
	if g.collector != nil {
		wg.Go(func() { _ = g.collector.Run(ctx) }) // it ends with ctx
	}
	<-ctx.Done()
	wg.Wait()
	return nil
}

// configure hands one reading of the limits to admission.
func (g *Gateway) configure(print string, a ratelimits.Answer) {
	if a.Organization == "" {
		return // nobody knows whose limits they are
	}
	var groups []quota.ModelGroup
	for _, e := range a.Entries {
		if n := e.Other["enqueued_batch_requests"]; n > 0 && g.collector != nil {
			g.collector.Limit(int(n))
		}
		if e.Type == ratelimits.ModelGroup && len(e.Models) > 0 {
			groups = append(groups, quota.ModelGroup{
				Name: e.Name, Models: e.Models, Limits: e.Limits, CountCached: e.CountCached,
			})
		}
	}
	if len(groups) > 0 {
		g.admission.Configure(time.Now(), a.Organization, print, groups)
	}
}
