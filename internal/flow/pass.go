package flow

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/weir-gateway/weir/call"
)

// binder knows which key what is at the upstream belongs to: other keys may not
// see it.
type binder interface {
	// Keys lists the fingerprints of the keys to ask, in order; each but the
	// last may not know what c asks for. "" is whichever is picked.
	Keys(ctx context.Context, c *call.Call) []string
	// Note learns from the answer that key has got.
	Note(req *http.Request, c *call.Call, key call.Key, resp *http.Response)
}

// DoBound is [Corridor.Do] for a call of the house's own, which the key with
// this fingerprint is to pay for.
func (f *Corridor) DoBound(req *http.Request, print string) (*http.Response, *call.Call, error) {
	c, err := f.Classify.Classify(req, time.Now())
	if err != nil {
		return nil, c, err
	}
	c.Bound = print
	resp, err := f.pass(req, c)
	return resp, c, err
}

// pass leads a call straight through whose body streams: it is sent once, for
// its body is gone then. One without a body may be sent to several keys, where
// it is not known which of them has what it asks for.
func (f *Corridor) pass(req *http.Request, c *call.Call) (*http.Response, error) {
	prints := []string{c.Bound}
	if f.Bind != nil && c.Pool == call.PoolBatches && c.Bound == "" {
		prints = f.Bind.Keys(req.Context(), c)
	}
	for i, print := range prints {
		c.Bound = print
		resp, key, err := f.once(req, c)
		if last := i == len(prints)-1; !last && unseen(resp, err) {
			if resp != nil {
				resp.Body.Close()
			}
			continue
		}
		if err != nil {
			return nil, err
		}
		if f.Bind != nil && c.Pool == call.PoolBatches {
			f.Bind.Note(req, c, key, resp)
		}
		f.Account.End(c, resp.StatusCode, "ok", "")
		return resp, nil
	}
	return nil, &call.Refusal{Reason: call.NoKey}
}

// unseen reports whether another key may know more than the one that has
// this answer, or that cannot ask.
func unseen(resp *http.Response, err error) bool {
	if refusal, ok := errors.AsType[*call.Refusal](err); ok {
		return refusal.Reason == call.AccountBlocked
	}
	return err == nil && resp.StatusCode == http.StatusNotFound
}

// once sends a call whose body streams. Where its endpoint has a pool of its
// own, it waits for that.
func (f *Corridor) once(req *http.Request, c *call.Call) (*http.Response, call.Key, error) {
	ctx := req.Context()
	key, permit, err := f.passage(ctx, c)
	if err != nil {
		return nil, key, err
	}
	body, size := io.Reader(req.Body), req.ContentLength
	if c.Body != nil { // classify has had to read it
		body, size = bytes.NewReader(c.Body), int64(len(c.Body))
	}
	resp, err := f.Upstream.Forward(ctx, c, key, body, size)
	if err != nil {
		if permit != nil {
			permit.Settle(time.Now(), call.Usage{})
		}
		return nil, key, noAnswer(ctx, c, call.Verdict{Kind: call.Unreachable}, err)
	}
	if permit != nil {
		permit.Observe(time.Now(), f.Limits(resp.Header))
		permit.Release(time.Now())
	}
	return resp, key, nil
}

// passage picks the key of a call that streams, and waits if it has a pool.
func (f *Corridor) passage(ctx context.Context, c *call.Call) (call.Key, *call.Permit, error) {
	if c.Pool != "" {
		return f.admit(ctx, c, call.Verdict{})
	}
	key, err := f.Keys.Pick(time.Now(), c, f.Outlook)
	c.Attempts = 1
	return key, nil, err
}
