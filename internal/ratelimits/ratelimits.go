// Package ratelimits reads an organization's rate limits from the Admin API,
// so that they are known before the first answer and when they change: which
// models share a pool, and how large it is. What is left of it only the
// headers of answers say (anthropic-api.md §7).
package ratelimits

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/url"
	"time"

	"github.com/weir-gateway/weir/call"
	"github.com/weir-gateway/weir/internal/adminapi"
)

// Config says whose limits to read. Upstream and Key are needed.
type Config struct {
	Upstream  string      // address of the API
	Key       call.Secret // an admin key, sk-ant-admin…
	Workspace string      // also read this workspace's overrides; empty: none
	Transport http.RoundTripper
	Every     time.Duration // between two readings; 0: 5 minutes
	Log       *slog.Logger  // nil: none
}

// Answer is one reading.
type Answer struct {
	Organization string  // id, as in the header anthropic-organization-id
	Entries      []Entry // with the workspace's overrides applied
}

// The pace of the readings, and their bounds.
const (
	DefaultEvery = 5 * time.Minute
	firstRetry   = 10 * time.Second // doubles up to the pace
	maxPages     = 50
	// version is the first whose groups have names for people. Answers in the
	// older shape are understood as well.
	version = "2026-10-21"
)

// Client reads the limits of one organization.
type Client struct {
	cfg Config
	api adminapi.Client

	said string // Owned by Run: what was logged last.
}

// New returns a client. It asks nothing yet.
func New(cfg Config) *Client {
	cfg.Every = cmp.Or(cfg.Every, DefaultEvery)
	cfg.Log = cmp.Or(cfg.Log, slog.New(slog.DiscardHandler))
	return &Client{cfg: cfg, api: adminapi.Client{Upstream: cfg.Upstream, Key: cfg.Key, Version: version, Transport: cfg.Transport}}
}

// Run reads the limits at once and then again and again, and hands each
// reading to apply, until ctx is done. A reading that fails is tried again
// soon; it is logged when what it says is new.
func (c *Client) Run(ctx context.Context, apply func(Answer)) {
	failures := 0
	for {
		answer, err := c.Read(ctx)
		if ctx.Err() != nil {
			return
		}
		pause := c.cfg.Every
		if err == nil {
			failures = 0
			apply(answer)
			c.say(ctx, slog.LevelInfo, "rate limits read from the Admin API", fmt.Sprintf("%d pools of %s", len(answer.Entries), answer.Organization))
		} else {
			pause = min(pause, firstRetry<<min(failures, 10))
			failures++
			c.say(ctx, slog.LevelWarn, "rate limits could not be read; going on with what headers say", err.Error())
		}
		select {
		case <-time.After(pause - rand.N(pause/10+1)): // so that instances do not ask in step
		case <-ctx.Done():
			return
		}
	}
}

// say logs what is new.
func (c *Client) say(ctx context.Context, level slog.Level, message, detail string) {
	if said := message + detail; said != c.said {
		c.said = said
		c.cfg.Log.LogAttrs(ctx, level, message, slog.String("detail", detail))
	}
}

// Read asks for the organization's limits and the workspace's overrides.
func (c *Client) Read(ctx context.Context) (Answer, error) {
	var a Answer
	var err error
	a.Entries, a.Organization, err = c.list(ctx, "/v1/organizations/rate_limits")
	if err != nil || c.cfg.Workspace == "" {
		return a, err
	}
	overrides, _, err := c.list(ctx, "/v1/organizations/workspaces/"+url.PathEscape(c.cfg.Workspace)+"/rate_limits")
	a.Entries = Under(a.Entries, overrides)
	return a, err
}

// list reads all pages of one endpoint.
func (c *Client) list(ctx context.Context, path string) (entries []Entry, organization string, err error) {
	page := ""
	for range maxPages {
		body, header, err := c.get(ctx, path, page)
		if err != nil {
			return nil, "", err
		}
		more, next, err := Parse(body)
		if err != nil {
			return nil, "", err
		}
		entries = append(entries, more...)
		if next == "" || next == page {
			return entries, header.Get("Anthropic-Organization-Id"), nil
		}
		page = next
	}
	return nil, "", fmt.Errorf("read %s: more than %d pages", path, maxPages)
}

func (c *Client) get(ctx context.Context, path, page string) ([]byte, http.Header, error) {
	query := ""
	if page != "" {
		query = "?page=" + url.QueryEscape(page)
	}
	r, err := c.api.Get(ctx, path+query)
	if err != nil {
		return nil, nil, fmt.Errorf("read %s: %w", path, err)
	}
	if r.Code != http.StatusOK {
		return nil, nil, fmt.Errorf("read %s: %s: %.300s", path, r.Status, r.Body)
	}
	return r.Body, r.Header, nil
}
